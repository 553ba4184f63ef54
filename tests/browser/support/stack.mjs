// The running product with something to see: two days of traffic, a day that may be archived, dead letters.
import assert from "node:assert/strict";
import { dayOfEvents, daysAgo } from "../../e2e/support/archive.mjs";
import { SECRETS } from "../../e2e/support/configs.mjs";
import { HOUR_MS, event, hourLasts, inParallel, parts, traffic } from "../../e2e/support/events.mjs";
import { startOnState } from "../../e2e/support/runtime.mjs";
import { until } from "../../../scripts/until.mjs";

/** More paths than the hundred that the snapshot shows. */
const PATHS = 130;
const EVENTS = 6_000;
const HOURS = 40;
/** Raw events of this day are due for the archive. */
export const OLD_DAY = daysAgo(5);
const OLD_EVENTS = 600;
const AT_ONCE = 1_000;
/** Longer than the tests of one file take. */
const ROOM_MS = 240_000;

/** Starts it empty, with so many databases, in an hour that does not turn while it is looked at. */
export async function startStack({ vars, databases } = {}) {
  await hourLasts(ROOM_MS);
  const runtime = await startOnState({ vars, databases });
  const address = (query = "") => new URL(`/${query}`, runtime.url("api")).href;
  const read = async (path) => {
    const response = await runtime.fetch("api", path, { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } });
    assert.equal(response.status, 200, `${path}: ${response.status} ${response.ok ? "" : await response.text()}`);
    return response.json();
  };
  return { ...runtime, address, read };
}

/** Posts events to the producer, as services do. */
export async function collect(stack, events) {
  await inParallel(parts(events, AT_ONCE), 2, async (part) => {
    const response = await stack.fetch("producer", "/collect", {
      method: "POST",
      headers: { authorization: `Bearer ${SECRETS.INGEST_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(part),
    });
    assert.equal(response.status, 202, await response.text());
  });
}

/** Fills it, and waits until all of it is counted and shown. */
export async function fill(stack) {
  const now = Date.now();
  const recent = traffic({ count: EVENTS, paths: PATHS, hours: HOURS, clients: 900, now, prefix: "/shop" });
  const current = traffic({ count: 300, paths: PATHS, hours: 1, clients: 300, seed: 5, first: EVENTS, now: now + HOUR_MS, prefix: "/shop" }).filter(({ timestamp }) => timestamp < now);
  const old = dayOfEvents(OLD_DAY.start, OLD_EVENTS, { first: 20_000 });
  const events = [...recent, ...current, ...old];
  await collect(stack, events);
  await until(async () => (await stack.row("SELECT sum(requests) AS n FROM path_stats_hourly"))?.n === events.length, { within: 240_000, what: "every event is counted" });
  const since = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 23 * HOUR_MS).toISOString().slice(0, 13);
  const busiest = "SELECT sum(requests) AS requests, path FROM path_stats_hourly WHERE hour_bucket >= ? GROUP BY path ORDER BY requests DESC LIMIT 100";
  const { n: counted } = await stack.row(`SELECT sum(requests) AS n FROM (${busiest})`, since);
  await until(
    async () => {
      const { paths } = await stack.read("/paths?refresh=true");
      return paths.length === 100 && paths.reduce((sum, { requests }) => sum + requests, 0) === counted;
    },
    { within: 60_000, what: "the snapshot shows the hundred busiest paths with all their requests" },
  );
  // The overview is of totals, which are made behind the snapshot.
  await until(async () => (await stack.row("SELECT count(*) AS n FROM totals_due")).n === 0, { within: 120_000, what: "every total is made" });
  return { events };
}

/** Dead letters: two that are no events, and one that gave up and may be counted now. */
export async function leaveDeadLetters(stack) {
  await stack.deliver(["this is no event", "{"]);
  await stack.deliver([event(90_001, { timestamp: Date.now() - HOUR_MS, path: "/late/letter" })].map((one) => JSON.stringify(one)), { queue: "traffic-events-dlq" });
  await until(async () => (await stack.row("SELECT count(*) AS n FROM dead_letters")).n === 3, { what: "three dead letters" });
}
