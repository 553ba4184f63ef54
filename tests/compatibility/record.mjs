// Records what the last release writes: its queue messages, rows, objects' logs, values in KV, archives, and what its api
// answers. The Workers are that release's own builds, in the real runtime.
//
//   just compatibility --record
import { createServer } from "node:http";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RELEASE, releaseTree } from "../../scripts/compatibility/release.mjs";
import { main } from "../../scripts/command.mjs";
import { WORKERS } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { archiver } from "../e2e/support/archive.mjs";
import { SECRETS } from "../e2e/support/configs.mjs";
import { event, hourOf, parts } from "../e2e/support/events.mjs";
import { startOnState } from "../e2e/support/runtime.mjs";
import { DATE, DAY, QUESTIONS, dayEvents, fixtureFolder, hex, recentEvents } from "./support/fixtures.mjs";
import { captureMessages } from "./support/capture.mjs";

await main(async () => {
  const tree = await releaseTree();
  const folder = fixtureFolder(RELEASE.version);
  rmSync(folder, { recursive: true, force: true });
  const write = (name, value) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), Buffer.isBuffer(value) ? value : `${JSON.stringify(value, null, 1)}\n`);
  };
  write("messages.json", await recordMessages(tree));
  await recordState(tree, write);
  console.log(`Recorded what release ${RELEASE.version} writes, in ${folder}.`);
});

/** What its producer puts on the queue: of /collect, one by one and packed, and of requests that it proxied. */
async function recordMessages(tree) {
  const origin = createServer((request, response) => response.writeHead(request.url.includes("missing") ? 404 : 200).end("x"));
  await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const producer = await captureMessages(tree, { ORIGIN_URL: `http://127.0.0.1:${origin.address().port}` });
  const post = (body) => producer.fetch("/collect", { method: "POST", headers: { authorization: `Bearer ${SECRETS.INGEST_TOKEN}` }, body });
  const full = (n) => event(n, { timestamp: DAY + n, path: "/messages/full", method: "POST", status: 503, userAgent: "curl/8", country: "CN", sampleRatio: 0.25 });
  const least = (n) => ({ id: `${DAY + n}-${n.toString(16).padStart(8, "0")}`, timestamp: DAY + n, path: "/messages/least", method: "GET", status: 200 });
  await post(JSON.stringify(full(1)));
  await post(JSON.stringify([least(2), least(3), full(4)]));
  await post(Array.from({ length: 250 }, (_, n) => JSON.stringify(least(1_000 + n))).join("\n"));
  for (const path of ["/messages/proxied?secret=1", "/messages/missing/4711"]) await (await producer.fetch(path, { headers: { "user-agent": "recorder", "cf-connecting-ip": "192.0.2.1" } })).arrayBuffer();
  const messages = await until(() => (producer.bodies.length >= 7 ? producer.bodies : undefined), { what: "the messages" });
  await producer.stop();
  origin.close();
  return messages;
}

/** What is in its stores after a day was counted, archived in both formats, and rolled up. */
async function recordState(tree, write) {
  const runtime = await startOnState({ trees: Object.fromEntries(WORKERS.map((worker) => [worker, tree])) });
  const ask = async (path, body) => {
    const response = await runtime.fetch("api", path, { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` }, ...(body && { method: "POST", body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  try {
    const now = Date.now();
    const events = [...dayEvents(), ...recentEvents(now)];
    for (const some of parts(events, 90)) await runtime.deliver([{ version: 1, events: some }]);
    await runtime.deliver(["no JSON {", { version: 99, events: [] }, { path: "/no-id" }]);
    await runtime.deliver([{ version: 1, events: [event(77, { timestamp: DAY, path: "/lost" })] }], { queue: "traffic-events-dlq", ids: ["lost-1"] });
    const counted = async () => (await runtime.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n;
    await until(async () => (await counted()) === events.length, { what: "all rows flushed" });
    await ask("/admin/archive/trigger", { date: DATE, wait: true });
    await ask("/admin/archive/convert", { date: DATE, wait: true });
    await until(async () => (await ask(`/admin/archive/status?date=${DATE}`)).objects.length === 2, { what: "both formats" });
    await ask("/admin/retention/run", {});
    await runtime.scheduled("consumer", "*/5 * * * *");
    await runtime.scheduled("archiver", "0 */6 * * *");
    await until(async () => (await runtime.row("SELECT count(*) AS n FROM totals_due")).n === 0, { what: "all totals made", within: 60_000 });

    const objects = {};
    for (const [path, timestamp] of [[dayEvents()[0].path, dayEvents()[0].timestamp], ["/recent/a", now]]) {
      const name = `${path}:${hourOf(timestamp)}`;
      objects[name] = await runtime.withObject(name, (log) => log.prepare("SELECT number, body FROM log ORDER BY number").all().map(({ number, body }) => ({ number, body: hex(body) })));
    }
    write("objects.json", objects);
    write("recent.json", { now });
    write("answers.json", Object.fromEntries(await Promise.all(QUESTIONS.map(async (path) => [path, await ask(path)]))));
    const kv = await runtime.kv();
    const { keys } = await kv.list();
    write("kv.json", Object.fromEntries(await Promise.all(keys.map(async ({ name }) => [name, await kv.get(name)]))));
    for (const [key, bytes] of Object.entries(await archiver(runtime).files())) write(join("r2", key), bytes);
    write("database.json", runtime.withDatabaseFile((database) => ({ lastMigration: readdirSync(join(tree, "migrations")).filter((name) => name.endsWith(".sql")).sort().at(-1), tables: tablesOf(database) })));
  } finally {
    await runtime.stop();
  }
}

/** All rows of all tables, without columns that the database computes. A BLOB is `{ hex }`. */
function tablesOf(database) {
  const names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' AND name <> 'd1_migrations' ORDER BY name").all();
  return Object.fromEntries(names.map(({ name }) => {
    const columns = database.prepare(`PRAGMA table_info("${name}")`).all().map((column) => column.name);
    const rows = database.prepare(`SELECT ${columns.map((column) => `"${column}"`).join(", ")} FROM "${name}"`).all();
    return [name, rows.map((row) => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, value instanceof Uint8Array ? { hex: hex(value) } : value])))];
  }));
}
