// Two databases and two queues: the same answers as one, and a change from one to two that loses and doubles nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { HOUR_MS, event, hourOf, inParallel, parts, traffic } from "./support/events.mjs";
import { problemOf } from "./support/product.mjs";
import { compare, recount } from "./support/recount.mjs";
import { placeOf, startSingle, startSpread } from "./support/spread.mjs";

const DAY_MS = 24 * HOUR_MS;
const EVENTS = 200_000;
const PER_BODY = 4_000;
const AT_ONCE = 4;
const PATHS = 300;
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);
const FIGURES = "path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, p50, p95, p99, hex(sketches) AS sketches";
const byKey = (a, b) => (a.hour_bucket + a.path < b.hour_bucket + b.path ? -1 : 1);
const admin = (body) => ({ method: "POST", token: SECRETS.ADMIN_TOKEN, body: JSON.stringify(body) });

/** Events of these hours, `count` in all. */
function eventsOf(hours, count, { seed, first = 0, prefix = "" }) {
  const now = Date.now();
  const from = (Math.floor(now / HOUR_MS) - hours.length) * HOUR_MS;
  return traffic({ count, paths: PATHS, hours: hours.length, seed, first, prefix, now }).map((one) => {
    const at = Math.floor((one.timestamp - from) / HOUR_MS);
    const timestamp = hours[at] + (one.timestamp % HOUR_MS);
    return { ...one, timestamp, id: `${timestamp}-${one.id.split("-")[1]}` };
  });
}

async function send(product, events) {
  await inParallel(parts(events, PER_BODY), AT_ONCE, async (some) => {
    const response = await product.collect(some);
    assert.deepEqual([response.status, await response.json()], [202, { accepted: some.length, rejected: 0, errors: [] }]);
  });
}

const sum = (rows, of) => rows.reduce((all, row) => all + row[of], 0);

/** Waits until both databases, or the one, hold so many requests in hourly rows. */
const flushed = (ask, requests, what) =>
  until(async () => sum(await ask("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly"), "n") >= requests, { within: 240_000, what });

/** Nothing is noted to be totalled any more. */
const totalled = (ask) =>
  until(async () => sum(await ask("SELECT count(*) AS n FROM totals_due"), "n") === 0, { within: 120_000, what: "the totals" });

/** What the product answers that does not go by the time at which it is asked. */
async function answers(product, { from, to, old }) {
  const read = async (path) => {
    const response = await product.read(path, { token: SECRETS.ADMIN_TOKEN });
    assert.equal(response.status, 200, path);
    return response.json();
  };
  const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
  const { version } = await read("/paths?refresh=true");
  const paths = await until(async () => {
    const answer = await read("/paths");
    return answer.version > version && answer;
  }, { within: 60_000, what: "a snapshot of everything" });
  const still = ({ trend, errorTrend, ...path }) => path;
  const stats = {};
  for (const { path } of paths.paths.filter((_, at) => at % 9 === 0)) {
    for (const granularity of ["hour", "day"]) {
      const { lastUpdated, ...rest } = await read(`/paths/stats?path=${encodeURIComponent(path)}&${range}&granularity=${granularity}`);
      stats[`${path} ${granularity}`] = rest;
    }
  }
  const metrics = {};
  for (const granularity of ["hour", "day"]) {
    const { total, series, from: first, to: last } = await read(`/paths/metrics?${range}&granularity=${granularity}`);
    metrics[granularity] = { total, series, first, last };
  }
  const { paths: found } = await read("/paths/search?q=route-1&limit=50");
  const text = async (path) => {
    const response = await product.read(path, { token: SECRETS.ADMIN_TOKEN });
    assert.equal(response.status, 200, path);
    return Buffer.from(await response.arrayBuffer());
  };
  const exported = (await text(`/paths/events/export?${range}&format=jsonl`)).toString();
  const trigger = await product.read("/admin/archive/trigger", admin({ date: dateOf(old), wait: true }));
  assert.equal(trigger.status, 200);
  const day = await trigger.json();
  const file = await text(`/admin/archive/download?date=${dateOf(old)}`);
  return { paths: paths.paths.map(still), stats, metrics, found, exported, day, lines: gunzipSync(file).toString() };
}

