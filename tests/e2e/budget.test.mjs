// A scanner asks for a hundred thousand paths in an hour: the objects stay few, the figures exact, the memory flat.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { event, hourOf, HOUR_MS, parts } from "./support/events.mjs";
import { SECRETS } from "./support/configs.mjs";
import { startOnState } from "./support/runtime.mjs";
import { until } from "../../scripts/until.mjs";

const PATHS = 100_000;
const BUDGET = 1_000;
const PER_MESSAGE = 100;
const PER_BATCH = 10;
// The hour before this one: it does not end while the test runs.
const THEN = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS / 2;
const HOUR = hourOf(THEN);
const MB = 1_000_000;

const VARS = { consumer: { PATHS_PER_HOUR: String(BUDGET), FLUSH_SECONDS: "5" } };

let runtime;
before(async () => {
  runtime = await startOnState({ vars: VARS });
});
after(() => runtime?.stop());

const scanned = (number) => event(number, { timestamp: THEN, path: `/scan/item-${number}x`, status: number % 10 ? 404 : 200, responseTime: 1 + (number % 50) });
/** The same events, but of a thousand paths and one more. */
const tame = (number) => ({ ...scanned(number), path: number < BUDGET ? scanned(number).path : "/scan/all" });
const batches = (make = scanned) =>
  Array.from({ length: PATHS / PER_MESSAGE / PER_BATCH }, (_, batch) =>
    Array.from({ length: PER_BATCH }, (_, message) => ({
      version: 1,
      events: Array.from({ length: PER_MESSAGE }, (_, n) => make((batch * PER_BATCH + message) * PER_MESSAGE + n)),
    })));
const total = async () => (await runtime.row("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly WHERE hour_bucket = ?", HOUR)).n;
const figures = async () => ({
  rows: await runtime.rows("SELECT path, requests, errors, sum_response_time, count_response_time, p50 FROM path_stats_hourly WHERE hour_bucket = ? ORDER BY path", HOUR),
  raw: (await runtime.row("SELECT count(*) AS n FROM traffic_events")).n,
  letters: (await runtime.row("SELECT count(*) AS n FROM dead_letters")).n,
});
const budgetObject = { name: `budget:${HOUR}` };
let first;

/** Delivers everything; resolves to what the runtime's memory grew by after the first tenth, and the times of batches. */
async function deliverAll({ to = runtime, make = scanned } = {}) {
  const memory = [];
  const times = [];
  for (const [index, messages] of batches(make).entries()) {
    const began = performance.now();
    assert.deepEqual((await to.deliver(messages)).again, [], `batch ${index}`);
    times.push(performance.now() - began);
    memory.push((await to.usage()).memoryBytes);
    // Forgets what the object has in memory, in the middle of it all.
    if (to === runtime && index === 50) assert.equal(await runtime.evict("consumer", "PathBudgetDO", budgetObject), true);
  }
  return { grown: Math.max(...memory) - Math.max(...memory.slice(0, memory.length / 10)), times };
}

test("100,000 paths of one hour within a budget of 1,000 are 1,001 objects, and no request is missing", { timeout: 900_000 }, async (t) => {
  const { grown, times } = await deliverAll();
  await until(async () => (await total()) >= PATHS, { within: 120_000, what: "all requests flushed" });
  first = await figures();
  const objects = await runtime.objectIds("consumer", "AggregatorDO");
  assert.equal(objects.length, BUDGET + 1);
  assert.equal((await runtime.objectIds("consumer", "PathBudgetDO")).length, 1);
  assert.equal(first.rows.length, BUDGET + 1);
  assert.equal(first.raw, PATHS, "raw rows keep every path");
  assert.equal(first.letters, 0);
  const other = first.rows.find(({ path }) => path === "(other)");
  assert.equal(first.rows.reduce((sum, row) => sum + row.requests, 0), PATHS);
  assert.equal(other.requests, PATHS - BUDGET);
  const own = first.rows.filter(({ path }) => path !== "(other)");
  assert.ok(own.every(({ requests }) => requests === 1));
  // What is neither there nor in (other) would show in the errors and times too.
  const events = batches().flat().flatMap(({ events }) => events);
  assert.equal(first.rows.reduce((sum, row) => sum + row.errors, 0), events.filter(({ status }) => status >= 400).length);
  assert.equal(first.rows.reduce((sum, row) => sum + row.sum_response_time, 0), events.reduce((sum, { responseTime }) => sum + responseTime, 0));
  // What events cost in memory they cost whatever their paths: the runtime keeps ids, D1 pages, code.
  const control = await startOnState({ vars: VARS });
  const { grown: tamely } = await deliverAll({ to: control, make: tame }).finally(() => control.stop());
  const sorted = times.slice(2).sort((a, b) => a - b);
  t.diagnostic(`memory of the runtime: grown by ${Math.round(grown / MB)} MB from the first tenth on, by ${Math.round(tamely / MB)} MB for as many events of 1,001 paths`);
  t.diagnostic(`a batch of ${PER_MESSAGE * PER_BATCH} paths: first ${Math.round(times[0])} ms, then ${Math.round(sorted[sorted.length >> 1])} ms (median)`);
  assert.ok(grown - tamely < 48 * MB, `${grown - tamely} bytes for 99,000 more paths`);
});

