// Which databases hold which days, and what is told of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Layout, Sharding } from "../src/api/types.ts";
import { reshardCommand, spansOf, standingOf } from "../src/model/sharding.ts";

const layout = (from: string, shards: number, state: Layout["state"]): Layout => ({ from, shards, state });
const database = (binding: string) => ({ binding, sizeBytes: 1, oldestEvent: null, newestEvent: null, oldestHour: null, newestHour: null });
const sharding = (more: Partial<Sharding> & { bound: number }): Sharding => ({
  shards: 1,
  queues: 1,
  earliest: "2026-03-11",
  layouts: [],
  databases: Array.from({ length: more.bound }, (_, place) => database(place ? `D1_${place}` : "D1")),
  runbook: "https://runbooks.test/docs/scaling-runbook.md",
  ...more,
});

test("every day belongs to one layout, the one before the first among them", () => {
  const spans = spansOf([layout("2026-03-01", 2, "past"), layout("2026-03-10", 3, "current"), layout("2026-03-20", 1, "coming")]);
  assert.deepEqual(spans, [
    { from: "2026-03-20", to: null, shards: 1, state: "coming" },
    { from: "2026-03-10", to: "2026-03-19", shards: 3, state: "current" },
    { from: "2026-03-01", to: "2026-03-09", shards: 2, state: "past" },
    { from: null, to: "2026-02-28", shards: 1, state: "past" },
  ]);
});

test("before the first layout begins, one database is in force", () => {
  assert.deepEqual(spansOf([]), [{ from: null, to: null, shards: 1, state: "current" }]);
  assert.deepEqual(spansOf([layout("2026-03-20", 2, "coming")]).at(-1), { from: null, to: "2026-03-19", shards: 1, state: "current" });
});

test("one database without layouts is told as such; with layouts it is not", () => {
  assert.equal(standingOf(sharding({ bound: 1 })).single, true);
  assert.equal(standingOf(sharding({ bound: 2 })).single, false);
  assert.equal(standingOf(sharding({ bound: 1, layouts: [layout("2026-03-01", 2, "past"), layout("2026-03-10", 1, "current")] })).single, false);
});

test("the next layout is the first to come", () => {
  const layouts = [layout("2026-03-01", 2, "current"), layout("2026-03-20", 3, "coming"), layout("2026-03-25", 1, "coming")];
  assert.equal(standingOf(sharding({ bound: 3, layouts })).next?.from, "2026-03-20");
  assert.equal(standingOf(sharding({ bound: 3, layouts: layouts.slice(0, 1) })).next, null);
});

test("a layout that Workers cannot follow stands out, unless it is over", () => {
  const of = (state: Layout["state"]) => standingOf(sharding({ bound: 1, layouts: [layout("2026-03-01", 2, state)] })).unreachable?.shards;
  assert.deepEqual([of("current"), of("coming"), of("past")], [2, 2, undefined]);
  const uneven = sharding({ bound: 1, databases: [database("D1"), database("D1_1")] });
  assert.deepEqual([standingOf(uneven).uneven, standingOf(uneven).single], [true, false]);
});

test("the command spreads over all databases, and never publishes as it is copied", () => {
  const command = (of: Sharding) => reshardCommand(of, standingOf(of), "https://stats.test");
  assert.equal(command(sharding({ bound: 3 })), "pathstats reshard --shards 3 --dry-run --url https://stats.test");
  assert.equal(command(sharding({ bound: 2, layouts: [layout("2026-03-20", 2, "coming")] })), "pathstats reshard --shards N --dry-run --url https://stats.test");
});
