// The end of an object: it seals its row, deletes itself, and what comes later is set aside. Four days are made to pass
// by moving the times in its log.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { event, hourOf } from "./support/events.mjs";
import { startOnState } from "./support/runtime.mjs";

const DAY_MS = 86_400_000;
const PATH = "/sealing/a:b";
// An import: an hour old enough that the consumer looks at its row first.
const imported = event(1, { timestamp: Date.now() - 6 * DAY_MS, path: PATH });
const name = `${PATH}:${hourOf(imported.timestamp)}`;

let runtime;
before(async () => {
  runtime = await startOnState();
});
after(() => runtime?.stop());

const row = () => runtime.row("SELECT requests, revision, sealed_at FROM path_stats_hourly WHERE path = ?", PATH);
const tables = () => runtime.withObject(name, (log) => log.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'log'").get().n);

test("an imported event of last week is counted", async () => {
  assert.deepEqual((await runtime.deliver([imported])).again, []);
  await until(row, { what: "the row" });
  assert.deepEqual(await row(), { requests: 1, revision: 1, sealed_at: null });
});

test("an object that saw nothing new for four days seals its row and deletes itself", async () => {
  await runtime.ageObject(name, 4 * DAY_MS + 60_000);
  // The same event again wakes it.
  assert.deepEqual((await runtime.deliver([imported])).again, []);
  await until(async () => (await row()).sealed_at, { what: "the seal" });
  await until(async () => (await tables()) === 0, { what: "the object's end" });
  assert.equal((await row()).requests, 1);
});

test("an event that comes after the seal is set aside, and its message is settled", async () => {
  const late = event(2, { timestamp: imported.timestamp, path: PATH });
  assert.deepEqual((await runtime.deliver([imported, late])).again, []);
  const letters = await runtime.rows("SELECT reason, body FROM dead_letters ORDER BY id");
  assert.deepEqual(letters.map(({ reason, body }) => [reason, JSON.parse(body).id]), [["sealed", imported.id], ["sealed", late.id]]);
  assert.equal((await row()).requests, 1);
  assert.equal(await runtime.rawCount("/sealing"), 1, "what was set aside is no raw event");
});
