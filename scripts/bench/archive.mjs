// A day from the database into the bucket, verified and cleaned.
import { median } from "./events.mjs";

const DAY = 86_400_000;
const PATHS = 300;
const AGENTS = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
  "curl/8.9.1",
];
const COLUMNS = ["id", "path", "method", "status", "response_time", "client_ip_hash", "user_agent", "country", "sample_ratio"];
const hex = (number, digits) => (number >>> 0).toString(16).padStart(digits, "0");

/** A day of `count` events, archived by the order of an operator. */
export async function measureArchive(runtime, say, count) {
  const d1 = await runtime.d1();
  const start = Math.floor(Date.now() / DAY) * DAY - 5 * DAY;
  const date = new Date(start).toISOString().slice(0, 10);
  await seed(d1, start, count);
  // A page at the day's beginning and one at its end: by key, both are found at once.
  const pageTime = async (from) => {
    const times = [];
    for (let round = 0; round < 15; round += 1) {
      const started = performance.now();
      await d1.prepare(`SELECT json_array(${COLUMNS}) AS line FROM traffic_events WHERE id > ? AND id < ? ORDER BY id LIMIT 4000`).bind(String(from), String(start + DAY)).all();
      times.push(performance.now() - started);
    }
    return median(times);
  };
  const pages = { firstMs: await pageTime(start), lastMs: await pageTime(start + DAY - Math.ceil((4_000 / count) * DAY)) };

  const cpu = (await runtime.usage())?.cpuMs;
  const started = performance.now();
  let day;
  let runs = 0;
  do {
    const response = await runtime.fetch("archiver", "/admin/archive/trigger", { method: "POST", body: JSON.stringify({ date, wait: true }) });
    day = await response.json();
    runs += 1;
    if (!response.ok) throw new Error(`the day was not archived: ${JSON.stringify(day)}`);
  } while (!day.cleaned);
  const seconds = (performance.now() - started) / 1000;
  const result = {
    events: count,
    seconds,
    runs,
    cpuSeconds: cpu === undefined ? undefined : ((await runtime.usage()).cpuMs - cpu) / 1000,
    bytes: day.objects[0].bytes,
    peakMemoryBytes: day.usage.peakMemoryBytes,
    rowsReadPerEvent: day.usage.rowsRead / count,
    rowsWrittenPerEvent: day.usage.rowsWritten / count,
    pages,
  };
  say(
    `archive: ${count} events in ${seconds.toFixed(1)} s and ${runs} run${runs > 1 ? "s" : ""}, CPU ${result.cpuSeconds?.toFixed(1)} s; ${(result.bytes / 1e6).toFixed(1)} MB; ` +
      `wasm memory ${(result.peakMemoryBytes / 1e6).toFixed(1)} MB; rows an event: ${result.rowsReadPerEvent.toFixed(2)} read, ${result.rowsWrittenPerEvent.toFixed(4)} written; ` +
      `a page at the beginning ${pages.firstMs.toFixed(1)} ms, at the end ${pages.lastMs.toFixed(1)} ms`,
  );
  return result;
}

async function seed(d1, start, count) {
  const STEP = 10_000;
  for (let at = 0; at < count; at += STEP) {
    const rows = Array.from({ length: Math.min(STEP, count - at) }, (_, offset) => {
      const number = at + offset;
      const scattered = (number * 2_654_435_761) >>> 0;
      const path = `/api/items/${scattered % PATHS}`;
      return [`${start + Math.floor((number / count) * DAY)}-${hex(number, 8)}`, path, "GET", scattered % 20 ? 200 : 500, (scattered % 100_000) / 1000, hex(scattered % 50_000, 16), AGENTS[scattered % 3], "NZ", 1];
    });
    const values = COLUMNS.map((_, column) => `value ->> ${column}`).join(", ");
    await d1.prepare(`INSERT INTO traffic_events (${COLUMNS}) SELECT ${values} FROM json_each(?)`).bind(JSON.stringify(rows)).run();
  }
  await d1
    .prepare(
      "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) " +
        "SELECT path, strftime('%Y-%m-%dT%H', timestamp / 1000, 'unixepoch') AS hour, count(*), sum(is_error), sum(response_time), count(response_time), 0, count(*), 1, 0, x'' FROM traffic_events GROUP BY path, hour",
    )
    .run();
}
