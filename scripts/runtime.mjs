// All Workers in one local runtime (workerd), from their real wrangler configs and their finished builds, on state that survives.
//
// The base is miniflare as wrangler itself carries it, fed with the options that wrangler derives from a config: the
// same runtime and the same reading of the configs as `wrangler dev` and wrangler's test harness, but with a port for
// each Worker, state in a folder of our choice, and a queue batch's acknowledgements to be seen.
import diagnostics from "node:diagnostics_channel";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { Failure } from "./command.mjs";
import { runCrons } from "./cron.mjs";
import { applyMigrations } from "./migrations.mjs";
import { claim, forget, remember } from "./runtime-owner.mjs";
import { DEMO_ORIGIN_CONFIG, ROOT, STATE, WORKERS, configOf } from "./paths.mjs";

process.env.WRANGLER_SEND_METRICS ??= "false";
process.env.WRANGLER_LOG ??= "warn";
const { unstable_getMiniflareWorkerOptions: workerOptionsOf, unstable_readConfig: readConfig } = await import("wrangler");
const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");

const ENVIRONMENT = "dev";
export const PORTS = { producer: 8787, api: 8788 };
const HOST = "127.0.0.1";
/** Workers that are bound to further databases where there are any: the producer needs the first alone. */
const SPREAD = ["consumer", "api", "archiver"];

// miniflare keeps the process of the runtime to itself: this is how `kill` finds it.
let runtimeProcess;
diagnostics.subscribe("child_process", ({ process: child }) => {
  if (child.spawnfile?.includes("workerd") || child.spawnargs?.[0]?.includes("workerd")) runtimeProcess = child;
  else queueMicrotask(() => child.spawnfile?.includes("workerd") && (runtimeProcess = child));
});

/**
 * Starts the runtime, brings its database up to date, and resolves to a handle on it.
 *
 * - `state`: folder that keeps D1, KV, R2 and Durable Objects; the same folder again goes on with them.
 * - `ports`: a port for a Worker by name; 0, or none given, is any free one.
 * - `vars`: values that replace those of the configs, by Worker: `{ consumer: { FLUSH_SECONDS: "1" } }`.
 * - `batchSeconds`: the longest that a queue waits for its batch to fill; none given, what the configs say.
 * - `trees`: folder of another checkout, by Worker, whose config and build are taken instead: two releases then meet.
 * - `lastMigration`: the last file of migrations/ that is applied at the start; `migrate` of the handle applies the others.
 * - `databases`: how many databases there are; the further ones are `D1_1` and so on, bound to every Worker that places or reads rows.
 * - `crons`: whether the configs' schedules fire by themselves.
 * - `cacheApi`: whether the Workers' cache keeps what it is given. On workers.dev and behind Access it does not.
 * - `beside`: further Workers, each of one module: `{ name: file }`. They have the database as `D1` and the snapshots as `KV`.
 * - `onLog({ level, message })`: each line that the Workers log.
 */
