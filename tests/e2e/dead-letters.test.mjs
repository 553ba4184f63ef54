// What could not be counted: how it is looked at, replayed and thrown away; and that a replay counts everything once, whatever happens to it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { event, hourOf, inParallel, parts, traffic } from "./support/events.mjs";
import { problemOf } from "./support/product.mjs";
import { seeded } from "./support/random.mjs";
import { compare, recount } from "./support/recount.mjs";
import { startOnState } from "./support/runtime.mjs";

const DLQ = "traffic-events-dlq";
const NOW = Date.now();
const HOUR = hourOf(NOW);
const KILLS = 8;

let runtime;
before(async () => {
  runtime = await startOnState();
});
after(() => runtime?.stop());

const ask = (path, { body, token = SECRETS.ADMIN_TOKEN } = {}) =>
  runtime.fetch("api", path, {
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
async function answer(path, body) {
  const response = await ask(path, { body });
  const text = await response.text();
  assert.equal(response.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
}
const list = (query = "") => answer(`/admin/dead-letters${query}`);
const show = (id) => answer(`/admin/dead-letters/show?id=${encodeURIComponent(id)}`);
const replay = (order) => answer("/admin/dead-letters/replay", order);
const discard = (order) => answer("/admin/dead-letters/discard", order);
const letterIds = async (like) => (await runtime.rows("SELECT id FROM dead_letters WHERE id LIKE ? ORDER BY id", like)).map(({ id }) => id);

/** Gives messages up, as the queue does after ten attempts. */
async function giveUp(prefix, bodies) {
  const ids = bodies.map((_, n) => `${prefix}-${String(n).padStart(4, "0")}`);
  for (const [at, some] of parts(bodies, 100).entries()) {
    const { again } = await runtime.deliver(some, { queue: DLQ, ids: ids.slice(at * 100, at * 100 + 100) });
    assert.deepEqual(again, []);
  }
  return ids;
}

/** One pass over all letters, of one reason or of all. */
async function pass(reason) {
  const outcomes = [];
  let cursor;
  do {
    const replayed = await replay({ all: true, ...(reason && { reason }), ...(cursor && { cursor }) });
    outcomes.push(...replayed.letters);
    cursor = replayed.nextCursor;
  } while (cursor);
  return outcomes;
}

/** Waits until everything under a prefix is flushed, and holds it against a recount. */
async function countedOnce(prefix, events) {
  const rows = () => runtime.rows("SELECT * FROM path_stats_hourly WHERE path LIKE ?", `${prefix}/%`);
  await until(async () => (await rows()).reduce((sum, { requests }) => sum + requests, 0) >= events.length, { what: `${events.length} events under ${prefix} flushed` });
  compare(await rows(), recount(events));
  assert.equal(await runtime.rawCount(prefix), events.length);
}

const packed = (events, size) => parts(events, size).map((some) => ({ version: 1, events: some }));

test("what is no event is listed by its reason, page by page, and shown whole", async () => {
  const good = event(1, { timestamp: NOW, path: "/list/good" });
  const { again } = await runtime.deliver(["nonsense", { version: 1, events: [{}, good, { ...good, status: 99 }] }, "[1]"], { ids: ["list-a", "list-b", "list-c"] });
  assert.deepEqual(again, []);
  const { total, byReason, letters, nextCursor } = await list("?limit=3");
  assert.equal(total, 4);
  assert.deepEqual(byReason.map(({ reason, count }) => [reason, count]), [["invalid_field", 1], ["missing_field", 1], ["not_an_object", 1], ["not_json", 1]]);
  assert.ok(byReason.every(({ oldest }) => Math.abs(Date.parse(oldest) - Date.now()) < 60_000));
  assert.deepEqual(letters.map(({ id }) => id), ["list-a", "list-b/0", "list-b/2"]);
  const rest = await list(`?limit=3&cursor=${encodeURIComponent(nextCursor)}`);
  assert.deepEqual([rest.letters.map(({ id }) => id), rest.nextCursor], [["list-c"], null]);
  const [letter] = (await list("?reason=invalid_field")).letters;
  assert.deepEqual({ ...letter, firstSeen: "", preview: "" }, {
    id: "list-b/2", reason: "invalid_field", detail: "field `status` is 99: expected an HTTP status, 100 to 599", attempts: 0, firstSeen: "", bytes: letter.preview.length, events: 1, preview: "",
  });
  assert.deepEqual(JSON.parse((await show("list-b/2")).body), { ...good, status: 99 });
  assert.equal((await show("list-a")).events, null);
  assert.equal((await problemOf(await ask("/admin/dead-letters/show?id=none"))).status, 404);
});

test("a message that is replayed counts once, and its letter is gone", async () => {
  const events = traffic({ count: 300, paths: 8, hours: 2, seed: 5, prefix: "/given-up", now: NOW });
  // Half of them were counted before the messages were given up.
  assert.deepEqual((await runtime.deliver(packed(events.slice(0, 150), 30))).again, []);
  const ids = await giveUp("given-up", packed(events, 30));
  assert.equal((await list("?reason=retries_exhausted")).letters[0].events, 30);
  const one = await replay({ ids: ids.slice(0, 1) });
  assert.deepEqual([one.selected, one.replayed, one.counted, one.duplicates, one.remaining], [1, 1, 0, 30, 0]);
  const all = await replay({ all: true, reason: "retries_exhausted" });
  assert.deepEqual([all.replayed, all.counted, all.duplicates, all.remaining, all.nextCursor], [9, 150, 120, 0, null]);
  assert.deepEqual(await letterIds("given-up%"), []);
  await countedOnce("/given-up", events);
});

test("of a message that still holds what is no event, only that stays a letter, and it says so", async () => {
  const events = [1, 2, 3].map((n) => event(100 + n, { timestamp: NOW, path: "/mixed/a" }));
  const [id] = await giveUp("mixed", [{ version: 1, events: [events[0], { no: "event" }, events[1], events[2], 7] }]);
  const { firstSeen } = await show(id);
  const { letters, stillDead, counted } = await replay({ ids: [id] });
  assert.deepEqual([stillDead, counted], [1, 3]);
  assert.match(letters[0].detail, /^2 of its events are letters of their own now, the first: field `id` is missing/);
  assert.deepEqual(await letterIds("mixed%"), [`${id}/1`, `${id}/4`]);
  for (let attempts = 12; attempts < 15; attempts++) {
    const letter = await show(`${id}/1`);
    assert.deepEqual([letter.attempts, letter.firstSeen, letter.reason, letter.body], [attempts, firstSeen, "missing_field", '{"no":"event"}']);
    assert.equal((await replay({ ids: [`${id}/1`, `${id}/4`] })).stillDead, 2);
  }
  assert.deepEqual(await letterIds("mixed%"), [`${id}/1`, `${id}/4`]);
  await countedOnce("/mixed", events);
});

test("an event of a sealed hour stays refused and says so", async () => {
  const old = event(9, { timestamp: NOW - 9 * 86_400_000, path: "/sealed/a" });
  await runtime.rows(
    "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, sealed_at, updated_at, sketches) VALUES ('/sealed/a', ?, 4, 0, 0, 0, 0, 4, 1, 1, 0, x'')",
    hourOf(old.timestamp),
  );
  await runtime.deliver([old]);
  const [id] = await letterIds("sealed/%");
  assert.equal(id, `sealed/${old.id}/${old.path}:${hourOf(old.timestamp)}`);
  const { letters, stillDead, counted } = await replay({ ids: [id] });
  assert.deepEqual([stillDead, counted], [1, 0]);
  assert.equal(letters[0].reason, "sealed");
  assert.match(letters[0].detail, /is sealed: whether this event was counted can no longer be told/);
  assert.equal((await show(id)).attempts, 1);
  assert.equal((await runtime.row("SELECT requests FROM path_stats_hourly WHERE path = '/sealed/a'")).requests, 4);
  assert.equal(await runtime.rawCount("/sealed"), 0);
});

test("a letter whose events cannot be counted now is as it was", async () => {
  // A row whose object is gone, and which nobody sealed: whether the event was counted cannot be told now.
  const year = event(3, { timestamp: NOW - 400 * 86_400_000, path: "/not-now/a" });
  await runtime.rows(
    "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, estimated_requests, revision, updated_at, sketches) VALUES ('/not-now/a', ?, 1, 0, 0, 0, 0, 1, 1, 0, x'')",
    hourOf(year.timestamp),
  );
  const [id] = await giveUp("not-now", [year]);
  const before = await show(id);
  const { failed, letters } = await replay({ ids: [id, "never-there"] });
  assert.deepEqual([failed, letters.map(({ reason }) => reason).sort()], [2, ["not_counted", "not_found"]]);
  assert.deepEqual(await show(id), before);
  await discard({ ids: [id] });
});

test("replays at once, and the queue's own deliveries of the same messages, count once", async () => {
  const events = traffic({ count: 800, paths: 10, hours: 2, seed: 8, prefix: "/at-once", first: 5_000, now: NOW });
  const messages = packed(events, 8);
  const ids = await giveUp("at-once", messages);
  const orders = [{ all: true, reason: "retries_exhausted" }, { ids: ids.slice(0, 60) }, { ids: ids.slice(30) }, { all: true, reason: "retries_exhausted" }];
  const [deliveries, ...replays] = await Promise.all([
    inParallel(parts(messages, 25), 2, async (batch) => assert.deepEqual((await runtime.deliver(batch)).again, [])),
    ...orders.map(replay),
  ]);
  assert.equal(deliveries, undefined);
  for (const { letters } of replays) for (const { outcome, reason } of letters) assert.ok(outcome === "replayed" || reason === "not_found", `${outcome} ${reason}`);
  assert.deepEqual(await letterIds("at-once%"), []);
  await countedOnce("/at-once", events);
});

test("a runtime killed after a letter was counted and before it is gone counts it no second time", async () => {
  const events = traffic({ count: 60, paths: 3, hours: 1, seed: 4, prefix: "/between", first: 15_000, now: NOW });
  const ids = await giveUp("between", packed(events, 20));
  await runtime.rows("CREATE TRIGGER refused BEFORE DELETE ON dead_letters BEGIN SELECT RAISE(ABORT, 'refused by the test'); END");
  const refused = await replay({ ids });
  assert.deepEqual([refused.failed, refused.counted, refused.letters.map(({ reason }) => reason)], [3, 60, Array(3).fill("not_settled")]);
  await runtime.kill();
  assert.deepEqual(await letterIds("between%"), ids);
  await runtime.rows("DROP TRIGGER refused");
  const again = await replay({ ids });
  assert.deepEqual([again.replayed, again.counted, again.duplicates], [3, 0, 60]);
  assert.deepEqual(await letterIds("between%"), []);
  await countedOnce("/between", events);
});

test("a runtime killed in the middle of replays loses and repeats nothing", { timeout: 180_000 }, async (t) => {
  const random = seeded(23);
  const events = traffic({ count: 9_000, paths: 12, hours: 2, seed: 9, prefix: "/killed", first: 20_000, now: NOW });
  const bad = { version: 1, events: [{ no: "event" }] };
  const messages = packed(events, 30).flatMap((message, n) => (n % 10 ? [message] : [{ ...message, events: [...message.events, ...bad.events] }]));
  await giveUp("killed", messages);
  const left = async () => (await letterIds("killed%")).length;
  // How long a call takes here and now, so that the kills fall within and after it alike.
  const started = Date.now();
  const [first] = parts(await letterIds("killed%"), 30);
  await replay({ ids: first });
  const took = Date.now() - started;
  const seen = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const [next] = parts((await letterIds("killed%")).filter((id) => !id.includes("/")), 30);
    const replaying = replay({ ids: next }).catch(() => {});
    // The moment is part of the test. A runtime that has just started takes longer.
    await new Promise((resolve) => setTimeout(resolve, random() * 5 * took));
    await Promise.all([runtime.kill(), replaying]);
    seen.push(await left());
  }
  t.diagnostic(`letters after each kill: ${seen.join(", ")}`);
  await pass("retries_exhausted");
  const ids = await letterIds("killed%");
  assert.equal(ids.length, messages.length / 10);
  assert.ok(ids.every((id) => id.endsWith("/30")), "what is no event is one letter each");
  await countedOnce("/killed", events);
  const told = (await list("?reason=missing_field")).byReason.find(({ reason }) => reason === "missing_field").count;
  assert.equal(told, (await runtime.row("SELECT count(*) AS n FROM dead_letters WHERE reason = 'missing_field'")).n);
});

test("letters are discarded by id and by reason, and what is discarded is not counted", async () => {
  const ids = await giveUp("discard", Array.from({ length: 5 }, (_, n) => event(n, { timestamp: NOW, path: "/discard/a" })));
  assert.deepEqual(await discard({ ids: ids.slice(0, 2) }), { discarded: 2, remaining: 0 });
  assert.deepEqual(await discard({ all: true, reason: "retries_exhausted" }), { discarded: 3, remaining: 0 });
  assert.deepEqual(await letterIds("discard%"), []);
  assert.equal(await runtime.rawCount("/discard"), 0);
  const { byReason } = await list();
  assert.ok(!byReason.some(({ reason }) => reason === "retries_exhausted"));
});

test("a pass over letters of which none can be taken ends, and tries each once", async () => {
  for (const part of parts(Array.from({ length: 230 }, (_, n) => n), 100)) await runtime.deliver(part.map(() => "nonsense"));
  const before = await runtime.rows("SELECT id, attempts FROM dead_letters WHERE reason = 'not_json' ORDER BY id");
  const first = await replay({ all: true, reason: "not_json" });
  assert.deepEqual([first.selected, first.remaining], [100, before.length - 100]);
  const outcomes = await pass("not_json");
  assert.equal(new Set(outcomes.map(({ id }) => id)).size, before.length);
  assert.equal(outcomes.length, before.length);
});

test("a hundred of the longest ids are an order", async () => {
  const ids = Array.from({ length: 100 }, (_, n) => `sealed/1730956800000-${String(n).padStart(8, "0")}/${`/${"🦀".repeat(511)}`}:2025-10-15T14`);
  const { selected, failed, letters } = await replay({ ids });
  assert.deepEqual([selected, failed, new Set(letters.map(({ reason }) => reason))], [100, 100, new Set(["not_found"])]);
});

test("what is no order is refused, and nothing happens", async () => {
  const { total } = await list();
  for (const [path, body, says] of [
    ["replay", "", "does not read"],
    ["replay", {}, "either `ids`"],
    ["replay", { ids: [] }, "1 to 100"],
    ["replay", { ids: Array.from({ length: 101 }, String) }, "1 to 100"],
    ["replay", { all: true, cursor: "x" }, "no cursor"],
    ["discard", { all: true }, "needs their `reason`"],
    ["discard", { all: true, raeson: "sealed" }, "unknown field"],
  ]) {
    const problem = await problemOf(await ask(`/admin/dead-letters/${path}`, { body }));
    assert.equal(problem.status, 400);
    assert.ok(problem.detail.includes(says), `${JSON.stringify(body)}: ${problem.detail}`);
  }
  assert.equal((await problemOf(await ask("/admin/dead-letters/replay", { body: "x".repeat(300_000) }))).status, 413);
  for (const query of ["limit=0", "limit=201", "cursor=x", "reason=", "rason=x"]) assert.equal((await problemOf(await ask(`/admin/dead-letters?${query}`))).status, 400, query);
  const refused = await ask("/admin/dead-letters/discard", { body: { all: true, reason: "not_json" }, token: SECRETS.READ_TOKEN });
  assert.equal((await problemOf(refused)).status, 403);
  assert.equal((await list()).total, total);
});
