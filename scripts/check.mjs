// All that is checked besides tests. Each check runs, whatever became of the others; the exit code is 1 if one failed.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SCRIPT_LIMIT_BYTES, buildWorkers, printSizes, sizeOf } from "./build.mjs";
import { checkDocs } from "./check-docs.mjs";
import { Failure, help, main, run } from "./command.mjs";
import { dryRuns } from "./dry-run.mjs";
import { toolEnvironment, wasmEnvironment } from "./environment.mjs";
import { EDGE_CRATES, ROOT, WASM_TARGET, WORKERS } from "./paths.mjs";

const HELP = `
Checks formatting, lints, the law of dependencies, licences and advisories, script sizes, that every Worker is ready to be
deployed to every environment, and the docs.

  just check           all of it
  just check NAME…     some of it: ${"fmt, clippy, clippy-wasm, law, deny, sizes, dry-run, docs"}
`;

/** Crates that must stay free of I/O: no way to the platform, to a clock or to randomness. */
const PURE = ["pathstats-model", "pathstats-archive"];
const ADVISORY_SECONDS = 60;

const crates = () => readdirSync(join(ROOT, "crates")).filter((name) => existsSync(join(ROOT, "crates", name, "Cargo.toml")));
const edgeCrates = () => EDGE_CRATES.filter((name) => crates().includes(name) || WORKERS.some((worker) => name === `pathstats-${worker}`));

const CHECKS = {
  fmt: () => cargo(["fmt", "--all", "--check"]),
  clippy: () => cargo(["clippy", "--locked", "--workspace", ...edgeCrates().flatMap((name) => ["--exclude", name]), "--all-targets", "--", "-D", "warnings"]),
  "clippy-wasm": async () => {
    const env = await wasmEnvironment();
    return cargo(["clippy", "--locked", "--target", WASM_TARGET, ...edgeCrates().flatMap((name) => ["-p", name]), "--all-targets", "--", "-D", "warnings"], env);
  },
  law: checkLaw,
  deny: checkDeny,
  sizes: async () => {
    await buildWorkers();
    printSizes();
    const large = WORKERS.filter((worker) => sizeOf(worker).gzip > SCRIPT_LIMIT_BYTES);
    return large.length ? `${large.join(", ")}: the compressed script is over ${SCRIPT_LIMIT_BYTES.toLocaleString("en")} bytes` : undefined;
  },
  "dry-run": async () => {
    await buildWorkers();
    const problems = await dryRuns({ tell: (done) => console.log(`  ${done}`) });
    problems.forEach((problem) => console.error(`  ${problem}`));
    return problems.length ? `${problems.length} Workers cannot be deployed as they are` : undefined;
  },
  docs: async () => {
    const problems = await checkDocs();
    problems.forEach((problem) => console.error(`  ${problem}`));
    return problems.length ? `${problems.length} of the docs' commands, paths or links do not exist` : undefined;
  },
};

await main(async (args) => {
  help(args, HELP);
  const unknown = args.filter((name) => !(name in CHECKS));
  if (unknown.length) throw new Failure(`${unknown.join(", ")}: no such check. There are: ${Object.keys(CHECKS).join(", ")}.`);
  const failed = [];
  for (const name of args.length ? args : Object.keys(CHECKS)) {
    console.log(`── ${name}`);
    const started = Date.now();
    let problem;
    try {
      problem = await CHECKS[name]();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problem = error.message;
    }
    if (problem) failed.push(`${name}: ${problem}`);
    console.log(`${problem ? "FAILED" : "ok"}  ${name}, ${((Date.now() - started) / 1000).toFixed(1)} s${problem ? `: ${problem}` : ""}`);
  }
  console.log(failed.length ? `\ncheck result: FAILED.\n  ${failed.join("\n  ")}` : "\ncheck result: ok.");
  return failed.length ? 1 : 0;
});

/** Runs cargo with its output shown. Resolves to undefined, or to what went wrong. */
async function cargo(args, env = toolEnvironment()) {
  const { code } = await run("cargo", args, { cwd: ROOT, env });
  return code === 0 ? undefined : `\`cargo ${args.join(" ")}\` ended with ${code}`;
}

/** The pure crates name no `worker`; nothing for wasm32 pulls in a source of randomness. */
async function checkLaw() {
  const tree = (args) => run("cargo", ["tree", "--locked", "--prefix", "none", ...args], { cwd: ROOT, env: toolEnvironment(), quiet: true });
  const broken = [];
  for (const name of PURE.filter((name) => crates().includes(name))) {
    // As it is built for the Workers: natively a dependency may take its randomness from the machine.
    const { code, output } = await tree(["-p", name, "-e", "normal,no-proc-macro", "--target", WASM_TARGET]);
    if (code !== 0) return `cargo tree -p ${name} failed: ${output.trim()}`;
    const named = output.match(/^(worker|worker-sys|js-sys|web-sys|wasm-bindgen|getrandom|tokio) v.*/gm);
    if (named) broken.push(`${name} depends on ${[...new Set(named)].join(", ")}`);
  }
  const { code, output } = await tree(["--target", WASM_TARGET, "-e", "normal,no-proc-macro", ...edgeCrates().flatMap((name) => ["-p", name])]);
  if (code !== 0) return `cargo tree of the Workers failed: ${output.trim()}`;
  if (/^getrandom v/m.test(output)) broken.push("the Workers pull in getrandom");
  return broken.join("; ") || undefined;
}

/** Licences, bans and sources need no network. Advisories need a database, which not every network lets through. */
async function checkDeny() {
  const failed = await cargo(["deny", "--locked", "--workspace", "check", "licenses", "bans", "sources"]);
  const advisories = await run("cargo", ["deny", "--workspace", "check", "advisories"], { cwd: ROOT, env: toolEnvironment(), quiet: true, timeoutSeconds: ADVISORY_SECONDS });
  if (advisories.code === 0) console.log("advisories ok");
  else if (advisories.timedOut || /failed to fetch advisory database|unable to (get|fetch|load).*(db|database)|failed to (clone|acquire)/i.test(advisories.output)) {
    console.log(`advisories SKIPPED: the advisory database could not be reached (${advisories.timedOut ? `within ${ADVISORY_SECONDS} s` : advisories.output.trim().split("\n").at(-1)}).`);
  } else {
    console.error(advisories.output);
    return [failed, "advisories"].filter(Boolean).join("; ");
  }
  return failed;
}
