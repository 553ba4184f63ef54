// POST /collect: what it takes, what it refuses and how it says so, and where events go when the queue is down.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { changed, demoOrigin, promptConsumer } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { all, producer, withVars, withoutDatabase, withoutQueue } from "./support/producers.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { until } from "../../scripts/until.mjs";

const LIMIT = 1_000_000;

let product;
before(async () => {
  product = await startProduct([
    changed("producer"),
    producer("no-queue", withoutQueue),
    producer("no-store", all(withoutQueue, withoutDatabase)),
    producer("short-token", withVars({ INGEST_TOKEN: "short" })),
    producer("wrong-switch", withVars({ RECORD_CLIENT_IP: "maybe" })),
    producer("wrong-ids", withVars({ PATH_IDS: "everything" })),
    producer("wrong-ratio", withVars({ SAMPLE_RATIO: "7" })),
    producer("ids-off", withVars({ PATH_IDS: "off" })),
    producer("guessed-at"),
    promptConsumer(),
    demoOrigin,
  ]);
});
after(() => product?.stop());

const stored = (path) => product.rows("SELECT * FROM traffic_events WHERE path = ? ORDER BY id", path);
const storedSoon = (path, count = 1) =>
  until(async () => {
    const rows = await stored(path);
    return rows.length === count && rows;
  }, { what: `${count} events of ${path} stored` });
const accepted = (count) => ({ accepted: count, rejected: 0, errors: [] });

for (const [what, options, says] of [
  ["without a token", { token: null }, "no token"],
  ["with a wrong token", { token: "not-the-ingest-token" }, "not valid"],
  ["with the token cut short", { token: "local-only" }, "not valid"],
  ["with another scheme", { token: null, headers: { authorization: "Basic abc" } }, "no token"],
]) {
  test(`a body ${what} is refused with 401`, async () => {
    const response = await product.collect(event(1), options);
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("www-authenticate"), "Bearer");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const problem = await problemOf(response);
    assert.equal(problem.type, "about:blank#unauthorized");
    assert.ok(problem.detail.includes(says), problem.detail);
  });
}

test("anything but POST is refused with 405 and the method to use", async () => {
  for (const method of ["GET", "PUT", "DELETE"]) {
    const response = await product.collect(undefined, { method, body: undefined });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
    assert.equal((await problemOf(response)).type, "about:blank#method_not_allowed");
  }
});

test("a body that declares more than a megabyte is refused with 413", async () => {
  const response = await product.collect("x".repeat(LIMIT + 1));
  assert.equal(response.status, 413);
  assert.equal((await problemOf(response)).type, "about:blank#body_too_large");
});

test("a body that turns out larger than a megabyte is refused with 413", async () => {
  const body = ReadableStream.from((async function* () {
    for (let sent = 0; sent <= LIMIT; sent += 50_000) yield new Uint8Array(50_000).fill(32);
  })());
  const response = await product.collect(body, { duplex: "half" });
  assert.equal(response.status, 413);
  await response.body.cancel();
});

test("a body of just a megabyte is taken", async () => {
  const text = JSON.stringify([event(1, { path: "/megabyte" })]);
  const response = await product.collect(text.padEnd(LIMIT, " "));
  assert.deepEqual([response.status, await response.json()], [202, accepted(1)]);
});

for (const [what, body, code] of [
  ["is no JSON", "hello", "not_json"],
  ["is empty", "", "not_json"],
  ["is cut short", "[{", "not_json"],
  ["is no UTF-8", new Uint8Array([0xff, 0xfe, 0x00]), "not_utf8"],
  ["is packed in another version", { version: 3, events: [] }, "unknown_version"],
  ["holds more than ten thousand events", Array.from({ length: 10_001 }, () => ({})), "too_many_events"],
]) {
  test(`a body that ${what} is refused with 400 and the reason`, async () => {
    const response = await product.collect(body);
    assert.equal(response.status, 400);
    assert.equal((await problemOf(response)).type, `about:blank#${code}`);
  });
}

test("an object, an array, lines and a packed message are all taken", async () => {
  const timestamp = Date.now();
  const make = (number) => event(number, { path: "/forms", timestamp });
  const lines = [make(6), make(7)].map((event) => JSON.stringify(event)).join("\r\n\n");
  for (const [body, count] of [[make(1), 1], [[make(2), make(3)], 2], [{ version: 1, events: [make(4), make(5)] }, 2], [lines, 2], ["[]", 0]]) {
    const response = await product.collect(body);
    assert.deepEqual([response.status, await response.json()], [202, accepted(count)]);
  }
  await storedSoon("/forms", 7);
});

