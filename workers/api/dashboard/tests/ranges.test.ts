// Which time is asked for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCustom, parameters, resolve, type Asked } from "../src/model/ranges.ts";
import { DAY, HOUR, fromField, momentOf, offsetAt, startOfDay, toField } from "../src/model/zone.ts";

const NOW = Date.parse("2026-11-20T14:25:10Z");
const asked = (more: Partial<Asked> = {}): Asked => ({ range: "24h", from: null, to: null, granularity: "auto", ...more });
const iso = (moment: number) => new Date(moment).toISOString();

test("24 hours are the hour under way and the 23 before", () => {
  const range = resolve(asked(), NOW, "UTC");
  assert.deepEqual([iso(range.from), iso(range.to), range.granularity], ["2026-11-19T15:00:00.000Z", "2026-11-20T15:00:00.000Z", "hour"]);
});

test("one hour takes the full hour before as well", () => {
  const range = resolve(asked({ range: "1h" }), NOW, "UTC");
  assert.deepEqual([iso(range.from), iso(range.to)], ["2026-11-20T13:00:00.000Z", "2026-11-20T15:00:00.000Z"]);
});

test("the same question is asked until the hour is over", () => {
  assert.deepEqual(resolve(asked({ range: "7d" }), NOW, "UTC"), resolve(asked({ range: "7d" }), NOW + 34 * 60_000, "UTC"));
  assert.notDeepEqual(resolve(asked({ range: "7d" }), NOW, "UTC"), resolve(asked({ range: "7d" }), NOW + 35 * 60_000, "UTC"));
});

test("thirty days are calendar days of the zone", () => {
  const range = resolve(asked({ range: "30d" }), NOW, "Europe/Berlin");
  // Clocks went back on 25 October: the first day begins at 22:00 UTC, the last ends at 23:00.
  assert.deepEqual([iso(range.from), iso(range.to), range.granularity], ["2026-10-21T22:00:00.000Z", "2026-11-20T23:00:00.000Z", "day"]);
});

test("hours are not shown over more than the api gives", () => {
  const span = (days: number, granularity: Asked["granularity"]) => resolve(asked({ range: "custom", from: NOW - days * DAY, to: NOW, granularity }), NOW, "UTC").granularity;
  assert.deepEqual([span(92, "hour"), span(93, "hour"), span(2, "day"), span(8, "auto"), span(9, "auto")], ["hour", "day", "day", "hour", "day"]);
});

test("a custom range without its ends is the usual one", () => {
  assert.deepEqual(resolve(asked({ range: "custom" }), NOW, "UTC"), resolve(asked(), NOW, "UTC"));
});

test("what is wrong with a typed range is told", () => {
  assert.equal(checkCustom(null, NOW, NOW), "incomplete");
  assert.equal(checkCustom(NOW, NOW, NOW), "reversed");
  assert.equal(checkCustom(NOW + HOUR, NOW + DAY, NOW), "future");
  assert.equal(checkCustom(NOW - 801 * DAY, NOW, NOW), "tooLong");
  assert.equal(checkCustom(NOW - 800 * DAY, NOW, NOW), null);
});

test("parameters name the zone, and moments in UTC", () => {
  assert.deepEqual(parameters(resolve(asked(), NOW, "UTC"), "Asia/Shanghai"), { from: "2026-11-19T15:00:00.000Z", to: "2026-11-20T15:00:00.000Z", granularity: "hour", timezone: "Asia/Shanghai" });
});

test("zones with half hours and changing clocks", () => {
  assert.equal(offsetAt(NOW, "Asia/Kolkata"), 5.5 * HOUR);
  assert.equal(iso(startOfDay(NOW, "Asia/Kolkata")), "2026-11-19T18:30:00.000Z");
  // 02:30 does not exist on that day: clocks go from 02:00 to 03:00.
  assert.equal(iso(momentOf(Date.parse("2026-03-29T03:30:00Z"), "Europe/Berlin")), "2026-03-29T01:30:00.000Z");
  assert.equal(startOfDay(Date.parse("2026-03-29T12:00:00Z"), "Europe/Berlin", 1) - startOfDay(Date.parse("2026-03-29T12:00:00Z"), "Europe/Berlin"), 23 * HOUR);
});

test("a field shows the zone's clock, and is read by it", () => {
  assert.equal(toField(NOW, "Asia/Shanghai"), "2026-11-20T22:25");
  assert.equal(fromField("2026-11-20T22:25", "Asia/Shanghai"), Date.parse("2026-11-20T14:25:00Z"));
  for (const wrong of ["", "2026-11-20", "x", "2026-13-20T10:00"]) assert.equal(fromField(wrong, "UTC"), null, wrong);
});
