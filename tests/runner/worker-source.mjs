// The Worker that holds a test binary: its source, and the Durable Object classes that the binary exports.

/**
 * Classes of the binary that answer to `fetch`, each with the name of its binding: `AggregatorDO` is bound as
 * `AGGREGATOR_DO`. `glue` is the JavaScript that wasm-bindgen made.
 */
export function durableObjectsIn(glue) {
  const classes = [...glue.matchAll(/^export class (\w+) \{\n([\s\S]*?)^\}/gm)];
  return classes
    .filter(([, , body]) => /^ {4}(async )?fetch\(/m.test(body))
    .map(([, className]) => ({ className, binding: className.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase() }));
}

/** An ES module: starts the wasm, exports its objects, and runs the tests that a request names. */
export const workerSource = (objects) => `
import * as glue from "./tests.js";
import module from "./tests_bg.wasm";

${objects.map(({ className }) => `export { ${className} } from "./tests.js";`).join("\n")}

const original = { log: console.log };
globalThis.__wbgtest_og_console_log = (...args) => original.log.apply(console, args);
globalThis.__wbgtest_og_console_error = globalThis.__wbgtest_og_console_log;
globalThis.__wbg_test_invoke = (f) => f();

const wasm = glue.initSync({ module });
const record = (method) => glue["__wbgtest_console_" + method];
let nocapture = false;
for (const method of ["debug", "log", "info", "warn", "error"]) {
  const show = console[method];
  console[method] = (...args) => {
    if (nocapture || String(args[0]).startsWith("Invoking test: ")) show.apply(console, args);
    record(method)(args);
  };
}

async function run({ tests, filteredOut, includeIgnored, ...options }, write) {
  nocapture = options.nocapture;
  globalThis.__wbg_test_output_writeln = (line) => write({ line });
  const context = new glue.WasmBindgenTestContext(false);
  context.include_ignored(includeIgnored);
  context.filtered_count(filteredOut);
  return { passed: await context.run(tests.map((name) => wasm[name])) };
}

export default {
  async fetch(request, env, ctx) {
    globalThis.__pathstats_env = env;
    globalThis.__pathstats_ctx = ctx;
    const wanted = await request.json();
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const write = (value) => writer.write(new TextEncoder().encode(JSON.stringify(value) + "\\n"));
    ctx.waitUntil(
      run(wanted, write)
        .catch((error) => ({ passed: false, error: String(error?.stack ?? error) }))
        .then(async (result) => { await write(result); await writer.close(); }),
    );
    return new Response(readable);
  },
};
`;
