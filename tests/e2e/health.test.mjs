// GET /admin/health: every check with its limits, and an answer whatever does not answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../scripts/until.mjs";
import { SECRETS, changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event, hourOf } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const BOUND = { timeout: 60_000 };
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const silent = (name, behaviour) => ({
  config: { name, main: fileURLToPath(new URL("support/silent-worker.mjs", import.meta.url)), compatibility_date: "2026-06-01", vars: { BEHAVIOUR: behaviour } },
});
const bound = (services, binding, service) => services.map((entry) => (entry.binding === binding ? { ...entry, service } : entry));
const api = (name, change) => changed("api", (config) => ({ name, ...change(config) }));

let product;
before(async () => {
  product = await startProduct([
    real("api"),
    promptConsumer(),
    real("producer"),
    real("archiver", { D1_LIMIT_BYTES: "1000000000000" }),
    demoOrigin,
    silent("throws", "throws"),
    silent("nonsense", "nonsense"),
    silent("never", "never"),
    silent("fails", "fails"),
    api("api-broken-archiver", ({ services }) => ({ services: bound(services, "ARCHIVER", "throws") })),
    api("api-no-archiver", ({ services }) => ({ services: services.filter(({ binding }) => binding !== "ARCHIVER") })),
    api("api-failing-archiver", ({ services }) => ({ services: bound(services, "ARCHIVER", "fails") })),
    api("api-late-archiver", ({ services }) => ({ services: bound(services, "ARCHIVER", "never") })),
    api("api-no-queue", () => ({ queues: {} })),
    api("api-no-database", () => ({ d1_databases: [] })),
    api("api-no-kv", () => ({ kv_namespaces: [] })),
    api("api-no-consumer", ({ services }) => ({ services: services.filter(({ binding }) => binding !== "CONSUMER") })),
    api("api-broken-consumer", ({ services }) => ({ services: bound(services, "CONSUMER", "throws") })),
    api("api-odd-consumer", ({ services }) => ({ services: bound(services, "CONSUMER", "nonsense") })),
    api("api-late-consumer", ({ services }) => ({ services: bound(services, "CONSUMER", "never") })),
  ]);
});
after(() => product?.stop());

