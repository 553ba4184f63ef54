// Has wrangler make every Worker ready for every environment as for a deployment, from the real builds, without a network.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { ROOT, WORKERS, configOf } from "./paths.mjs";

export const ENVIRONMENTS = ["dev", "staging", "production"];
/** Memory that one run of wrangler may take: it bundles a script with its wasm. */
const BYTES_A_RUN = 600_000_000;
const SECONDS = 180;
/** What wrangler would ask over a network. Nothing listens there: a question fails, so a dry run that asks one fails. */
const OFFLINE = { CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:9", CLOUDFLARE_API_TOKEN: "", CLOUDFLARE_ACCOUNT_ID: "" };

/** Problems, one line each. `tell` hears each that is done. */
export async function dryRuns({ tell = () => {}, fileOf = configOf } = {}) {
  const problems = [];
  const waiting = WORKERS.flatMap((worker) => ENVIRONMENTS.map((environment) => ({ worker, environment })));
  const lanes = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / BYTES_A_RUN)));
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { worker, environment } = next;
      const problem = await dryRun(worker, environment, fileOf(worker));
      if (problem) problems.push(`${worker}, ${environment}: ${problem}`);
      else tell(`${worker}, ${environment}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  return problems;
}

/** What is wrong with one, or undefined. wrangler must end well, warn of nothing, and have made the script and its wasm. */
async function dryRun(worker, environment, config) {
  const folder = mkdtempSync(join(tmpdir(), "pathstats-dry-run-"));
  try {
    const args = ["deploy", "--dry-run", "--config", config, "--env", environment, "--outdir", folder];
    const env = { ...toolEnvironment(), ...OFFLINE, NO_COLOR: "1", FORCE_COLOR: "0", CI: "true", WRANGLER_LOG: "log", WRANGLER_HIDE_BANNER: "true" };
    const { code, output } = await run("wrangler", args, { cwd: ROOT, env, quiet: true, timeoutSeconds: SECONDS });
    const said = output.trim().split("\n").filter((line) => line.trim()).slice(-8).join("\n    ");
    if (code !== 0) return `\`wrangler ${args.slice(0, 6).join(" ")}\` ended with ${code}\n    ${said}`;
    if (/\[WARNING\]/.test(output)) return `wrangler warns\n    ${output.slice(output.indexOf("[WARNING]")).split("\n").slice(0, 6).join("\n    ")}`;
    if (!readFileSync(join(folder, "index.js")).length) return "wrangler made an empty script";
    // What it would bind, as it prints it: everything that the config of this environment names.
    if (!/env\.D1 /.test(output)) return `wrangler would bind no database\n    ${said}`;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
