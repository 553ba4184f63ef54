// What the proxy records of a request, what it does not, and that no failure of the recording reaches a client.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { promptConsumer, readJsonc } from "./support/configs.mjs";
import { configOf } from "../../scripts/paths.mjs";
import { databaseText, logText } from "./support/contents.mjs";
import { ask, plainProducer, producer, testOrigin } from "./support/proxies.mjs";
import { startProduct } from "./support/product.mjs";
import { until } from "../../scripts/until.mjs";

const BOUND = { timeout: 60_000 };
const ADDRESS = "203.0.113.77";
const CLIENT = { headers: { "cf-connecting-ip": ADDRESS, "user-agent": "a browser/1.0" }, cf: { country: "DE" } };
const REQUESTS_RECORDED = 5;

const withRecordLimit = (limit) =>
  readJsonc(configOf("producer")).env.dev.ratelimits.map((entry) => (entry.name === "RECORD_LIMIT" ? { ...entry, namespace_id: "9001", simple: { limit, period: 60 } } : entry));

let product;
before(async () => {
  product = await startProduct([
    plainProducer,
    promptConsumer(),
    testOrigin,
    producer("private", { vars: { RECORD_CLIENT_IP: "off", RECORD_USER_AGENT: "off", RECORD_COUNTRY: "off" } }),
    producer("sampling", { vars: { SAMPLE_RATIO: "0.25" } }),
    producer("limited", { ratelimits: withRecordLimit(REQUESTS_RECORDED) }),
    producer("queueless", { queues: {} }),
    producer("losing", { queues: {} }),
    producer("forsaken", { queues: {}, d1_databases: [], ratelimits: [] }),
    producer("misconfigured", { vars: { SAMPLE_RATIO: "2" } }),
  ]);
});
after(() => product?.stop());

const eventsAt = (path) => product.rows("SELECT * FROM traffic_events WHERE path = ? ORDER BY id", path);
const eventAt = (path) => until(async () => (await eventsAt(path))[0], { what: `an event of ${path}` });
const dropped = async (reason) => (await product.row("SELECT sum(requests) AS n FROM recording_drops WHERE reason = ?", reason)).n ?? 0;

/** Asks `times`, one after another, and checks that each is answered. */
async function askTimes(times, ending, path, init) {
  for (let turn = 0; turn < times; turn++) assert.equal(await (await ask(product, ending, path, init)).text(), `origin: ${path}`);
}

/**
 * Asks on until each request sent is either an event or a counted drop. An instance writes its drops at most once in
 * ten seconds, with the drop that comes next.
 */
async function untilAllAreTold(sent, ending, path, reason, init) {
  const told = async () => (await eventsAt(path)).length + (await dropped(reason));
  await until(
    async () => {
      await askTimes(1, ending, path, init);
      sent += 1;
      return until(async () => (await told()) === sent, { within: 400, what: "all told" }).catch(() => false);
    },
    { within: 40_000, what: "each request an event or a drop" },
  );
  return sent;
}

test("a proxied request becomes an event", BOUND, async () => {
  const started = Date.now();
  await ask(product, undefined, "/plain/page", { method: "POST", body: "x", ...CLIENT });
  const { id, timestamp, response_time, client_ip_hash, ...event } = await eventAt("/plain/page");
  assert.deepEqual(event, { path: "/plain/page", method: "POST", status: 200, user_agent: "a browser/1.0", country: "DE", sample_ratio: 1, event_date: new Date(timestamp).toISOString().slice(0, 10), is_error: 0 });
  assert.match(id, /^\d{13}-[0-9a-f]{8}$/);
  assert.ok(timestamp >= started && timestamp <= Date.now(), `${timestamp}`);
  assert.ok(response_time >= 0 && response_time <= Date.now() - started, `${response_time} ms`);
  assert.match(client_ip_hash, /^[0-9a-f]{16}$/);
});

test("ids in paths become placeholders", BOUND, async () => {
  await askTimes(1, undefined, "/users/42/posts/550e8400-e29b-41d4-a716-446655440000/d41d8cd98f00b204e9800998ecf8427e");
  assert.equal((await eventAt("/users/:id/posts/:uuid/:hash")).status, 200);
});

test("failures, redirects, opened websockets and unreachable origins are recorded with their status", BOUND, async () => {
  const asked = [[503, "/status?code=503"], [302, "/redirect"], [502, "/throw"]];
  for (const [, target] of asked) await ask(product, undefined, target);
  const socket = new WebSocket(new URL("/socket", `ws://${(await product.harness.listen()).url.host}`));
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.close();
  for (const [status, target] of [...asked, [101, "/socket"]]) {
    const { status: recorded, is_error } = await eventAt(target.split("?")[0]);
    assert.deepEqual([recorded, is_error], [status, status >= 400 ? 1 : 0], target);
  }
});

test("a client has one hash on a day, whatever it asks, and two clients have two", BOUND, async () => {
  const from = (address) => ({ headers: { "cf-connecting-ip": address } });
  await askTimes(1, undefined, "/hash/a", from("2001:db8::1"));
  await askTimes(1, undefined, "/hash/b", from("2001:db8::1"));
  await askTimes(1, undefined, "/hash/c", from("198.51.100.1"));
  const [a, b, c] = await Promise.all(["/hash/a", "/hash/b", "/hash/c"].map(async (path) => (await eventAt(path)).client_ip_hash));
  assert.equal(a, b);
  assert.notEqual(a, c);
});

