// The environment in which the Workers are built, tested and run: which Node, which Rust compiler, where the build tools are.
//
//   node scripts/environment.mjs COMMAND ARGS…   runs a command in it
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure, answer, help, main } from "./command.mjs";
import { NODE_MODULES, ROOT, TOOLS, WASM_TARGET } from "./paths.mjs";

/** A compiler with the wasm32 target that set-up made from the distribution's packages. */
export const LOCAL_RUST = join(TOOLS, "rust");
/** Written last by set-up: what LOCAL_RUST was made from. */
export const LOCAL_RUST_STAMP = join(LOCAL_RUST, "made-from");

/** Where the wasm32 target comes from: "rustup", "local" (see scripts/wasm-target.mjs), or undefined. */
export async function wasmToolchain() {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: "0", PATH: outside(process.env.PATH) };
  delete env.RUSTC;
  const libraries = await answer("rustc", ["--print", "target-libdir", "--target", WASM_TARGET], { cwd: ROOT, env });
  if (libraries && existsSync(libraries)) return "rustup";
  return existsSync(LOCAL_RUST_STAMP) ? "local" : undefined;
}

/** Variables for programs that need no wasm32 compiler: Node 22 and the tools come first in PATH. */
export function toolEnvironment() {
  const env = { ...process.env };
  for (const name of ["RUSTC", "RUSTDOC", "SYSROOT"]) delete env[name];
  return {
    ...env,
    PATH: [join(TOOLS, "bin"), join(NODE_MODULES, "node", "bin"), join(NODE_MODULES, ".bin"), outside(process.env.PATH)].join(delimiter),
    WASM_BINDGEN_BIN: join(TOOLS, "bin", "wasm-bindgen"),
    WASM_OPT_BIN: join(NODE_MODULES, ".bin", "wasm-opt"),
    ESBUILD_BIN: join(NODE_MODULES, ".bin", "esbuild"),
    // Builds never ask, and never fetch a toolchain on the side: what is missing is set-up's to bring.
    RUSTUP_AUTO_INSTALL: "0",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_LOG: process.env.WRANGLER_LOG ?? "warn",
    CARGO_TERM_PROGRESS_WHEN: process.env.CARGO_TERM_PROGRESS_WHEN ?? (process.stderr.isTTY ? "auto" : "never"),
    // Tests for wasm32 run inside workerd.
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: join(ROOT, "tests", "runner", "run"),
    WASM_BINDGEN_USE_JS_SYS: "1",
  };
}

/** Variables for cargo, clippy and worker-build on wasm32. */
export async function wasmEnvironment() {
  const toolchain = await wasmToolchain();
  if (!toolchain) throw new Failure(`no Rust compiler with the ${WASM_TARGET} target is set up. Run \`just setup\`.`);
  // A hash of a dependency of parquet is seeded when it is built: the same seed, the same bytes.
  const env = { ...toolEnvironment(), CONST_RANDOM_SEED: "pathstats" };
  if (toolchain === "rustup") return env;
  // rustc is named twice: cargo takes RUSTC, and worker-build asks the one in PATH. SYSROOT is for clippy.
  return {
    ...env,
    PATH: [join(LOCAL_RUST, "bin"), env.PATH].join(delimiter),
    RUSTC: join(LOCAL_RUST, "bin", "rustc"),
    RUSTDOC: join(LOCAL_RUST, "bin", "rustdoc"),
    SYSROOT: LOCAL_RUST,
  };
}

/** A PATH without the folders that this module adds, so that nesting is harmless. */
function outside(path = "") {
  return path.split(delimiter).filter((folder) => !folder.startsWith(TOOLS) && !folder.startsWith(NODE_MODULES)).join(delimiter);
}

/** Exact versions that Cargo.lock asks of the tools, or the pins below while there is no such package in it. */
export function toolVersions() {
  const lock = join(ROOT, "Cargo.lock");
  const text = existsSync(lock) ? readFileSync(lock, "utf8") : "";
  const locked = (name) => text.match(new RegExp(`name = "${name}"\\nversion = "([^"]+)"`))?.[1];
  return {
    // The generator and the library must be the very same version.
    "wasm-bindgen": locked("wasm-bindgen") ?? "0.2.130",
    // worker-build goes with the minor version of the `worker` crate.
    "worker-build": "0.8.7",
    "cargo-deny": "0.20.2",
  };
}

const HELP = `
Runs a command in the project's build environment: Node 22, wasm-bindgen and worker-build first in PATH,
and, with --wasm, a Rust compiler that has the ${WASM_TARGET} target.

  node scripts/environment.mjs [--wasm] COMMAND ARGS…
`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(async (args) => {
    if (!args.length || args[0].startsWith("-h") || args[0] === "--help") return help(["--help"], HELP);
    const wasm = args[0] === "--wasm";
    const [program, ...rest] = wasm ? args.slice(1) : args;
    if (!program) throw new Failure("a command is missing. See --help.");
    const env = wasm ? await wasmEnvironment() : toolEnvironment();
    const child = spawn(program, rest, { env, stdio: "inherit" });
    // The terminal signals the whole group, and a supervisor this process alone: hand on what it gets.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    return await new Promise((resolve, reject) => {
      child.on("error", (error) => reject(new Failure(`cannot run ${program}: ${error.message}`)));
      child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
    });
  });
}
