// Which tests of a binary run: the exports that wasm-bindgen-test makes, and cargo's filter arguments.
import { Failure } from "../../scripts/command.mjs";

/** `__wbgt_` + markers (`$` ignored, `#` should panic, …) + `_crate::module::name`. */
const EXPORT = /^__wbgt_([^_\w]*)_?(.+)$/;

/** The tests in a compiled module: `{ export, name }`, the name without the crate's. */
export function testsIn(module) {
  return WebAssembly.Module.exports(module)
    .filter(({ kind, name }) => kind === "function" && EXPORT.test(name))
    .map(({ name }) => ({ export: name, ignored: EXPORT.exec(name)[1].includes("$"), name: EXPORT.exec(name)[2].replace(/^[^:]*::/, "") }));
}

/** Reads what cargo hands on. Unknown options are an error: a mistyped filter must not run everything. */
export function readArguments(args) {
  const options = { file: undefined, filters: [], skip: [], exact: false, nocapture: false, list: false, includeIgnored: false, onlyIgnored: false };
  const rest = [...args];
  while (rest.length) {
    const arg = rest.shift();
    const [flag, value] = arg.split(/=(.*)/s);
    if (flag === "--skip") options.skip.push(value ?? rest.shift());
    else if (flag === "--exact") options.exact = true;
    else if (flag === "--nocapture" || flag === "--no-capture") options.nocapture = true;
    else if (flag === "--list") options.list = true;
    else if (flag === "--include-ignored") options.includeIgnored = true;
    else if (flag === "--ignored") options.onlyIgnored = true;
    // Tests run one after another anyway, and are printed one way.
    else if (flag === "--test-threads" || flag === "--format" || flag === "--color") value ?? rest.shift();
    else if (flag === "--quiet" || flag === "-q" || flag === "--show-output") continue;
    else if (flag.startsWith("-")) throw new Failure(`${arg}: the wasm test runner does not know this option. See tests/runner/run --help.`);
    else if (options.file === undefined) options.file = arg;
    else options.filters.push(arg);
  }
  if (!options.file) throw new Failure("no test binary is named. cargo names it: see tests/runner/run --help.");
  return options;
}

/** The tests that match, and how many do not. */
export function select(tests, { filters, skip, exact, onlyIgnored }) {
  const matches = (name, filter) => (exact ? name === filter : name.includes(filter));
  const chosen = tests.filter(
    ({ name, ignored }) =>
      (filters.length === 0 || filters.some((filter) => matches(name, filter))) && !skip.some((filter) => matches(name, filter)) && (!onlyIgnored || ignored),
  );
  return { chosen, filteredOut: tests.length - chosen.length };
}
