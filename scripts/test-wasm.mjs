// Runs the tests of the crates over the `worker` crate inside workerd (see tests/runner).
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Failure, help, main, run } from "./command.mjs";
import { wasmEnvironment } from "./environment.mjs";
import { ROOT, WASM_TARGET } from "./paths.mjs";

const HELP = `
Runs wasm-bindgen tests inside the local Workers runtime, with real D1, KV, R2, queues and Durable Objects.

  just test-wasm                          all of them
  just test-wasm FILTER…                  those whose names contain FILTER
  just test-wasm -p CRATE --test FILE     as for cargo test; options after -- go to the runner
`;

/** The crates whose tests need the platform. The Workers themselves are tested from outside. */
const CRATES = ["pathstats-edge"];

await main(async (args) => {
  help(args, HELP);
  const crates = CRATES.filter((crate) => existsSync(join(ROOT, "crates", crate, "Cargo.toml")));
  if (crates.length === 0) throw new Failure("no crate with tests of the platform is there.");
  const packages = args.includes("-p") || args.includes("--package") ? [] : crates.flatMap((crate) => ["-p", crate]);
  const env = await wasmEnvironment();
  // Documentation tests cannot run on this target.
  const kinds = args.some((arg) => ["--test", "--tests", "--lib"].includes(arg)) ? [] : ["--tests"];
  const { code } = await run("cargo", ["test", "--locked", "--target", WASM_TARGET, ...packages, ...kinds, ...args], { cwd: ROOT, env });
  return code;
});
