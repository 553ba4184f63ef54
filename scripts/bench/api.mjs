// How long the api takes to answer, from each of its tiers.
import { Agent, get } from "node:http";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { secretOf } from "../session.mjs";
import { startRuntime } from "../runtime.mjs";
import { until } from "../until.mjs";
import { eventMaker, hourAgo } from "./events.mjs";

const [PATHS, HOURS, EVENTS_AN_HOUR] = [834, 24, 60];
const DAYS = 90;
const HOUR = 3_600_000;
const BUSY = "/bench/0";
const DOOR = fileURLToPath(new URL("../../tests/e2e/support/cache-door.mjs", import.meta.url));
const PLAIN = fileURLToPath(new URL("plain-worker.mjs", import.meta.url));
/** Longer than an isolate remembers an answer. */
const FORGOTTEN_MS = 1_100;

/** Answers of the api over `requests` requests in a row, from the cache, from KV, and from D1 over some 20,000 path-hours. */
export async function measureApi(state, say, requests = 2_000) {
  const vars = { consumer: { FLUSH_SECONDS: "1", SNAPSHOT_SECONDS: "1" }, api: { CACHE_SECONDS: "3600" } };
  const runtime = await startRuntime({ state, ports: {}, crons: false, vars, beside: { door: DOOR, plain: PLAIN } });
  try {
    const rows = await fill(runtime);
    say(`${rows.toLocaleString("en")} path-hours of the last 24 hours, and ${DAYS * 24} of one path; ${requests} requests each`);
    const headers = { authorization: `Bearer ${await secretOf(runtime, "api", "READ_TOKEN")}` };
    const ask = async (path, expected) => {
      const { took, status, body } = await timed(new URL(path, runtime.url("api")), headers);
      const text = () => (body[0] === 0x1f ? gunzipSync(body) : body).toString();
      if (status !== 200) throw new Error(`${path} answered ${status}: ${text().slice(0, 300)}`);
      // Looking into each would cost more than asking.
      const source = asked++ % 20 === 0 || expected !== "cache" ? /"dataSource":"(\w+)"/.exec(text())?.[1] : expected;
      if (expected && source !== expected) throw new Error(`${path} came from ${source}, not from ${expected}`);
      return took;
    };
    let asked = 0;
    // The copy is written behind the answer: it is awaited, so that it does not come after it was taken away.
    const empty = () => until(async () => (await (await runtime.fetch("door", "/empty")).text()) === "true", { within: 2_000, what: "a copy to take away" });
    const kv = await runtime.kv();
    // The consumer may write a snapshot of its own meanwhile: then KV answers, and it is asked again.
    const fromD1 = async (tries = 3) => {
      await empty();
      await kv.delete("paths:snapshot:latest");
      return ask("/paths", "d1").catch((error) => (tries > 1 ? fromD1(tries - 1) : Promise.reject(error)));
    };
    const plain = (path) => async () => {
      const { took, body } = await timed(new URL(path, runtime.url("plain")), {});
      if (body.length < 5_000) throw new Error(`the plain Worker answered ${path} with ${body.length} bytes`);
      return took;
    };
    const measures = {
      "/health (a KV read)": () => ask("/health"),
      "/paths from the cache": () => ask("/paths", "cache"),
      "the same from a plain Worker (cache)": plain("/kept"),
      "/paths from the cache, the ten slowest": () => ask("/paths?limit=10&sort=p95", "cache"),
      "/paths from KV": async () => (await empty(), ask("/paths", "kv")),
      "the same from a plain Worker (KV)": async () => {
        const forgotten = async () => (await (await runtime.fetch("plain", "/forget")).text()) === "true";
        await until(forgotten, { within: 2_000, what: "a copy to take away" });
        return plain("/kept")();
      },
      "/paths from D1": () => fromD1(),
      "counts alone, a plain Worker (D1)": plain("/d1"),
      [`/paths/stats, ${DAYS} days of hours, made anew`]: ((n) => () => ask(`/paths/stats?path=${BUSY}&from=${hourAgo(DAYS * 24 - 1)}&to=${hourAgo(-1) + (n += 1)}`))(0),
      [`/paths/stats, ${DAYS} days of hours`]: () => ask(`/paths/stats?path=${BUSY}&from=${hourAgo(DAYS * 24 - 1)}`),
      [`/paths/stats, ${DAYS} days`]: () => ask(`/paths/stats?path=${BUSY}&from=${hourAgo(DAYS * 24 - 1)}&granularity=day`),
      "/paths/stats, 24 hours, compared": () => ask(`/paths/stats?path=${BUSY}&compare=previous`),
    };
    const results = {};
    for (const [name, measure] of Object.entries(measures)) {
      await after(FORGOTTEN_MS);
      // The first answer of a tier comes from the one below.
      for (let round = 0; round < 50; round += 1) await measure().catch((error) => { if (round > 0) throw error; });
      const times = [];
      const before = await runtime.usage();
      for (let round = 0; round < requests; round += 1) times.push(await measure());
      const used = await runtime.usage();
      const cpuMs = before && used ? (used.cpuMs - before.cpuMs) / requests : undefined;
      times.sort((a, b) => a - b);
      const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
      results[name] = { p50Ms: at(0.5), p99Ms: at(0.99), cpuMs };
      say(`${name.padEnd(42)} p50 ${at(0.5).toFixed(2).padStart(7)} ms   p99 ${at(0.99).toFixed(2).padStart(7)} ms   CPU ${cpuMs?.toFixed(2).padStart(6)} ms`);
    }
    return results;
  } finally {
    await runtime.stop();
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Asks, and takes the time until the last byte: unpacking is the client's own business. */
function timed(url, headers) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const request = get(url, { agent, headers: { "accept-encoding": "gzip", ...headers } }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ took: performance.now() - started, status: response.statusCode, body: Buffer.concat(chunks) }));
    });
    request.on("error", reject);
  });
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
