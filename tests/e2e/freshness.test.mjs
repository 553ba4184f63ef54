// The table of freshness of GET /paths under the api's real settings, with a cache and a KV that age, lose and garble what they hold.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SECRETS, changed, demoOrigin, promptConsumer, readJsonc, real } from "./support/configs.mjs";
import { configOf } from "../../scripts/paths.mjs";
import { logText } from "./support/contents.mjs";
import { event, traffic } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";
import { until } from "../../scripts/until.mjs";

const BOUND = { timeout: 60_000 };
const FRESH_SECONDS = Number(readJsonc(configOf("api")).env.dev.vars.CACHE_SECONDS);
const PATHS = 12;
const LATEST = "paths:snapshot:latest";
const door = { config: { name: "cache-door", main: fileURLToPath(new URL("support/cache-door.mjs", import.meta.url)), compatibility_date: "2026-06-01" } };
// The same, with the longest memory.
const remembering = changed("api", (config) => ({ name: "api-remembering", services: [], vars: { ...config.vars, CACHE_MEMORY_MS: "10000" } }));

let product;
before(async () => {
  product = await startProduct([real("api", { CACHE_MEMORY_MS: "0" }), promptConsumer(), real("producer"), real("archiver"), demoOrigin, door, remembering]);
  const events = traffic({ count: 600, paths: PATHS, hours: 2, seed: 7 });
  assert.equal((await product.collect(events)).status, 202);
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n === events.length, { what: "all events flushed" });
});
after(() => product?.stop());

const cache = (act) => product.script(door.config.name).fetch(act);
const pointer = () => product.kv().get(LATEST, "json");
async function isCopied() {
  if (await (await cache("/has")).json()) return true;
  await (await product.read("/paths")).text();
  return false;
}
async function read(query = "") {
  const response = await product.read(`/paths${query}`);
  assert.equal(response.status, 200);
  const answer = await response.json();
  // The copy is written behind the answer, or behind one that is asked for a second later.
  if (answer.dataSource !== "cache") await until(isCopied, { what: "a copy in the cache" });
  return answer;
}
const tier = ({ dataSource, stale }) => ({ dataSource, stale });

/** Has the snapshot rebuilt and resolves to the pointer at it. */
async function rebuilt() {
  const since = Date.now();
  await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
  return until(async () => {
    const found = await pointer();
    return found?.updatedAt >= since && found;
  }, { what: "a rebuilt snapshot" });
}

test("what D1 gave lies in the cache and in KV from then on", BOUND, async () => {
  for (const { name } of (await product.kv().list()).keys) await product.kv().delete(name);
  await cache("/empty");
  const first = await read();
  const second = await read();
  await cache("/empty");
  const third = await read();
  const fourth = await read();
  assert.deepEqual([first, second, third, fourth].map(({ dataSource }) => dataSource), ["d1", "cache", "kv", "cache"]);
  assert.equal(first.paths.length, PATHS);
  for (const later of [second, third, fourth]) assert.deepEqual([later.version, later.paths, later.stale], [first.version, first.paths, false]);
});