test("two databases and two queues give the answers of one", { timeout: 1_200_000 }, async (t) => {
  const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const recent = (Math.floor(Date.now() / HOUR_MS) - 4) * HOUR_MS;
  const old = midnight - 2 * DAY_MS;
  // A day that is archived, and four hours that every snapshot shows, whichever day they are of.
  const hours = [old + 3 * HOUR_MS, old + 17 * HOUR_MS, ...[0, 1, 2, 3].map((at) => recent + at * HOUR_MS)];
  const events = eventsOf(hours, EVENTS, { seed: 20251122 });
  const period = { from: recent - 6 * HOUR_MS, to: recent + 4 * HOUR_MS, old };

  const counted = async (product, ask) => {
    const started = Date.now();
    await send(product, events);
    await flushed(ask, EVENTS, "all events flushed");
    t.diagnostic(`${Math.round((Date.now() - started) / 1000)} s until all events were flushed`);
    await totalled(ask);
    return (await ask(`SELECT ${FIGURES} FROM path_stats_hourly`)).sort(byKey);
  };

  const single = await startSingle();
  let one;
  try {
    const ask = (...question) => single.rows(...question);
    one = { rows: await counted(single, ask), ...(await answers(single, period)) };
  } finally {
    await single.stop();
  }
  compare(one.rows, recount(events));

  const spread = await startSpread({ layouts: { [dateOf(old - DAY_MS)]: 2 } });
  try {
    const rows = await counted(spread, spread.both);
    assert.deepEqual(rows, one.rows, "hourly rows, sketches included");
    const apart = await spread.each("SELECT path, count(*) AS n FROM traffic_events GROUP BY path");
    apart.forEach((rows, place) => rows.forEach(({ path }) => assert.equal(placeOf(path, 2), place, path)));
    const [first, second] = apart.map((rows) => sum(rows, "n"));
    t.diagnostic(`${first} raw rows in one database, ${second} in the other`);
    assert.equal(first + second, EVENTS);
    assert.ok(Math.min(first, second) > EVENTS / 5, "both have their share");
    const two = await answers(spread, period);
    assert.deepEqual(two.paths, one.paths, "/paths");
    assert.deepEqual(two.stats, one.stats, "/paths/stats");
    assert.deepEqual(two.metrics, one.metrics, "/paths/metrics");
    assert.deepEqual(two.found, one.found, "/paths/search");
    assert.equal(two.exported, one.exported, "the export");
    assert.equal(two.lines, one.lines, "the archive's file");
    assert.ok(two.lines.split("\n").length > EVENTS / 10);
    for (const answer of [one.day, two.day]) assert.deepEqual([answer.status, answer.cleaned, answer.reconciliation.equal], ["archived", true, true], JSON.stringify(answer.reconciliation).slice(0, 600));
    // Of the day that is archived both are clean; what is younger stands where it stood.
    const left = await spread.each("SELECT count(*) AS n, min(id) AS first FROM traffic_events");
    assert.equal(sum(left.flat(), "n"), EVENTS - events.filter(({ timestamp }) => timestamp < old + DAY_MS).length);
    left.flat().forEach(({ first }) => assert.ok(Number(first.slice(0, 13)) >= old + DAY_MS, first));
  } finally {
    await spread.stop();
  }
});