test("the budget's own row tells how many paths were admitted and about how many were not", { timeout: 120_000 }, async () => {
  const told = () => runtime.row("SELECT * FROM path_budgets WHERE hour_bucket = ?", HOUR);
  await until(async () => (await told())?.refused > 50_000, { within: 100_000, what: "the budget reported" });
  const row = await told();
  assert.deepEqual([row.path_limit, row.admitted, row.closed, row.groups_not_found], [BUDGET, BUDGET, 0, 0]);
  assert.ok(row.refused > 80_000 && row.refused < 120_000, `${row.refused}`);
  const sample = JSON.parse(row.sample);
  assert.equal(new Set(sample).size, 200);
  const admitted = new Set(first.rows.map(({ path }) => path));
  assert.ok(sample.every((path) => !admitted.has(path)));
  const answer = await runtime.fetch("api", "/admin/cardinality?hours=3", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } });
  const { hours, sampledPaths, suggestions, pathTemplates } = await answer.json();
  const of = hours.find(({ hour }) => hour === HOUR);
  assert.deepEqual([of.limit, of.admittedPaths, of.other.requests, of.notFound.requests], [BUDGET, BUDGET, PATHS - BUDGET, 0]);
  assert.deepEqual([sampledPaths, pathTemplates], [200, "/scan/:name"]);
  assert.deepEqual([suggestions[0].template, suggestions[0].sampledPaths, suggestions[0].share], ["/scan/:name", 200, 1]);
});

test("the catch-all has a series as a path has, and no other name in brackets does", async () => {
  const read = (path) => runtime.fetch("api", path, { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } });
  const stats = await read(`/paths/stats?path=${encodeURIComponent("(other)")}&from=${HOUR}:00Z&to=${HOUR}:59Z&granularity=hour`);
  assert.equal((await stats.json()).total?.requests, PATHS - BUDGET);
  const refused = await read(`/paths/stats?path=${encodeURIComponent("(else)")}`);
  assert.equal(refused.status, 400);
});

test("all of it again after a power cut changes no figure and makes no object", { timeout: 900_000 }, async () => {
  await runtime.kill();
  await deliverAll();
  const mark = event(PATHS + 1, { timestamp: THEN, path: first.rows.find(({ path }) => path !== "(other)").path });
  await runtime.deliver([mark]);
  await until(async () => (await total()) > PATHS, { within: 60_000, what: "the last event flushed" });
  const again = await figures();
  const marked = first.rows.map((row) => (row.path === mark.path ? { ...row, requests: 2 } : row));
  assert.deepEqual(again.rows.map(({ path, requests }) => [path, requests]), marked.map(({ path, requests }) => [path, requests]));
  assert.deepEqual([again.raw, again.letters], [PATHS + 1, 0]);
  assert.equal((await runtime.objectIds("consumer", "AggregatorDO")).length, BUDGET + 1);
});

