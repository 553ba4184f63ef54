// A release's producer with a consumer that only notes what comes.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ENVIRONMENT, SECRETS } from "../../e2e/support/configs.mjs";

process.env.WRANGLER_LOG ??= "none";
const { unstable_getMiniflareWorkerOptions: workerOptionsOf } = await import("wrangler");
const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");

const MARK = "captured:";
const NOTES = `export default { async queue(batch) { for (const { body } of batch.messages) console.log(${JSON.stringify(MARK)} + JSON.stringify(body)); } };`;

/** Starts the producer of a tree. `bodies` grows with what it puts on the queue. */
export async function captureMessages(tree, vars) {
  const bodies = [];
  const { workerOptions, main } = workerOptionsOf(join(tree, "wrangler", "producer.jsonc"), ENVIRONMENT);
  const folder = dirname(main);
  const wasm = readdirSync(folder).filter((file) => file.endsWith(".wasm"));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          ...workerOptions,
          name: "producer",
          serviceBindings: {},
          bindings: { ...workerOptions.bindings, ...SECRETS, ...vars },
          modulesRules: undefined,
          modulesRoot: folder,
          modules: [{ type: "ESModule", path: main }, ...wasm.map((file) => ({ type: "CompiledWasm", path: join(folder, file) }))],
        },
        { name: "notes", compatibilityDate: "2026-06-01", modules: true, script: NOTES, queueConsumers: { "traffic-events": { maxBatchTimeout: 0, maxBatchSize: 100 } } },
      ],
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: ({ message }) => void (message.startsWith(MARK) && bodies.push(JSON.parse(message.slice(MARK.length)))),
    }),
  );
  const url = await miniflare.ready;
  return { bodies, fetch: (path, init) => fetch(new URL(path, url), { redirect: "manual", ...init }), stop: () => miniflare.dispose() };
}
