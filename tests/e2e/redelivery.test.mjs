// Delivery is at least once, counting exactly once: whatever happens to a batch, the figures are those of one clean pass.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { event, hourOf, inParallel, parts, traffic } from "./support/events.mjs";
import { seeded, shuffled } from "./support/random.mjs";
import { compare, recount } from "./support/recount.mjs";
import { startOnState } from "./support/runtime.mjs";
import { until } from "../../scripts/until.mjs";

const EVENTS = 600;
const PER_MESSAGE = 5;
const KILLS = 10;
const NOW = Date.now();
const HOUR = hourOf(NOW);

let runtime;
let clean;
const prefixes = [];
/** The same traffic under another prefix, with ids of its own: an id is one request, whatever its path. */
function sent(prefix) {
  if (!prefixes.includes(prefix)) prefixes.push(prefix);
  return traffic({ count: EVENTS, paths: 12, hours: 2, clients: 200, seed: 7, prefix, first: prefixes.indexOf(prefix) * EVENTS, now: NOW });
}
const packed = (events, size = PER_MESSAGE) => parts(events, size).map((some) => ({ version: 1, events: some }));
const messagesOf = (prefix) => packed(sent(prefix));

/** The rows under a prefix once all of it is flushed. */
async function settled(prefix, requests = EVENTS) {
  const total = async () => (await runtime.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path LIKE ?", `${prefix}/%`)).n;
  await until(async () => (await total()) >= requests, { what: `${requests} events under ${prefix} flushed` });
  // An object that counted something since its flush has an alarm ahead: its log is ahead of its row.
  const unflushed = async () => {
    const rows = await runtime.rows("SELECT path, hour_bucket, revision FROM path_stats_hourly WHERE path LIKE ?", `${prefix}/%`);
    const ahead = [];
    for (const row of rows) {
      const updates = await runtime.withObject(`${row.path}:${row.hour_bucket}`, (log) => log.prepare("SELECT max(number) AS n FROM log").get().n);
      if (updates > row.revision) ahead.push(row.path);
    }
    return ahead.length === 0;
  };
  await until(unflushed, { what: `all logs under ${prefix} flushed` });
  return runtime.hours(prefix);
}

async function sameAsClean(prefix) {
  assert.deepEqual(await settled(prefix), clean);
  assert.equal(await runtime.rawCount(prefix), EVENTS);
}

const deliverWhole = async (messages) => assert.deepEqual((await runtime.deliver(messages)).again, []);

before(async () => {
  runtime = await startOnState();
  await deliverWhole(messagesOf("/clean"));
  clean = await settled("/clean");
});
after(() => runtime?.stop());

test("one clean pass counts what was sent", async () => {
  const rows = await runtime.rows("SELECT * FROM path_stats_hourly WHERE path LIKE '/clean/%'");
  compare(rows, recount(sent("/clean")));
});

test("a batch counts each group in one call, which writes one row in the object", async () => {
  const times = [1, 2, 3];
  for (const time of times) {
    const events = Array.from({ length: 100 }, (_, n) => event(time * 1000 + n, { timestamp: NOW, path: `/calls/${n % 50}` }));
    await deliverWhole(events);
  }
  for (const group of [0, 7, 49]) {
    const rows = await runtime.withObject(`/calls/${group}:${HOUR}`, (log) => log.prepare("SELECT count(*) AS n FROM log WHERE number > 0").get().n);
    assert.equal(rows, times.length);
  }
});

test("a batch delivered twice counts once", async () => {
  const messages = messagesOf("/twice");
  await deliverWhole(messages);
  await deliverWhole(messages);
  await sameAsClean("/twice");
});

test("a batch delivered again in halves counts once", async () => {
  const messages = messagesOf("/halves");
  const middle = messages.length / 2;
  await deliverWhole(messages.slice(0, middle));
  await deliverWhole(messages);
  await deliverWhole(messages.slice(middle));
  await sameAsClean("/halves");
});

test("batches in another order, cut in other places, give the same figures to the byte", async () => {
  const random = seeded(3);
  for (const batch of parts(packed(shuffled(sent("/order"), random), 7), 11)) await deliverWhole(batch);
  await sameAsClean("/order");
});

test("the same batch four times at once counts once", async () => {
  const messages = messagesOf("/four");
  await Promise.all([1, 2, 3, 4].map(() => deliverWhole(messages)));
  await sameAsClean("/four");
});

test("an event twice within a message and twice within a batch counts once", async () => {
  const events = sent("/within");
  await deliverWhole([...packed([...events, ...events.slice(0, 40)], 90), ...events.slice(0, 20)]);
  await sameAsClean("/within");
});

test("one group that fails brings its own messages again and no others", async () => {
  const events = sent("/broken");
  const broken = { path: events[0].path, hour: hourOf(events[0].timestamp) };
  const name = `${broken.path}:${broken.hour}`;
  const inBroken = (event) => event.path === broken.path && hourOf(event.timestamp) === broken.hour;
  await deliverWhole([events[0]]);
  const body = await runtime.withObject(name, (log) => {
    const row = log.prepare("SELECT body FROM log WHERE number = 1").get();
    log.exec("UPDATE log SET body = x'ff' WHERE number = 1");
    return row.body;
  });
  const { again, retryMessages } = await runtime.deliver(events);
  assert.deepEqual(again, events.flatMap((event, index) => (inBroken(event) ? [index] : [])));
  assert.deepEqual(new Set(retryMessages.map(({ delaySeconds }) => delaySeconds)), new Set([60]));
  await runtime.withObject(name, (log) => log.prepare("UPDATE log SET body = ? WHERE number = 1").run(body));
  await deliverWhole(again.map((index) => events[index]));
  await sameAsClean("/broken");
});

test("a message waits longer the more often it has failed", async () => {
  const year = event(1, { timestamp: NOW - 400 * 86_400_000, path: "/backoff" });
  // A row whose object is gone, and which nobody sealed: whether the event was counted cannot be told now.
  await runtime.rows(
    "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) VALUES ('/backoff', ?, 1, 0, 0, 0, 0, 1, 1, 0, x'')",
    hourOf(year.timestamp),
  );
  const waits = [];
  for (const attempts of [1, 2, 3, 10]) waits.push((await runtime.deliver([year], { attempts })).retryMessages[0].delaySeconds);
  assert.deepEqual(waits, [60, 120, 240, 3600]);
});

test("raw rows that D1 refuses bring the whole batch again, and it then counts once", async () => {
  const messages = messagesOf("/raw");
  await runtime.rows("ALTER TABLE traffic_events RENAME TO gone");
  assert.equal((await runtime.deliver(messages)).again.length, messages.length);
  await runtime.rows("ALTER TABLE gone RENAME TO traffic_events");
  await deliverWhole(messages);
  await sameAsClean("/raw");
});

test("a flush that D1 refuses is made later, from the object's own log", async () => {
  await runtime.rows("ALTER TABLE path_stats_hourly RENAME TO gone");
  const warned = runtime.logs.length;
  await deliverWhole(messagesOf("/flush"));
  await until(() => runtime.logs.slice(warned).some(({ message }) => message.includes("alarm failed")), { what: "a flush refused" });
  await runtime.rows("ALTER TABLE gone RENAME TO path_stats_hourly");
  await sameAsClean("/flush");
});

test("a snapshot that KV refuses costs no event, and is made once KV takes it", async () => {
  const pointer = async () => (await runtime.kv()).get("paths:snapshot:latest", "json");
  const cron = () => runtime.scheduled("consumer", "*/5 * * * *");
  await cron();
  const before = await until(pointer, { what: "a snapshot" });
  await runtime.withoutKv(async () => {
    const told = runtime.logs.length;
    await deliverWhole(messagesOf("/kv"));
    await cron();
    await until(() => runtime.logs.slice(told).some(({ message }) => message.includes("snapshot was not rebuilt")), { what: "a snapshot refused" });
    await sameAsClean("/kv");
  });
  await until(async () => (await pointer()).version > before.version, { what: "a newer snapshot" });
});

test("objects evicted between any two steps lose and repeat nothing", async () => {
  const messages = messagesOf("/evicted");
  const names = [...recount(sent("/evicted")).keys()].map((key) => `${key.slice(14)}:${key.slice(0, 13)}`);
  const evictAll = () => Promise.all(names.map((name) => runtime.evict("consumer", "AggregatorDO", { name }).catch(() => {})));
  for (const batch of parts(messages, 20)) {
    await deliverWhole(batch);
    await evictAll();
    await deliverWhole(batch.slice(0, 5));
  }
  await evictAll();
  await sameAsClean("/evicted");
  await evictAll();
  await deliverWhole(messages);
  await sameAsClean("/evicted");
});

test("a runtime killed ten times at random moments loses and repeats nothing", { timeout: 180_000 }, async (t) => {
  const random = seeded(11);
  let waiting = parts(sent("/killed"), 1);
  let answered = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = new Set();
    let dead = false;
    const delivering = inParallel(waiting, 4, async (batch) => {
      if (dead) return;
      const { again } = await runtime.deliver(batch).catch(() => ({ again: [0] }));
      if (again.length === 0) acknowledged.add(batch);
    });
    // The moment is part of the test: somewhere within the first batches.
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 300));
    dead = true;
    await Promise.all([runtime.kill(), delivering]);
    answered += acknowledged.size;
    // The queue delivers again what was not acknowledged.
    waiting = waiting.filter((batch) => !acknowledged.has(batch));
  }
  t.diagnostic(`${answered} messages were acknowledged between the kills, ${waiting.length} after the last`);
  await inParallel(waiting, 4, deliverWhole);
  await sameAsClean("/killed");
  await inParallel(parts(messagesOf("/killed"), 30), 4, deliverWhole);
  await sameAsClean("/killed");
});