async function health(from) {
  const headers = { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` };
  const response = await (from ? product.script(from) : product.worker("api")).fetch("/admin/health", { headers });
  assert.equal(response.status, 200);
  const report = await response.json();
  assert.equal(report.checks.length, 10);
  for (const { name, detail } of report.checks) assert.match(detail, /^[A-Z\d].*\.$/, name);
  return report;
}
const statuses = ({ checks }) => Object.fromEntries(checks.map(({ name, status }) => [name, status]));
const check = async (name) => (await health()).checks.find((check) => check.name === name);

test("a system without any traffic is no alarm and says what to do first", BOUND, async () => {
  const report = await health();
  assert.equal(report.status, "ok", JSON.stringify(statuses(report)));
  assert.deepEqual(statuses(report), {
    heartbeat: "unknown", queueDelay: "ok", queueBacklog: "ok", snapshot: "unknown", deadLetters: "ok", outbox: "ok", database: "ok", archive: "ok", reconciliation: "ok", ledger: "ok",
  });
  const { queue, snapshot, heartbeat, deadLetters, outbox, recordingDrops } = report;
  assert.deepEqual({ queue, snapshot, heartbeat, deadLetters, outbox, recordingDrops }, {
    queue: { backlogCount: 0, backlogBytes: 0, oldestMessageAgeSeconds: null }, snapshot: null, heartbeat: null,
    deadLetters: { total: 0, byReason: [] }, outbox: { messages: 0, oldest: null }, recordingDrops: [],
  });
  assert.equal(report.capacity.level, "ok");
  assert.match(report.checks[0].detail, /Send a request through the producer/);
});

test("with traffic every check is ok, and tells its value and limits", BOUND, async () => {
  await product.collect([event(1)]);
  const report = await until(async () => {
    const report = await health();
    return report.heartbeat && report.snapshot && report;
  }, { what: "a heartbeat and a snapshot" });
  assert.deepEqual([report.status, ...new Set(Object.values(statuses(report)))], ["ok", "ok"]);
  const [beat] = report.checks;
  assert.deepEqual([beat.unit, beat.warning, beat.critical], ["seconds", 180, 600]);
  assert.ok(beat.value < 60, `${beat.value}`);
  assert.equal(report.heartbeat.ageSeconds, beat.value);
});

test("what is late, left over or set aside is told with what to do", BOUND, async () => {
  const kv = product.kv();
  await kv.put("aggregator:heartbeat", String(Date.now() - 30 * MINUTE_MS));
  const pointer = await kv.get("paths:snapshot:latest", "json");
  await kv.put("paths:snapshot:latest", JSON.stringify({ ...pointer, updatedAt: Date.now() - 61 * MINUTE_MS }));
  await product.rows("INSERT INTO outbox VALUES ('1-a/0/0', '{}', ?)", Date.now() - 8 * MINUTE_MS);
  await product.rows("INSERT INTO recording_drops VALUES (?, 'lost', 4)", hourOf(Date.now()));
  await product.rows("INSERT INTO dead_letters VALUES ('health-1', 'not_json', 'x', 'x', 1, ?), ('health-2', 'sealed', 'x', 'x', 1, ?)", Date.now(), Date.now() - 3 * DAY_MS);
  const due = event(5, { timestamp: Date.now() - 9 * DAY_MS });
  await product.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, '/', 'GET', 200)", due.id);
  const record = JSON.stringify({ clean: true, error: "R2 refused a part", reconciliation: { differing: { "2026-01-01T03": 2 } } });
  await product.rows("INSERT INTO archive_metadata (date, record_count, file_size_bytes, status, d1_cleaned, record, carry) VALUES ('2026-01-01', 1, 1, 'archived', 1, ?, x'')", record);
  const report = await health();
  assert.equal(report.status, "critical");
  assert.deepEqual(statuses(report), {
    // No message waits, so that a late heartbeat is no more than a warning.
    heartbeat: "warning", queueDelay: "ok", queueBacklog: "ok", snapshot: "critical", deadLetters: "warning", outbox: "warning", database: "ok", archive: "critical", reconciliation: "warning", ledger: "ok",
  });
  const detail = (name) => report.checks.find((check) => check.name === name).detail;
  assert.match(detail("heartbeat"), /30 min ago, and no message waits/);
  assert.match(detail("deadLetters"), /^1 letter came in the last 24 hours, most of them "not_json", of 2 in all/);
  assert.match(detail("outbox"), /refused 1 message, the oldest 8 min ago.*4 requests of the last 24 hours are recorded nowhere/);
  assert.match(detail("archive"), /has been due for 1\d\d hours.*2026-01-01: R2 refused a part\.$/);
  assert.match(detail("reconciliation"), /the oldest 2026-01-01/);
  assert.deepEqual(report.deadLetters.byReason.map(({ reason, count }) => [reason, count]), [["not_json", 1], ["sealed", 1]]);
  assert.deepEqual(report.recordingDrops, [{ hour: hourOf(Date.now()), reason: "lost", requests: 4 }]);
});

/** The series of a Prometheus text: `{ 'name{label="value"}': number }`. */
async function scrape(from, accept) {
  const headers = { authorization: `Bearer ${SECRETS.READ_TOKEN}`, ...(accept ? { accept } : {}) };
  const response = await (from ? product.script(from) : product.worker("api")).fetch("/admin/metrics", { headers });
  assert.equal(response.status, 200);
  const lines = (await response.text()).split("\n").filter((line) => line && !line.startsWith("#"));
  return { type: response.headers.get("content-type"), series: Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))])) };
}

test("Prometheus is told what /admin/health tells, in the format that it asks for", BOUND, async () => {
  const report = await health();
  const { type, series } = await scrape();
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  assert.equal((await scrape(undefined, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")).type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  for (const { name, status, value, warning, critical } of report.checks) {
    const told = ["ok", "unknown", "warning", "critical"].filter((status) => series[`pathstats_check{check="${name}",status="${status}"}`] === 1);
    assert.deepEqual(told, [status], name);
    const seconds = name === "heartbeat" || name === "snapshot" ? 5 : 0;
    if (value !== null) assert.ok(Math.abs(series[`pathstats_check_value{check="${name}"}`] - value) <= Math.max(seconds, value * 1e-3), name);
    assert.equal(series[`pathstats_check_limit{check="${name}",level="warning"}`] ?? null, warning, name);
    assert.equal(series[`pathstats_check_limit{check="${name}",level="critical"}`] ?? null, critical, name);
  }
  assert.equal(series.pathstats_dead_letters, 2);
  assert.equal(series['pathstats_dead_letters_by_reason{reason="sealed"}'], 1);
  assert.equal(series.pathstats_outbox_messages, 1);
  assert.equal(series['pathstats_unrecorded_requests{reason="lost"}'], 4);
  assert.equal(series.pathstats_database_limit_bytes, 1e12);
  const { series: blind } = await scrape("api-no-queue");
  assert.ok(!Object.keys(blind).some((name) => name.startsWith("pathstats_queue_")), "what nobody told is no zero");
  assert.equal(blind['pathstats_check{check="queueBacklog",status="unknown"}'], 1);
});

for (const [from, unknown, absent] of [
  ["api-broken-archiver", ["database", "archive", "reconciliation"], ["capacity"]],
  ["api-late-archiver", ["database", "archive", "reconciliation"], ["capacity"]],
  ["api-no-queue", ["queueDelay", "queueBacklog"], ["queue"]],
  ["api-no-database", ["deadLetters", "outbox", "ledger"], ["deadLetters", "outbox", "recordingDrops"]],
  ["api-no-kv", ["heartbeat", "snapshot"], ["snapshot", "heartbeat"]],
]) {
  test(`${from}: the checks of what does not answer are unknown, and the answer comes in time`, BOUND, async () => {
    const started = Date.now();
    const report = await health(from);
    assert.ok(Date.now() - started < 8_000, `${Date.now() - started} ms`);
    assert.deepEqual(Object.entries(statuses(report)).filter(([, status]) => status === "unknown").map(([name]) => name), unknown);
    assert.deepEqual(Object.entries(report).filter(([, value]) => value === null).map(([name]) => name), absent);
    assert.notEqual(report.status, "ok");
  });
}

for (const [from, status, code] of [
  ["api-no-consumer", 502, "consumer_unreachable"],
  ["api-broken-consumer", 502, "consumer_unreachable"],
  ["api-odd-consumer", 502, "consumer_unreachable"],
  ["api-late-consumer", 504, "consumer_late"],
]) {
  test(`${from}: a replay is answered with ${status}`, BOUND, async () => {
    const headers = { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` };
    const response = await product.script(from).fetch("/admin/dead-letters/replay", { method: "POST", headers, body: '{"all":true}' });
    const problem = await problemOf(response);
    assert.deepEqual([problem.status, problem.type], [status, `about:blank#${code}`]);
    assert.ok(problem.retryAfter > 0);
  });
}

