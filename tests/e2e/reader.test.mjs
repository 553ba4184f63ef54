// The example of another Worker that reads through a service binding, beside the real Workers.
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { ROOT } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { ENVIRONMENT, SECRETS, demoOrigin, promptConsumer, readJsonc, real } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const CONFIG = join(ROOT, "examples", "reader", "wrangler.jsonc");
const NAME = `pathstats-reader-${ENVIRONMENT}`;
const BOUND = { timeout: 60_000 };

/** The reader with its real config, changed at a single point. */
function reader(name, change) {
  const { $schema, env, ...general } = readJsonc(CONFIG);
  const config = { ...general, ...env[ENVIRONMENT], main: join(ROOT, "examples", "reader", general.main), vars: { READ_TOKEN: SECRETS.READ_TOKEN } };
  return { config: { ...config, name, ...change(config) } };
}
const boundTo = (service) => () => ({ services: [{ binding: "API", service }] });
const silent = (name, behaviour) => ({
  config: { name, main: fileURLToPath(new URL("support/silent-worker.mjs", import.meta.url)), compatibility_date: "2026-06-01", vars: { BEHAVIOUR: behaviour } },
});

let product;
before(async () => {
  product = await startProduct([
    { configPath: CONFIG, env: ENVIRONMENT },
    real("api", { CACHE_SECONDS: "1" }),
    promptConsumer(),
    real("producer"),
    real("archiver"),
    demoOrigin,
    silent("throws", "throws"),
    silent("nonsense", "nonsense"),
    silent("never", "never"),
    reader("reader-wrong-token", () => ({ vars: { READ_TOKEN: "not-the-token-at-all" } })),
    reader("reader-no-token", () => ({ vars: {} })),
    reader("reader-throws", boundTo("throws")),
    reader("reader-nonsense", boundTo("nonsense")),
    reader("reader-never", boundTo("never")),
  ]);
});
after(() => product?.stop());

const read = (name = NAME, init) => product.script(name).fetch("/", init);

test("before anything was counted there is no hottest path, and that is an answer", BOUND, async () => {
  const response = await read();
  assert.equal(response.status, 200);
  const { hottest, runnersUp } = await response.json();
  assert.deepEqual([hottest, runnersUp], [null, []]);
});

test("the hottest path is read through the binding, with the token of its own secret", BOUND, async () => {
  const busy = Array.from({ length: 9 }, (_, n) => event(n, { path: n < 7 ? "/hot" : "/warm", status: n ? 200 : 500 }));
  assert.equal((await product.collect(busy)).status, 202);
  const answer = await until(async () => {
    const answer = await (await read()).json();
    return answer.hottest?.requests === 7 && answer;
  }, { what: "the hottest path" });
  assert.deepEqual({ ...answer.hottest, p95: undefined }, { path: "/hot", requests: 7, errorRate: 0.142857, p95: undefined });
  assert.ok(Math.abs(answer.hottest.p95 - 12.5) < 0.1);
  assert.deepEqual(answer.runnersUp, ["/warm"]);
  assert.ok(Date.now() - Date.parse(answer.lastUpdated) < 60_000);
});

for (const [name, status, says] of [
  ["reader-wrong-token", 502, "pathstats answered 401: A valid token is needed"],
  ["reader-no-token", 500, "READ_TOKEN is missing"],
  // The local runtime answers for a Worker that throws; the platform has the call fail.
  ["reader-throws", 502, "pathstats answered 500"],
  ["reader-nonsense", 502, "pathstats cannot be asked"],
  ["reader-never", 504, "did not answer within 2 s"],
]) {
  test(`${name}: the failure is told with ${status}, in time`, BOUND, async () => {
    const started = Date.now();
    const problem = await problemOf(await read(name));
    assert.equal(problem.status, status);
    assert.ok(problem.title.includes(says), problem.title);
    assert.ok(Date.now() - started < 10_000);
  });
}

test("a POST is not answered", BOUND, async () => {
  assert.equal((await read(NAME, { method: "POST" })).status, 405);
});
