// A day from the database into the bucket: whole, and the database cleaned of exactly that.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { archiver, dayOfEvents, daysAgo, sameEvents } from "./support/archive.mjs";
import { inParallel, parts } from "./support/events.mjs";
import { startOnState } from "./support/runtime.mjs";

const { start, date } = daysAgo(5);
const NAME = `events-archive/${date.slice(0, 4)}/${date.slice(5, 7)}/${date}`;
const EVENTS = dayOfEvents(start, 20_000);

let runtime;
let archive;
before(async () => {
  runtime = await startOnState({ vars: { archiver: { ARCHIVE_FORMAT: "jsonl+parquet" } } });
  archive = archiver(runtime);
  await deliver(EVENTS);
});
after(() => runtime?.stop());

/** Delivers events to the consumer, and waits until the hourly rows have them. */
async function deliver(events) {
  await inParallel(parts(events, 2_000), 2, async (some) => {
    const bodies = parts(some, 100).map((events) => ({ version: 1, events }));
    assert.deepEqual((await runtime.deliver(bodies)).again, []);
  });
  const ids = new Set(events.map(({ id }) => id));
  await until(async () => (await counted()) >= total(ids), { within: 60_000, what: "all events counted" });
}
const counted = async () => (await runtime.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n;
const known = new Set();
const total = (ids) => {
  for (const id of ids) known.add(id);
  return known.size;
};
const left = async () => (await runtime.row("SELECT count(*) AS n FROM traffic_events")).n;

test("an order that cannot be taken says why", async () => {
  const today = new Date().toISOString().slice(0, 10);
  const cases = [
    ["/admin/archive/trigger", "no JSON", 400, /parameter `body` is .*expected a JSON object such as/],
    ["/admin/archive/trigger", { date: "2025-02-30" }, 400, /2025-02-30.*is not a date/],
    ["/admin/archive/trigger", { date, force: true }, 400, /unknown field `force`/],
    ["/admin/archive/trigger", {}, 400, /missing field `date`/],
    ["/admin/archive/trigger", "x".repeat(2_000), 413, /1,000 bytes/],
    ["/admin/archive/trigger", { date: today }, 409, /has not ended/],
    ["/admin/archive/trigger", { date: "2020-01-01", wait: true }, 404, /no event of 2020-01-01/],
    ["/admin/archive/nothing", { date }, 404, /nothing at/],
  ];
  for (const [path, body, status, detail] of cases) {
    const answer = await archive.post(path, body);
    assert.equal(answer.status, status, JSON.stringify(answer));
    assert.match(answer.body.detail, detail);
  }
  const wrong = await runtime.fetch("archiver", "/admin/archive/trigger");
  assert.equal(wrong.status, 405);
  assert.equal((await runtime.fetch("archiver", "/admin/archive/status?date=yesterday")).status, 400);
  assert.equal((await runtime.fetch("archiver", "/admin/archive/status?date=2020-01-01")).status, 404);
});

test("a day is listed before it is archived", async () => {
  const { body } = await archive.status();
  const [day] = body.days;
  assert.deepEqual([body.days.length, day.date, day.inDatabase, day.due, day.status], [1, date, true, true, "database"]);
});

test("a day is archived without being cleaned when that is asked", async () => {
  const { status, body } = await archive.trigger(date, { clean: false });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.status, body.records, body.deleted, body.cleaned], ["cleaning", 20_000, 0, false]);
  assert.equal(await left(), 20_000);
  sameEvents(await archive.events(body), EVENTS);
});

test("cleaning deletes what was archived, and readers are told", async () => {
  const { status, body } = await archive.post("/admin/cleanup/trigger", { date, wait: true });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.status, body.deleted, body.cleaned, body.error], ["archived", 20_000, true, null]);
  assert.equal(await left(), 0);
  assert.deepEqual(body.objects.map(({ path, stage, records }) => [path, stage, records]), [
    [`${NAME}.jsonl.gz`, "done", 20_000],
    [`${NAME}.parquet`, "done", 20_000],
  ]);
  for (const { hours } of body.objects) assert.equal(Object.values(hours).reduce((sum, n) => sum + n), 20_000);
  assert.deepEqual([body.reconciliation.equal, body.reconciliation.hoursCompared], [true, 24]);
  assert.ok(body.usage.peakMemoryBytes <= 24 * 1024 * 1024, `${body.usage.peakMemoryBytes} bytes of memory`);
  assert.ok(body.usage.rowsRead <= 3 * 20_000, `${body.usage.rowsRead} rows read`);
  assert.ok(body.usage.rowsWritten <= 1.02 * 20_000, `${body.usage.rowsWritten} rows written`);
  const row = await runtime.row("SELECT r2_path, record_count, d1_cleaned, status FROM archive_metadata WHERE date = ?", date);
  assert.deepEqual(row, { r2_path: `${NAME}.jsonl.gz`, record_count: 20_000, d1_cleaned: 1, status: "archived" });
  const metadata = await (await runtime.kv()).get(`archive:metadata:${date}`, "json");
  assert.equal(metadata.files[0].sha256, body.objects[0].sha256);
  assert.equal(metadata.cleaned, true);
});