test("a budget that does not answer brings messages of unknown paths again, and leaves those of known ones alone", async () => {
  const known = event(1, { timestamp: THEN + 1, path: first.rows.find(({ path }) => path !== "(other)").path });
  const unknown = event(2, { timestamp: THEN + 1, path: "/scan/never-seen" });
  await runtime.deliver([event(3, { timestamp: THEN + 1, path: known.path })]);
  const namespace = (await runtime.bindings("consumer")).BUDGET_DO;
  await runtime.evict("consumer", "PathBudgetDO", budgetObject);
  const { DatabaseSync } = await import("node:sqlite");
  const file = runtime.objectFile("consumer", "PathBudgetDO", namespace.idFromName(budgetObject.name).toString());
  const rename = (from, to) => {
    const database = new DatabaseSync(file);
    database.exec(`UPDATE log SET body = ${to} WHERE number = 1 AND body = ${from}`);
    database.close();
  };
  const database = new DatabaseSync(file);
  const { body } = database.prepare("SELECT body FROM log WHERE number = 1").get();
  database.close();
  const hex = `x'${Buffer.from(body).toString("hex")}'`;
  rename(hex, "x'00'");
  assert.deepEqual((await runtime.deliver([known, unknown])).again, [1]);
  await runtime.evict("consumer", "PathBudgetDO", budgetObject);
  rename("x'00'", hex);
  assert.deepEqual((await runtime.deliver([unknown])).again, []);
});

test("404s are grouped where that is configured, and stay grouped when their path turns out to be there", { timeout: 120_000 }, async () => {
  const grouping = await startOnState({ vars: { consumer: { PATHS_PER_HOUR: "2", GROUP_NOT_FOUND: "on" } } });
  try {
    const at = (number, path, status) => event(number, { timestamp: THEN, path, status });
    const messages = [at(1, "/late", 404), at(2, "/wp-login.php", 404), at(3, "/early", 200)];
    const later = [at(4, "/late", 200), at(5, "/late", 404), at(6, "/early", 404), at(7, "/full", 200), at(8, "/full", 404)];
    for (const some of [messages, later, messages, later]) assert.deepEqual((await grouping.deliver(some)).again, []);
    const rows = () => grouping.rows("SELECT path, requests FROM path_stats_hourly WHERE hour_bucket = ? ORDER BY path", HOUR);
    await until(async () => (await rows()).reduce((sum, { requests }) => sum + requests, 0) >= 8, { within: 30_000, what: "all flushed" });
    assert.deepEqual(await rows(), [
      { path: "(not found)", requests: 4 },
      { path: "(other)", requests: 1 },
      { path: "/early", requests: 2 },
      { path: "/late", requests: 1 },
    ]);
  } finally {
    await grouping.stop();
  }
});

test("an hour that was counted before there were budgets goes on without one", { timeout: 60_000 }, async () => {
  const before = await startOnState({ vars: { consumer: { PATHS_PER_HOUR: "1" } } });
  try {
    await (await before.d1()).prepare("INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) VALUES ('/old', ?, 1, 0, 0, 0, 0, 1, 1, 0, x'')").bind(HOUR).run();
    await before.deliver([event(1, { timestamp: THEN, path: "/a" }), event(2, { timestamp: THEN, path: "/b" })]);
    const rows = async () => (await before.rows("SELECT path FROM path_stats_hourly WHERE hour_bucket = ? ORDER BY path", HOUR)).map(({ path }) => path);
    await until(async () => (await rows()).length === 3, { within: 30_000, what: "both flushed" });
    assert.deepEqual(await rows(), ["/a", "/b", "/old"]);
  } finally {
    await before.stop();
  }
});

test("a batch of many hours asks their budgets from invocations of their own", { timeout: 60_000 }, async () => {
  const day = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 72 * HOUR_MS;
  const events = Array.from({ length: 60 }, (_, n) => event(10_000 + n, { timestamp: day + n * HOUR_MS, path: "/import" }));
  const answers = await Promise.all(parts(events, 60).map((some) => runtime.deliver(some)));
  assert.deepEqual(answers.flatMap(({ again }) => again), []);
  await until(async () => (await runtime.row("SELECT count(*) AS n FROM path_stats_hourly WHERE path = '/import'")).n === 60, { within: 30_000, what: "all hours flushed" });
});
