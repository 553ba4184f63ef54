// Batches handed straight to the consumer's queue handler.
import { seeded, zipf } from "../random.mjs";
import { eventMaker, hourAgo, median } from "./events.mjs";

const BATCH = 100;
const QUEUE = "traffic-events";
let messages = 0;
const message = (body) => ({ id: `bench-${(messages += 1)}`, timestamp: new Date(), attempts: 1, body });

async function hand(runtime, bodies) {
  const started = performance.now();
  const result = await runtime.queue("consumer", QUEUE, bodies.map(message));
  if (result.outcome !== "ok" || !result.ackAll) throw new Error(`a batch was not taken in: ${JSON.stringify(result)}`);
  return performance.now() - started;
}

/** One batch of 100 single-event messages, in so many groups. The groups' objects exist already. */
export async function measureBatches(runtime, say) {
  const make = eventMaker(1);
  const results = {};
  const hour = hourAgo(2);
  const empty = [];
  for (let round = 0; round < 30; round += 1) {
    const started = performance.now();
    await runtime.queue("consumer", QUEUE, []);
    empty.push(performance.now() - started);
  }
  say(`no message                        ${median(empty).toFixed(1).padStart(6)} ms`);
  for (const groups of [1, 10, 50, 100]) {
    const times = [];
    const batch = () => Array.from({ length: BATCH }, (_, at) => make(`/bench/${groups}/${at % groups}`, hour + messages + at));
    for (let round = 0; round < 5; round += 1) await hand(runtime, batch());
    const before = await runtime.usage();
    for (let round = 0; round < 40; round += 1) times.push(await hand(runtime, batch()));
    const after = await runtime.usage();
    const cpu = before && after ? (after.cpuMs - before.cpuMs) / times.length : undefined;
    results[groups] = { medianMs: median(times), cpuMs: cpu };
    say(`100 messages in ${String(groups).padStart(3)} group${groups > 1 ? "s" : " "}        ${median(times).toFixed(1).padStart(6)} ms, CPU ${cpu?.toFixed(1)} ms`);
  }
  return results;
}

/** 20,000 events over 200 paths and 3 hours, in batches of 100, one after another. */
export async function measureStream(runtime, say) {
  const EVENTS = 20_000;
  const [PATHS, HOURS] = [200, 3];
  const results = {};
  const draw = seeded(2);
  const popular = zipf(PATHS, draw);
  const start = hourAgo(HOURS + 1);
  const inOrder = (at) => start + Math.floor((at / EVENTS) * HOURS * 3_600_000);
  const anywhen = () => start + Math.floor(draw() * HOURS * 3_600_000);
  const mixes = {
    "popular paths, in time order": (make, at) => make(`/popular/${popular()}`, inOrder(at)),
    "any path, in time order": (make, at) => make(`/any/${Math.floor(draw() * PATHS)}`, inOrder(at)),
    "any path, any hour": (make) => make(`/mixed/${Math.floor(draw() * PATHS)}`, anywhen()),
  };
  const d1 = await runtime.d1();
  await countFlushes(d1);
  let seed = 10;
  for (const [name, pick] of Object.entries(mixes)) {
    const make = eventMaker((seed += 1));
    const events = Array.from({ length: EVENTS }, (_, at) => pick(make, at));
    const [cpu, flushes] = [(await runtime.usage())?.cpuMs, await flushesSoFar(d1)];
    let calls = 0;
    const started = performance.now();
    for (let at = 0; at < EVENTS; at += BATCH) {
      const batch = events.slice(at, at + BATCH);
      calls += new Set(batch.map(pathAndHour)).size;
      await hand(runtime, batch);
    }
    const seconds = (performance.now() - started) / 1000;
    const used = cpu === undefined ? undefined : (await runtime.usage()).cpuMs - cpu;
    const flushed = (await flushesSoFar(d1)) - flushes;
    results[name] = { eventsPerSecond: EVENTS / seconds, objectCallsPerEvent: calls / EVENTS, flushesPerEvent: flushed / EVENTS, cpuMicrosecondsPerEvent: (used * 1000) / EVENTS };
    say(
      `${name.padEnd(30)} ${Math.round(EVENTS / seconds).toString().padStart(6)} events/s; an event: ${(calls / EVENTS).toFixed(2)} object calls, ` +
        `${(1 + flushed / EVENTS).toFixed(3)} D1 rows, ${Math.round((used * 1000) / EVENTS)} µs CPU`,
    );
  }
  return results;
}

function pathAndHour(text) {
  const { path, timestamp } = JSON.parse(text);
  return `${path}:${Math.floor(timestamp / 3_600_000)}`;
}

/** Has the database count the rows that flushes write, in a table of this measurement's own. */
async function countFlushes(d1) {
  await d1.batch(
    [
      "CREATE TABLE bench_flushes (rows INTEGER NOT NULL)",
      "INSERT INTO bench_flushes VALUES (0)",
      ...["INSERT", "UPDATE"].map((event) => `CREATE TRIGGER bench_${event} AFTER ${event} ON path_stats_hourly BEGIN UPDATE bench_flushes SET rows = rows + 1; END`),
    ].map((sql) => d1.prepare(sql)),
  );
}

const flushesSoFar = (d1) => d1.prepare("SELECT rows FROM bench_flushes").first("rows");
