// Starts workerd with a test binary as a Worker, calls it once, and prints what it says.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../scripts/command.mjs";
import { applyMigrations } from "../../scripts/migrations.mjs";
import { ROOT, WORKERS, configOf } from "../../scripts/paths.mjs";
import { durableObjectsIn, workerSource } from "./worker-source.mjs";

process.env.WRANGLER_LOG ??= "warn";
process.env.WRANGLER_SEND_METRICS ??= "false";
const { unstable_getMiniflareWorkerOptions: workerOptionsOf } = await import("wrangler");
const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");

const NAME = "pathstats-tests";
const SINK = "pathstats-tests-queue";
/** Kinds of bindings that the tests get, as wrangler reads them from the configs of the four Workers. */
const KINDS = ["bindings", "kvNamespaces", "d1Databases", "r2Buckets", "queueProducers", "ratelimits", "analyticsEngineDatasets"];

/** Runs the tests, and resolves to whether all of them passed. */
export async function runInside(folder, { tests, filteredOut, nocapture, includeIgnored, onlyIgnored }) {
  const limitSeconds = Number(process.env.PATHSTATS_TEST_TIMEOUT || 120);
  const glue = readFileSync(join(folder, "tests.js"), "utf8");
  const objects = durableObjectsIn(glue);
  const configs = WORKERS.map((worker) => workerOptionsOf(configOf(worker), "dev").workerOptions);
  const merged = Object.fromEntries(KINDS.map((kind) => [kind, Object.assign({}, ...configs.map((config) => config[kind]))]));
  // A second database, for what is spread over several.
  merged.d1Databases = { ...merged.d1Databases, D1_1: "pathstats-tests-1" };
  const queues = [...new Set(Object.values(merged.queueProducers).map(({ queueName }) => queueName))];
  const shared = { rootPath: ROOT, compatibilityDate: configs[0].compatibilityDate };
  const state = { current: "none has started", recent: [] };
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: ({ message }) => {
      const started = message.match(/^Invoking test: (.*)/)?.[1];
      if (started) state.current = started;
      if (nocapture && !started) console.log(message);
      else if (!started) state.recent.push(message);
    },
    workers: [
      {
        ...shared,
        ...merged,
        name: NAME,
        modulesRoot: folder,
        modules: modulesOf(folder, workerSource(objects)),
        durableObjects: Object.fromEntries(objects.map(({ binding, className }) => [binding, { className, useSQLite: true }])),
        serviceBindings: { SELF: NAME },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
      // A queue whose messages nobody takes would have no limits: this one takes all of them.
      {
        ...shared,
        name: SINK,
        modulesRoot: ROOT,
        modules: [{ type: "ESModule", path: join(ROOT, "sink.js"), contents: "export default { queue() {} }" }],
        queueConsumers: Object.fromEntries(queues.map((queue) => [queue, { maxBatchTimeout: 1 }])),
      },
    ],
  }));
  let timer;
  try {
    await miniflare.ready;
    for (const binding of ["D1", "D1_1"]) await applyMigrations(await miniflare.getD1Database(binding, NAME));
    const url = await miniflare.unsafeGetDirectURL(NAME);
    const limit = new Promise((_, reject) => {
      const problem = () => new Failure(`the tests did not end within ${limitSeconds} s (PATHSTATS_TEST_TIMEOUT). The one that was running: ${state.current}.`);
      timer = setTimeout(() => reject(problem()), limitSeconds * 1000);
    });
    const passed = await Promise.race([limit, converse(url, { tests, filteredOut, includeIgnored: includeIgnored || onlyIgnored, nocapture }, state)]);
    if (!passed && state.recent.length) console.log(`\nlogged during these tests:\n  ${state.recent.slice(-30).join("\n  ")}`);
    return passed;
  } finally {
    clearTimeout(timer);
    await miniflare.dispose();
  }
}

/** The Worker answers with a line of JSON for each line of output, as it comes, and a last one with the result. */
async function converse(url, request, state) {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(request) });
  const decoder = new TextDecoder();
  let rest = "";
  let result;
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!response.ok) console.error(line);
      else if (line.startsWith('{"line"')) console.log(JSON.parse(line).line);
      else result = JSON.parse(line);
    }
  }
  if (!result) throw new Failure(`the runtime ended during the test ${state.current}. ${rest}\n  ${state.recent.slice(-10).join("\n  ")}`);
  if (result.error) console.error(`error: ${result.error}\n(the test that was running: ${state.current})`);
  return result.passed === true;
}

function modulesOf(folder, source) {
  const files = readdirSync(folder, { recursive: true }).map(String);
  const scripts = files.filter((file) => file.endsWith(".js"));
  return [
    { type: "ESModule", path: join(folder, "worker.mjs"), contents: source },
    ...scripts.map((file) => ({ type: "ESModule", path: join(folder, file) })),
    { type: "CompiledWasm", path: join(folder, "tests_bg.wasm") },
  ];
}
