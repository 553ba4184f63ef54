// Where secrets come from, which are refused, and that none is shown that was given.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../paths.mjs";
import { gather, makeSecret, parseSecrets, problemOf } from "./secrets.mjs";
import { MIN_SECRET_CHARS, SECRETS } from "./settings.mjs";

const steps = [{ subject: "pathstats-api", secrets: ["READ_TOKEN", "ADMIN_TOKEN"], unknownSecrets: SECRETS.api }];
const GIVEN = { READ_TOKEN: "the token of the readers", ADMIN_TOKEN: "the token of those on call" };

test("every local secret has its place among those that are deployed, and no other", () => {
  const local = [...readFileSync(join(ROOT, "wrangler", ".dev.vars"), "utf8").matchAll(/^(\w+)=/gm)].map(([, name]) => name).sort();
  assert.deepEqual(Object.values(SECRETS).flat().map(({ name }) => name).sort(), local);
});

test("the shortest secret is the shortest that the code takes", () => {
  const [, least] = readFileSync(join(ROOT, "crates/pathstats-model/src/access/token.rs"), "utf8").match(/MIN_TOKEN_CHARS: usize = (\d+);/);
  assert.equal(MIN_SECRET_CHARS, Number(least));
});

test("lines of stdin are read, quoted or not, and a line that is none is not repeated", () => {
  assert.deepEqual(parseSecrets("# mine\nREAD_TOKEN=a=b\n\nADMIN_TOKEN=\"two words\"\n"), { READ_TOKEN: "a=b", ADMIN_TOKEN: "two words" });
  assert.throws(() => parseSecrets("READ_TOKEN=x\nhunter2"), (error) => /line 2/.test(error.message) && !error.message.includes("hunter2"));
});

test("short, public and repeated values are refused without being shown", () => {
  assert.match(problemOf("READ_TOKEN", "short"), /READ_TOKEN is too short/);
  assert.match(problemOf("READ_TOKEN", "local-only-read-token"), /public value/);
  assert.match(problemOf("READ_TOKEN", GIVEN.READ_TOKEN, [GIVEN.READ_TOKEN]), /same as another/);
  assert.equal(problemOf("READ_TOKEN", makeSecret()), undefined);
  assert.notEqual(makeSecret(), makeSecret());
});

test("what is given is taken without a question or a word", async () => {
  const said = [];
  const prompt = () => assert.fail("nobody is to be asked");
  assert.deepEqual(await gather(steps, { given: GIVEN, prompt, say: (line) => said.push(line) }), GIVEN);
  assert.deepEqual(said, []);
});

test("what is not given is asked for; an empty answer has one made, shown once", async () => {
  const said = [];
  const asked = [];
  const values = await gather(steps, { given: { READ_TOKEN: GIVEN.READ_TOKEN }, prompt: async (question) => (asked.push(question), ""), say: (line) => said.push(line) });
  assert.equal(asked.length, 1);
  assert.match(asked[0], /^ADMIN_TOKEN of pathstats-api/);
  assert.match(values.ADMIN_TOKEN, /^[0-9a-f]{64}$/);
  assert.deepEqual(said.map((line) => line.includes(values.ADMIN_TOKEN)), [true]);
});

test("where nobody can be asked, what is missing is named with the command", async () => {
  await assert.rejects(gather(steps, {}), /READ_TOKEN of pathstats-api, ADMIN_TOKEN of pathstats-api.*--secrets-stdin/s);
});
