// Where things are in this repository. Every other script takes its paths from here.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Tools that set-up installs: wasm-bindgen, worker-build, and a compiler with the wasm32 target where rustup has none. */
export const TOOLS = join(ROOT, ".tools");
/** What the local runtime keeps between runs: D1, KV, R2, Durable Objects. */
export const STATE = join(ROOT, ".state");
export const NODE_MODULES = join(ROOT, "node_modules");
export const MIGRATIONS = join(ROOT, "migrations");

/** The dashboard's sources, and the files that the api's Worker serves. */
export const DASHBOARD = join(ROOT, "workers", "api", "dashboard");
export const DASHBOARD_SITE = join(DASHBOARD, "build", "site");

/** The Workers of the product, in the order in which they start. */
export const WORKERS = ["producer", "consumer", "api", "archiver"];
/** The crates that need the `worker` crate: they are built and linted for wasm32 only. */
export const EDGE_CRATES = ["pathstats-edge", "pathstats-collector", ...WORKERS.map((worker) => `pathstats-${worker}`)];
export const WASM_TARGET = "wasm32-unknown-unknown";

/** The wrangler config of a Worker. */
export const configOf = (worker) => join(ROOT, "wrangler", `${worker}.jsonc`);
export const DEMO_ORIGIN_CONFIG = join(ROOT, "examples", "demo-origin", "wrangler.jsonc");
/** What worker-build makes of a Worker. */
export const buildOf = (worker) => join(ROOT, "workers", worker, "build");
