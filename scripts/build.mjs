// Builds the Workers (worker-build, wasm32), the dashboard and the command-line program, leaving out what has not changed.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { Failure, help, main, must } from "./command.mjs";
import { buildDashboard, printSite } from "./dashboard.mjs";
import { LOCAL_RUST_STAMP, toolEnvironment, toolVersions, wasmEnvironment } from "./environment.mjs";
import { withLock } from "./lock.mjs";
import { ROOT, TOOLS, WASM_TARGET, WORKERS, buildOf } from "./paths.mjs";
import { hashFiles, readStamp, writeWhole } from "./stamp.mjs";

const HELP = `
Builds the Workers into workers/NAME/build, with the api the dashboard, and the program \`pathstats\` into
target/release. A Worker whose sources have not changed since its last build is left out.

  node scripts/build.mjs                 all of it
  node scripts/build.mjs producer api    these Workers only (${WORKERS.join(", ")})
  node scripts/build.mjs --cli           the program only
  node scripts/build.mjs --workers       the Workers only
  node scripts/build.mjs --force         also what has not changed
`;

/** The largest compressed script that a Worker may have here: a third of the platform's limit on the free plan. */
export const SCRIPT_LIMIT_BYTES = 1_000_000;

const stampOf = (worker) => join(buildOf(worker), ".made-from");

/** What a Worker's output depends on: its own sources, the crates it shares, the locked versions, the tools. */
export function inputsHash(worker) {
  const crates = existsSync(join(ROOT, "crates")) ? readdirSync(join(ROOT, "crates")).filter((name) => name !== "pathstats-cli") : [];
  // The dashboard lies with the api and has a build of its own.
  const own = readdirSync(join(ROOT, "workers", worker)).filter((name) => name !== "dashboard" && name !== "build");
  const paths = [...own.map((name) => join(ROOT, "workers", worker, name)), ...crates.flatMap((name) => [join(ROOT, "crates", name, "src"), join(ROOT, "crates", name, "Cargo.toml")])];
  const tools = JSON.stringify(toolVersions()) + (readStamp(LOCAL_RUST_STAMP) ?? "");
  return hashFiles(ROOT, [...paths, join(ROOT, "Cargo.toml"), join(ROOT, "Cargo.lock")], tools);
}

const isBuilt = (worker) => existsSync(join(buildOf(worker), "index.js")) && readStamp(stampOf(worker)) === inputsHash(worker);

/** Builds the named Workers that changed, and with the api the page that it serves. */
export async function buildWorkers(workers = WORKERS, { force = false } = {}) {
  if (workers.includes("api")) await buildDashboard({ force });
  const changed = workers.filter((worker) => force || !isBuilt(worker));
  if (changed.length === 0) return;
  await withLock(join(TOOLS, "build.lock"), "build", async () => {
    const started = Date.now();
    console.log(`Building ${changed.join(", ")} for ${WASM_TARGET}. About 3 minutes the first time, less than one after that.`);
    const env = await wasmEnvironment();
    // One cargo run for all of them shares the dependencies and uses every core; worker-build then
    // finds each crate compiled, and makes the bindings.
    const packages = changed.flatMap((worker) => ["-p", `pathstats-${worker}`]);
    await must("cargo", ["build", "--release", "--lib", "--locked", "--target", WASM_TARGET, ...packages], { cwd: ROOT, env });
    await Promise.all(changed.map(async (worker) => {
      const hash = inputsHash(worker);
      const log = join(TOOLS, "log", `build-${worker}.log`);
      await must("worker-build", ["--release"], { cwd: join(ROOT, "workers", worker), env, quiet: true, log });
      writeWhole(stampOf(worker), hash);
    }));
    console.log(`Built in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

/** Builds the program `pathstats` with the ordinary toolchain, and says where it is. */
export async function buildCli() {
  await must("cargo", ["build", "--release", "--locked", "-p", "pathstats-cli"], { cwd: ROOT, env: toolEnvironment() });
  return join(ROOT, "target", "release", "pathstats");
}

/** Bytes of a Worker's script and wasm together, as they are and compressed one by one as the platform does. */
export function sizeOf(worker) {
  const files = readdirSync(buildOf(worker)).filter((name) => name === "index.js" || name.endsWith(".wasm"));
  const contents = files.map((name) => readFileSync(join(buildOf(worker), name)));
  const sum = (sizes) => sizes.reduce((total, size) => total + size, 0);
  return { raw: sum(contents.map((content) => content.length)), gzip: sum(contents.map((content) => gzipSync(content, { level: 9 }).length)) };
}

export function printSizes(workers = WORKERS) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} KB`.padStart(8);
  for (const worker of workers) {
    const { raw, gzip } = sizeOf(worker);
    console.log(`  ${worker.padEnd(10)} ${kilobytes(raw)}, compressed ${kilobytes(gzip)}${gzip > SCRIPT_LIMIT_BYTES ? "   TOO LARGE: the limit is 1,000 KB" : ""}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(async (args) => {
    help(args, HELP);
    const named = args.filter((arg) => !arg.startsWith("-"));
    const unknown = [...named.filter((name) => !WORKERS.includes(name)), ...args.filter((arg) => arg.startsWith("-") && !["--cli", "--workers", "--force"].includes(arg))];
    if (unknown.length) throw new Failure(`${unknown.join(", ")}: no such Worker or option. The Workers are ${WORKERS.join(", ")}; see --help.`);
    const onlyCli = args.includes("--cli");
    const workers = named.length ? named : WORKERS;
    if (!onlyCli) {
      await buildWorkers(workers, { force: args.includes("--force") });
      printSizes(workers);
      if (workers.includes("api")) printSite();
    }
    if (onlyCli || (!named.length && !args.includes("--workers"))) console.log(`  pathstats  ${await buildCli()}`);
  });
}
