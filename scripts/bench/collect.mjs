// Events packed through POST /collect, from the first request to the last row in D1.
import { seeded, zipf } from "../random.mjs";
import { until } from "../until.mjs";
import { eventMaker, hourAgo } from "./events.mjs";

const EVENTS = 100_000;
// 25 messages of 100 events a request, so that batches of the queue fill up and none waits.
const EVENTS_PER_REQUEST = 2_500;
const AT_ONCE = 4;

/** Sends the events, several requests at once, and waits for the last row. */
export async function measureCollect(runtime, say) {
  const make = eventMaker(3);
  const popular = zipf(300, seeded(4));
  const start = hourAgo(7);
  const bodies = [];
  for (let at = 0; at < EVENTS; at += EVENTS_PER_REQUEST) {
    const events = Array.from({ length: EVENTS_PER_REQUEST }, (_, n) => make(`/collect/p${popular()}`, start + Math.floor(((at + n) / EVENTS) * 6 * 3_600_000)));
    bodies.push(`${events.join("\n")}\n`);
  }
  const { INGEST_TOKEN } = await runtime.bindings("producer");
  const d1 = await runtime.d1();
  const cpu = (await runtime.usage())?.cpuMs;
  const started = performance.now();
  const send = async () => {
    for (let body = bodies.shift(); body; body = bodies.shift()) {
      const response = await runtime.fetch("producer", "/collect", { method: "POST", body, headers: { authorization: `Bearer ${INGEST_TOKEN}` } });
      if (response.status !== 202) throw new Error(`/collect answered ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  const accepted = (performance.now() - started) / 1000;
  const last = `${start + Math.floor(((EVENTS - 1) / EVENTS) * 6 * 3_600_000)}`;
  await until(async () => {
    // Looks at the newest key first: counting every row all the time would be part of the measurement.
    const newest = await d1.prepare("SELECT max(id) AS id FROM traffic_events").first("id");
    if (!newest?.startsWith(last)) return false;
    return (await d1.prepare("SELECT count(*) AS rows FROM traffic_events").first("rows")) === EVENTS;
  }, { within: 120_000, what: `${EVENTS} rows` });
  const seconds = (performance.now() - started) / 1000;
  const used = cpu === undefined ? undefined : (await runtime.usage()).cpuMs - cpu;
  say(`through /collect, packed: ${Math.round(EVENTS / seconds)} events/s from request to row (accepted at ${Math.round(EVENTS / accepted)}/s), ${Math.round((used * 1000) / EVENTS)} µs CPU an event`);
  return { eventsPerSecond: EVENTS / seconds, acceptedPerSecond: EVENTS / accepted, cpuMicrosecondsPerEvent: (used * 1000) / EVENTS };
}