test("archived once more, nothing changes", async () => {
  const before = await archive.files();
  const { status, body } = await archive.trigger(date);
  assert.equal(status, 200);
  assert.equal(body.records, 20_000);
  assert.deepEqual(await archive.files(), before);
});

test("an event that comes late is a supplement; one that comes again is not archived again", async () => {
  const before = await archive.files();
  const late = dayOfEvents(start, 30, { first: 20_000 });
  await deliver([...late, ...EVENTS.slice(100, 200)]);
  assert.equal(await left(), 130, "the raw rows of those that came again are there again");
  const { status, body } = await archive.trigger(date);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.records, body.cleaned, await left(), body.reconciliation.equal], [20_030, true, 0, true]);
  assert.deepEqual(body.objects.slice(2).map(({ path, records }) => [path, records]), [
    [`${NAME}.late-1.jsonl.gz`, 30],
    [`${NAME}.late-1.parquet`, 30],
  ]);
  sameEvents(await archive.events(body), [...EVENTS, ...late]);
  const files = await archive.files();
  for (const [name, bytes] of Object.entries(before)) assert.deepEqual(files[name], bytes, name);
});

test("hourly rows that were tampered with are told path by path, and repaired", async () => {
  const hour = `${date}T07`;
  const columns = "path, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, hex(sketches) AS sketches, revision";
  const rows = () => runtime.rows(`SELECT ${columns} FROM path_stats_hourly WHERE hour_bucket = ? ORDER BY path`, hour);
  const before = await rows();
  const [more, lost, copied] = before.map(({ path }) => path);
  const d1 = await runtime.d1();
  await d1.batch([
    d1.prepare("UPDATE path_stats_hourly SET requests = requests + 5, sketches = x'00' WHERE hour_bucket = ? AND path = ?").bind(hour, more),
    d1.prepare("DELETE FROM path_stats_hourly WHERE hour_bucket = ? AND path = ?").bind(hour, lost),
    d1.prepare("INSERT INTO path_stats_hourly SELECT '/made-up', hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, revision, sealed_at, updated_at, sketches FROM path_stats_hourly WHERE hour_bucket = ? AND path = ?").bind(hour, copied),
  ]);
  const compared = await archive.post("/admin/reconcile", { date, wait: true });
  assert.deepEqual(
    compared.body.reconciliation.differences.map(({ path, hour, archived, counted }) => [path, hour, counted.requests - archived.requests > 0]),
    [[more, hour, true], [lost, hour, false], ["/made-up", hour, true]],
  );
  assert.equal(compared.body.reconciliation.equal, false);
  const repaired = await archive.post("/admin/reconcile", { date, repair: true, wait: true });
  assert.deepEqual([repaired.body.reconciliation.equal, repaired.body.reconciliation.differences], [true, []]);
  // All but the revision of the row that was gone: its object flushes over it, should it still be there.
  assert.deepEqual(await rows(), before.with(1, { ...before[1], revision: 0 }));
});

test("what is due is archived by the cron, oldest first, and what is not due stays", async () => {
  const [older, old, young] = [daysAgo(9), daysAgo(6), daysAgo(2)];
  const events = [older, old, young].map(({ start }, at) => dayOfEvents(start, 200, { first: 50_000 + at * 1_000 }));
  await deliver(events.flat());
  await runtime.scheduled("archiver", "0 2 * * *");
  const { body } = await archive.status();
  const states = Object.fromEntries(body.days.map((day) => [day.date, [day.status, day.records]]));
  assert.deepEqual([states[older.date], states[old.date], states[young.date]], [["archived", 200], ["archived", 200], ["database", 0]]);
  assert.equal(await left(), 200);
  const at = async (day) => Date.parse((await archive.status(day.date)).body.objects[0].archivedAt);
  assert.ok((await at(older)) <= (await at(old)));
});

test("an order without waiting is answered at once and done behind the answer", async () => {
  const young = daysAgo(2);
  const { status, body } = await archive.post("/admin/archive/trigger", { date: young.date });
  assert.deepEqual([status, body], [202, { date: young.date, status: "started" }]);
  await until(async () => (await archive.status(young.date)).body.status === "archived", { what: "the day archived" });
  assert.equal(await left(), 0);
});

