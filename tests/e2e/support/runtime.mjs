// The product on state that outlives its process: batches are handed straight to the consumer's queue handler, which
// tells what it acknowledged, and the runtime can be killed.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { rowsBy } from "./rows.mjs";
import { scratchFolder } from "./scratch.mjs";

process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
const { startRuntime } = await import("../../../scripts/runtime.mjs");

const QUEUE = "traffic-events";
const QUICK = { consumer: { FLUSH_SECONDS: "1", SNAPSHOT_SECONDS: "1", TOTALS_SECONDS: "1" }, api: { CACHE_SECONDS: "1" } };
const COLUMNS =
  "hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, hex(sketches) AS sketches";

/** Starts all Workers on a fresh folder, or on one that a runtime before this one left. The others as startRuntime has them. */
export async function startOnState({ vars = {}, batchSeconds = 0, state = scratchFolder(), trees = {}, lastMigration, databases } = {}) {
  const logs = [];
  const runtime = await startRuntime({
    state,
    trees,
    lastMigration,
    databases,
    ports: {},
    vars: { ...QUICK, ...vars, consumer: { ...QUICK.consumer, ...vars.consumer } },
    crons: false,
    batchSeconds,
    beside: { sql: fileURLToPath(new URL("sql-worker.mjs", import.meta.url)) },
    onLog: (line) => logs.push(line),
  });
  const rows = rowsBy((init) => runtime.fetch("sql", "/", init));
  let delivered = 0;
  /** Opens the database of an object that was evicted, calls `act` with it, and closes it. */
  const withObject = async (name, act) => {
    await runtime.evict("consumer", "AggregatorDO", { name });
    const namespace = (await runtime.bindings("consumer")).AGGREGATOR_DO;
    const database = new DatabaseSync(runtime.objectFile("consumer", "AggregatorDO", namespace.idFromName(name).toString()));
    try {
      return act(database);
    } finally {
      database.close();
    }
  };
  return {
    ...runtime,
    logs,
    rows,
    row: async (sql, ...values) => (await rows(sql, ...values))[0],
    /**
     * Delivers bodies as one batch; resolves to the indices of those that come again. A body that was
     * not acknowledged comes again, whatever the reason.
     */
    deliver: async (bodies, { attempts = 1, queue = QUEUE, ids } = {}) => {
      const messages = bodies.map((body, index) => ({ id: ids?.[index] ?? `message-${delivered++}`, timestamp: new Date(), attempts, body }));
      const answer = await runtime.queue("consumer", queue, messages);
      const acknowledged = new Set(answer.explicitAcks);
      const taken = ({ id }) => answer.outcome === "ok" && (answer.ackAll || acknowledged.has(id));
      return { ...answer, again: messages.flatMap((message, index) => (taken(message) ? [] : [index])) };
    },
    /** Rows whose path begins with `prefix`, which is taken off, so that they compare with those of another prefix. */
    hours: (prefix) => rows(`SELECT substr(path, ?) AS path, ${COLUMNS} FROM path_stats_hourly WHERE path LIKE ? ORDER BY path, hour_bucket`, prefix.length + 1, `${prefix}/%`),
    rawCount: async (prefix) => (await rows("SELECT count(*) AS n FROM traffic_events WHERE path LIKE ?", `${prefix}/%`))[0].n,
    /** Has KV refuse everything while `act` runs. */
    withoutKv: (act) => withoutTable(runtime.state, "kv/miniflare-KVNamespaceObject", "_mf_entries", act),
    /** Has R2 refuse everything that is in parts while `act` runs. */
    withoutR2: (act) => withoutTable(runtime.state, "r2/miniflare-R2BucketObject", "_mf_multipart_parts", act),
    /** Calls `act` with D1's own file, to be read at once: a question to the runtime waits for what the runtime does. */
    withDatabaseFile: (act) => {
      const database = new DatabaseSync(fileOf(runtime.state, "d1/miniflare-D1DatabaseObject"), { readOnly: true, timeout: 5_000 });
      try {
        return act(database);
      } finally {
        database.close();
      }
    },
    /** Has D1 refuse everything while `act` runs: every table has another name. */
    withoutD1: async (act) => {
      const tables = await rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'");
      const rename = async (from, to) => {
        for (const { name } of tables) await rows(`ALTER TABLE ${from(name)} RENAME TO ${to(name)}`);
      };
      const gone = (name) => `gone_${name}`;
      const itself = (name) => name;
      await rename(itself, gone);
      try {
        return await act();
      } finally {
        await rename(gone, itself);
      }
    },
    withObject,
    /** Makes an object believe that its log was written so long ago, and that it was never flushed. */
    ageObject: (name, milliseconds) =>
      withObject(name, (log) => {
        log.exec("DELETE FROM log WHERE number = 0");
        for (const { number, body } of log.prepare("SELECT number, body FROM log").all()) {
          // A row: version (1 byte), time received (8 bytes, little-endian), and so on.
          const bytes = Buffer.from(body);
          bytes.writeBigInt64LE(bytes.readBigInt64LE(1) - BigInt(milliseconds), 1);
          log.prepare("UPDATE log SET body = ? WHERE number = ?").run(bytes, number);
        }
      }),
  };
}

/** The file of a store of which there is one. */
function fileOf(state, store) {
  const folder = join(state, store);
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite"));
}

/** Gives a table of the runtime's own another name while `act` runs, so that its store refuses. */
async function withoutTable(state, store, table, act) {
  const file = fileOf(state, store);
  const rename = (from, to) => {
    const database = new DatabaseSync(file, { timeout: 5_000 });
    // A store that was started anew meanwhile has made the table again, empty.
    if (from === "gone") database.exec(`DROP TABLE IF EXISTS ${to}`);
    database.exec(`ALTER TABLE ${from} RENAME TO ${to}`);
    database.close();
  };
  rename(table, "gone");
  try {
    return await act();
  } finally {
    rename("gone", table);
  }
}
