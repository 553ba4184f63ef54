// Alerts of the queue, by their real cause: the consumer stands still and messages pile up; and of sources that are silent.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../scripts/until.mjs";
import { SECRETS, changed, demoOrigin, readJsonc, real } from "./support/configs.mjs";
import { configOf } from "../../scripts/paths.mjs";
import { startProduct } from "./support/product.mjs";
import { startReceiver } from "./support/receiver.mjs";

const BOUND = { timeout: 120_000 };
const MINUTE_MS = 60_000;
/** Five minutes of waiting, in two seconds: the other limits are the built-in ones. */
const RULES = JSON.stringify({ version: 1, rules: [{ name: "queue-delay", measure: "queueDelay", warning: 2 }] });

let product;
let receiver;
let minute = Math.floor(Date.now() / MINUTE_MS);

before(async () => {
  receiver = await startReceiver();
  const vars = { ALERT_WEBHOOK_URL: receiver.origin, ALERT_RULES: RULES };
  const { queues, kv_namespaces } = readJsonc(configOf("consumer")).env.dev;
  const [{ dead_letter_queue: _, ...consumer }] = queues.consumers;
  const consumers = [{ ...consumer, max_batch_timeout: 0 }];
  const api = (name, change) => changed("api", (config) => ({ name, ...change(config), vars: { ...config.vars, ...vars } }));
  product = await startProduct([
    changed("api", (config) => ({ vars: { ...config.vars, ...vars } })),
    changed("consumer", () => ({ queues: {} })),
    real("producer"),
    real("archiver"),
    demoOrigin,
    { config: { name: "gate", main: fileURLToPath(new URL("support/gate-worker.mjs", import.meta.url)), compatibility_date: "2026-06-01", queues: { consumers }, kv_namespaces } },
    api("api-no-archiver", ({ services }) => ({ services: services.filter(({ binding }) => binding !== "ARCHIVER") })),
  ]);
});
after(async () => {
  await product?.stop();
  await receiver?.stop();
});

async function pass(minutes, from) {
  for (let n = 0; n < minutes; n += 1) {
    minute += 1;
    await (from ? product.script(from) : product.worker("api")).scheduled({ cron: "* * * * *", scheduledTime: new Date(minute * MINUTE_MS) });
  }
}
const health = async () => (await product.read("/admin/health", { token: SECRETS.ADMIN_TOKEN })).json();

test("queue-backlog and queue-delay: the consumer stands still, ten thousand messages wait, and then it goes on", BOUND, async () => {
  await product.kv().put("gate", "closed");
  const queue = (await product.worker("producer").getEnv()).TRAFFIC_QUEUE;
  // A batch that the consumer has in hands does not wait any more.
  for (let n = 0; n < 103; n += 1) await queue.sendBatch(Array.from({ length: 100 }, () => ({ body: "x" })));
  await until(async () => (await health()).queue.backlogCount >= 10_000, { what: "a backlog" });
  await until(async () => (await health()).queue.oldestMessageAgeSeconds >= 3, { what: "a message that waits" });
  await pass(1);
  assert.deepEqual(receiver.of("queue-delay"), ["firing warning"]);
  assert.deepEqual(receiver.of("queue-backlog"), [], "a backlog must hold for two minutes");
  await pass(4);
  assert.deepEqual(receiver.of("queue-backlog"), ["firing warning"]);
  assert.deepEqual(receiver.of("queue-delay"), ["firing warning"]);
  const told = receiver.got.find(({ json }) => json.rule === "queue-backlog").json;
  assert.ok(told.value >= 10_000 && told.threshold === 10_000, `${told.value}`);
  await product.kv().put("gate", "open");
  await until(async () => (await health()).queue.backlogCount === 0, { what: "an empty queue" });
  await pass(7);
  for (const rule of ["queue-backlog", "queue-delay"]) assert.deepEqual(receiver.of(rule), ["firing warning", "resolved warning"], rule);
});

test("silent-sources: the archiver is not bound, and is again", BOUND, async () => {
  const before = receiver.got.length;
  await pass(3, "api-no-archiver");
  assert.equal(receiver.of("silent-sources").length, 0, "it must hold for three minutes");
  await pass(3, "api-no-archiver");
  assert.deepEqual(receiver.of("silent-sources"), ["firing warning"]);
  await pass(7);
  assert.deepEqual(receiver.of("silent-sources"), ["firing warning", "resolved warning"]);
  assert.ok(receiver.got.slice(before).every(({ json }) => json.rule === "silent-sources"), "what is not known resolves nothing else");
});