test("neither query nor client address is stored or logged", BOUND, async () => {
  await ask(product, undefined, "/search?q=a-private-word&card=4111111111111111", CLIENT);
  await ask(product, undefined, "/throw?q=a-private-word", CLIENT);
  await ask(product, "queueless", "/search/kept?q=a-private-word", CLIENT);
  await eventAt("/search");
  await until(() => product.row("SELECT 1 FROM path_stats_hourly WHERE path = '/search'"), { what: "the hour flushed" });
  await until(() => product.row("SELECT 1 FROM outbox WHERE body LIKE '%/search/kept%'"), { what: "a message in the outbox" });
  const [stored, logged] = [await databaseText(product), logText(product)];
  assert.match(stored, /traffic_events .*"\/search"/);
  assert.match(stored, /path_stats_hourly .*"\/search"/);
  assert.match(stored, /outbox .*\/search\/kept/);
  assert.match(logged, /the origin did not answer/);
  for (const secret of ["a-private-word", "4111111111111111", ADDRESS]) {
    assert.ok(!stored.includes(secret), `${secret} is stored`);
    assert.ok(!logged.includes(secret), `${secret} is logged`);
  }
});

test("client, user agent and country are left out where they are switched off", BOUND, async () => {
  await askTimes(1, "private", "/private/page", CLIENT);
  const { client_ip_hash, user_agent, country, status } = await eventAt("/private/page");
  assert.deepEqual({ client_ip_hash, user_agent, country, status }, { client_ip_hash: null, user_agent: null, country: null, status: 200 });
});

test("a quarter sampled: the ratio is stored, and what is left out is counted", BOUND, async () => {
  await askTimes(60, "sampling", "/sampled/page");
  const sent = await untilAllAreTold(60, "sampling", "/sampled/page", "sampled");
  const events = await eventsAt("/sampled/page");
  assert.ok(events.length > 0 && events.length < sent / 2, `${events.length} of ${sent}`);
  for (const event of events) assert.equal(event.sample_ratio, 0.25);
});

test("a client over the rate limit is answered, no longer recorded, and its drops are counted", BOUND, async () => {
  await askTimes(20, "limited", "/limited/page", CLIENT);
  await askTimes(1, "limited", "/limited/other", { headers: { "cf-connecting-ip": "198.51.100.200" } });
  await untilAllAreTold(20, "limited", "/limited/page", "rate_limited", CLIENT);
  const recorded = (await eventsAt("/limited/page")).length;
  // A window of the limit may have ended meanwhile, and the next one begun.
  assert.ok(recorded === REQUESTS_RECORDED || recorded === 2 * REQUESTS_RECORDED, `${recorded}`);
  assert.equal((await eventAt("/limited/other")).status, 200, "another client is not limited");
});

test("without a queue the answer comes, and the event waits in the outbox until the cron counts it once", BOUND, async () => {
  await askTimes(1, "queueless", "/queueless/page", CLIENT);
  await until(() => product.row("SELECT id FROM outbox WHERE body LIKE '%/queueless/page%'"), { what: "the event in the outbox" });
  for (const run of [1, 2]) await product.worker("consumer").scheduled({ cron: "*/5 * * * *", scheduledTime: new Date(run) });
  const { status, user_agent } = await eventAt("/queueless/page");
  assert.deepEqual([status, user_agent], [200, "a browser/1.0"]);
  await until(() => product.row("SELECT 1 FROM path_stats_hourly WHERE path = '/queueless/page'"), { what: "the hour flushed" });
  assert.equal((await product.row("SELECT requests FROM path_stats_hourly WHERE path = '/queueless/page'")).requests, 1);
  assert.equal((await product.row("SELECT count(*) AS n FROM outbox")).n, 0);
});

test("when queue and outbox both refuse, the answer comes and the request is counted as lost", BOUND, async () => {
  await product.d1().exec("ALTER TABLE outbox RENAME TO outbox_away");
  try {
    await askTimes(1, "losing", "/losing/page");
    await until(async () => (await dropped("lost")) === 1, { what: "a lost request" });
  } finally {
    await product.d1().exec("ALTER TABLE outbox_away RENAME TO outbox");
  }
  assert.match(logText(product), /the outbox refused too/);
  assert.deepEqual(await eventsAt("/losing/page"), []);
});

test("without queue, database and limits the answers keep coming, and the log says what is wrong", BOUND, async () => {
  product.harness.clearLogs();
  await askTimes(3, "forsaken", "/forsaken/page", CLIENT);
  await until(() => logText(product).includes("counts of dropped requests were not written"), { what: "a line in the log" });
  assert.match(logText(product), /"level":"error".*the outbox refused too/);
});

test("a wrong configuration of the recorder is logged and counted, and the answers keep coming", BOUND, async () => {
  product.harness.clearLogs();
  await askTimes(2, "misconfigured", "/misconfigured/page");
  assert.equal((await ask(product, "misconfigured", "/status?code=404")).status, 404);
  await until(async () => (await dropped("configuration")) >= 1, { what: "a counted drop" });
  const { level, error } = JSON.parse(product.harness.getLogs().find(({ message }) => message.includes("requests are not recorded")).message);
  assert.equal(level, "error");
  assert.match(error, /^variable SAMPLE_RATIO is "2": expected .*from 0\.0001 to 1/);
  assert.deepEqual(await eventsAt("/misconfigured/page"), []);
});

test("without KV the answers keep coming, and each is counted", BOUND, async () => {
  const consumer = { config: { ...promptConsumer().config, kv_namespaces: [] } };
  const blind = await startProduct([plainProducer, consumer, testOrigin]);
  try {
    for (let turn = 0; turn < 3; turn++) assert.equal((await ask(blind, undefined, "/blind/page", CLIENT)).status, 200);
    await until(async () => (await blind.row("SELECT requests FROM path_stats_hourly WHERE path = '/blind/page'"))?.requests === 3, { what: "three counted" });
    assert.match(logText(blind), /the heartbeat was not written/);
  } finally {
    await blind.stop();
  }
});