test("a change from one database to two while traffic flows loses and doubles nothing", { timeout: 600_000 }, async (t) => {
  const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  // As if it had been published yesterday: today is the first day of two. Time cannot be moved here, so the traffic
  // is of both sides of midnight, in any order, with what was delivered before delivered again among it.
  const product = await startSpread({ layouts: { [dateOf(midnight)]: 2 } });
  try {
    const before = eventsOf([midnight - 2 * HOUR_MS, midnight - HOUR_MS], 20_000, { seed: 7 });
    const span = Math.max(60_000, Math.min(HOUR_MS, Date.now() - midnight));
    const after = eventsOf([midnight], 20_000, { seed: 8, first: 20_000 }).map((one) => {
      const timestamp = midnight + ((one.timestamp - midnight) % span);
      return { ...one, timestamp, id: `${timestamp}-${one.id.split("-")[1]}` };
    });
    const mixed = before.flatMap((one, at) => [one, after[at]]);
    const again = [...mixed.slice(10_000, 30_000), ...mixed.slice(0, 5_000)].toReversed();
    const flow = send(product, mixed.slice(0, 25_000)).then(() => send(product, [...again, ...mixed.slice(25_000)]));
    // Going back to one, from a midnight to come, while all of this flows.
    const published = await product.read("/admin/sharding/reshard", admin({ shards: 1 }));
    assert.equal(published.status, 200);
    assert.equal((await published.json()).published, true);
    await flow;
    await flushed(product.both, mixed.length, "all events flushed");
    await send(product, mixed);
    await product.collect(event(1, { path: "/mark", timestamp: Date.now() }));
    await until(async () => (await product.both("SELECT 1 FROM path_stats_hourly WHERE path = '/mark'")).length, { within: 90_000, what: "the last event flushed" });

    const rows = await product.both(`SELECT ${FIGURES} FROM path_stats_hourly WHERE path <> '/mark'`);
    compare(rows, recount(mixed));
    const raw = await product.each("SELECT path, event_date AS date, count(*) AS n FROM traffic_events WHERE path <> '/mark' GROUP BY path, date");
    assert.equal(sum(raw.flat(), "n"), mixed.length);
    const hours = await product.each("SELECT path, substr(hour_bucket, 1, 10) AS date FROM path_stats_hourly WHERE path <> '/mark'");
    for (const list of [raw, hours]) {
      list.forEach((rows, place) => rows.forEach(({ path, date }) => assert.equal(date < dateOf(midnight) ? 0 : placeOf(path, 2), place, `${date} ${path}`)));
    }
    assert.ok(raw[1].length > 50, "today's paths are in both");
    assert.deepEqual(await product.both("SELECT * FROM dead_letters"), []);
    // A path of both days is one path, wherever its hours stand.
    const requestsOf = (path) => mixed.filter((one) => one.path === path).length;
    const moved = raw[1].map(({ path }) => path).filter((path) => before.some((one) => one.path === path));
    const path = moved.toSorted((a, b) => requestsOf(b) - requestsOf(a))[0];
    const range = `from=${new Date(midnight - 2 * HOUR_MS).toISOString()}&to=${new Date(midnight + HOUR_MS).toISOString()}`;
    const stats = await (await product.read(`/paths/stats?path=${encodeURIComponent(path)}&${range}`)).json();
    assert.equal(stats.total.requests, requestsOf(path));
    // Late in the day the first of its hours is older than the snapshot's 24.
    const since = ({ from }) => mixed.filter((one) => one.path === path && one.timestamp >= Date.parse(`${from}:00Z`)).length;
    const found = async () => {
      const snapshot = await (await product.read("/paths?refresh=true")).json();
      return snapshot.paths.find((one) => one.path === path && one.requests === since(snapshot));
    };
    const shown = await until(found, { within: 30_000, what: "the path in the snapshot" });
    t.diagnostic(`${path}: ${shown.requests} requests over midnight`);
    await totalled(product.both);
    // What was received is accounted for, whichever database has it.
    await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
    const ledger = await (await product.read(`/admin/ledger?from=${hourOf(midnight - 2 * HOUR_MS)}:00Z`)).json();
    const checked = ledger.hours.filter(({ hour }) => hour < hourOf(midnight));
    assert.deepEqual(checked.map(({ counted, difference }) => [counted > 0, difference]), [[true, 0], [true, 0]], JSON.stringify(ledger).slice(0, 600));
    assert.ok(checked.every(({ received, counted, duplicates }) => received === counted + duplicates && duplicates > counted));
    const metrics = await (await product.read(`/paths/metrics?${range}`)).json();
    assert.equal(metrics.total.requests, mixed.length + (Date.now() < midnight + HOUR_MS ? 1 : 0));
  } finally {
    await product.stop();
  }
});

