// Data points: what a batch, an answer and a run of the archive tell Analytics Engine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../scripts/until.mjs";
import { SECRETS, changed, demoOrigin, real } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";

const BOUND = { timeout: 60_000 };
const DAY_MS = 86_400_000;

const dataset = { config: { name: "dataset", main: fileURLToPath(new URL("support/dataset-worker.mjs", import.meta.url)), compatibility_date: "2026-06-01" } };
/** A Worker of ours, whose dataset is that Worker. */
const told = (name) =>
  changed(name, (config) => ({
    analytics_engine_datasets: [],
    services: [...(config.services ?? []), { binding: "TRAFFIC_ANALYTICS", service: "dataset", entrypoint: "Dataset" }],
  }));

let product;
before(async () => {
  product = await startProduct([told("api"), told("consumer"), real("producer"), told("archiver"), demoOrigin, dataset]);
});
after(() => product?.stop());

const points = async (index) => (await (await product.script("dataset").fetch("/")).json()).filter(({ indexes: [kind] }) => kind === index);

test("a batch tells its messages, what was counted of it, and how late it is", BOUND, async () => {
  await product.collect([event(1), event(2), event(2)]);
  const [{ blobs, doubles }] = await until(async () => (await points("batch")).length > 0 && points("batch"), { what: "a data point of the batch" });
  assert.deepEqual(blobs, ["1", "whole"]);
  const [messages, counted, duplicates, groups, again, letters, late, took] = doubles;
  assert.deepEqual({ messages, counted, duplicates, groups, again, letters }, { messages: 1, counted: 2, duplicates: 1, groups: 1, again: 0, letters: 0 });
  assert.ok(late > 0 && late < 60_000 && took >= 0 && took <= late, `${late} ms, ${took} ms`);
});

test("an answer tells its tier and how old it is", BOUND, async () => {
  const { dataSource } = await (await product.read("/paths")).json();
  const found = await until(async () => (await points("answer")).length > 0 && points("answer"), { what: "a data point of an answer" });
  assert.equal(found[0].blobs[1], dataSource);
  for (const { blobs, doubles } of found) {
    assert.equal(blobs[0], "1");
    assert.match(blobs.slice(1).join(" "), /^(cache|kv|d1) (fresh|stale)$/);
    assert.equal(doubles[0], 1);
    assert.ok(doubles[1] >= 0 && doubles[1] < 60, `${doubles[1]} s`);
  }
});

test("a run of the archive tells its day, its end and its figures", BOUND, async () => {
  const of = event(3, { timestamp: Date.now() - 2 * DAY_MS });
  await product.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, '/', 'GET', 200)", of.id);
  const date = new Date(of.timestamp).toISOString().slice(0, 10);
  const answer = await product.read("/admin/archive/trigger", { method: "POST", token: SECRETS.ADMIN_TOKEN, body: JSON.stringify({ date, wait: true }) });
  assert.equal(answer.status, 200, await answer.clone().text());
  const [{ blobs, doubles }] = await until(async () => (await points("archive")).length > 0 && points("archive"), { what: "a data point of the run" });
  assert.deepEqual(blobs, ["1", "done", date]);
  const [records, deleted, took, differences] = doubles;
  assert.deepEqual([records, deleted], [1, 1]);
  // The row was put there past the objects: the statistics of its hour lack it.
  assert.ok(took >= 0 && differences >= 1, `${took} ms, ${differences}`);
});
