// The totals of the whole system, an hour and a day, against a plain recount of what was sent.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { MIGRATIONS } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { event, hourOf, parts, traffic } from "./support/events.mjs";
import { compare, recount } from "./support/recount.mjs";
import { startOnState } from "./support/runtime.mjs";

const NOW = Date.now();
const HOURS = 30;
const KILLS = 4;
/** An hour of many paths, made by SQL: a pass over it takes its time. */
const MANY = { hour: "2002-05-03T10", date: "2002-05-03", paths: 3_000 };
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
const CODES = ["UNKNOWN", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];

let runtime;
let numbered = 0;
const sent = [];
before(async () => {
  runtime = await startOnState();
});
after(() => runtime?.stop());

/** Traffic of many paths, hours and days, of all methods, with ids of its own. */
function some(count, { paths = 20, seed }) {
  const events = traffic({ count, paths, hours: HOURS, clients: 400, seed, first: numbered, now: NOW });
  numbered += count;
  return events.map((event, n) => ({ ...event, method: METHODS[n % METHODS.length] }));
}

const messages = (events) => parts(events, 40).map((events) => ({ version: 1, events }));

/** Waits until everything sent is flushed, and every total is made. */
async function settled() {
  const flushed = async () => (await runtime.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE hour_bucket > ?", MANY.hour)).n >= sent.length;
  await until(flushed, { within: 60_000, what: `${sent.length} events flushed` });
  // A flush alone lets the object wait until the snapshot is old.
  await runtime.scheduled("consumer", "*/5 * * * *");
  const made = async () => (await runtime.row("SELECT count(*) AS n FROM totals_due")).n === 0;
  await until(made, { within: 60_000, what: "all totals made" });
}

const dayOf = (timestamp) => new Date(timestamp).toISOString().slice(0, 10);
const distinct = (events, name, nameOf) => new Set(events.filter(({ timestamp }) => nameOf(timestamp) === name).map(({ path }) => path)).size;

/** Counts by method and class of status, of the first bytes of the statistics. */
function cellsOf(hex) {
  const bytes = Buffer.from(hex, "hex");
  assert.equal(bytes[0], 2);
  let at = 1 + 8 * 11;
  const cells = {};
  for (let left = bytes[at++]; left > 0; left -= 1) {
    const key = bytes[at++];
    let [count, place] = [0, 1];
    for (; bytes[at] & 0x80; place *= 128) count += (bytes[at++] & 0x7f) * place;
    cells[`${CODES[key >> 4]} ${(key & 15) + 1}xx`] = count + bytes[at++] * place;
  }
  return cells;
}

function recountCells(events) {
  const cells = {};
  for (const { method, status } of events) {
    const key = `${CODES.includes(method) ? method : "OTHER"} ${Math.floor(status / 100)}xx`;
    cells[key] = (cells[key] ?? 0) + 1;
  }
  return cells;
}

/** Holds all totals against what was sent. */
async function compareAll() {
  const hours = await runtime.rows("SELECT *, '*' AS path, hex(substr(sketches, 1, 600)) AS head, NULL AS sketches, NULL AS path_sketch FROM hourly_totals WHERE hour_bucket > ?", MANY.hour);
  const days = await runtime.rows("SELECT *, '*' AS path, date || 'T00' AS hour_bucket, hex(substr(sketches, 1, 600)) AS head, NULL AS sketches, NULL AS path_sketch FROM daily_totals WHERE date > ?", MANY.date);
  compare(hours, recount(sent.map((event) => ({ ...event, path: "*" }))));
  compare(days, recount(sent.map((event) => ({ ...event, path: "*", timestamp: Date.parse(dayOf(event.timestamp)) }))));
  for (const { hour_bucket: name, paths, head } of hours) {
    assert.equal(paths, distinct(sent, name, hourOf), `paths of ${name}`);
    assert.deepEqual(cellsOf(head), sortedLike(cellsOf(head), recountCells(sent.filter(({ timestamp }) => hourOf(timestamp) === name))), `cells of ${name}`);
  }
  for (const { date: name, paths, head } of days) {
    assert.equal(paths, distinct(sent, name, dayOf), `paths of ${name}`);
    assert.deepEqual(cellsOf(head), sortedLike(cellsOf(head), recountCells(sent.filter(({ timestamp }) => dayOf(timestamp) === name))), `cells of ${name}`);
  }
}

/** The same entries in the order of another object, so that a difference reads well. */
const sortedLike = (order, cells) => Object.fromEntries([...Object.keys(order), ...Object.keys(cells)].filter((key) => key in cells).map((key) => [key, cells[key]]));

const deliver = async (events) => {
  sent.push(...events);
  for (const batch of parts(messages(events), 25)) assert.deepEqual((await runtime.deliver(batch)).again, []);
};

const stamps = async () => ({
  ...Object.fromEntries((await runtime.rows("SELECT hour_bucket, pass FROM hourly_totals")).map((row) => [row.hour_bucket, row.pass])),
  ...Object.fromEntries((await runtime.rows("SELECT date, pass FROM daily_totals")).map((row) => [row.date, row.pass])),
});

test("totals of hours and days are those of what was sent", { timeout: 120_000 }, async (t) => {
  await deliver(some(4_000, { seed: 20251015 }));
  await settled();
  await compareAll();
  const { n } = await runtime.row("SELECT count(*) AS n FROM path_stats_hourly");
  t.diagnostic(`${sent.length} events in ${n} path-hours, ${HOURS} hours`);
});

test("a late event changes exactly its hour and its day", async () => {
  const before = await stamps();
  const timestamp = NOW - 30 * 3_600_000;
  await deliver([event(numbered++, { timestamp, path: "/late/once", method: "PATCH", status: 503 })]);
  await settled();
  const after = await stamps();
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  assert.deepEqual(changed.sort(), [dayOf(timestamp), hourOf(timestamp)]);
  await compareAll();
});

test("an event that comes again changes no total", async () => {
  const before = await stamps();
  await runtime.deliver(messages(sent.slice(0, 200)));
  await settled();
  assert.deepEqual(await stamps(), before);
});

test("a run that died after it began a pass is made good by the next one", async () => {
  const hour = hourOf(NOW - 5 * 3_600_000);
  const { pass } = await runtime.row("SELECT pass FROM hourly_totals WHERE hour_bucket = ?", hour);
  await runtime.rows("UPDATE hourly_totals SET requests = 0 WHERE hour_bucket = ?", hour);
  await runtime.rows("INSERT INTO totals_due (period, changed, pass) VALUES (?, 0, ?)", hour, pass + 1);
  await runtime.kill();
  await settled();
  await compareAll();
});

test("a runtime killed while an hour is read makes the hour after all", { timeout: 120_000 }, async (t) => {
  const busiest = await runtime.row("SELECT path, hour_bucket, requests FROM path_stats_hourly ORDER BY requests DESC LIMIT 1");
  await runtime.rows(
    `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${MANY.paths})
     INSERT INTO path_stats_hourly SELECT printf('/many/%d', n), ?, requests, errors, sum_response_time, count_response_time, unique_ips,
     estimated_requests, p50, p95, p99, revision, sealed_at, updated_at, sketches FROM n, path_stats_hourly WHERE path = ? AND hour_bucket = ?`,
    MANY.hour,
    busiest.path,
    busiest.hour_bucket,
  );
  const total = () => runtime.row("SELECT pass, requests, errors, unique_ips, paths FROM hourly_totals WHERE hour_bucket = ?", MANY.hour);
  await settled();
  const whole = await total();
  assert.equal(whole.requests, MANY.paths * busiest.requests);
  // Notes each pass of the hour, and each total, from outside: the product knows nothing of it.
  for (const sql of [
    "CREATE TABLE passes (pass INTEGER PRIMARY KEY, ended INTEGER NOT NULL DEFAULT 0)",
    `CREATE TRIGGER pass_begun AFTER UPDATE OF pass ON totals_due WHEN new.period = '${MANY.hour}' BEGIN INSERT INTO passes (pass) VALUES (new.pass); END`,
    `CREATE TRIGGER pass_ended AFTER UPDATE OF pass ON hourly_totals WHEN new.hour_bucket = '${MANY.hour}' BEGIN UPDATE passes SET ended = 1 WHERE pass = new.pass; END`,
  ]) {
    await runtime.rows(sql);
  }
  const passes = async () => (await runtime.row("SELECT count(*) AS n FROM passes")).n;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = await passes();
    await runtime.rows("UPDATE path_stats_hourly SET sketches = sketches WHERE hour_bucket = ?", MANY.hour);
    await runtime.scheduled("consumer", "*/5 * * * *");
    runtime.withDatabaseFile((database) => {
      const begun = database.prepare("SELECT count(*) AS n FROM passes");
      const end = Date.now() + 10_000;
      while (begun.get().n === before) assert.ok(Date.now() < end, "a pass begins");
    });
    await runtime.kill();
    await settled();
    const { pass, ...figures } = await total();
    assert.deepEqual({ pass: whole.pass, ...figures }, whole);
    assert.equal((await runtime.row("SELECT requests FROM daily_totals WHERE date = ?", MANY.date)).requests, whole.requests);
  }
  const died = (await passes()) - (await runtime.row("SELECT count(*) AS n FROM passes WHERE ended = 1")).n;
  t.diagnostic(`${died} of ${await passes()} passes died by ${KILLS} kills`);
  assert.ok(died > 0);
  await compareAll();
});