test("a database that fails keeps nothing from the other, and what it missed comes again", { timeout: 180_000 }, async () => {
  const today = dateOf(Date.now());
  const product = await startSpread({ layouts: { [today]: 2 }, vars: { RETRY_BASE_SECONDS: "1" } });
  try {
    const names = Array.from({ length: 50 }, (_, at) => `/outage/route-${at}`);
    const [well, ill] = [0, 1].map((place) => names.filter((path) => placeOf(path, 2) === place));
    await product.rowsIn("D1_1", "ALTER TABLE traffic_events RENAME TO gone");
    const now = Date.now();
    // Each event is a message of its own.
    await inParallel(names, 8, async (path, at) => assert.equal((await product.collect(event(at, { path, timestamp: now }))).status, 202));
    const count = async (binding) => (await product.rowsIn(binding, "SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly"))[0].n;
    await until(async () => (await count("D1")) === well.length, { within: 60_000, what: "the rows of the database that is well" });
    assert.equal(await count("D1_1"), 0, "nothing is counted that has no raw row");
    await product.rowsIn("D1_1", "ALTER TABLE gone RENAME TO traffic_events");
    await until(async () => (await count("D1_1")) === ill.length, { within: 120_000, what: "the rows of the one that failed" });
    assert.equal(await count("D1"), well.length);
  } finally {
    await product.stop();
  }
});

test("what may be published is told, and who published it", { timeout: 120_000 }, async () => {
  const product = await startSpread();
  try {
    const show = async () => (await product.read("/admin/sharding")).json();
    const empty = await show();
    assert.deepEqual([empty.shards, empty.bound, empty.queues, empty.layouts], [1, 2, 2, []]);
    assert.deepEqual(empty.databases.map(({ binding, oldestEvent }) => [binding, oldestEvent]), [["D1", null], ["D1_1", null]]);
    const tomorrow = dateOf(Date.now() + HOUR_MS + DAY_MS - 1);
    assert.equal(empty.earliest, tomorrow);
    const refused = async (body, status, code) => {
      const problem = await problemOf(await product.read("/admin/sharding/reshard", admin(body)));
      assert.deepEqual([problem.status, problem.type], [status, `about:blank#${code}`], problem.detail);
    };
    await refused({ shards: 3 }, 409, "not_bound");
    await refused({ shards: 2, from: dateOf(Date.now()) }, 409, "too_early");
    await refused({ shards: 1 }, 409, "nothing_changes");
    await refused({ shards: 0 }, 400, "invalid_order");
    assert.equal((await product.read("/admin/sharding/reshard", { ...admin({ shards: 2 }), token: SECRETS.READ_TOKEN })).status, 403);
    const order = async (body) => (await product.read("/admin/sharding/reshard", admin(body))).json();
    const planned = { from: tomorrow, beginsAt: `${tomorrow}T00:00:00.000Z`, shards: 2, before: 1 };
    assert.deepEqual(await order({ shards: 2, dryRun: true }), { published: false, ...planned });
    assert.deepEqual((await show()).layouts, []);
    assert.deepEqual(await order({ shards: 2 }), { published: true, ...planned });
    const after = await show();
    assert.deepEqual([after.shards, after.layouts], [1, [{ from: tomorrow, shards: 2, state: "coming" }]]);
    await refused({ shards: 2 }, 409, "nothing_changes");
    const { entries } = await (await product.read("/admin/audit", { token: SECRETS.ADMIN_TOKEN })).json();
    assert.ok(entries.some(({ action, status }) => action === "POST /admin/sharding/reshard" && status === 200));
  } finally {
    await product.stop();
  }
});

test("an event of a path is where its hour is", () => {
  assert.equal(hourOf(0), "1970-01-01T00");
  assert.deepEqual(["/", "/api/users", "/checkout"].map((path) => placeOf(path, 16)), [4, 13, 11], "as the product's own tests have it");
});
