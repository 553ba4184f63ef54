// The producer alone, over its real config without ORIGIN. Unlike in the test harness, what it fetches goes out as the
// runtime sends it, and not through this process, where redirects would be followed and failures be answers.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ENVIRONMENT, SECRETS } from "./configs.mjs";
import { configOf } from "../../../scripts/paths.mjs";

process.env.WRANGLER_LOG ??= "none";
const { unstable_getMiniflareWorkerOptions: workerOptionsOf } = await import("wrangler");
const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");

/** Starts it with these variables besides its own. */
export async function startLoneProducer(vars) {
  const { workerOptions, main } = workerOptionsOf(configOf("producer"), ENVIRONMENT);
  const folder = dirname(main);
  const wasm = readdirSync(folder).filter((file) => file.endsWith(".wasm"));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...workerOptions,
      serviceBindings: {},
      bindings: { ...workerOptions.bindings, ...SECRETS, ...vars },
      modulesRules: undefined,
      modulesRoot: folder,
      modules: [{ type: "ESModule", path: main }, ...wasm.map((file) => ({ type: "CompiledWasm", path: join(folder, file) }))],
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: () => {},
    }),
  );
  const url = await miniflare.ready;
  return { url, fetch: (path, init) => fetch(new URL(path, url), { redirect: "manual", ...init }), stop: () => miniflare.dispose() };
}
