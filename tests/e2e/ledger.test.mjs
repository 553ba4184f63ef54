// The completeness ledger: 200,000 events with everything that can happen to them, and each hour balances to zero; then
// what really is missing is found and told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { event, hourOf, inParallel, parts, traffic } from "./support/events.mjs";
import { startReceiver } from "./support/receiver.mjs";
import { recount } from "./support/recount.mjs";
import { startOnState } from "./support/runtime.mjs";

const EVENTS = 200_000;
const PER_MESSAGE = 100;
const PER_BATCH = 40;
const AT_ONCE = 2;
const OUTAGE_MS = 60_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const DLQ = "traffic-events-dlq";
const LAST_ATTEMPT = 11;
const BOUND = { timeout: 900_000 };
// The newest hour ended some minutes ago: what was sent in it has had its time.
const NOW = Date.now() - 5 * MINUTE_MS;
const SEALED = event(1, { timestamp: NOW - 6 * DAY_MS, path: "/ledger/sealed" });

const events = traffic({ count: EVENTS, paths: 100, hours: 4, seed: 20260101, now: NOW });
const HOURS = [...new Set(events.map(({ timestamp }) => hourOf(timestamp)))].sort();
/** What must come out, by hour: a count of what the test itself did. */
const expected = new Map();
const book = (hour, term, count = 1) => {
  if (!expected.has(hour)) expected.set(hour, { counted: 0, duplicates: 0, deadLettered: 0, refusedLate: 0 });
  expected.get(hour)[term] += count;
};
/** The object that fails: of the path and hour with the fewest events. */
const broken = [...recount(events)].sort(([, a], [, b]) => a.requests - b.requests)[0][0];
const inBroken = ({ timestamp, path }) => `${hourOf(timestamp)} ${path}` === broken;
const brokenName = `${broken.slice(14)}:${broken.slice(0, 13)}`;

let runtime;
let receiver;
let minute = Math.floor(Date.now() / MINUTE_MS);
before(async () => {
  receiver = await startReceiver();
  runtime = await startOnState({ vars: { consumer: { FLUSH_SECONDS: "5" }, api: { CACHE_SECONDS: "1", ALERT_WEBHOOK_URL: receiver.origin } } });
});
after(async () => {
  await runtime?.stop();
  await receiver?.stop();
});