export async function startRuntime({ state = STATE, ports = PORTS, vars = {}, batchSeconds, trees = {}, lastMigration, databases = 1, crons = true, cacheApi = true, beside = {}, onLog = printProblems } = {}) {
  const workers = [...WORKERS.map((name) => ({ name, config: trees[name] ? join(trees[name], "wrangler", `${name}.jsonc`) : configOf(name) })), { name: "origin", config: DEMO_ORIGIN_CONFIG }].map(readWorker).map(spread(databases));
  await claim(state);
  await Promise.all(Object.entries(ports).map(([name, port]) => requireFreePort(name, port)));
  mkdirSync(state, { recursive: true });
  const temporary = join(state, "tmp");
  const { d1Databases, kvNamespaces } = workers.find(({ name }) => name === "consumer").workerOptions;
  const options = (chosen) => convertV4MiniflareOptions({
    workers: [
      ...workers.map((worker) => miniflareWorker(worker, vars[worker.name], chosen[worker.name] ?? 0, batchSeconds, cacheApi)),
      ...Object.entries(beside).map(([name, path]) => ({ name, compatibilityDate: "2026-06-01", cacheAPI: cacheApi, d1Databases, kvNamespaces, modules: [{ type: "ESModule", path }], unsafeDirectSockets: [{ host: HOST, port: chosen[name] ?? 0 }] })),
    ],
    host: HOST,
    port: 0,
    // No made-up `request.cf`: miniflare would ask the network for one.
    cf: false,
    unsafeTriggerHandlers: true,
    resourcePersistencePath: state,
    resourceTmpPath: temporary,
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: onLog,
  });
  rmSync(temporary, { recursive: true, force: true });
  let miniflare;
  const urls = {};
  const start = async (chosen) => {
    miniflare = new Miniflare(options(chosen));
    await miniflare.ready;
    remember(state, runtimeProcess?.pid);
    for (const { name, script } of [...workers, ...Object.keys(beside).map((name) => ({ name, script: name }))]) urls[name] = new URL(await miniflare.unsafeGetDirectURL(script));
  };
  try {
    await start(ports);
  } catch (error) {
    await miniflare?.dispose().catch(() => {});
    throw error;
  }

  const scriptOf = (name) => {
    if (name in beside) return name;
    const worker = workers.find((worker) => worker.name === name);
    if (!worker) throw new Failure(`no Worker is named "${name}". There are: ${workers.map((worker) => worker.name).join(", ")}.`);
    return worker.script;
  };
  const urlOf = (name) => scriptOf(name) && urls[name];
  const handle = {
    state,
    /** Base URL of a Worker: `producer`, `consumer`, `api`, `archiver` or `origin`. */
    url: urlOf,
    /** Sends a request straight to a Worker, over its own port. */
    fetch: (name, path, init) => fetch(new URL(path, urlOf(name)), init),
    /**
     * Hands a batch to a Worker's queue handler. Messages are `{ id, timestamp, attempts, body }`; resolves to
     * `{ outcome, ackAll, retryBatch, explicitAcks: [id], retryMessages: [{ msgId, delaySeconds }] }`.
     */
    queue: async (name, queueName, messages) => (await miniflare.getWorker(scriptOf(name))).queue(queueName, messages),
    /** Fires a cron now. */
    scheduled: async (name, cron, scheduledTime = new Date()) => (await miniflare.getWorker(scriptOf(name))).scheduled({ cron, scheduledTime }),
    d1: (binding = "D1", name = "consumer") => miniflare.getD1Database(binding, scriptOf(name)),
    kv: (binding = "KV", name = "consumer") => miniflare.getKVNamespace(binding, scriptOf(name)),
    r2: (binding = "R2_ARCHIVE", name = "archiver") => miniflare.getR2Bucket(binding, scriptOf(name)),
    /** Applies the migrations that the database lacks. */
    migrate: async () => migrateAll(),
    /** All bindings of a Worker, as its own code sees them. */
    bindings: (name) => miniflare.getBindings(scriptOf(name)),
    /** Ids of the objects of a class that have stored something. */
    objectIds: (name, className) => miniflare.listDurableObjectIds(className, scriptOf(name)),
    /** SQLite file of a Durable Object, to be read with `node:sqlite` (objects written in Rust take no SQL from outside). */
    objectFile: (name, className, id) => join(state, "do", `${scriptOf(name)}-${className}`, `${id}.sqlite`),
    /**
     * Evicts a Durable Object: its memory goes, its storage stays. `object` is `{ name }` or `{ id }`. Resolves to
     * false for an object that is not in memory.
     */
    evict: async (name, className, object) => {
      try {
        await miniflare.unsafeEvictDurableObject(scriptOf(name), className, object);
        return true;
      } catch (error) {
        if (/not currently running/.test(error.message)) return false;
        throw error;
      }
    },
    /** CPU time that the runtime has used, in milliseconds, and its memory in bytes (Linux only). */
    usage: () => usageOf(runtimeProcess?.pid),
    /**
     * Ends the runtime as a power cut would (SIGKILL), and starts it again on what it had stored: on the same ports, or on others
     * where none was asked for and another program has taken one meanwhile.
     */
    kill: async () => {
      const child = runtimeProcess;
      const ended = new Promise((resolve) => (child.exitCode ?? child.signalCode) !== null ? resolve() : child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await miniflare.dispose().catch(() => {});
      try {
        await start(Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, Number(url.port)])));
      } catch (error) {
        if (error.code !== "ERR_ADDRESS_IN_USE") throw error;
        await miniflare.dispose().catch(() => {});
        await start(ports);
      }
    },
    stop: async () => {
      stopCrons();
      await miniflare.dispose();
      rmSync(temporary, { recursive: true, force: true });
      forget(state);
    },
  };

  /** All databases of the consumer have the same tables. */
  const migrateAll = async (options) => {
    for (const binding of Object.keys(d1Databases)) await applyMigrations(await handle.d1(binding), options);
  };
  let stopCrons = () => {};
  try {
    await migrateAll({ last: lastMigration });
    const jobs = workers.flatMap((worker) => worker.crons.map((cron) => ({ worker: worker.name, cron })));
    const failed = (job) => (error) => onLog({ level: "error", message: `cron ${job.cron} of ${job.worker} failed: ${error.message}` });
    if (crons) stopCrons = runCrons(jobs, (job, date) => void handle.scheduled(job.worker, job.cron, date).catch(failed(job)));
  } catch (error) {
    await handle.stop();
    throw error;
  }
  return handle;
}

