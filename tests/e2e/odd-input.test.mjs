// What does not look like traffic: each does what it should, and none stops its batch.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HOUR_MS, event, hourOf } from "./support/events.mjs";
import { SECRETS } from "./support/configs.mjs";
import { startOnState } from "./support/runtime.mjs";
import { until } from "../../scripts/until.mjs";

const DAY_MS = 24 * HOUR_MS;
const TWO_MINUTES = 120_000;
const LONG_PATH = `/${"ö".repeat(511)}`;
const QUIET = "/quiet";

let runtime;
let quietSince;
const call = (name, path, init = {}) => runtime.fetch(name, path, init);
const collect = (events) => call("producer", "/collect", { method: "POST", headers: { authorization: `Bearer ${SECRETS.INGEST_TOKEN}` }, body: JSON.stringify(events) });
const listed = async () => (await (await call("api", "/paths", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).json()).paths ?? [];
const flushed = (path, hour, requests = 1) =>
  until(async () => (await runtime.row("SELECT requests FROM path_stats_hourly WHERE path = ? AND hour_bucket = ?", path, hour))?.requests === requests, { what: `${path} of ${hour} counted` });

before(async () => {
  runtime = await startOnState();
  // A snapshot as young as can be when the forty events come, and nothing after them: the worst case.
  await collect([event(1, { path: "/loud" })]);
  await until(async () => (await listed()).some(({ path }) => path === "/loud"), { what: "a first snapshot" });
  quietSince = Date.now();
  const response = await collect(Array.from({ length: 40 }, (_, n) => event(n, { path: QUIET, timestamp: quietSince })));
  assert.equal(response.status, 202);
});
after(() => runtime?.stop());

for (const [what, path] of [
  ["a colon", "/a:b:2025-10-15T14"],
  ["an encoded slash", "/a%2Fb"],
  ["spaces", "/a b  c"],
  ["an emoji", "/🦀/🙂"],
  ["512 characters", LONG_PATH],
  ["quotes and SQL", `/'; DROP TABLE traffic_events; --"`],
]) {
  test(`a path with ${what} counts as it is`, async () => {
    const timestamp = Date.now();
    assert.deepEqual((await runtime.deliver([event(1, { path, timestamp }), event(2, { path, timestamp })])).again, []);
    await flushed(path, hourOf(timestamp), 2);
    assert.equal((await runtime.row("SELECT count(*) AS n FROM traffic_events WHERE path = ?", path)).n, 2);
  });
}

test("events on either side of midnight count in their own hours", async () => {
  const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  await runtime.deliver([event(1, { path: "/midnight", timestamp: midnight - 1 }), event(2, { path: "/midnight", timestamp: midnight })]);
  await flushed("/midnight", hourOf(midnight - 1));
  await flushed("/midnight", hourOf(midnight));
  const days = await runtime.rows("SELECT event_date FROM traffic_events WHERE path = '/midnight' ORDER BY id");
  assert.deepEqual(days.map((row) => row.event_date), [midnight - 1, midnight].map((at) => new Date(at).toISOString().slice(0, 10)));
});

test("the last hour of a leap day and the first after it are two hours", async () => {
  const end = Date.UTC(2024, 1, 29, 23, 59, 59, 999);
  await runtime.deliver([event(1, { path: "/leap", timestamp: end }), event(2, { path: "/leap", timestamp: end + 1 })]);
  await flushed("/leap", "2024-02-29T23");
  await flushed("/leap", "2024-03-01T00");
});

test("an event a year old counts, since logs are imported", async () => {
  const timestamp = Date.now() - 365 * DAY_MS;
  await runtime.deliver([event(1, { path: "/import", timestamp })]);
  await flushed("/import", hourOf(timestamp));
});

test("an event of an hour that is sealed becomes a dead letter, and its batch goes on", async () => {
  const timestamp = Date.now() - 100 * DAY_MS;
  const hour = hourOf(timestamp);
  await runtime.rows(
    "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, sealed_at, updated_at, sketches) VALUES ('/sealed', ?, 5, 0, 0, 0, 0, 5, 1, 1, 0, x'')",
    hour,
  );
  const late = event(1, { path: "/sealed", timestamp });
  assert.deepEqual((await runtime.deliver([late, event(2, { path: "/beside", timestamp })])).again, []);
  await flushed("/beside", hour);
  const letter = await runtime.row("SELECT reason, body FROM dead_letters WHERE id LIKE ?", `sealed/${late.id}/%`);
  assert.equal(letter.reason, "sealed");
  assert.equal(JSON.parse(letter.body).id, late.id);
  assert.equal((await runtime.row("SELECT requests FROM path_stats_hourly WHERE path = '/sealed'")).requests, 5);
  assert.equal((await runtime.row("SELECT count(*) AS n FROM traffic_events WHERE path = '/sealed'")).n, 0);
});

const good = () => event(1, { path: "/good" });
const without = (field) => ({ ...good(), [field]: undefined });
for (const [what, body, reason, says] of [
  ["text that is not JSON", "hello", "not_json", "not JSON"],
  ["JSON that is cut short", JSON.stringify(good()).slice(0, -9), "not_json", "not JSON"],
  ["NaN where a number belongs", JSON.stringify(good()).replace("12.5", "NaN"), "not_json", "not JSON"],
  ["a number", "17", "not_an_object", "object"],
  ["nothing", "", "not_json", "not JSON"],
  ["no path", without("path"), "missing_field", "`path`"],
  ["no status", without("status"), "missing_field", "`status`"],
  ["status 99", { ...good(), status: 99 }, "invalid_field", "`status` is 99"],
  ["status 600", { ...good(), status: 600 }, "invalid_field", "`status` is 600"],
  ["a negative response time", { ...good(), responseTime: -1 }, "invalid_field", "`responseTime` is -1"],
  ["a path of 513 characters", { ...good(), path: `${LONG_PATH}x` }, "invalid_field", "513 characters"],
  ["an id of another time", { ...good(), timestamp: 1_730_956_800_000 }, "invalid_field", "`timestamp`"],
  ["a time one day ahead", event(1, { timestamp: Date.now() + DAY_MS, path: "/ahead" }), "in_future", "in the future"],
  ["a packed message of version 2", { version: 2, events: [] }, "unknown_version", "version 2"],
]) {
  test(`a message with ${what} becomes a dead letter that says so, and its neighbours count`, async () => {
    const path = `/beside/${what.replaceAll(" ", "-")}`;
    const timestamp = Date.now();
    const id = `odd/${what}`;
    const { again } = await runtime.deliver([event(1, { path, timestamp }), body, event(2, { path, timestamp })], { ids: [`${id}/before`, id, `${id}/after`] });
    assert.deepEqual(again, []);
    const letter = await runtime.row("SELECT * FROM dead_letters WHERE id = ?", id);
    assert.equal(letter?.reason, reason);
    assert.ok(letter.detail.includes(says), letter.detail);
    assert.equal(letter.body, typeof body === "string" ? body : JSON.stringify(body));
    await flushed(path, hourOf(timestamp), 2);
  });
}

test("an item of a packed message that is no event is set aside alone", async () => {
  const timestamp = Date.now();
  const message = { version: 1, events: [event(1, { path: "/packed", timestamp }), { nonsense: true }, event(2, { path: "/packed", timestamp })] };
  assert.deepEqual((await runtime.deliver([message], { ids: ["packed"] })).again, []);
  const letter = await runtime.row("SELECT reason, body FROM dead_letters WHERE id = 'packed/1'");
  assert.deepEqual({ ...letter }, { reason: "missing_field", body: '{"nonsense":true}' });
  await flushed("/packed", hourOf(timestamp), 2);
});

test("the same odd message again is the same dead letter", async () => {
  for (const attempts of [1, 2]) assert.deepEqual((await runtime.deliver(["nonsense"], { ids: ["repeated"], attempts })).again, []);
  assert.equal((await runtime.row("SELECT count(*) AS n FROM dead_letters WHERE id = 'repeated'")).n, 1);
});

test("a message whose attempts are used up is kept as a dead letter", async () => {
  const { again } = await runtime.deliver([event(1, { path: "/exhausted" })], { queue: "traffic-events-dlq", ids: ["exhausted"] });
  assert.deepEqual(again, []);
  const letter = await runtime.row("SELECT reason, attempts, body FROM dead_letters WHERE id = 'exhausted'");
  assert.equal(letter.reason, "retries_exhausted");
  assert.ok(letter.attempts >= 11, "ten retries and the first attempt");
  assert.equal(JSON.parse(letter.body).path, "/exhausted");
});

test("an empty batch is no trouble", async () => {
  assert.deepEqual((await runtime.deliver([])).again, []);
});

test("forty events to one quiet path show in /paths within two minutes", { timeout: TWO_MINUTES + 10_000 }, async (t) => {
  const left = quietSince + TWO_MINUTES - Date.now();
  const found = await until(async () => (await listed()).find(({ path }) => path === QUIET), { within: left, what: "the quiet path listed" });
  assert.equal(found.requests, 40);
  t.diagnostic(`after ${Math.round((Date.now() - quietSince) / 1000)} s at most`);
});