test("a day that was archived in one format is converted", async () => {
  const d1 = await runtime.d1();
  const before = await archive.files();
  const { date: other } = daysAgo(9);
  const { body } = await archive.post("/admin/archive/convert", { date: other, wait: true });
  assert.deepEqual(body.objects.map(({ format, stage }) => [format, stage]), [["jsonl.gz", "done"], ["parquet", "done"]]);
  assert.deepEqual(await archive.files(), before, "it had both already");
  assert.equal((await d1.prepare("SELECT count(*) AS n FROM archive_leases").first("n")), 0, "no lease is left");
});

test("a difference is looked at again: an import is flushed after its raw events are there", async () => {
  const { start, date: imported } = daysAgo(8);
  await deliver(dayOfEvents(start, 300, { first: 90_000 }));
  const d1 = await runtime.d1();
  const late = (by) => d1.prepare("UPDATE path_stats_hourly SET requests = requests + ? WHERE hour_bucket = ?").bind(by, `${imported}T05`).run();
  await late(-1);
  assert.equal((await archive.trigger(imported)).body.reconciliation.equal, false);
  await runtime.scheduled("archiver", "*/10 * * * *");
  assert.equal((await archive.status(imported)).body.reconciliation.equal, false);
  await late(1);
  await runtime.scheduled("archiver", "*/10 * * * *");
  assert.deepEqual((await archive.status(imported)).body.reconciliation.differences, []);
});

test("a day that another run has is left to it, and of orders at once one does it", async () => {
  const { start, date: busy } = daysAgo(7);
  const events = dayOfEvents(start, 4_000, { first: 70_000 });
  await deliver(events);
  const before = Object.keys(await archive.files()).length;
  const d1 = await runtime.d1();
  await d1.prepare("INSERT INTO archive_leases (date, owner, until) VALUES (?, 'another', ?)").bind(busy, Date.now() + 3_600_000).run();
  const refused = await archive.trigger(busy);
  assert.equal(refused.status, 409);
  assert.match(refused.body.detail, /another run has .* until .*Z/);
  assert.equal(Object.keys(await archive.files()).length, before, "nothing is written");
  await d1.prepare("DELETE FROM archive_leases").run();

  const answers = await Promise.all([1, 2, 3].map(() => archive.trigger(busy)));
  for (const { status, body } of answers) assert.ok(status === 200 || status === 409, JSON.stringify(body));
  const { body } = await archive.trigger(busy);
  assert.deepEqual([body.records, body.cleaned, body.objects.length], [4_000, true, 2]);
  assert.equal(Object.keys(await archive.files()).length, before + 2);
  sameEvents(await archive.events(body), events);
});

test("through the api, with the token of administrators and no other", async () => {
  const { date: other } = daysAgo(9);
  const ask = (path, token, init = {}) => runtime.fetch("api", path, { ...init, headers: token ? { authorization: `Bearer ${token}` } : {} });
  const path = `/admin/archive/status?date=${other}`;
  const { body: direct } = await archive.status(other);
  assert.deepEqual(await (await ask(path, SECRETS.ADMIN_TOKEN)).json(), direct);
  assert.deepEqual(await (await ask(path, SECRETS.READ_TOKEN)).json(), direct, "reading needs the token of readers only");
  for (const token of [undefined, SECRETS.INGEST_TOKEN]) assert.equal((await ask(path, token)).status, 401);
  const order = { method: "POST", body: JSON.stringify({ date: other, wait: true }) };
  assert.equal((await ask("/admin/archive/trigger", SECRETS.ADMIN_TOKEN, order)).status, 200);
  assert.equal((await ask("/admin/archive/trigger", SECRETS.READ_TOKEN, order)).status, 403);
  assert.equal((await ask("/admin/archive/trigger", SECRETS.ADMIN_TOKEN, { method: "POST", body: "x".repeat(2_000) })).status, 413);
  assert.equal((await ask("/admin/archive/trigger", SECRETS.ADMIN_TOKEN)).status, 405);
  for (const path of ["/admin/retention", "/admin/capacity", `/admin/archive/query?date=${other}`]) {
    assert.equal((await ask(path, SECRETS.ADMIN_TOKEN)).status, 200, path);
    assert.equal((await ask(path, SECRETS.READ_TOKEN)).status, 200, path);
    assert.equal((await ask(path)).status, 401, path);
  }
  const day = Date.parse(`${other}T00:00:00Z`);
  const exported = await ask(`/paths/events/export?from=${day}&to=${day + 86_400_000}&format=jsonl&anonymize=true`, SECRETS.READ_TOKEN);
  const lines = (await exported.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([exported.status, lines.length], [200, 200]);
  assert.ok(lines.every((event) => !("clientIpHash" in event) && !("userAgent" in event)));
  const range = await runtime.fetch("api", `/admin/archive/download?date=${other}`, { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}`, range: "bytes=0-1" } });
  assert.deepEqual([range.status, [...new Uint8Array(await range.arrayBuffer())]], [206, [0x1f, 0x8b]]);
});
