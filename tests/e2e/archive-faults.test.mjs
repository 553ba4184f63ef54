// The archive when things go wrong: the runtime killed at any moment, the database, the bucket and KV refusing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../scripts/until.mjs";
import { archiver, dayOfEvents, daysAgo, noise, sameEvents } from "./support/archive.mjs";
import { seeded } from "./support/random.mjs";
import { startOnState } from "./support/runtime.mjs";

const KILLS = 8;
const PART = 5 * 1024 * 1024;

let runtime;
let archive;
before(async () => {
  runtime = await startOnState({ vars: { archiver: { ARCHIVE_LEASE_SECONDS: "1" } } });
  archive = archiver(runtime);
});
after(() => runtime?.stop());

/** Puts raw events and what is counted of them straight into the database: what counts them is tested elsewhere. */
async function seed(events) {
  const d1 = await runtime.d1();
  const row = (event) => [event.id, event.path, event.method, event.status, event.responseTime, event.clientIpHash, event.userAgent, event.country, 1];
  for (let at = 0; at < events.length; at += 5_000) {
    await d1
      .prepare("INSERT INTO traffic_events (id, path, method, status, response_time, client_ip_hash, user_agent, country, sample_ratio) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8 FROM json_each(?)")
      .bind(JSON.stringify(events.slice(at, at + 5_000).map(row)))
      .run();
  }
  await d1
    .prepare("INSERT OR REPLACE INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) SELECT path, strftime('%Y-%m-%dT%H', timestamp / 1000, 'unixepoch') AS hour, count(*), sum(is_error), sum(response_time), count(response_time), 0, count(*), 1, 0, x'' FROM traffic_events GROUP BY path, hour")
    .run();
}
const left = async () => (await runtime.row("SELECT count(*) AS n FROM traffic_events")).n;
const refused = (answer) => {
  assert.equal(answer.status, 502, JSON.stringify(answer));
  assert.match(answer.body.detail, /the next run goes on/);
};
/** As often as it takes: a lease that a dead run holds ends after a second. */
const finish = (date) =>
  until(
    async () => {
      const answer = await archive.trigger(date);
      return answer.status === 200 && answer.body;
    },
    { within: 60_000, every: 300, what: `${date} archived` },
  );

test(`killed ${KILLS} times at random moments, a day in several parts is archived byte for byte`, { timeout: 240_000 }, async (t) => {
  const { start, date } = daysAgo(5);
  const events = dayOfEvents(start, 150_000, { agent: (number) => noise(number) });
  await seed(events);
  const random = seeded(7);
  const moments = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    await archive.post("/admin/archive/trigger", { date });
    const moment = Math.round(150 + random() * (kill % 2 ? 3_000 : 700));
    await sleep(moment);
    await runtime.kill();
    const { body } = await archive.status(date);
    moments.push(`${moment} ms: ${body.status}, ${body.objects?.[0].stage ?? "nothing written"}, ${body.deleted ?? 0} deleted`);
    await sleep(1_000);
  }
  const body = await finish(date);
  t.diagnostic(moments.join("; "));
  assert.deepEqual([body.records, body.cleaned, body.objects.length, await left()], [150_000, true, 1, 0]);
  assert.ok(body.objects[0].bytes > 2 * PART, "more than two parts");
  assert.equal(body.reconciliation.equal, true);
  sameEvents(await archive.events(body), events);
});

test("an event between reading and deleting is neither deleted nor lost", async () => {
  const { start, date } = daysAgo(6);
  const events = dayOfEvents(start, 3_000);
  await seed(events);
  await archive.trigger(date, { clean: false });
  const late = dayOfEvents(start, 3, { first: 3_000 });
  await seed(late);
  const cleaned = await archive.post("/admin/cleanup/trigger", { date, wait: true });
  assert.deepEqual([cleaned.body.deleted, cleaned.body.cleaned, await left()], [3_000, false, 3]);
  const body = await finish(date);
  assert.deepEqual([body.records, body.cleaned, body.objects.length], [3_003, true, 2]);
  sameEvents(await archive.events(body), [...events, ...late]);
});

test("a database that refuses a delete: the error says how far it came, and the next run finishes", async () => {
  const { start, date } = daysAgo(7);
  const events = dayOfEvents(start, 12_000, { agent: (number) => noise(number, 400) });
  await seed(events);
  const d1 = await runtime.d1();
  const half = [...events].sort((a, b) => (a.id < b.id ? -1 : 1))[9_000].id;
  await d1.prepare(`CREATE TRIGGER refuse BEFORE DELETE ON traffic_events WHEN old.id > '${half}' BEGIN SELECT RAISE(ABORT, 'refused'); END`).run();
  refused(await archive.trigger(date));
  const { body: stopped } = await archive.status(date);
  assert.match(stopped.error, /archived events cannot be deleted.*refused.*; \d+ rows are deleted from the database, \d+ are to be deleted/s);
  assert.deepEqual([stopped.status, stopped.cleaned], ["cleaning", false]);
  assert.ok((await left()) >= 3_000);
  await d1.prepare("DROP TRIGGER refuse").run();
  const body = await finish(date);
  assert.deepEqual([body.cleaned, body.error, body.records, await left()], [true, null, 12_000, 0]);
  sameEvents(await archive.events(body), events);
});

test("KV that refuses the metadata: nothing is deleted before readers know, and the next run finishes", async () => {
  const { start, date } = daysAgo(8);
  const events = dayOfEvents(start, 2_000);
  await seed(events);
  await runtime.withoutKv(async () => refused(await archive.trigger(date)));
  assert.equal(await left(), 2_000);
  assert.match((await archive.status(date)).body.error, /the metadata cannot be published/);
  const body = await finish(date);
  assert.deepEqual([body.cleaned, body.error, await left()], [true, null, 0]);
  sameEvents(await archive.events(body), events);
});

test("a bucket that refuses a part: the next run finishes", async () => {
  const { start, date } = daysAgo(9);
  const events = dayOfEvents(start, 60_000, { agent: (number) => noise(number) });
  await seed(events);
  await runtime.withoutR2(async () => refused(await archive.trigger(date)));
  assert.equal(await left(), 60_000);
  assert.match((await archive.status(date)).body.error, /an upload cannot be begun|a part cannot be uploaded/);
  const body = await finish(date);
  assert.ok(body.objects[0].bytes > PART);
  sameEvents(await archive.events(body), events);
});

test("a row that is no event stops its day with its text, and no other day", async () => {
  const [bad, good] = [daysAgo(11), daysAgo(10)];
  await seed([...dayOfEvents(bad.start, 10), ...dayOfEvents(good.start, 10)]);
  const id = `${bad.start + 5}-0000000a`;
  const d1 = await runtime.d1();
  await d1.prepare("INSERT INTO traffic_events (id, path, method, status) VALUES (?, '/odd', 'GET', 99)").bind(id).run();
  await runtime.scheduled("archiver", "*/10 * * * *");
  assert.equal((await archive.status(good.date)).body.status, "archived");
  const { body } = await archive.status(bad.date);
  assert.match(body.error, new RegExp(`is no event: field .status. is 99.*${id}`));
  await d1.prepare("DELETE FROM traffic_events WHERE id = ?").bind(id).run();
  assert.equal((await finish(bad.date)).records, 10);
});
