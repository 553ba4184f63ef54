// What the figures mean.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bucket } from "../src/api/types.ts";
import { boundedShapes, beforeLine, isEmpty, stacked, stepsOf, tellsClasses, toldShapes } from "../src/charts/spec.ts";
import { budgetLevel, changeOf, isSampled, likeForLike, moodOf } from "../src/model/figures.ts";
import { forecastPoints } from "../src/model/forecast.ts";
import { matching, ordered } from "../src/model/order.ts";

const HOUR = 3_600_000;
const bucket = (hour: number, requests: number, errors = 0, more: Partial<Bucket> = {}): Bucket => ({
  start: new Date(hour * HOUR).toISOString(),
  end: new Date((hour + 1) * HOUR).toISOString(),
  state: "counted",
  requests,
  errors,
  errorRate: 0,
  avgResponseTime: null,
  p50: null,
  p95: null,
  p99: null,
  uniqueIps: null,
  statusClasses: null,
  ...more,
});
const previous = (...series: Bucket[]) => ({ from: "", to: "", total: bucket(0, 0), series });

test("the step under way is compared with nothing", () => {
  const series = [bucket(24, 100, 10), bucket(25, 100, 10), bucket(26, 1, 1, { state: "counting" })];
  const like = likeForLike(series, previous(bucket(21, 50, 10), bucket(22, 50, 10), bucket(23, 900, 0)), 26.5 * HOUR);
  assert.deepEqual(like.requests, { now: 200, before: 100, ratio: 1 });
  assert.deepEqual([like.errorRate?.now, like.errorRate?.before], [0.1, 0.2]);
});

test("a step whose hours are gone is compared with nothing", () => {
  const gone = { state: "removed" } as const;
  const like = likeForLike([bucket(24, 100), bucket(25, 100), bucket(26, 7, 0, gone)], previous(bucket(21, 0, 0, gone), bucket(22, 50), bucket(23, 9)), 27 * HOUR);
  assert.deepEqual(like.requests, { now: 100, before: 50, ratio: 1 });
});

test("without a period before, or with nothing over yet, there is no change", () => {
  assert.equal(likeForLike([bucket(24, 1)], null, 0).requests, null);
  assert.equal(likeForLike([bucket(24, 1)], previous(bucket(0, 1)), 24 * HOUR).requests, null);
});

test("a change from nothing has no share", () => {
  assert.deepEqual([changeOf(5, 0)?.ratio, changeOf(0, 0)?.ratio, changeOf(null, 1)], [null, 0, null]);
});

test("growth is bad, good or neither", () => {
  const grown = changeOf(2, 1);
  assert.deepEqual([moodOf(grown, "bad"), moodOf(grown, "good"), moodOf(grown, "neutral"), moodOf(changeOf(1000, 1001), "bad"), moodOf(changeOf(1, 0), "bad")], ["worse", "better", "neutral", "neutral", "neutral"]);
});

test("a budget warns before it is spent, and when it burns fast", () => {
  assert.deepEqual([budgetLevel(0.5, 1), budgetLevel(0.75, null), budgetLevel(0.1, 6), budgetLevel(0.1, 14.4), budgetLevel(1, null)], ["ok", "warning", "warning", "critical", "critical"]);
});

test("a sample is told apart from a count", () => {
  assert.deepEqual([isSampled({ requests: 10 }), isSampled({ requests: 10, estimatedRequests: 100 }), isSampled({ requests: 10, estimatedRequests: 10 })], [false, true, false]);
});

test("bars are stacked from the bottom, and told as parts", () => {
  const shapes = stacked([{ label: "ok", colour: "blue", values: [3, 4] }, { label: "errors", colour: "red", values: [1, 0] }], String);
  assert.deepEqual(shapes.map(({ label, values, told }) => [label, values, told]), [["errors", [4, 4], ["1", "0"]], ["ok", [3, 4], ["3", "4"]]]);
  assert.deepEqual(toldShapes({ steps: [], shapes, value: String }).map(({ label }) => label), ["ok", "errors"]);
});

test("the period before has as many places as this one, and gaps where it has no data", () => {
  const [line] = beforeLine("before", [bucket(2, 1), bucket(3, 1), bucket(4, 1)], previous(bucket(0, 7), bucket(1, 8, 0, { state: "removed" })), ({ requests }) => requests);
  assert.deepEqual(line?.values, [7, null, null]);
});

test("bounds are told where they differ", () => {
  const { shapes } = boundedShapes("p95", "blue", [bucket(0, 1, 0, { p95: { value: 2, low: 1, high: 3 } }), bucket(1, 1, 0, { p95: { value: 2, low: 2, high: 2 } }), bucket(2, 0)], ({ p95 }) => p95, String);
  assert.deepEqual(shapes[0]?.told, ["2 (1 – 3)", "2", null]);
  assert.deepEqual(shapes[1]?.values, [3, 2, null]);
});

test("steps say what is special about them", () => {
  assert.deepEqual(stepsOf([bucket(0, 1), bucket(1, 1, 0, { state: "counting" }), bucket(2, 0, 0, { state: "empty" })]).map(({ state }) => state), [undefined, "counting", undefined]);
  assert.equal(isEmpty({ steps: [], value: String, shapes: [{ label: "", colour: "blue", kind: "line", values: [0, null] }] }), true);
});

test("steps without requests tell no classes, whatever they say", () => {
  const none = { "2xx": 0 };
  assert.equal(tellsClasses([bucket(0, 5), bucket(1, 0, 0, { statusClasses: none })]), false);
  assert.equal(tellsClasses([bucket(0, 5), bucket(1, 2, 0, { statusClasses: { "2xx": 2 } })]), true);
});

test("a forecast begins where the samples end, and stops at the limit", () => {
  const samples = [0, 1, 2, 3, 4].map((day) => ({ at: new Date(day * 24 * HOUR).toISOString(), sizeBytes: 100 + day }));
  const points = forecastPoints({ samples, growthBytesPerDay: 10, limitBytes: 120 });
  assert.deepEqual(points.map(({ measured }) => measured), [100, 101, 102, 103, 104, null, null]);
  assert.deepEqual(points.map(({ expected }) => expected), [null, null, null, null, 104, 114, 124]);
  assert.equal(forecastPoints({ samples, growthBytesPerDay: null, limitBytes: 120 }).length, 5);
});

test("rows without a value come last, whichever way, and equal ones keep their order", () => {
  const rows = [{ n: null, k: "a" }, { n: 2, k: "b" }, { n: 1, k: "c" }, { n: 2, k: "d" }];
  const keys = (descending: boolean) => ordered(rows, ({ n }) => n, descending).map(({ k }) => k).join("");
  assert.deepEqual([keys(false), keys(true)], ["cbda", "bdca"]);
  assert.deepEqual(ordered(["/a10", "/a9"], (text) => text, false), ["/a9", "/a10"]);
});

test("a search takes words in any order and case", () => {
  assert.deepEqual(matching(["/API/cart", "/api/user", "/cart"], (text) => text, " cart api "), ["/API/cart"]);
  assert.equal(matching(["/a"], (text) => text, " ").length, 1);
});