test("a database from before there were totals has all of them made", () => {
  const database = new DatabaseSync(":memory:");
  const files = readdirSync(MIGRATIONS).sort();
  const apply = (first, last) => files.filter((name) => name >= first && name < last).forEach((name) => database.exec(readFileSync(join(MIGRATIONS, name), "utf8")));
  apply("0001", "0004");
  const hour = database.prepare(
    "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) VALUES (?, ?, 1, 0, 0, 0, 0, 1, 1, 0, x'')",
  );
  const day = database.prepare(
    "INSERT INTO path_stats_daily (path, date, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, hours, fingerprint, purged_at, updated_at, sketches) VALUES (?, ?, 1, 0, 0, 0, 0, 1, 1, '', ?, 0, x'')",
  );
  for (const path of ["/a", "/b"]) {
    for (const bucket of ["2025-10-15T14", "2025-10-15T15", "2025-07-01T03"]) hour.run(path, bucket);
    day.run(path, "2025-10-15", null);
    for (const date of ["2025-07-01", "2025-06-30"]) day.run(path, date, path === "/a" ? 7 : null);
  }
  apply("0004", "0005");
  const names = (sql) => database.prepare(sql).all().map(({ name }) => name);
  // Of a day that lost hourly rows no hour is made, and the day itself of its daily rows.
  assert.deepEqual(names("SELECT date AS name FROM totals_purged ORDER BY 1"), ["2025-06-30", "2025-07-01"]);
  assert.deepEqual(names("SELECT period AS name FROM totals_due WHERE changed = 1 AND pass = 0 ORDER BY 1"), [
    "2025-06-30",
    "2025-07-01",
    "2025-10-15T14",
    "2025-10-15T15",
  ]);
});
