// What Workers write to their logs: lines of JSON, from a level on, that name the request and the batch that they are of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS, changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";

const BOUND = { timeout: 60_000 };
let product;
before(async () => {
  const api = (level) => changed("api", (config) => ({ name: `api-${level}`, vars: { ...config.vars, LOG_LEVEL: level } }));
  product = await startProduct([real("producer"), promptConsumer({ LOG_LEVEL: "debug" }), real("api", { LOG_LEVEL: "debug" }), real("archiver"), demoOrigin, api("error"), api("off"), api("loud")]);
});
after(() => product?.stop());

/** The lines since, of all Workers. What the runtime itself says is none of them. */
const lines = () =>
  product.harness.getLogs().flatMap(({ message }) => message.split("\n")).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
const line = (message, also = () => true) => until(() => lines().find((line) => line.message === message && also(line)), { what: `a line "${message}"` });
const ask = (path, { worker = "api", token = SECRETS.READ_TOKEN, ...headers } = {}) =>
  (worker === "api" ? product.worker("api") : product.script(worker)).fetch(path, { headers: { authorization: `Bearer ${token}`, ...headers } });

test("a batch's lines name it, and a letter's name the event", BOUND, async () => {
  const ahead = event(2, { timestamp: Date.now() + 3 * 86_400_000 });
  await product.collect([event(1)]);
  const taken = await line("a batch was taken in");
  assert.equal(taken.level, "debug");
  assert.ok(taken.batchId && taken.queue.startsWith("traffic-events"), JSON.stringify(taken));
  assert.deepEqual([taken.messages, taken.counted, taken.duplicates, taken.groups], [1, 1, 0, 1]);
  await (await product.worker("producer").getEnv()).TRAFFIC_QUEUE.send(JSON.stringify(ahead));
  const letter = await line("what cannot be counted is kept as a dead letter");
  assert.equal(letter.eventId, ahead.id);
  assert.ok(letter.batchId && letter.reason && letter.letterId, JSON.stringify(letter));
});

test("a request's lines name it, in the Worker that it is handed on to as well", BOUND, async () => {
  const answer = await ask("/paths?limit=1&secret=a-private-word", { "x-request-id": "a-request-of-mine" });
  const told = await line("a request was answered", ({ requestId }) => requestId === "a-request-of-mine");
  assert.deepEqual([told.level, told.method, told.path, told.status], ["debug", "GET", "/paths", answer.status]);
  await product.rows("ALTER TABLE archive_metadata RENAME TO gone");
  try {
    assert.notEqual((await ask("/admin/archive/status", { "x-request-id": "another-request" })).status, 200);
    const archivers = await until(() => lines().find(({ requestId, level }) => requestId === "another-request" && level === "error"), { what: "an error of that request" });
    assert.match(archivers.error, /archive_metadata/);
  } finally {
    await product.rows("ALTER TABLE gone RENAME TO archive_metadata");
  }
  for (const secret of ["a-private-word", SECRETS.READ_TOKEN]) assert.ok(!JSON.stringify(lines()).includes(secret));
});

test("LOG_LEVEL is the least that is told, and a wrong one is told and counts as info", BOUND, async () => {
  for (const worker of ["api-error", "api-off", "api-loud"]) assert.equal((await ask("/paths", { worker, token: "a-wrong-token-of-some-length", "x-request-id": `of-${worker}` })).status, 401);
  await line("a request was refused", ({ requestId }) => requestId === "of-api-loud");
  const wrong = await line("the level of the log is info");
  assert.match(wrong.error, /^variable LOG_LEVEL is "loud": expected debug, info, warn, error or off$/);
  assert.ok(!lines().some(({ requestId, level }) => ["of-api-error", "of-api-off"].includes(requestId) || (requestId === "of-api-loud" && level === "debug")));
});