function readWorker({ name, config }) {
  const parsed = readConfig({ config, env: ENVIRONMENT }, { hideWarnings: true });
  const { workerOptions, main } = workerOptionsOf(config, ENVIRONMENT);
  if (!existsSync(main)) throw new Failure(`${main} is missing: the Worker \`${name}\` is not built. Run \`just build\`.`);
  const site = workerOptions.assets?.directory;
  if (site && !existsSync(site)) throw new Failure(`${site} is missing: the page of the Worker \`${name}\` is not built. Run \`just build\`.`);
  return { name, script: parsed.name, crons: parsed.triggers?.crons ?? [], workerOptions, main };
}

/** A Worker of a set-up with so many databases. */
const spread = (databases) => (worker) => {
  if (databases === 1 || !SPREAD.includes(worker.name)) return worker;
  const { D1 } = worker.workerOptions.d1Databases;
  const further = Array.from({ length: databases - 1 }, (_, index) => [`D1_${index + 1}`, { ...D1, id: `${D1.id}-${index + 1}` }]);
  return { ...worker, workerOptions: { ...worker.workerOptions, d1Databases: { ...worker.workerOptions.d1Databases, ...Object.fromEntries(further) } } };
};

/** A Worker's script is its main file and the wasm files beside it: builds are whole, and nothing is bundled again. */
function miniflareWorker({ script, workerOptions, main }, vars, port, batchSeconds, cacheAPI) {
  const folder = dirname(main);
  const wasm = readdirSync(folder).filter((file) => file.endsWith(".wasm"));
  return {
    ...workerOptions,
    name: script,
    rootPath: ROOT,
    bindings: { ...workerOptions.bindings, ...vars },
    queueConsumers: consumersOf(workerOptions, batchSeconds),
    modulesRules: undefined,
    modulesRoot: folder,
    modules: [{ type: "ESModule", path: main }, ...wasm.map((file) => ({ type: "CompiledWasm", path: join(folder, file) }))],
    unsafeDirectSockets: [{ host: HOST, port }],
    cacheAPI,
  };
}

function consumersOf({ queueConsumers = {} }, batchSeconds) {
  if (batchSeconds === undefined) return queueConsumers;
  return Object.fromEntries(Object.entries(queueConsumers).map(([queue, settings]) => [queue, { ...settings, maxBatchTimeout: batchSeconds }]));
}

async function requireFreePort(name, port) {
  if (!port) return;
  await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) =>
      reject(new Failure(`port ${port}, for the ${name}, cannot be used (${error.code === "EADDRINUSE" ? "another program has it" : error.message}). Stop that program, or choose another port with --${name}-port.`)));
    server.listen(port, HOST, () => server.close(resolve));
  });
}

function printProblems({ level, message }) {
  if (level === "error" || level === "warn") console.error(`[${level}] ${message}`);
}

async function usageOf(pid) {
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (!stat) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Fields 14 and 15 are user and system time in ticks of 10 ms, field 24 is resident pages of 4 KiB.
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, memoryBytes: Number(fields[21]) * 4096 };
}
