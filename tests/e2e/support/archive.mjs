// What the archive's tests share: days that have ended, and reading what lies in the bucket as any program would.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";

export const DAY_MS = 86_400_000;

/** A day some days ago: its date, its first millisecond. */
export function daysAgo(days) {
  const start = Math.floor(Date.now() / DAY_MS) * DAY_MS - days * DAY_MS;
  return { start, date: new Date(start).toISOString().slice(0, 10) };
}

/** Events that spread over a day. `agent` makes them as incompressible as a test needs. */
export function dayOfEvents(start, count, { first = 0, paths = 20, agent = () => "curl/8" } = {}) {
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    const timestamp = start + ((number * 7_919_777) % DAY_MS);
    return {
      version: 1,
      id: `${timestamp}-${number.toString(16).padStart(8, "0")}`,
      timestamp,
      path: `/archive/${number % paths}`,
      method: "GET",
      status: number % 9 ? 200 : 500,
      responseTime: (number % 1_000) / 8,
      clientIpHash: (number % 700).toString(16).padStart(16, "0"),
      userAgent: agent(number),
      country: "NZ",
    };
  });
}

/** Text that does not compress. */
export const noise = (number, length = 128) => {
  let text = "";
  for (let part = 0; text.length < length; part += 1) text += createHash("sha256").update(`${number} ${part}`).digest("base64");
  return text.slice(0, length);
};

/** The archiver of a runtime, as the api calls it. */
export function archiver(runtime) {
  const post = async (path, body) => {
    const response = await runtime.fetch("archiver", path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  };
  const files = async () => {
    const bucket = await runtime.r2();
    const { objects } = await bucket.list();
    const entries = await Promise.all(objects.map(async ({ key }) => [key, Buffer.from(await (await bucket.get(key)).arrayBuffer())]));
    return Object.fromEntries(entries);
  };
  return {
    post,
    trigger: (date, more = {}) => post("/admin/archive/trigger", { date, wait: true, ...more }),
    status: async (date) => {
      const response = await runtime.fetch("archiver", `/admin/archive/status${date ? `?date=${date}` : ""}`);
      return { status: response.status, body: await response.json() };
    },
    files,
    /** Events of all files of JSON lines, each held against the SHA-256 that the status tells. */
    events: async (day) => {
      const contents = await files();
      return day.objects
        .filter(({ format }) => format === "jsonl.gz")
        .flatMap(({ path, sha256, bytes, records }) => {
          const file = contents[path];
          assert.equal(createHash("sha256").update(file).digest("hex"), sha256, path);
          assert.equal(file.length, bytes, path);
          const lines = gunzipSync(file).toString().trimEnd().split("\n");
          assert.equal(lines.length, records, path);
          return lines.map((line) => JSON.parse(line));
        });
    },
  };
}

/** Holds archived events against those that were sent: each once, field by field. */
export function sameEvents(archived, sent) {
  const byId = (a, b) => (a.id < b.id ? -1 : 1);
  assert.equal(new Set(archived.map(({ id }) => id)).size, archived.length, "an event is archived twice");
  assert.deepEqual([...archived].sort(byId), [...sent].sort(byId));
}
