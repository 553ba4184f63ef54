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

const EVENTS = 20_000;
const [PATHS, HOURS] = [200, 3];
const hours = (share) => hourAgo(HOURS + 1) + Math.floor(share * HOURS * 3_600_000);

/** How a stream of 20,000 events spreads over 200 paths and 3 hours, by name. Each makes `(make, at) => event`. */
export const MIXES = {
  "popular paths, in time order": (draw) => {
    const popular = zipf(PATHS, draw);
    return (make, at) => make(`/popular/${popular()}`, hours(at / EVENTS));
  },
  "any path, in time order": (draw) => (make, at) => make(`/any/${Math.floor(draw() * PATHS)}`, hours(at / EVENTS)),
  "any path, any hour": (draw) => (make) => make(`/mixed/${Math.floor(draw() * PATHS)}`, hours(draw())),
};

/** One mix, in batches of 100, one after another, on a fresh runtime: the objects of another mix would flush beside it. */
export async function measureStream(runtime, say, name) {
  const d1 = await runtime.d1();
  await countFlushes(d1);
  const pick = MIXES[name](seeded(2));
  const make = eventMaker(10);
  const events = Array.from({ length: EVENTS }, (_, at) => pick(make, at));
  const cpu = (await runtime.usage())?.cpuMs;
  let calls = 0;
  const started = performance.now();
  for (let at = 0; at < EVENTS; at += BATCH) {
    const batch = events.slice(at, at + BATCH);
    calls += new Set(batch.map(pathAndHour)).size;
    await hand(runtime, batch);
  }
  const eventsPerSecond = EVENTS / ((performance.now() - started) / 1000);
  const cpuMicrosecondsPerEvent = cpu === undefined ? undefined : (((await runtime.usage()).cpuMs - cpu) * 1000) / EVENTS;
  const flushesPerEvent = (await flushesSoFar(d1)) / EVENTS;
  const objectCallsPerEvent = calls / EVENTS;
  say(
    `${name.padEnd(30)} ${Math.round(eventsPerSecond).toString().padStart(6)} events/s; an event: ${objectCallsPerEvent.toFixed(2)} object calls, ` +
      `${(1 + flushesPerEvent).toFixed(3)} D1 rows, ${Math.round(cpuMicrosecondsPerEvent)} µs CPU`,
  );
  return { eventsPerSecond, objectCallsPerEvent, flushesPerEvent, cpuMicrosecondsPerEvent };
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
