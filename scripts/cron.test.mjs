import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCron, runCrons } from "./cron.mjs";

const fires = (cron, moment) => parseCron(cron)(new Date(moment));

test("a step fires at its multiples, in UTC", () => {
  assert.ok(fires("*/5 * * * *", "2026-11-21T08:05:00Z"));
  assert.ok(!fires("*/5 * * * *", "2026-11-21T08:06:00Z"));
  assert.ok(fires("0 2 * * *", "2026-11-21T02:00:00Z"));
  assert.ok(!fires("0 2 * * *", "2026-11-21T14:00:00Z"));
});

test("every six hours is four times a day", () => {
  const hours = Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => fires("0 */6 * * *", Date.UTC(2026, 10, 21, hour)));
  assert.deepEqual(hours, [0, 6, 12, 18]);
});

test("lists, ranges, names and steps over ranges", () => {
  assert.ok(fires("0,30 9-17/4 * * *", "2026-11-21T13:30:00Z"));
  assert.ok(!fires("0,30 9-17/4 * * *", "2026-11-21T14:30:00Z"));
  assert.ok(fires("0 0 1 JAN *", "2027-01-01T00:00:00Z"));
});

test("the week begins on Sunday with 1", () => {
  assert.ok(fires("0 0 * * 1", "2026-11-22T00:00:00Z"));
  assert.ok(fires("0 0 * * SAT", "2026-11-21T00:00:00Z"));
  assert.ok(fires("0 0 * * MON-FRI", "2026-11-23T00:00:00Z"));
});

test("where both kinds of day are restricted, either is enough", () => {
  assert.ok(fires("0 0 21 * MON", "2026-11-21T00:00:00Z"));
  assert.ok(fires("0 0 21 * MON", "2026-11-23T00:00:00Z"));
  assert.ok(!fires("0 0 21 * MON", "2026-11-24T00:00:00Z"));
});

test("what is no schedule is refused with the reason", () => {
  assert.throws(() => parseCron("* * * *"), /five fields/);
  assert.throws(() => parseCron("60 * * * *"), /"60" is no minute/);
  assert.throws(() => parseCron("0 0 * * 0"), /"0" is no day of the week/);
  assert.throws(() => parseCron("*/0 * * * *"), /no valid step/);
  assert.throws(() => parseCron("0 17-9 * * *"), /backwards/);
});

/** A clock that stands still until it is told to go on to the next timer. */
function clock(start) {
  let now = Date.parse(start);
  let timer;
  return {
    now: () => now,
    wait: (run, ms) => (timer = { run, at: now + ms }),
    cancel: () => (timer = undefined),
    next: () => ((now = Math.max(now, timer.at)), timer.run()),
    sleep: (ms) => (now += ms),
    waits: () => timer !== undefined,
  };
}

test("each minute fires once, and a sleeping machine does not make up for what it missed", () => {
  const time = clock("2026-11-21T08:03:20Z");
  const fired = [];
  const stop = runCrons([{ cron: "*/5 * * * *" }, { cron: "* * * * *" }], (job, date) => fired.push(`${job.cron} ${date.toISOString().slice(11, 16)}`), time);
  time.next();
  time.next();
  assert.deepEqual(fired, ["* * * * * 08:04", "*/5 * * * * 08:05", "* * * * * 08:05"]);
  time.sleep(3_600_000);
  time.next();
  assert.deepEqual(fired.slice(3), ["*/5 * * * * 09:05", "* * * * * 09:05"]);
  stop();
  assert.ok(!time.waits());
});
