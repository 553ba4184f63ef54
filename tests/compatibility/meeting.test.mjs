// Two releases meet: during a deployment and during a rollback some Workers are of the last release and some of this one,
// over one set of stores. Each step of `just deploy` is taken here in the real runtime, there and back.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { RELEASE, isThisTree, releaseTree } from "../../scripts/compatibility/release.mjs";
import { ORDER } from "../../scripts/deploy/settings.mjs";
import { until } from "../../scripts/until.mjs";
import { daysAgo } from "../e2e/support/archive.mjs";
import { SECRETS } from "../e2e/support/configs.mjs";
import { event, hourOf, parts, traffic } from "../e2e/support/events.mjs";
import { scratchFolder } from "../e2e/support/scratch.mjs";
import { startOnState } from "../e2e/support/runtime.mjs";

const WORKERS = ORDER.map(({ worker }) => worker);
/** Workers that are new after each step of a deployment, and then of its rollback. */
const FORTH = [[], ...WORKERS.map((_, n) => WORKERS.slice(0, n + 1))];
const STEPS = [...FORTH, ...FORTH.slice(0, -1).reverse()];
/** What the order of a deployment never brings about, and a rollback by hand may. */
const CROSSED = [["producer"], ["api"], ["consumer"]];
const NOW = Date.now();
const STEP_MS = { timeout: 180_000 };

let old;
const state = scratchFolder();
const told = [];

before(async () => {
  old = await releaseTree();
}, { timeout: 1_200_000 });

const startWith = (fresh) => startOnState({ state, trees: Object.fromEntries(WORKERS.filter((worker) => !fresh.includes(worker)).map((worker) => [worker, old])) });

const name = (fresh) => (fresh.length === 0 ? "all of the last release" : fresh.length === WORKERS.length ? "all of this tree" : `${fresh.join(", ")} of this tree, the others of the last release`);

function client(runtime) {
  const ask = async (path, { body, token = SECRETS.ADMIN_TOKEN, worker = "api" } = {}) => {
    const response = await runtime.fetch(worker, path, { headers: { authorization: `Bearer ${token}` }, ...(body && { method: "POST", body: JSON.stringify(body) }) });
    const text = await response.text();
    assert.ok(response.status < 300, `${path}: ${response.status} ${text.slice(0, 500)}`);
    return JSON.parse(text);
  };
  const stats = (path, timestamp) => {
    const hour = Math.floor(timestamp / 3_600_000) * 3_600_000;
    return ask(`/paths/stats?path=${encodeURIComponent(path)}&from=${new Date(hour).toISOString()}&to=${new Date(hour + 3_600_000).toISOString()}&granularity=hour`);
  };
  return { ask, stats };
}

/** What a step sent, so that every later step can ask for it: path, time, requests. */
const expectations = [];
const expectAll = async (runtime) => {
  const { stats } = client(runtime);
  for (const { path, timestamp, requests, what } of expectations) {
    const { total } = await until(async () => {
      const answer = await stats(path, timestamp);
      return answer.total.requests >= requests && answer;
    }, { what: `${requests} requests of ${path}, ${what}`, within: 60_000 });
    assert.equal(total.requests, requests, `${path}, ${what}`);
  }
};

/** The paths of a step are its own: no number, which the path policy would take for an id. */
const prefixOf = (n) => `/meeting/${"abcdefghijklmnop"[n]}`;
const packedBy = (n) => traffic({ count: 150, paths: 5, hours: 1, prefix: prefixOf(n), first: n * 10_000, seed: n + 1, now: NOW });