async function admin(path, body) {
  const init = { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` }, ...(body && { method: "POST", body: JSON.stringify(body) }) };
  const response = await runtime.fetch("api", path, init);
  const text = await response.text();
  assert.equal(response.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
}
const ledger = (query = `?from=${HOURS[0]}:00Z`) => admin(`/admin/ledger${query}`);
const cron = () => runtime.scheduled("consumer", "*/5 * * * *");
/** Runs the cron until every hour that changed was checked. */
async function checked() {
  const open = async () => (await runtime.row("SELECT count(*) AS n FROM ledger_hours WHERE changed <> 0 AND hour_bucket < ?", hourOf(NOW))).n;
  await until(async () => (await cron(), (await open()) === 0), { within: 120_000, what: "every hour checked" });
}
/** Lets time pass in the ledger: what was noted or seen so long ago. */
const age = (milliseconds) =>
  runtime.rows(
    "UPDATE ledger_hours SET checked_at = checked_at - ?1, differs_since = differs_since - ?1, waiting_until = waiting_until - ?1",
    milliseconds,
  );
const shown = ({ counted, duplicates, deadLettered, refusedLate }) => ({ counted, duplicates, deadLettered, refusedLate });

/** Messages under way, as a queue has them. */
const queue = [];
const packed = (some) => ({ body: { version: 1, events: some }, events: some, attempts: 1 });

/** Delivers batches of messages; those that come again go back to the queue. */
async function drain(messages, { refused = false } = {}) {
  await inParallel(parts(messages, PER_BATCH), AT_ONCE, async (batch) => {
    const { again } = await runtime.deliver(batch.map(({ body }) => body), { attempts: batch[0].attempts });
    if (refused) assert.equal(again.length, batch.length, "nothing is taken while D1 is down");
    const back = new Set(again);
    for (const [index, message] of batch.entries()) {
      if (back.has(index)) queue.push({ ...message, attempts: message.attempts + 1 });
      for (const item of refused ? [] : message.events ?? []) {
        const hour = hourOf(item.timestamp);
        // A group that fails is neither; the events beside it are counted, and are duplicates the next time.
        if (inBroken(item)) continue;
        if (seen.has(item.id)) book(hour, "duplicates");
        else book(hour, "counted");
        seen.add(item.id);
      }
    }
  });
}
const seen = new Set();

test("200,000 events are sent with duplicates, poison, an object that fails, a minute without D1 and events that come too late", BOUND, async (t) => {
  const started = Date.now();
  // An hour that was sealed: its object is gone.
  await runtime.deliver([SEALED]);
  await until(() => runtime.row("SELECT 1 FROM path_stats_hourly WHERE path = ?", SEALED.path), { what: "the hour that is sealed" });
  await runtime.ageObject(`${SEALED.path}:${hourOf(SEALED.timestamp)}`, 4 * DAY_MS + MINUTE_MS);
  await runtime.deliver([SEALED]);
  await until(async () => (await runtime.row("SELECT sealed_at FROM path_stats_hourly WHERE path = ?", SEALED.path)).sealed_at, { what: "the seal" });
  book(hourOf(SEALED.timestamp), "counted");
  book(hourOf(SEALED.timestamp), "duplicates");

  // The object that fails: the first of its events was counted, then its log broke.
  const first = events.find(inBroken);
  assert.deepEqual((await runtime.deliver([first])).again, []);
  book(hourOf(first.timestamp), "counted");
  const log = await runtime.withObject(brokenName, (database) => {
    const { body } = database.prepare("SELECT body FROM log WHERE number = 1").get();
    database.exec("UPDATE log SET body = x'ff' WHERE number = 1");
    return body;
  });

  const messages = parts(events, PER_MESSAGE).map(packed);
  const third = Math.ceil(messages.length / 3);
  await drain(messages.slice(0, third));
  // Duplicates: whole messages, and events in others' company.
  await drain(messages.slice(0, 30).filter(({ events }) => !events.some(inBroken)));
  await drain(parts(events.slice(0, 2_000).filter((item) => !inBroken(item)), 37).map(packed));

  // D1 is down for a minute: whatever is delivered comes again.
  await runtime.withoutD1(async () => {
    const end = Date.now() + OUTAGE_MS;
    let delivered = 0;
    while (Date.now() < end) {
      await drain(messages.slice(third, third + 2 * PER_BATCH), { refused: true });
      delivered += 2 * PER_BATCH;
      // The queue holds one of each.
      queue.splice(0, queue.length, ...queue.filter(({ events }) => !messages.slice(third).some((message) => message.events === events)));
    }
    t.diagnostic(`${delivered} messages were refused within a minute`);
  });
  await drain(messages.slice(third));

  // Poison: messages that are no event, and items within messages that are fine.
  const poison = Array.from({ length: 300 }, (_, n) => ({ body: n % 2 ? "no event" : { ...event(n, { timestamp: NOW - 5 * 3_600_000 }), status: 99 }, attempts: 1 }));
  await drain(poison);
  const mixed = event(77_777, { timestamp: events[0].timestamp, path: "/ledger/mixed" });
  await drain([{ body: { version: 1, events: [mixed, { ...mixed, status: 1 }, { ...mixed, path: 7 }] }, events: [mixed], attempts: 1 }]);
  book(hourOf(mixed.timestamp), "deadLettered", 2);
  book(hourOf(NOW - 5 * 3_600_000), "deadLettered", 150);

  // Too late: each event twice, and it is one letter.
  const late = Array.from({ length: 400 }, (_, n) => event(1_000 + n, { timestamp: SEALED.timestamp, path: SEALED.path }));
  for (const _ of [1, 2]) assert.deepEqual((await runtime.deliver([{ version: 1, events: late }])).again, []);
  book(hourOf(SEALED.timestamp), "refusedLate", late.length);

  // What the failing object brings again, until its attempts are used up.
  assert.ok(queue.length > 20 && queue.every(({ events }) => events.some(inBroken)));
  const failed = queue.splice(0).map((message) => ({ ...message, attempts: LAST_ATTEMPT }));
  await drain(failed);
  assert.equal(queue.length, failed.length);
  const given = await runtime.deliver(queue.map(({ body }) => body), { queue: DLQ, ids: queue.map((_, n) => `gave-up-${n}`) });
  assert.deepEqual(given.again, []);
  await runtime.withObject(brokenName, (database) => database.prepare("UPDATE log SET body = ? WHERE number = 1").run(log));
  const lost = new Set(queue.flatMap(({ events }) => events.filter(inBroken).map(({ id }) => id)));
  // One of them was counted before: it is no loss, and no duplicate either, since its object never took it again.
  lost.delete(first.id);
  book(broken.slice(0, 13), "deadLettered", lost.size);
  t.diagnostic(`${Math.round((Date.now() - started) / 1000)} s; ${failed.length} messages ran out of attempts, ${lost.size} of their events are not counted`);
});

test("each hour balances to zero, and its terms are what the test did", BOUND, async (t) => {
  const total = () => runtime.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE hour_bucket >= ?", HOURS[0]);
  const counted = [...expected].filter(([hour]) => hour >= HOURS[0]).reduce((sum, [, terms]) => sum + terms.counted, 0);
  await until(async () => (await total()).n >= counted, { within: 120_000, what: `${counted} events flushed` });
  const duplicates = [...expected.values()].reduce((sum, terms) => sum + terms.duplicates, 0);
  await until(async () => (await runtime.row("SELECT sum(duplicates) AS n FROM ledger_duplicates")).n >= duplicates, { within: 60_000, what: `${duplicates} duplicates told` });
  await checked();
  const before = await ledger();
  const waiting = before.hours.find(({ hour }) => hour === broken.slice(0, 13));
  assert.equal(waiting.state, "open", "messages with events of it may come again");
  assert.ok(Date.parse(before.watermark) <= Date.parse(`${waiting.hour}:00:00Z`));
  // Until then, two hours pass.
  await age(2 * 60 * MINUTE_MS);
  const { hours, balanced, watermark } = await ledger(`?from=${hourOf(SEALED.timestamp)}:00Z`);
  assert.equal(balanced, true);
  assert.ok(Date.parse(watermark) > Date.parse(`${HOURS.at(-1)}:59:59Z`), watermark);
  for (const [hour, terms] of expected) {
    const row = hours.find((row) => row.hour === hour);
    assert.deepEqual({ ...shown(row), state: row.state, difference: row.difference }, { ...terms, state: "balanced", difference: 0 }, hour);
    assert.equal(row.received, row.counted + row.duplicates + row.deadLettered + row.refusedLate);
  }
  // "no event" tells no time: it is booked in the hour in which it came.
  const sum = (term) => [...expected.values()].reduce((sum, terms) => sum + terms[term], 0);
  t.diagnostic(`counted ${sum("counted")}, duplicates ${sum("duplicates")}, dead-lettered ${sum("deadLettered")}, refused late ${sum("refusedLate")}: difference 0 in ${expected.size} hours`);
});

test("letters that are replayed are counted, those that are discarded stay accounted for", BOUND, async () => {
  const hour = broken.slice(0, 13);
  const terms = async () => (await ledger()).hours.find((row) => row.hour === hour);
  const start = await terms();
  const { letters } = await admin("/admin/dead-letters?reason=retries_exhausted&limit=200");
  const ids = letters.map(({ id }) => id);
  const half = ids.slice(0, Math.ceil(ids.length / 2));
  assert.equal((await admin("/admin/dead-letters/replay", { ids: half })).replayed, half.length);
  assert.equal((await admin("/admin/dead-letters/discard", { ids: ids.slice(half.length) })).discarded, ids.length - half.length);
  const row = () => runtime.row("SELECT requests FROM path_stats_hourly WHERE hour_bucket = ? AND path = ?", hour, broken.slice(14));
  const before = (await row())?.requests ?? 1;
  await until(async () => (await row()).requests > before, { what: "the replayed events flushed" });
  await until(async () => (await cron(), (await terms()).difference === 0 && (await terms()).counted > start.counted), { what: "the hour checked" });
  await age(2 * 60 * MINUTE_MS);
  const end = await terms();
  assert.equal(end.counted + end.deadLettered, start.counted + start.deadLettered);
  assert.ok(end.deadLettered > 0 && end.deadLettered < start.deadLettered);
});

test("a raw row that vanishes and a figure that is changed are found, told once, and over when they are mended", BOUND, async () => {
  const pass = async (minutes) => {
    for (let n = 0; n < minutes; n += 1) await runtime.scheduled("api", "* * * * *", new Date(++minute * MINUTE_MS));
  };
  const rule = async () => (await admin("/admin/alerts")).rules.find(({ name }) => name === "ledger");
  const found = async (hour, difference) => {
    // A day goes by, and the hour is looked at again.
    await age(DAY_MS + MINUTE_MS);
    await until(async () => (await cron(), (await ledger()).hours.find((row) => row.hour === hour).difference === difference), { within: 60_000, what: `a difference of ${difference}` });
  };
  await pass(2);
  assert.equal((await rule()).status, "ok");
  const gone = events.find((item) => !inBroken(item));
  const [raw] = await runtime.rows("SELECT path, method, status FROM traffic_events WHERE id = ?", gone.id);
  await runtime.rows("DELETE FROM traffic_events WHERE id = ?", gone.id);
  await found(hourOf(gone.timestamp), -1);
  await pass(2);
  assert.equal((await rule()).status, "ok", "it was seen once: it may be under way");
  await age(15 * MINUTE_MS);
  await pass(3);
  assert.deepEqual(receiver.of("ledger"), ["firing warning"]);
  const { detail, runbook } = receiver.got.find(({ json }) => json.rule === "ledger").json;
  assert.ok(detail.includes(`${hourOf(gone.timestamp)}, 1 more are accounted for`), detail);
  assert.ok(runbook.endsWith("/docs/runbooks/ledger.md"));
  assert.equal((await ledger()).balanced, false);
  // Mended, then the other way round: an object's row says less than was stored.
  await runtime.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, ?, ?, ?)", gone.id, raw.path, raw.method, raw.status);
  await found(hourOf(gone.timestamp), 0);
  await pass(7);
  assert.deepEqual(receiver.of("ledger"), ["firing warning", "resolved warning"]);
  await runtime.rows("UPDATE path_stats_hourly SET requests = requests - 5 WHERE hour_bucket = ? AND path = ?", HOURS[1], events.find(({ timestamp }) => hourOf(timestamp) === HOURS[1]).path);
  await found(HOURS[1], 5);
  await age(15 * MINUTE_MS);
  await pass(3);
  assert.equal((await rule()).status, "firing");
  const check = (await admin("/admin/health")).checks.find(({ name }) => name === "ledger");
  assert.ok(check.status === "warning" && check.detail.includes(`${HOURS[1]}, 5 of `), check.detail);
});

test("an hour costs the ledger some rows, whatever its events are", async (t) => {
  const { n } = await runtime.row("SELECT count(*) AS n FROM ledger_hours WHERE hour_bucket >= ? AND hour_bucket <= ?", HOURS[0], HOURS.at(-1));
  assert.equal(n, HOURS.length);
  const letters = await runtime.row("SELECT count(*) AS n FROM ledger_letters");
  const duplicates = await runtime.row("SELECT count(*) AS n FROM ledger_duplicates");
  t.diagnostic(`${n} rows of hours, ${duplicates.n} of path-hours with duplicates, ${letters.n} of letters`);
  assert.ok(duplicates.n <= recount(events).size + 2);
});
