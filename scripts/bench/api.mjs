// How long the api takes to answer, from each of its tiers.
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { secretOf } from "../session.mjs";
import { startRuntime } from "../runtime.mjs";
import { until } from "../until.mjs";
import { startClient } from "./client.mjs";
import { eventMaker, hourAgo } from "./events.mjs";

const [PATHS, HOURS, EVENTS_AN_HOUR] = [834, 24, 60];
const DAYS = 90;
const BUSY = "/bench/0";
const DOOR = fileURLToPath(new URL("../../tests/e2e/support/cache-door.mjs", import.meta.url));
const PLAIN = fileURLToPath(new URL("plain-worker.mjs", import.meta.url));
/** Longer than an isolate remembers an answer. */
const FORGOTTEN_MS = 1_100;

/** Answers of the api over `requests` requests in a row, from the cache, from KV, and from D1 over some 20,000 path-hours. */
export async function measureApi(state, say, requests = 2_000) {
  const results = {};
  await inRuntime({ state }, async (runtime, ask, plain) => {
    const rows = await fill(runtime);
    say(`${rows.toLocaleString("en")} path-hours of the last 24 hours, and ${DAYS * 24} of one path; ${requests} requests each`);
    const stats = `/paths/stats?path=${BUSY}&from=${hourAgo(DAYS * 24 - 1)}`;
    // No two ask for the same, so that no answer is kept.
    let asked = hourAgo(-1);
    const anew = () => ask(`${stats}&to=`, { counted: (asked += 10 * requests) });
    Object.assign(results, await measure(runtime, say, requests, {
      "/health (two KV reads)": ask("/health"),
      "/paths from the cache": ask("/paths", { source: "cache" }),
      "the same from a plain Worker (cache)": plain("/kept"),
      "/paths from the cache, the ten slowest": ask("/paths?limit=10&sort=p95", { source: "cache" }),
      [`/paths/stats, ${DAYS} days of hours, no day rolled up`]: anew(),
      [`/paths/stats, ${DAYS} days of hours, made anew`]: { ...anew(), prepared: () => rollUp(runtime) },
      [`/paths/stats, ${DAYS} days of hours`]: ask(stats),
      [`/paths/stats, ${DAYS} days`]: ask(`${stats}&granularity=day`),
      "/paths/stats, 24 hours, compared": ask(`/paths/stats?path=${BUSY}&compare=previous`),
    }));
  });
  // What lies in the cache is taken away before each answer. An isolate that remembers an answer would not ask for one. The plain Worker
  // writes a copy behind each, the api one a second.
  await inRuntime({ state, apiVars: { CACHE_MEMORY_MS: "0" } }, async (runtime, ask, plain) => {
    const empty = new URL("/empty", runtime.url("door")).href;
    Object.assign(results, await measure(runtime, say, requests, {
      "/paths from KV": ask("/paths", { source: "kv", cleared: empty }),
      "the same from a plain Worker (KV)": plain("/kept", { before: [plain("/forget").url] }),
    }));
  });
  // Where the cache keeps nothing, as on workers.dev and behind Access, each answer comes from the tier below.
  await inRuntime({ state, cacheApi: false }, async (runtime, ask, plain) => {
    const drop = plain("/drop-snapshot").url;
    Object.assign(results, await measure(runtime, say, requests, {
      "/paths from KV, where no copy is kept": ask("/paths", { source: "kv" }),
      "the same from a plain Worker (no copy kept)": plain("/kept"),
      "/paths from D1": ask("/paths", { source: "d1", before: [drop] }),
      "counts alone, a plain Worker (D1)": plain("/d1"),
    }));
  });
  return results;
}

/** Has `act` ask in a runtime: with questions to the api and to the plain Worker. */
async function inRuntime({ apiVars, ...options }, act) {
  const vars = { consumer: { FLUSH_SECONDS: "1", SNAPSHOT_SECONDS: "1" }, api: { CACHE_SECONDS: "3600", ...apiVars } };
  const runtime = await startRuntime({ ...options, ports: {}, crons: false, vars, beside: { door: DOOR, plain: PLAIN } });
  try {
    const headers = { authorization: `Bearer ${await secretOf(runtime, "api", "READ_TOKEN")}` };
    const ask = (path, more = {}) => ({ url: new URL(path, runtime.url("api")).href, headers, ...more });
    const plain = (path, more = {}) => ({ url: new URL(path, runtime.url("plain")).href, headers: {}, leastBytes: 5_000, ...more });
    await act(runtime, ask, plain);
  } finally {
    await runtime.stop();
  }
}