test("every field of an event is stored", async () => {
  const sent = event(0xabcdef01, { path: "/fields", method: "PATCH", status: 418, responseTime: 1.234, userAgent: "Agent/1 (ü)", country: "CN", sampleRatio: 0.25 });
  await product.collect(sent);
  const [{ id, method, status, response_time, client_ip_hash, user_agent, country, sample_ratio, timestamp, is_error }] = await storedSoon("/fields");
  assert.deepEqual(
    { id, method, status, response_time, client_ip_hash, user_agent, country, sample_ratio, timestamp, is_error },
    { id: sent.id, method: "PATCH", status: 418, response_time: 1.234, client_ip_hash: sent.clientIpHash, user_agent: "Agent/1 (ü)", country: "CN", sample_ratio: 0.25, timestamp: sent.timestamp, is_error: 1 },
  );
});

test("valid events of a mixed body are taken, the others answered with 207, their index and the reason", async () => {
  const good = event(1, { path: "/mixed" });
  const response = await product.collect([{ ...good, status: 99 }, good, { ...good, path: undefined }, event(2, { timestamp: Date.now() + 86_400_000 })]);
  assert.equal(response.status, 207);
  const { accepted, rejected, errors } = await response.json();
  assert.deepEqual([accepted, rejected, errors.map(({ index }) => index)], [1, 3, [0, 2, 3]]);
  assert.match(errors[0].reason, /`status` is 99/);
  assert.match(errors[1].reason, /`path` is missing/);
  assert.match(errors[2].reason, /in the future/);
  await storedSoon("/mixed");
});

test("a body of which nothing is valid is answered with 400 and each reason", async () => {
  const response = await product.collect([{}, 1]);
  assert.equal(response.status, 400);
  assert.deepEqual((await response.json()).errors.map(({ index }) => index), [0, 1]);
});

test("paths count under their pattern: no query, no ids, no dot segments", async () => {
  await product.collect(event(1, { path: "/policy/../users/4711//orders/550e8400-e29b-41d4-a716-446655440000?token=secret" }));
  await storedSoon("/users/:id/orders/:uuid");
});

test("ids stay in paths where the rules are off", async () => {
  await product.collect(event(1, { path: "/plain/4711?x=1" }), { from: "ids-off" });
  await storedSoon("/plain/4711");
});

for (const [name, variable] of [["short-token", "INGEST_TOKEN"], ["wrong-switch", "RECORD_CLIENT_IP"], ["wrong-ids", "PATH_IDS"], ["wrong-ratio", "SAMPLE_RATIO"]]) {
  test(`a wrong ${variable} fails loudly and names the variable, never a secret`, async () => {
    const response = await product.collect(event(1), { from: name });
    assert.equal(response.status, 500);
    const problem = await problemOf(response);
    assert.equal(problem.type, "about:blank#configuration");
    assert.ok(problem.detail.includes(variable), problem.detail);
    assert.ok(!problem.detail.includes("short\""), problem.detail);
  });
}

test("what the queue refuses waits in the outbox, is taken by the cron, and counts once", async () => {
  const events = Array.from({ length: 250 }, (_, number) => event(number, { path: "/outbox", timestamp: Date.now() }));
  for (const time of [1, 2]) {
    const response = await product.collect(events, { from: "no-queue" });
    assert.deepEqual([response.status, await response.json()], [202, accepted(250)], `time ${time}`);
  }
  assert.equal((await product.row("SELECT count(*) AS n FROM outbox")).n, 3, "three messages of at most a hundred events, kept once");
  assert.equal((await stored("/outbox")).length, 0);
  const { outcome } = await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
  assert.equal(outcome, "ok");
  assert.equal((await product.row("SELECT count(*) AS n FROM outbox")).n, 0);
  assert.equal((await stored("/outbox")).length, 250);
  await product.collect(events);
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path = '/outbox'")).n === 250, { what: "the events counted" });
});

test("bodies that begin with the same event all wait in the outbox, whatever else they hold", async () => {
  const timestamp = Date.now();
  const [first, second, third] = [1, 2, 3].map((number) => event(number, { path: "/grown", timestamp }));
  for (const body of [[first], [first, second], [first, third]]) assert.equal((await product.collect(body, { from: "no-queue" })).status, 202);
  await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
  assert.deepEqual((await stored("/grown")).map(({ id }) => id), [first.id, second.id, third.id]);
});

test("when queue and outbox both refuse, the sender is told to come again", async () => {
  const response = await product.collect(event(1), { from: "no-store" });
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "10"]);
  assert.equal((await problemOf(response)).type, "about:blank#not_durable");
});

test("guessing the token is slowed down, and the valid token is never", async () => {
  const guess = () => product.collect("{}", { from: "guessed-at", token: "a-guess-that-is-wrong", headers: { "cf-connecting-ip": "203.0.113.77" } });
  const refused = await until(async () => {
    const response = await guess();
    return response.status === 429 && response;
  }, { what: "a guess refused with 429" });
  assert.equal(refused.headers.get("retry-after"), "60");
  assert.equal((await problemOf(refused)).type, "about:blank#too_many_tries");
  const response = await product.collect("[]", { from: "guessed-at", headers: { "cf-connecting-ip": "203.0.113.77" } });
  assert.equal(response.status, 202);
});
