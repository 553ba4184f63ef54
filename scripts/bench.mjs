// Measures the Workers in the local runtime, and prints what it saw. It asserts nothing: tests do that.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { help, main } from "./command.mjs";
import { startRuntime } from "./runtime.mjs";
import { measureBatches, measureStream } from "./bench/batches.mjs";
import { measureCollect } from "./bench/collect.mjs";
import { measureProxy } from "./bench/proxy.mjs";

const HELP = `
Measures, in a runtime of its own on a fresh state:
  batches   time of one batch of 100 messages in 1, 10, 50 and 100 groups of path and hour
  stream    20,000 events over 200 paths and 3 hours, in batches one after another
  collect   100,000 events through POST /collect, from the first request to the last row
  proxy     what the producer's proxy adds to a request, against the origin alone

  node scripts/bench.mjs [batches stream collect proxy] [--state DIR] [--json]

  --state DIR   where the runtime keeps its files; a folder in memory (/dev/shm) leaves the disk out
  --json        prints one JSON object
`;

const MEASURES = { batches: measureBatches, stream: measureStream, collect: measureCollect, proxy: measureProxy };

await main(async (args) => {
  help(args, HELP);
  const at = args.indexOf("--state");
  const parent = at >= 0 ? args[at + 1] : tmpdir();
  const chosen = args.filter((arg, index) => arg in MEASURES && (at < 0 || index !== at + 1));
  const names = chosen.length > 0 ? chosen : Object.keys(MEASURES);
  const say = args.includes("--json") ? () => {} : console.log;
  const results = { machine: `${cpus().length} × ${cpus()[0]?.model}`, state: parent };
  say(`On ${results.machine}, state in ${parent}. About a minute.`);
  for (const name of names) {
    const state = mkdtempSync(join(parent, "pathstats-bench-"));
    const runtime = await startRuntime({ state, ports: {}, crons: false });
    try {
      results[name] = await MEASURES[name](runtime, say);
    } finally {
      await runtime.stop();
      rmSync(state, { recursive: true, force: true });
    }
  }
  if (args.includes("--json")) console.log(JSON.stringify(results, null, 2));
});
