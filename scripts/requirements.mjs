// What the project needs on a machine: one list, read by set-up (which mends) and by doctor (which only tells).
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bringBrowser, findBrowser } from "./browser.mjs";
import { Failure, answer, must, run } from "./command.mjs";
import { toolEnvironment, toolVersions } from "./environment.mjs";
import { NODE_MODULES, ROOT, TOOLS, WASM_TARGET } from "./paths.mjs";
import { hashFiles, readStamp, writeWhole } from "./stamp.mjs";
import { bringWasmTarget, checkWasmTarget } from "./wasm-target.mjs";

const LOCK_FILES = [join(ROOT, "package.json"), join(ROOT, "package-lock.json")];
const PACKAGES_STAMP = join(NODE_MODULES, ".made-from");
const logOf = (name) => join(TOOLS, "log", `${name}.log`);

/**
 * `check` resolves to undefined when the requirement is met, and to the reason when it is not.
 * `mend` brings it, from any half-finished state; where it is missing only a person can.
 * `command` is what that person types. `seconds` is measured on 2 cores.
 */
export const REQUIREMENTS = [
  {
    name: "node",
    why: "runs these scripts",
    command: "install Node 20 or newer from https://nodejs.org",
    check: async () => (Number(process.versions.node.split(".")[0]) >= 20 ? undefined : `this is Node ${process.versions.node}, and 20 or newer is needed`),
  },
  {
    name: "cargo",
    why: "builds everything written in Rust",
    command: "install rustup from https://rustup.rs",
    check: async () => {
      const version = await answer("cargo", ["--version"], { cwd: ROOT });
      if (!version) return "cargo is not in PATH";
      return minorOf(version) >= 88 ? undefined : `${version} is too old: 1.88 or newer is needed (rustup update stable)`;
    },
  },
  {
    name: "npm packages",
    why: "wrangler with the local Workers runtime, Node 22, esbuild, wasm-opt, what the dashboard is made with",
    seconds: 30,
    command: "npm ci",
    check: async () => {
      if (readStamp(PACKAGES_STAMP) !== hashFiles(ROOT, LOCK_FILES)) return "node_modules does not match package-lock.json";
      return existsSync(join(NODE_MODULES, "node", "bin", "node")) ? undefined : "node_modules holds no Node 22";
    },
    mend: bringPackages,
  },
  {
    name: WASM_TARGET,
    why: "the Workers are compiled to it",
    seconds: 120,
    command: `rustup target add ${WASM_TARGET}`,
    check: checkWasmTarget,
    mend: (say) => bringWasmTarget(say, logOf("wasm-target")),
  },
  cargoTool("wasm-bindgen", { crate: "wasm-bindgen-cli", why: "makes JavaScript bindings of a wasm file", seconds: 90 }),
  cargoTool("worker-build", { why: "makes a Worker of a crate", seconds: 150, locked: true }),
];

/** What only `just check` and CI need. */
export const CHECK_REQUIREMENTS = [cargoTool("cargo-deny", { why: "checks licences and advisories of dependencies", seconds: 240, locked: true })];

/** What only `just browser` and `just screenshots` need. */
export const BROWSER_REQUIREMENTS = [
  {
    name: "browser",
    why: "opens the dashboard in the browser tests",
    seconds: 60,
    command: "install Chromium or Chrome, or name one in PATHSTATS_BROWSER",
    check: async () => (findBrowser() ? undefined : `there is no Chromium or Chrome in PATH, none in .tools, and PATHSTATS_BROWSER names none`),
    mend: (say) => bringBrowser(say, logOf("browser")),
  },
];

/** The requirements that are not met, with the reason. */
export async function missing(requirements = REQUIREMENTS) {
  const reasons = await Promise.all(requirements.map((requirement) => requirement.check()));
  return requirements.map((requirement, index) => ({ requirement, reason: reasons[index] })).filter(({ reason }) => reason);
}

/** A program that cargo installs into .tools, at one exact version. */
function cargoTool(name, { crate = name, why, seconds, locked = false }) {
  const version = () => toolVersions()[name];
  const args = () => ["install", crate, "--version", version(), "--root", TOOLS, "--force", ...(locked ? ["--locked"] : [])];
  return {
    name,
    why,
    seconds,
    get command() {
      return `cargo ${args().join(" ").replace(TOOLS, ".tools")}`;
    },
    check: async () => {
      const file = join(TOOLS, "bin", name);
      if (!existsSync(file)) return "not installed";
      // Asked of the program itself: a stamp could outlive it.
      const said = await answer(file, ["--version"], { cwd: ROOT });
      return said?.split(/\s+/).includes(version()) ? undefined : `${said || "a broken file"} is installed, and ${version()} is needed`;
    },
    mend: async () => {
      const env = { ...toolEnvironment(), CARGO_TARGET_DIR: join(TOOLS, "build") };
      // Compiled quickly rather than to run quickly: they run for a second at a time. The shared target
      // folder lets the tools share dependencies, and an interrupted install go on where it was.
      Object.assign(env, { CARGO_PROFILE_RELEASE_OPT_LEVEL: "1", CARGO_PROFILE_RELEASE_LTO: "off", CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16", CARGO_PROFILE_RELEASE_DEBUG: "false" });
      await must("cargo", args(), { cwd: ROOT, env, quiet: true, log: logOf(name), label: `cargo install ${crate}` });
    },
  };
}

async function bringPackages() {
  rmSync(PACKAGES_STAMP, { force: true });
  mkdirSync(TOOLS, { recursive: true });
  const quiet = { cwd: ROOT, quiet: true };
  await must("npm", ["ci", "--no-audit", "--no-fund"], { ...quiet, log: logOf("npm"), label: "npm ci" });
  const node = join(NODE_MODULES, "node");
  if (!existsSync(join(node, "bin", "node"))) {
    // The package `node` brings its binary by an install script, which some npm configurations do not run.
    await run("node", ["installArchSpecificPackage.js"], { ...quiet, cwd: node, log: logOf("npm-node") });
  }
  for (const [program, flag] of [["node/bin/node", "-v"], [".bin/workerd", "--version"], [".bin/esbuild", "--version"], [".bin/wasm-opt", "--version"]]) {
    const result = await run(join(NODE_MODULES, program), [flag], { ...quiet, env: toolEnvironment() });
    if (result.code !== 0) throw new Failure(`node_modules/${program} does not start: ${result.output.trim()}`);
  }
  writeWhole(PACKAGES_STAMP, hashFiles(ROOT, LOCK_FILES));
}

const minorOf = (version) => Number(version.match(/ 1\.(\d+)\./)?.[1] ?? 0);
