// How long what is kept: the plan that deletes nothing, the run, and the cron of every night.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event, hourOf } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const DAY_MS = 86_400_000;
const dateAgo = (days) => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
const OLD = dateAgo(120);
const RECENT = dateAgo(20);
const PATH = "/retention/a:b";

let product;
before(async () => {
  product = await startProduct([real("producer"), promptConsumer(), real("api"), real("archiver"), demoOrigin]);
});
after(() => product?.stop());

const archiver = (path, init) => product.worker("archiver").fetch(`https://archiver${path}`, init);
const plan = async () => (await archiver("/admin/retention")).json();
const run = async () => (await archiver("/admin/retention/run", { method: "POST" })).json();
const daily = (date) => product.row("SELECT requests, errors, unique_ips, hours, fingerprint, purged_at FROM path_stats_daily WHERE path = ? AND date = ?", PATH, date);
const hourly = async (date) => (await product.row("SELECT count(*) AS n FROM path_stats_hourly WHERE hour_bucket LIKE ?", `${date}T%`)).n;

/** Imports events of a day, one in each of its first hours, and waits until their rows are there. */
async function imported(date, numbers) {
  const events = numbers.map((number) => {
    const timestamp = Date.parse(`${date}T00:00:00Z`) + (number % 24) * 3_600_000 + number;
    return event(number, { timestamp, path: PATH, status: number % 3 ? 200 : 500, clientIpHash: number.toString(16).padStart(16, "0") });
  });
  assert.equal((await product.collect(events)).status, 202);
  const hours = new Set(events.map(({ timestamp }) => hourOf(timestamp)));
  const rows = () => product.rows("SELECT hour_bucket FROM path_stats_hourly WHERE path = ? AND hour_bucket LIKE ?", PATH, `${date}T%`);
  await until(async () => (await rows()).length === hours.size, { what: `the hourly rows of ${date}` });
}

/** Makes four quiet days pass for the rows of a day: their objects have sealed them. */
const sealed = (date) => product.rows("UPDATE path_stats_hourly SET sealed_at = 1 WHERE hour_bucket LIKE ?", `${date}T%`);

test("an empty database has nothing to roll up and nothing to delete", async () => {
  const answer = await plan();
  assert.match(answer.nextRun, /^\d{4}-\d\d-\d\dT02:00:00\.000Z$/);
  assert.ok(Date.parse(answer.nextRun) > Date.now() && Date.parse(answer.nextRun) <= Date.now() + DAY_MS);
  assert.deepEqual(answer.raw, { keepDays: 3, days: 0, oldest: null, newest: null });
  assert.deepEqual(answer.rollUp, { days: 0, oldest: null, newest: null });
  assert.deepEqual(answer.hourly, { keepDays: 90, rows: 0, waitingForSeal: 0, oldest: null, newest: null });
  assert.deepEqual(answer.daily, { keepDays: 400, rows: 0, waitingForSeal: 0, oldest: null, newest: null });
});

test("the plan tells what is due, and changes nothing", async () => {
  await imported(OLD, [0, 1, 2, 3]);
  await imported(RECENT, [10, 11]);
  for (let time = 0; time < 2; time += 1) {
    const answer = await plan();
    assert.deepEqual(answer.raw, { keepDays: 3, days: answer.raw.days, oldest: OLD, newest: RECENT });
    assert.deepEqual(answer.rollUp, { days: 2, oldest: OLD, newest: RECENT });
    assert.equal(answer.hourly.rows, 0);
    assert.equal(answer.hourly.waitingForSeal, 4);
  }
  await sealed(OLD);
  const { hourly: going } = await plan();
  assert.deepEqual(going, { keepDays: 90, rows: 4, waitingForSeal: 0, oldest: OLD, newest: OLD });
  assert.equal(await hourly(OLD), 4);
  assert.equal(await daily(OLD), undefined);
});

test("a run rolls up what has ended and deletes what is old", async () => {
  const done = await run();
  assert.deepEqual(
    { ...done },
    { daysRolledUp: 2, dailyRowsWritten: 2, broken: 0, hourlyRowsDeleted: 4, dailyRowsDeleted: 0, failures: 0, complete: true },
  );
  assert.deepEqual([await hourly(OLD), await hourly(RECENT)], [0, 2]);
  const { purged_at: purged, ...row } = await daily(OLD);
  assert.deepEqual(row, { requests: 4, errors: 2, unique_ips: 4, hours: 0b1111, fingerprint: "" });
  assert.ok(Math.abs(purged - Date.now()) < 60_000);
  const again = await run();
  assert.equal(again.daysRolledUp + again.dailyRowsWritten + again.hourlyRowsDeleted, 0);
  assert.equal(again.complete, true);
});

test("the night adds what came for an hour that was deleted, and loses nothing", async () => {
  await imported(OLD, [20, 21]);
  await product.worker("archiver").scheduled({ cron: "0 2 * * *" });
  const row = await until(async () => ((await daily(OLD)).requests === 6 ? daily(OLD) : undefined), { what: "the row of the day" });
  assert.equal(row.unique_ips, 6);
  assert.equal(await hourly(OLD), 2, "their objects may still write them");
  await sealed(OLD);
  assert.equal((await run()).hourlyRowsDeleted, 2);
  const { purged_at: _, ...whole } = await daily(OLD);
  assert.deepEqual(whole, { requests: 6, errors: 3, unique_ips: 6, hours: (0b1111 | (1 << 20) | (1 << 21)), fingerprint: "" });
});

test("an event of an hour that was deleted is set aside: whether it was counted can no longer be told", async () => {
  const before = await daily(OLD);
  const again = event(0, { timestamp: Date.parse(`${OLD}T00:00:00Z`), path: PATH });
  assert.equal((await product.collect([again])).status, 202);
  const letter = await until(() => product.row("SELECT reason, body FROM dead_letters"), { what: "the dead letter" });
  assert.deepEqual([letter.reason, JSON.parse(letter.body).id], ["sealed", again.id]);
  await run();
  assert.deepEqual([await daily(OLD), await hourly(OLD)], [before, 0]);
});

test("methods are held to", async () => {
  for (const [path, method] of [["/admin/retention", "POST"], ["/admin/retention/run", "GET"]]) {
    const response = await archiver(path, { method });
    assert.equal((await problemOf(response)).status, 405, path);
  }
});

test("a retention that contradicts itself is refused, and deletes nothing", async () => {
  const wrong = await startProduct([promptConsumer(), real("archiver", { DAILY_RETENTION_DAYS: "30" })]);
  try {
    for (const [path, method] of [["/admin/retention", "GET"], ["/admin/retention/run", "POST"]]) {
      const response = await wrong.worker("archiver").fetch(`https://archiver${path}`, { method });
      const problem = await problemOf(response);
      assert.equal(problem.status, 500);
      assert.match(problem.detail, /DAILY_RETENTION_DAYS is "30": expected at least HOURLY_RETENTION_DAYS \(90\)/);
    }
  } finally {
    await wrong.stop();
  }
});
