// Runs a wasm-bindgen-test binary inside workerd, with the real bindings of the Workers' own configs.
//
// cargo calls it by `tests/runner/run` for each test binary: `run FILE.wasm [FILTER…] [--exact] [--skip NAME] [--nocapture] …`.
// It prints what cargo's own test harness would, and exits by the result.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { help, main } from "../../scripts/command.mjs";
import { toolEnvironment } from "../../scripts/environment.mjs";
import { readArguments, select, testsIn } from "./selection.mjs";

const HELP = `
Runs a wasm-bindgen-test binary inside the local Workers runtime. cargo starts it:

  just test-wasm                                   all of them
  node scripts/test-wasm.mjs -p CRATE [FILTER…]    some of them

Options after \`--\`: --exact, --skip NAME, --ignored, --include-ignored, --nocapture, --list.
PATHSTATS_TEST_TIMEOUT: seconds for one binary (120). The tests find their bindings in the global __pathstats_env.
`;

await main(async (args) => {
  help(args, HELP);
  const { file, ...options } = readArguments(args);
  const tests = testsIn(new WebAssembly.Module(readFileSync(file)));
  const { chosen, filteredOut } = select(tests, options);
  if (options.list) {
    for (const test of chosen) console.log(`${test.name}: test`);
    console.log(`\n${chosen.length} tests, 0 benchmarks`);
    return 0;
  }
  if (tests.length === 0) {
    console.log(`\nrunning 0 tests\n\ntest result: FAILED. 0 passed; 0 failed; 0 ignored; ${basename(file)} holds no test.`);
    console.error("error: a target without #[wasm_bindgen_test] functions proves nothing: give it `test = false` in its Cargo.toml, or write one.");
    return 1;
  }
  if (chosen.length === 0) {
    console.log(`\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; ${filteredOut} filtered out`);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "pathstats-test-"));
  try {
    const bindgen = ["--target", "web", "--out-dir", folder, "--out-name", "tests", "--no-typescript", "--keep-debug", file];
    execFileSync("wasm-bindgen", bindgen, { env: toolEnvironment(), stdio: ["ignore", "inherit", "inherit"] });
    const { runInside } = await import("./inside.mjs");
    return (await runInside(folder, { tests: chosen.map((test) => test.export), filteredOut, ...options })) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