/** Everything that one Worker says to another, once. `n` makes the paths and ids its own. */
async function exercise(runtime, n, what) {
  const { ask } = client(runtime);
  const first = n * 10_000;
  const prefix = prefixOf(n);
  const expect = (path, timestamp, requests) => expectations.push({ path, timestamp, requests, what });
  const perPath = (events) => Map.groupBy(events, ({ path, timestamp }) => `${hourOf(timestamp)} ${path}`);

  // Producer to consumer: packed by /collect, a second time as duplicates, one by one, and proxied.
  const packed = packedBy(n);
  for (const time of [1, 2]) assert.equal((await ask("/collect", { body: packed, token: SECRETS.INGEST_TOKEN, worker: "producer" })).accepted, packed.length, `time ${time}`);
  for (const group of perPath(packed).values()) expect(group[0].path, group[0].timestamp, group.length);
  const single = event(first + 500, { timestamp: NOW, path: `${prefix}/single` });
  await ask("/collect", { body: single, token: SECRETS.INGEST_TOKEN, worker: "producer" });
  expect(single.path, NOW, 1);
  const proxiedAt = Date.now();
  await (await runtime.fetch("producer", `${prefix}/proxied?secret=1`)).arrayBuffer();
  expect(`${prefix}/proxied`, proxiedAt, 1);

  // The queue's dead letters to the consumer, then the api to the consumer.
  const lost = event(first + 600, { timestamp: NOW, path: `${prefix}/lost` });
  assert.deepEqual((await runtime.deliver([{ version: 1, events: [lost] }], { queue: "traffic-events-dlq", ids: [`lost-${n}`] })).again, []);
  assert.ok((await ask("/admin/dead-letters?reason=retries_exhausted")).letters.length > 0);
  const replayed = await ask("/admin/dead-letters/replay", { body: { all: true, reason: "retries_exhausted" } });
  assert.deepEqual([replayed.replayed, replayed.counted], [1, 1]);
  expect(lost.path, NOW, 1);

  // The api to the archiver: a day is archived, read, exported.
  const { start, date } = daysAgo(5 + n);
  const day = Array.from({ length: 40 }, (_, i) => event(first + 700 + i, { timestamp: start + i * 1_000, path: `${prefix}/archived` }));
  assert.deepEqual((await runtime.deliver([{ version: 1, events: day }])).again, []);
  expect(`${prefix}/archived`, start, day.length);
  await expectAll(runtime);
  await ask("/admin/archive/trigger", { body: { date, wait: true } });
  archived.push({ date, count: day.length, path: `${prefix}/archived` });

  // The snapshot, written by the consumer and read by the api; the health, from everywhere.
  await until(async () => (await ask("/paths?limit=100&refresh=true")).paths.some(({ path }) => path === single.path), { what: `${single.path} in the snapshot, ${what}`, within: 60_000 });
  const { checks } = await ask("/admin/health");
  assert.deepEqual(checks.filter(({ status, name }) => status === "unknown" && ["database", "archive", "snapshot", "deadLetters"].includes(name)), [], what);
}

const archived = [];
async function expectArchives(runtime, what) {
  const { ask } = client(runtime);
  for (const { date, count, path } of archived) {
    const day = await ask(`/admin/archive/status?date=${date}`);
    assert.deepEqual([day.status, day.records, day.cleaned], ["archived", count, true], `${date}, ${what}`);
    const { events } = await ask(`/admin/archive/query?date=${date}&limit=100`);
    assert.deepEqual([events.length, events[0].path], [count, path], `${date}, ${what}`);
  }
}

test("which releases meet", async (t) => {
  const same = await isThisTree();
  t.diagnostic(`release ${RELEASE.version}, ${RELEASE.commit.slice(0, 7)}${same ? ": the Workers of this tree are the release, so it meets itself" : ""}`);
  assert.ok(old);
});

for (const [n, fresh] of [...STEPS, ...CROSSED].entries()) {
  test(`step ${n}: ${name(fresh)}`, STEP_MS, async () => {
    const runtime = await startWith(fresh);
    try {
      // What other releases wrote is read first, and what they counted is known: delivered again it counts nothing.
      await expectAll(runtime);
      await expectArchives(runtime, name(fresh));
      for (const messages of told) assert.deepEqual((await runtime.deliver(messages)).again, []);
      await exercise(runtime, n, name(fresh));
      await expectAll(runtime);
      await expectArchives(runtime, name(fresh));
      told.push(parts(packedBy(n), 75).map((events) => ({ version: 1, events })));
      const { n: letters } = await runtime.row("SELECT count(*) AS n FROM dead_letters");
      assert.equal(letters, 0);
    } finally {
      await runtime.stop();
    }
  });
}