/** Asks each question so often, and resolves to what the answers took, by the question's name. */
async function measure(runtime, say, requests, questions) {
  const results = {};
  const client = await startClient();
  try {
    for (const [name, { prepared, ...question }] of Object.entries(questions)) {
      await prepared?.();
      await after(FORGOTTEN_MS);
      // The first answer of a tier comes from the one below.
      await client.ask({ ...question, rounds: 50, lenient: true });
      const counted = question.counted === undefined ? {} : { counted: question.counted + 50 };
      const before = await runtime.usage();
      const times = await client.ask({ ...question, ...counted, rounds: requests });
      const used = await runtime.usage();
      const cpuMs = before && used ? (used.cpuMs - before.cpuMs) / requests : undefined;
      times.sort((a, b) => a - b);
      const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
      results[name] = { p50Ms: at(0.5), p99Ms: at(0.99), cpuMs };
      say(`${name.padEnd(47)} p50 ${at(0.5).toFixed(2).padStart(7)} ms   p99 ${at(0.99).toFixed(2).padStart(7)} ms   CPU ${cpuMs?.toFixed(2).padStart(6)} ms`);
    }
  } finally {
    client.stop();
  }
  return results;
}

/**
 * An hour of events for some paths, counted by their objects; its rows are then copied over other paths and hours, so
 * that their sketches are real.
 */
async function fill(runtime) {
  const make = eventMaker(3);
  const [originals, hour] = [60, hourAgo(2)];
  const events = Array.from({ length: originals * EVENTS_AN_HOUR }, (_, at) => make(`/original/${at % originals}`, hour + at));
  for (let at = 0; at < events.length; at += 100) {
    const messages = events.slice(at, at + 100).map((body, index) => ({ id: `api-${at + index}`, timestamp: new Date(), attempts: 1, body }));
    await runtime.queue("consumer", "traffic-events", messages);
  }
  const d1 = await runtime.d1();
  const first = async (sql, ...values) => (await d1.prepare(sql).bind(...values).all()).results[0];
  await until(async () => (await first("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly")).n === events.length, { within: 60_000, what: "all rows are flushed" });
  await after(1_500);
  const columns = "requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, revision, sealed_at, updated_at, sketches";
  const copy = (path, from, count, source) =>
    d1.prepare(`WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?1)
      INSERT INTO path_stats_hourly (path, hour_bucket, ${columns})
      SELECT ${path}, strftime('%Y-%m-%dT%H', ?2 / 1000 - n * 3600, 'unixepoch'), ${columns} FROM n JOIN path_stats_hourly o ON o.path = ${source} WHERE true
      ON CONFLICT DO NOTHING`).bind(count, from).run();
  for (let path = 0; path < PATHS; path += 1) await copy(`'/bench/${path}'`, hourAgo(0), HOURS, `'/original/${path % originals}'`);
  await copy(`'${BUSY}'`, hourAgo(0), DAYS * 24, "'/original/0'");
  await d1.prepare("DELETE FROM path_stats_hourly WHERE path LIKE '/original/%'").run();
  // As after some minutes of work: the totals of the hours are made.
  const due = () => first("SELECT count(*) AS n FROM totals_due WHERE period >= strftime('%Y-%m-%dT%H', ? / 1000, 'unixepoch')", hourAgo(HOURS));
  await runtime.scheduled("consumer", "* * * * *");
  await until(async () => (await due()).n === 0, { within: 120_000, what: "the totals are made" });
  return (await first("SELECT count(*) AS n FROM path_stats_hourly WHERE hour_bucket > strftime('%Y-%m-%dT%H', ? / 1000, 'unixepoch')", hourAgo(HOURS))).n;
}

/** As after each night: the days that have ended have daily rows. What one firing does not reach, the next ones do. */
async function rollUp(runtime) {
  const d1 = await runtime.d1();
  const days = async () => (await d1.prepare("SELECT count(*) AS n FROM path_stats_daily WHERE path = ?").bind(BUSY).all()).results[0].n;
  await runtime.scheduled("archiver", "0 2 * * *");
  const rolledUp = async () => (await days()) >= DAYS - 1 || (await runtime.scheduled("archiver", "*/10 * * * *"), false);
  await until(rolledUp, { within: 120_000, what: "the days are rolled up" });
}
