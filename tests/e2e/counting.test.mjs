// Two hundred thousand events through /collect, against a plain recount; then all of them again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { event, inParallel, parts, traffic } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";
import { compare, recount } from "./support/recount.mjs";
import { until } from "../../scripts/until.mjs";

const EVENTS = 200_000;
const PER_BODY = 4_000;
const AT_ONCE = 4;
const BODY_LIMIT = 1_000_000;
const ROWS = "SELECT path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, p50, p95, p99, revision FROM path_stats_hourly WHERE path NOT LIKE '/mark/%'";

let product;
let events;
before(async () => {
  product = await startProduct();
  events = traffic({ count: EVENTS, paths: 300, hours: 6, seed: 20251015 });
  // Counts each write of an hourly row, from outside: the product knows nothing of it.
  await product.d1().batch([
    product.d1().prepare("CREATE TABLE flushes (writes INTEGER NOT NULL)"),
    product.d1().prepare("INSERT INTO flushes VALUES (0)"),
    product.d1().prepare("CREATE TRIGGER first_flush AFTER INSERT ON path_stats_hourly BEGIN UPDATE flushes SET writes = writes + 1; END"),
    product.d1().prepare("CREATE TRIGGER later_flush AFTER UPDATE ON path_stats_hourly BEGIN UPDATE flushes SET writes = writes + 1; END"),
  ]);
});
after(() => product?.stop());

/** Sends all events, as arrays and as lines by turns, and resolves when they are flushed. */
async function send(mark) {
  await inParallel(parts(events, PER_BODY), AT_ONCE, async (some, index) => {
    const body = index % 2 ? some.map((event) => JSON.stringify(event)).join("\n") : JSON.stringify(some);
    assert.ok(Buffer.byteLength(body) < BODY_LIMIT);
    const response = await product.collect(body);
    assert.deepEqual([response.status, await response.json()], [202, { accepted: some.length, rejected: 0, errors: [] }]);
  });
  // Sent last, so its object flushes after every object that had something to flush before.
  const path = `/mark/${mark}`;
  await product.collect(event(1, { path }));
  await until(() => product.row("SELECT id FROM traffic_events WHERE path = ?", path), { within: 120_000, what: "the last event stored" });
  const last = Date.now();
  await until(() => product.row("SELECT 1 FROM path_stats_hourly WHERE path = ?", path), { within: 90_000, what: "the last event flushed" });
  return last;
}

const figures = async () => ({
  rows: await product.rows(`${ROWS} ORDER BY hour_bucket, path`),
  raw: (await product.row("SELECT count(*) AS n FROM traffic_events WHERE path NOT LIKE '/mark/%'")).n,
});
let first;

test("200,000 events are counted exactly by path and hour", { timeout: 300_000 }, async (t) => {
  const started = Date.now();
  const stored = await send("first");
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path NOT LIKE '/mark/%'")).n >= EVENTS, {
    within: 60_000,
    what: "all events flushed",
  });
  first = await figures();
  const worst = compare(first.rows, recount(events));
  assert.equal(first.raw, EVENTS);
  assert.equal((await product.row("SELECT count(*) AS n FROM dead_letters")).n, 0);
  assert.equal((await product.row("SELECT count(*) AS n FROM outbox")).n, 0);
  t.diagnostic(`${worst.pathHours} path-hours; largest error of a percentile ${(worst.percentile * 100).toFixed(3)} %, of clients ${(worst.clients * 100).toFixed(3)} %`);
  t.diagnostic(`${Math.round(EVENTS / ((stored - started) / 1000))} events a second from request to raw row`);
});

test("an event costs at most 1.10 rows of D1 and a thousandth of a write to KV", async (t) => {
  const { writes } = await product.row("SELECT writes FROM flushes");
  const rows = (first.raw + writes) / EVENTS;
  const { keys } = await product.kv().list({ prefix: "paths:snapshot:" });
  // A rebuild writes a version and the pointer; the heartbeat once a minute at most.
  const rebuilds = keys.filter(({ name }) => name !== "paths:snapshot:latest").length;
  const puts = 2 * rebuilds + 3;
  t.diagnostic(`${rows.toFixed(4)} rows an event (${first.raw} raw, ${writes} flushes); ${(puts / EVENTS).toFixed(6)} KV writes an event (${rebuilds} rebuilds)`);
  assert.ok(rows <= 1.1, `${rows} rows an event`);
  assert.ok(puts / EVENTS <= 0.001, `${puts} writes to KV`);
});

test("a raw event is one row written, and a second time none", async () => {
  const insert = () =>
    product.d1().prepare("INSERT OR IGNORE INTO traffic_events (id, path, method, status) VALUES ('1000000000000-00000001', '/mark/row', 'GET', 200)").run();
  assert.equal((await insert()).meta.rows_written, 1);
  assert.equal((await insert()).meta.rows_written, 0);
});

test("the same 200,000 events again change no figure", { timeout: 300_000 }, async () => {
  await send("second");
  assert.deepEqual(await figures(), first);
});