test("a fresh answer is given again without the cache, for as long as it is remembered", BOUND, async () => {
  const ask = async () => (await product.script("api-remembering").fetch("/paths?limit=7", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).json();
  // Tried again should a slow machine have forgotten it in between.
  await until(async () => {
    const fresh = await until(async () => {
      const answer = await ask();
      return answer.dataSource === "cache" && answer;
    }, { what: "an answer from the cache" });
    await cache("/empty");
    const again = await ask();
    return again.dataSource === "cache" && again.version === fresh.version;
  }, { what: "an answer from memory" });
});

test("a copy younger than CACHE_SECONDS is fresh", BOUND, async () => {
  await cache("/empty");
  await read();
  await cache(`/age?seconds=${FRESH_SECONDS - 10}`);
  assert.deepEqual(tier(await read()), { dataSource: "cache", stale: false });
});

test("a copy as old as CACHE_SECONDS is answered as stale, and the next one is what KV holds", BOUND, async () => {
  const { version } = await read();
  const latest = await rebuilt();
  await cache(`/age?seconds=${FRESH_SECONDS}`);
  const stale = await read();
  assert.deepEqual([tier(stale), stale.version], [{ dataSource: "cache", stale: true }, version]);
  const fresh = await until(async () => {
    const answer = await read();
    return !answer.stale && answer;
  }, { what: "a fresh copy" });
  assert.deepEqual([fresh.dataSource, fresh.version], ["cache", latest.version]);
});

test("a copy is not replaced by an older snapshot, which KV may still tell of for a minute", BOUND, async () => {
  await rebuilt();
  const latest = await rebuilt();
  await cache("/empty");
  assert.equal((await read()).version, latest.version);
  await product.kv().put(LATEST, JSON.stringify({ ...latest, version: latest.prev }));
  try {
    await cache(`/age?seconds=${FRESH_SECONDS}`);
    assert.deepEqual(tier(await read()), { dataSource: "cache", stale: true });
    const fresh = await until(async () => {
      const answer = await read();
      return !answer.stale && answer;
    }, { what: "a fresh copy" });
    assert.deepEqual([fresh.dataSource, fresh.version], ["cache", latest.version]);
  } finally {
    await product.kv().put(LATEST, JSON.stringify(latest));
  }
});

test("lastUpdated and stalenessSeconds are those of the snapshot, not of the copy", BOUND, async () => {
  const { version, updatedAt } = await rebuilt();
  await cache("/empty");
  for (const source of ["kv", "cache"]) {
    const answer = await read();
    assert.deepEqual([answer.dataSource, answer.version, answer.lastUpdated], [source, version, new Date(updatedAt).toISOString()]);
    assert.ok(Math.abs(answer.stalenessSeconds - (Date.now() - updatedAt) / 1000) <= 1, `${answer.stalenessSeconds} s`);
    assert.equal(answer.to, answer.lastUpdated.slice(0, 13));
  }
});

test("a cached copy that does not read is no copy", BOUND, async () => {
  await cache("/garble");
  assert.deepEqual(tier(await read()), { dataSource: "kv", stale: false });
});

test("however many find no copy, one of them writes it, and the same one again a second later", BOUND, async () => {
  await rebuilt();
  await cache("/empty");
  const since = Date.now();
  let [asked, copies] = [0, 0];
  for (; Date.now() - since < 3_000; asked += 1) {
    await (await product.read("/paths")).text();
    // Written behind the answer.
    await setTimeout(10);
    if (await (await cache("/empty")).json()) copies += 1;
  }
  assert.ok(asked > 20, `${asked} answers`);
  assert.ok(copies >= 2 && copies <= 5, `${copies} copies behind ${asked} answers in 3 s`);
});

test("when KV lost the latest snapshot, the one before answers, whole", BOUND, async () => {
  await rebuilt();
  const { version, prev } = await rebuilt();
  await product.kv().delete(`paths:snapshot:${version}`);
  await cache("/empty");
  const answer = await read();
  assert.deepEqual([tier(answer), answer.version, answer.paths.length], [{ dataSource: "kv", stale: false }, prev, PATHS]);
});

const GARBLED = [
  ["pointer in KV", () => product.kv().put(LATEST, "{{{")],
  ["pointer of another release in KV", () => product.kv().put(LATEST, '{"latest":"7"}')],
  ["snapshot in KV", async () => product.kv().put(`paths:snapshot:${(await pointer()).version}`, '{"version":"?"}')],
];
for (const [what, garble] of GARBLED) {
  test(`a garbled ${what} breaks no answer, and is repaired by it`, BOUND, async () => {
    await rebuilt();
    await garble();
    await cache("/empty");
    const answer = await read();
    assert.equal(answer.paths.length, PATHS);
    await cache("/empty");
    assert.equal((await read()).dataSource, "kv");
    assert.ok((await rebuilt()).version > answer.version, "rebuilds go on");
  });
}

test("a garbled pointer does not keep the cron from rebuilding the snapshot, though nobody reads", BOUND, async () => {
  await product.kv().put(LATEST, "{{{");
  try {
    await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
    const { version } = await until(pointer, { within: 5_000, what: "a rebuilt snapshot" });
    assert.ok(version > 0);
  } finally {
    await product.kv().delete(LATEST);
  }
});

test("refresh=true answers with what there is, at once, and has the snapshot rebuilt that nothing else would", BOUND, async () => {
  const { version } = await rebuilt();
  await product.collect(event(1, { path: "/after/refresh" }));
  await until(() => product.row("SELECT 1 FROM path_stats_hourly WHERE path = '/after/refresh'"), { what: "the event flushed" });
  assert.equal((await pointer()).version, version, "a flush alone does not replace so young a snapshot");
  await cache("/empty");
  await read();
  const atOnce = await read("?refresh=true");
  assert.deepEqual([tier(atOnce), atOnce.version], [{ dataSource: "cache", stale: false }, version]);
  await until(async () => (await pointer()).version > version, { what: "a newer version in KV" });
  await cache(`/age?seconds=${FRESH_SECONDS}`);
  const newer = await until(async () => {
    const answer = await read();
    return answer.version > version && answer;
  }, { what: "a newer version answered" });
  assert.ok(newer.paths.some(({ path }) => path === "/after/refresh"));
});

test("limit takes the first of the order asked for, ties by requests and name", BOUND, async () => {
  const { paths } = await read();
  for (const sort of ["errorRate", "avgResponseTime", "p95"]) {
    const expected = [...paths].sort((a, b) => b[sort] - a[sort] || b.requests - a.requests || (a.path < b.path ? -1 : 1)).map(({ path }) => path);
    assert.notDeepEqual(expected, paths.map(({ path }) => path), `${sort} is another order than the default`);
    for (const limit of [1, 5, 100]) {
      const found = (await read(`?sort=${sort}&limit=${limit}`)).paths.map(({ path }) => path);
      assert.deepEqual(found, expected.slice(0, limit), `${sort}, ${limit}`);
    }
  }
});

test("what went wrong with KV was logged", BOUND, () => {
  assert.match(logText(product), /in KV does not read/);
});
