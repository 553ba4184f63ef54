// Measures the Workers in the local runtime, and prints what it saw. It asserts nothing: tests do that.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, help, main } from "./command.mjs";
import { startRuntime } from "./runtime.mjs";
import { measureApi } from "./bench/api.mjs";
import { measureArchive } from "./bench/archive.mjs";
import { MIXES, measureBatches, measureStream } from "./bench/batches.mjs";
import { measureCollect } from "./bench/collect.mjs";
import { measureFloor } from "./bench/floor.mjs";
import { measureProxy } from "./bench/proxy.mjs";

const HELP = `
Measures, in a runtime of its own on a fresh state:
  floor     100 bare objects that store one row each: what the platform alone takes
  batches   time of one batch of 100 messages in 1, 10, 50 and 100 groups of path and hour
  stream    20,000 events over 200 paths and 3 hours, in batches one after another
  collect   100,000 events through POST /collect, from the first request to the last row
  proxy     what the producer's proxy adds to a request, against the origin alone
  api       answers of the api from each of its tiers, over 20,000 path-hours
  archive   a day of a million events archived, verified and cleaned (not measured unless it is named)

  node scripts/bench.mjs [floor batches stream collect proxy api archive] [--events N] [--state DIR] [--json]

  --events N    events of the day that is archived
  --state DIR   where the runtime keeps its files. Without it, all is measured twice: in memory, and on
                the disk, where each object's row waits for an fsync of its own
  --json        prints one JSON object
`;

const MEMORY = "/dev/shm";
const onRuntime = (measure) => async (state, say) => {
  const runtime = await startRuntime({ state, ports: {}, crons: false });
  try {
    return await measure(runtime, say);
  } finally {
    await runtime.stop();
  }
};
const MEASURES = {
  floor: measureFloor,
  batches: onRuntime(measureBatches),
  stream: async (state, say) => {
    const results = {};
    for (const mix of Object.keys(MIXES)) results[mix] = await onRuntime((runtime) => measureStream(runtime, say, mix))(join(state, mix.replaceAll(/\W+/g, "-")), say);
    return results;
  },
  collect: onRuntime(measureCollect),
  proxy: onRuntime(measureProxy),
  api: measureApi,
  archive: onRuntime((runtime, say) => measureArchive(runtime, say, events)),
};
const UNLESS_NAMED = Object.keys(MEASURES).filter((name) => name !== "archive");
let events = 1_000_000;

await main(async (args) => {
  help(args, HELP);
  const { names, parents, json } = readArguments(args);
  const say = json ? () => {} : console.log;
  const results = { machine: `${cpus().length} × ${cpus()[0]?.model}` };
  say(`On ${results.machine}. About a minute for each place.`);
  for (const parent of parents) {
    say(`\nState in ${parent}:`);
    results[parent] = {};
    for (const name of names) {
      const state = mkdtempSync(join(parent, "pathstats-bench-"));
      try {
        results[parent][name] = await MEASURES[name](state, say);
      } finally {
        rmSync(state, { recursive: true, force: true });
      }
    }
  }
  if (json) console.log(JSON.stringify(results, null, 2));
});

function readArguments(args) {
  const rest = [...args];
  const names = [];
  let parents = [MEMORY, tmpdir()].filter((folder) => existsSync(folder));
  let json = false;
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === "--json") json = true;
    else if (arg === "--state") parents = [rest.shift()];
    else if (arg === "--events") events = Number(rest.shift());
    else if (arg in MEASURES) names.push(arg);
    else throw new Failure(`${arg}: nothing of that name is measured. There are: ${Object.keys(MEASURES).join(", ")}; and --events N, --state DIR, --json.`);
  }
  if (!Number.isSafeInteger(events) || events < 10_000) throw new Failure("--events: expected a number from 10000 on.");
  if (!parents.every((folder) => folder && existsSync(folder))) throw new Failure(`--state ${parents[0] ?? ""}: no such folder.`);
  return { names: names.length > 0 ? names : UNLESS_NAMED, parents, json };
}
