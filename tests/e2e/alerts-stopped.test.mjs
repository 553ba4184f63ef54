// Alerts of a consumer that stopped, and of a snapshot that is made no more, by their causes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { startReceiver } from "./support/receiver.mjs";
import { startOnState } from "./support/runtime.mjs";

const BOUND = { timeout: 240_000 };
const MINUTE_MS = 60_000;
/** Three and ten minutes, in little more than the minute between two heartbeats, and in what a slow machine does not spend on six runs of the alerts. */
const SECONDS = { heartbeat: 62, snapshot: 12 };
const RULES = JSON.stringify({
  version: 1,
  rules: [
    { name: "heartbeat", measure: "heartbeat", warning: SECONDS.heartbeat },
    { name: "snapshot", measure: "snapshot", warning: SECONDS.snapshot },
  ],
});

const UPDATES_PER_SNAPSHOT = 10;

let product;
let receiver;
let minute = Math.floor(Date.now() / MINUTE_MS);
let number = 0;

before(async () => {
  receiver = await startReceiver();
  product = await startOnState({ vars: { api: { ALERT_WEBHOOK_URL: receiver.origin, ALERT_RULES: RULES, CACHE_SECONDS: "1" } } });
});
after(async () => {
  await product?.stop();
  await receiver?.stop();
});

async function pass(minutes) {
  for (let n = 0; n < minutes; n += 1) {
    minute += 1;
    await product.scheduled("api", "* * * * *", new Date(minute * MINUTE_MS));
  }
}
/** So many batches that the snapshot is due at once. */
async function traffic() {
  for (let update = 0; update < UPDATES_PER_SNAPSHOT; update += 1) {
    number += 1;
    const { again } = await product.deliver([event(number)]);
    assert.deepEqual(again, []);
  }
}
const health = async () => (await product.fetch("api", "/admin/health", { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` } })).json();
const ageOf = (name) => async () => Number(new Map((await health()).checks.map((check) => [check.name, check.value])).get(name)) > SECONDS[name];
const fired = (rule) => receiver.of(rule);


test("heartbeat and snapshot: the consumer stopped, and begins again", BOUND, async () => {
  await traffic();
  await until(async () => (await health()).heartbeat && (await health()).snapshot, { what: "a heartbeat and a snapshot" });
  await pass(1);
  assert.deepEqual(receiver.got, []);
  await until(async () => (await ageOf("heartbeat")()) && (await ageOf("snapshot")()), { within: 90_000, what: "both are old" });
  await pass(3);
  for (const rule of ["heartbeat", "snapshot"]) assert.deepEqual(fired(rule), ["firing warning"], rule);
  await traffic();
  await until(async () => !(await ageOf("heartbeat")()) && !(await ageOf("snapshot")()), { what: "a heartbeat and a snapshot" });
  await pass(6);
  for (const rule of ["heartbeat", "snapshot"]) assert.deepEqual(fired(rule), ["firing warning", "resolved warning"], rule);
});

test("snapshot: events come, and the database keeps them from being flushed", BOUND, async () => {
  await product.rows("ALTER TABLE path_stats_hourly RENAME TO gone");
  try {
    await traffic();
    await until(ageOf("snapshot"), { what: "an old snapshot" });
    await pass(3);
    assert.deepEqual(fired("snapshot").slice(2), ["firing warning"]);
  } finally {
    await product.rows("ALTER TABLE gone RENAME TO path_stats_hourly");
  }
  // What waited is flushed by the object's next alarm: nothing needs to be sent again.
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n === number, { within: 60_000, what: "all is flushed" });
  await until(async () => !(await ageOf("snapshot")()), { what: "a new snapshot" });
  await pass(6);
  assert.deepEqual(fired("snapshot").slice(2), ["firing warning", "resolved warning"]);
});