for (const from of ["api-no-archiver", "api-broken-archiver", "api-failing-archiver"]) {
  test(`${from}: what is asked of the archive is answered with 502`, BOUND, async () => {
    for (const [path, init] of [["/admin/archive/status"], ["/admin/archive/trigger", { method: "POST", body: '{"date":"2025-01-01"}' }]]) {
      const headers = { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` };
      const problem = await problemOf(await product.script(from).fetch(path, { headers, ...init }));
      assert.deepEqual([problem.status, problem.type], [502, "about:blank#archiver_unreachable"], path);
      assert.ok(problem.retryAfter > 0);
    }
  });
}

test("api-late-archiver: what is asked of the archive is given up after half a minute", BOUND, async () => {
  const began = Date.now();
  const headers = { authorization: `Bearer ${SECRETS.READ_TOKEN}` };
  const problem = await problemOf(await product.script("api-late-archiver").fetch("/admin/archive/status", { headers }));
  assert.deepEqual([problem.status, problem.type], [504, "about:blank#archiver_late"]);
  assert.match(problem.detail, /within 30 s/);
  assert.ok(problem.retryAfter > 0);
  assert.ok(Date.now() - began >= 29_000);
});

test("letters that D1 cannot give are a problem, and the database is named", BOUND, async () => {
  await product.rows("ALTER TABLE dead_letters RENAME TO gone");
  try {
    for (const [path, init] of [["/admin/dead-letters"], ["/admin/dead-letters/show?id=a"], ["/admin/dead-letters/replay", { method: "POST", body: '{"all":true}' }]]) {
      const problem = await problemOf(await product.read(path, { token: SECRETS.ADMIN_TOKEN, ...init }));
      assert.deepEqual([problem.status, problem.type], [503, "about:blank#d1_unreadable"], path);
    }
    assert.equal((await check("deadLetters")).status, "unknown");
  } finally {
    await product.rows("ALTER TABLE gone RENAME TO dead_letters");
  }
  assert.equal((await check("deadLetters")).status, "warning");
});
