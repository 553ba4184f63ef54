// How full the database is: the report, the sample of every six hours, and what a full one sets off.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const CRON = { cron: "0 */6 * * *" };
/** The least limit that may be set. */
const LEAST = "1000000";

let product;
const start = async (vars = {}) => {
  product = await startProduct([real("producer"), promptConsumer(), real("api"), real("archiver", vars), demoOrigin]);
};
afterEach(() => product?.stop());

const archiver = (path, init) => product.worker("archiver").fetch(`https://archiver${path}`, init);
const report = async () => (await archiver("/admin/capacity")).json();
const lines = (message) =>
  product.harness
    .getLogs()
    .flatMap(({ message: line }) => (line.startsWith("{") ? [JSON.parse(line)] : []))
    .filter((line) => line.message.includes(message));

/** Fills the database until so large a share of its limit is used. */
async function fill(share) {
  const { sizeBytes, limitBytes } = await report();
  // Rows of some 12 KB, so that the share is met closely.
  const rows = Math.ceil((share * limitBytes - sizeBytes) / 12_288);
  await product.rows("INSERT INTO dead_letters SELECT 'fill-' || value, 'fill', '', hex(zeroblob(5000)), 0, 0 FROM json_each(?)", JSON.stringify([...Array(rows).keys()]));
}

test("a small database is told to be so, without a forecast", async () => {
  await start();
  const answer = await report();
  assert.ok(answer.sizeBytes > 0 && answer.sizeBytes < 1_000_000);
  assert.equal(answer.limitBytes, 10_000_000_000);
  assert.equal(answer.usedRatio, answer.sizeBytes / answer.limitBytes);
  const { level, growthBytesPerDay, outlook, fullAt, emergencyArchive, samples } = answer;
  assert.deepEqual(
    { level, growthBytesPerDay, outlook, fullAt, emergencyArchive, samples },
    { level: "ok", growthBytesPerDay: null, outlook: "too_few_samples", fullAt: null, emergencyArchive: null, samples: [] },
  );
});

test("the cron keeps a sample an hour, and growth is told with the day it ends", async () => {
  await start();
  await product.worker("archiver").scheduled(CRON);
  await product.worker("archiver").scheduled(CRON);
  const { samples } = await until(async () => ((await report()).samples.length ? report() : undefined), { what: "a sample" });
  assert.ok(samples.length <= 2, "two only if an hour ended between");
  assert.match(samples[0].at, /T\d\d:00:00\.000Z$/);
  const now = Date.now();
  // Ten days of growth by 900 MB a day, up to what the database has now.
  const grown = Array.from({ length: 40 }, (_, n) => [now - (n + 1) * 6 * HOUR_MS, 9_000_000_000 - (n + 1) * 225_000_000]);
  await product.rows("INSERT OR REPLACE INTO capacity_samples SELECT value ->> 0, value ->> 1 FROM json_each(?)", JSON.stringify(grown));
  const answer = await report();
  assert.equal(answer.outlook, "dated");
  assert.ok(answer.growthBytesPerDay > 500_000_000, `${answer.growthBytesPerDay}`);
  const days = (Date.parse(answer.fullAt) - now) / DAY_MS;
  assert.ok(days > -1 && days < 4, answer.fullAt);
});

test("a database beyond 80 % is a warning", async () => {
  await start({ D1_LIMIT_BYTES: LEAST });
  await fill(0.84);
  const { level, usedRatio, emergencyArchive } = await report();
  assert.deepEqual([level, emergencyArchive], ["warning", null], `${usedRatio}`);
  await product.worker("archiver").scheduled(CRON);
  const [line] = await until(() => (lines("80 % full").length ? lines("80 % full") : undefined), { what: "the warning" });
  assert.equal(line.level, "warn");
  assert.equal(line.limitBytes, Number(LEAST));
});

test("a database beyond 90 % has its oldest closed day archived, however young it is", async () => {
  await start({ D1_LIMIT_BYTES: LEAST });
  const timestamp = Date.parse(new Date(Date.now() - DAY_MS).toISOString().slice(0, 10)) - HOUR_MS;
  const date = new Date(timestamp).toISOString().slice(0, 10);
  assert.equal((await product.collect([event(1, { timestamp }), event(2)])).status, 202);
  await until(async () => (await product.row("SELECT count(*) AS n FROM traffic_events")).n === 2, { what: "the raw events" });
  await fill(0.95);
  const { level, emergencyArchive } = await report();
  assert.deepEqual([level, emergencyArchive], ["critical", date]);
  await product.worker("archiver").scheduled(CRON);
  await until(async () => (await product.row("SELECT count(*) AS n FROM traffic_events")).n === 1, { what: "the day's end in the database" });
  const [line] = lines("90 % full");
  assert.deepEqual([line.level, line.emergencyArchive], ["error", date]);
  assert.equal((await product.row("SELECT status FROM archive_metadata WHERE date = ?", date)).status, "archived");
});

test("a full database without a closed day is told to a person", async () => {
  await start({ D1_LIMIT_BYTES: LEAST });
  await fill(0.95);
  const { level, emergencyArchive } = await report();
  assert.deepEqual([level, emergencyArchive], ["critical", null]);
  await product.worker("archiver").scheduled(CRON);
  await until(() => lines("no closed day is left").length > 0, { what: "the line for a person" });
});

test("a limit that is none is refused by its name", async () => {
  await start({ D1_LIMIT_BYTES: "10GB" });
  const problem = await problemOf(await archiver("/admin/capacity"));
  assert.equal(problem.status, 500);
  assert.match(problem.detail, /D1_LIMIT_BYTES is "10GB"/);
});
