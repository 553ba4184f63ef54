// The product under test: its Workers in one local runtime, through wrangler's test harness. Storage is fresh each time.
import { fileURLToPath } from "node:url";
import { configOf } from "../../../scripts/paths.mjs";
import { BESIDE_WRANGLER, ENVIRONMENT, SECRETS, demoOrigin, readJsonc, real, scriptOf } from "./configs.mjs";
import { rowsBy } from "./rows.mjs";
import { scratchFolder } from "./scratch.mjs";

process.env.WRANGLER_LOG ??= "none";
process.env.WRANGLER_SEND_METRICS ??= "false";
// No made-up `request.cf`: the runtime would ask the network for one.
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
// The harness keeps its stores in the folder for temporary files.
process.env.TMPDIR = scratchFolder();
const { createTestHarness } = await import("wrangler");

const sqlWorker = {
  config: {
    name: "sql",
    main: fileURLToPath(new URL("sql-worker.mjs", import.meta.url)),
    compatibility_date: "2026-06-01",
    d1_databases: readJsonc(configOf("consumer")).env[ENVIRONMENT].d1_databases,
  },
};

/** The same for another database of a Worker's config. */
const sqlNameOf = (binding) => `sql-${binding.toLowerCase().replace("_", "-")}`;
const sqlWorkerOf = (database) => ({ config: { ...sqlWorker.config, name: sqlNameOf(database.binding), d1_databases: [{ ...database, binding: "D1" }] } });
const DEFAULT = [real("producer"), real("consumer"), real("api"), real("archiver"), demoOrigin];

/**
 * Starts Workers (all of them as configured when none are given) on an empty, migrated database, and on further ones
 * that the Workers' configs have beside `D1`.
 */
export async function startProduct(workers = DEFAULT, { further = [] } = {}) {
  const harness = createTestHarness({ root: BESIDE_WRANGLER, workers: [...workers, sqlWorker, ...further.map(sqlWorkerOf)] });
  await harness.listen();
  const worker = (name) => harness.getWorker(scriptOf(name));
  const migrate = async () => {
    for (const binding of ["D1", ...further.map(({ binding }) => binding)]) await worker("consumer").applyD1Migrations(binding);
  };
  await migrate();
  let env = await worker("consumer").getEnv();
  const rows = rowsBy((init) => harness.getWorker("sql").fetch("/", init));
  return {
    harness,
    worker,
    /** A Worker by its whole name. */
    script: (name) => harness.getWorker(name),
    rows,
    /** The same of another database. */
    rowsIn: (binding, sql, ...values) => rowsBy((init) => harness.getWorker(binding === "D1" ? "sql" : sqlNameOf(binding)).fetch("/", init))(sql, ...values),
    row: async (sql, ...values) => (await rows(sql, ...values))[0],
    /** Bindings held from outside: for preparations, while nothing else runs. */
    d1: () => env.D1,
    kv: () => env.KV,
    /** Posts to /collect, of the producer or of a Worker of another name. */
    collect: (body, { token = SECRETS.INGEST_TOKEN, from = scriptOf("producer"), headers = {}, ...init } = {}) =>
      harness.getWorker(from).fetch("/collect", {
        method: "POST",
        body: typeof body === "string" || body instanceof ReadableStream || body instanceof Uint8Array ? body : JSON.stringify(body),
        headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
        ...init,
      }),
    /** Asks the api. */
    read: (path, { token = SECRETS.READ_TOKEN, headers = {}, ...init } = {}) =>
      worker("api").fetch(path, { headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers }, ...init }),
    /** Empties every store, the cache among them. */
    reset: async () => {
      await harness.reset();
      await migrate();
      env = await worker("consumer").getEnv();
    },
    stop: () => harness.close(),
  };
}

/** Status and body of a response that is a problem, checked to be one. */
export async function problemOf(response) {
  const type = response.headers.get("content-type");
  if (type !== "application/problem+json") throw new Error(`expected a problem, got ${response.status} ${type}: ${await response.text()}`);
  const problem = await response.json();
  if (problem.status !== response.status) throw new Error(`a problem of status ${problem.status} came with ${response.status}`);
  return problem;
}
