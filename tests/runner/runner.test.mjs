import assert from "node:assert/strict";
import { test } from "node:test";
import { readArguments, select } from "./selection.mjs";
import { durableObjectsIn } from "./worker-source.mjs";

const TESTS = [{ name: "d1::rows_come_back" }, { name: "d1::rows_go" }, { name: "kv::a_value_expires", ignored: true }];
const names = (args) => select(TESTS, readArguments(["file.wasm", ...args])).chosen.map((chosen) => chosen.name);

test("a filter takes the tests whose names contain it, and counts the others", () => {
  assert.deepEqual(names(["d1"]), ["d1::rows_come_back", "d1::rows_go"]);
  assert.equal(select(TESTS, readArguments(["file.wasm", "d1"])).filteredOut, 1);
  assert.deepEqual(names(["--exact", "d1::rows_go"]), ["d1::rows_go"]);
  assert.deepEqual(names(["--skip", "rows"]), ["kv::a_value_expires"]);
  assert.deepEqual(names(["--ignored"]), ["kv::a_value_expires"]);
});

test("an option that is not known is refused, rather than running everything", () => {
  assert.throws(() => readArguments(["file.wasm", "--exakt", "x"]), /--exakt/);
  assert.throws(() => readArguments([]), /no test binary/);
});

test("classes that answer to fetch are Durable Objects, bound by their name in capitals", () => {
  const glue = "export class R2Range {\n    free() {\n    }\n}\nexport class AggregatorDO {\n    constructor(state, env) {\n    }\n    fetch(request) {\n    }\n}\n";
  assert.deepEqual(durableObjectsIn(glue), [{ className: "AggregatorDO", binding: "AGGREGATOR_DO" }]);
});
