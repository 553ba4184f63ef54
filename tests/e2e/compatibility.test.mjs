// What earlier releases wrote is understood: their queue messages are counted, and their rows, logs, snapshots and archives
// answer what they answered then. tests/compatibility holds the bytes, and says how they were made.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { DATE, RECORDED, bucketOf, dayEvents, readFixture, recentEvents } from "../compatibility/support/fixtures.mjs";
import { archiver } from "./support/archive.mjs";
import { SECRETS } from "./support/configs.mjs";
import { HOUR_MS, hourOf } from "./support/events.mjs";
import { compare, recount } from "./support/recount.mjs";
import { startOnState } from "./support/runtime.mjs";

/** Tables that triggers fill as rows of others come: they are emptied before their own rows are put in. */
const BY_TRIGGERS = ["daily_rollups", "totals_due", "dead_letter_counts"];
/** Fields that tell of the moment of asking, as of the last 24 hours or 30 days, and not of what is stored. */
const OF_THE_MOMENT = new Set(["lastUpdated", "dataSource", "nextRun", "busiest", "slowest", "changed", "errorBudget"]);

/** Every field of an answer of then is in that of now, with the same value. There may be more. */
function covers(now, then, where) {
  if (then === null || typeof then !== "object") return assert.deepEqual(now, then, where);
  assert.equal(typeof now, "object", `${where} is ${JSON.stringify(now)}`);
  if (Array.isArray(then)) assert.equal(now.length, then.length, where);
  for (const [key, value] of Object.entries(then)) if (!OF_THE_MOMENT.has(key)) covers(now[key], value, `${where}.${key}`);
}

assert.ok(RECORDED.length > 0, "no release is recorded");
for (const release of RECORDED) {
  let runtime;
  const { lastMigration, tables } = readFixture(release, "database.json");
  const ask = async (path) => {
    const response = await runtime.fetch("api", path, { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` } });
    assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
    return response.json();
  };

  async function restoreTable(name, rows) {
    if (BY_TRIGGERS.includes(name)) await runtime.rows(`DELETE FROM "${name}"`);
    for (const row of rows) {
      const columns = Object.keys(row);
      const places = Object.values(row).map((value) => (value?.hex === undefined ? "?" : "unhex(?)"));
      await runtime.rows(`INSERT INTO "${name}" (${columns.map((column) => `"${column}"`)}) VALUES (${places})`, ...Object.values(row).map((value) => value?.hex ?? value));
    }
  }

  before(async () => {
    // The release's own schema first, its rows, and then what has been added to the schema since.
    runtime = await startOnState({ lastMigration });
    const names = Object.keys(tables);
    for (const name of [...names.filter((one) => !BY_TRIGGERS.includes(one)), ...BY_TRIGGERS]) await restoreTable(name, tables[name]);
    await runtime.migrate();
    const kv = await runtime.kv();
    for (const [key, value] of Object.entries(readFixture(release, "kv.json"))) await kv.put(key, value);
    const bucket = await runtime.r2();
    for (const [key, bytes] of Object.entries(bucketOf(release))) await bucket.put(key, bytes);
  });
  after(() => runtime?.stop());

  test(`${release}: the api answers from its rows and archives what it answered then`, async () => {
    const answers = readFixture(release, "answers.json");
    for (const [question, then] of Object.entries(answers)) covers(await ask(question), then, question);
  });

  test(`${release}: its hourly rows are those of the events that it was sent`, async () => {
    compare(await runtime.rows("SELECT * FROM path_stats_hourly WHERE path LIKE '/day/%'"), recount(dayEvents()));
  });

  test(`${release}: its files hold the events of the day, each once, and both formats are read`, async () => {
    const shelf = archiver(runtime);
    const { body: day } = await shelf.status(DATE);
    const ids = (await shelf.events(day)).map(({ id }) => id).sort();
    assert.deepEqual(ids, dayEvents().map(({ id }) => id).sort());
    assert.deepEqual(day.objects.map(({ format }) => format).sort(), ["jsonl.gz", "parquet"]);
    for (const { path, bytes } of day.objects) assert.equal(bucketOf(release)[path].length, bytes, path);
  });

  test(`${release}: its snapshot is answered from KV`, async () => {
    const kv = readFixture(release, "kv.json");
    const { version } = JSON.parse(kv["paths:snapshot:latest"]);
    const answer = await ask("/paths?limit=100");
    assert.equal(answer.version, version, "which only KV has");
    const { now } = readFixture(release, "recent.json");
    const requests = Object.fromEntries(answer.paths.map(({ path, requests }) => [path, requests]));
    assert.deepEqual(requests, Object.fromEntries(Object.entries(Object.groupBy(recentEvents(now), ({ path }) => path)).map(([path, events]) => [path, events.length])));
  });

  test(`${release}: its queue messages are counted, every event once`, async () => {
    const messages = readFixture(release, "messages.json");
    assert.deepEqual((await runtime.deliver(messages)).again, []);
    assert.deepEqual((await runtime.deliver(messages)).again, [], "and again");
    const events = messages.map((text) => JSON.parse(text)).flatMap((message) => message.events ?? [message]);
    assert.equal(events.length, 256);
    const expected = recount(events);
    const rows = () => runtime.rows("SELECT * FROM path_stats_hourly WHERE path LIKE '/messages/%'");
    await until(async () => (await rows()).reduce((sum, { requests }) => sum + requests, 0) === events.length, { what: "all of them flushed" });
    compare(await rows(), expected);
  });

  test(`${release}: an object goes on from its log, and knows what it counted`, async () => {
    // A log is kept for four days, so it is moved to the last hour: it holds milliseconds within the hour, when it was
    // written (bytes 1 to 8 of a row), and in its first row the object's name, of the same length.
    const [name, log] = Object.entries(readFixture(release, "objects.json")).find(([one]) => one.startsWith("/day/"));
    const [, path, hour] = name.match(/^(.*):([^:]+)$/);
    const now = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    const events = dayEvents().filter((event) => event.path === path && hourOf(event.timestamp) === hour).map((event) => {
      const timestamp = now - HOUR_MS + (event.timestamp % HOUR_MS);
      return { ...event, timestamp, id: `${timestamp}-${event.id.slice(14)}` };
    });
    const moved = `${path}:${hourOf(now - HOUR_MS)}`;
    assert.deepEqual((await runtime.deliver([events[0]])).again, []);
    await runtime.withObject(moved, (database) => {
      database.exec("DELETE FROM log");
      for (const { number, body } of log.filter(({ number }) => number > 0)) {
        const bytes = Buffer.from(body, "hex");
        bytes.writeBigInt64LE(BigInt(Date.now()), 1);
        if (number === 1) bytes.write(moved, bytes.indexOf(name));
        database.prepare("INSERT INTO log (number, body) VALUES (?, ?)").run(number, bytes);
      }
    });
    const fresh = { ...events[0], id: `${events[0].timestamp}-ffffffff` };
    const { again } = await runtime.deliver([{ version: 1, events: [...events, fresh] }]);
    assert.deepEqual(again, [], runtime.logs.map(({ message }) => message).join("\n"));
    const row = () => runtime.row("SELECT * FROM path_stats_hourly WHERE path = ? AND hour_bucket = ?", path, hourOf(now - HOUR_MS));
    await until(async () => (await row())?.requests === events.length + 1, { what: "what the log holds and one event more" });
    compare([await row()], recount([...events, fresh]));
  });
}
