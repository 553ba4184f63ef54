// GET /paths: from which tier it answers, what it takes, what it refuses; and GET /health.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { HOUR_MS, traffic } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { nearestRank, recount } from "./support/recount.mjs";
import { until } from "../../scripts/until.mjs";

const LATEST = "paths:snapshot:latest";
const CACHE_SECONDS = 1;

let product;
const paths = async (query = "", init) => (await product.read(`/paths${query}`, init)).json();
const pointer = () => product.kv().get(LATEST, "json");

before(async () => {
  product = await startProduct([changed("producer"), promptConsumer(), real("api", { CACHE_SECONDS: String(CACHE_SECONDS), CACHE_MEMORY_MS: "0" }), real("archiver"), demoOrigin]);
});
after(() => product?.stop());

/** A snapshot of one path, as the store holds it. */
const snapshot = (version, path) => ({
  version,
  updatedAt: Date.now(),
  from: "2025-10-14T15",
  to: "2025-10-15T14",
  paths: [{ path, requests: version, errors: 0, errorRate: 0, avgResponseTime: 1, p50: 1, p95: 1, p99: 1, uniqueIps: 1 }],
});
/** The first answer that comes from the cache, which is written behind the one before. */
const cached = () =>
  until(async () => {
    const answer = await paths();
    return answer.dataSource === "cache" && answer;
  }, { what: "a cached answer" });
const put = (key, value) => product.kv().put(key, JSON.stringify(value));

describe("where an answer comes from", { concurrency: 1 }, () => {
  // Each tier is seen only when those above it are empty, the cache first of all.
  beforeEach(() => product.reset());

  test("from D1 when there is nothing else, and then from the cache and from KV", async () => {
    const first = await paths();
    const second = await cached();
    assert.deepEqual([first.dataSource, first.stale, first.paths], ["d1", false, []]);
    assert.deepEqual([second.dataSource, second.stale, second.version], ["cache", false, first.version]);
    assert.equal((await pointer()).version, first.version);
  });

  test("from KV when the cache is empty", async () => {
    await put("paths:snapshot:7", snapshot(7, "/in-kv"));
    await put(LATEST, { version: 7, prev: null, updatedAt: Date.now() });
    const first = await paths();
    assert.deepEqual([first.dataSource, first.stale, first.version, first.paths[0].path], ["kv", false, 7, "/in-kv"]);
    assert.equal((await cached()).version, 7);
  });

  test("from the version before when KV does not show the latest yet", async () => {
    await put("paths:snapshot:6", snapshot(6, "/before"));
    await put(LATEST, { version: 7, prev: 6, updatedAt: Date.now() });
    const { dataSource, version, paths: [{ path }] } = await paths();
    assert.deepEqual([dataSource, version, path], ["kv", 6, "/before"]);
  });

  test("from D1 when KV shows neither version", async () => {
    await put(LATEST, { version: 7, prev: 6, updatedAt: Date.now() });
    assert.equal((await paths()).dataSource, "d1");
  });

  test("stale at once when the cached copy has expired, and fresh right after", async () => {
    await put("paths:snapshot:7", snapshot(7, "/old"));
    await put(LATEST, { version: 7, prev: null, updatedAt: Date.now() });
    const first = await paths();
    await put("paths:snapshot:8", snapshot(8, "/new"));
    await put(LATEST, { version: 8, prev: 7, updatedAt: Date.now() });
    const stale = await until(async () => {
      const answer = await paths();
      return answer.stale && answer;
    }, { what: "an expired copy" });
    assert.deepEqual([stale.dataSource, stale.version], ["cache", first.version]);
    const fresh = await until(async () => {
      const answer = await paths();
      return answer.version === 8 && answer;
    }, { within: 5_000, what: "the refreshed copy" });
    assert.equal(fresh.dataSource, "cache");
  });

  test("refresh=true answers at once with what there is, and has a new snapshot made behind it", async () => {
    await paths();
    const first = await cached();
    const asked = await paths("?refresh=true");
    assert.equal(asked.version, first.version);
    await until(async () => (await pointer()).version > first.version, { what: "a new snapshot" });
    await until(async () => (await paths()).version > first.version, { what: "the new snapshot answered" });
  });

  test("the cron makes a snapshot whatever happened", async () => {
    await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
    await until(pointer, { what: "a snapshot" });
  });
});

describe("what an answer says", { concurrency: 1 }, () => {
  let events;
  let expected;
  before(async () => {
    await product.reset();
    events = traffic({ count: 3_000, paths: 30, hours: 3, clients: 300, seed: 5 });
    // The same day for all: a client counts once a UTC day.
    await product.collect(events);
    await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n === events.length, { what: "all events flushed" });
    await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
    const listed = async () => (await paths()).paths.reduce((sum, { requests }) => sum + requests, 0);
    await until(async () => (await listed()) === events.length, { what: "all events listed" });
    // As if all had come in one hour: what a path's hours merge to.
    const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    expected = [...recount(events.map((event) => ({ ...event, timestamp: hour })))];
  });

  test("the figures of each path are those of a plain recount over its hours", async () => {
    const answer = await paths();
    assert.equal(answer.paths.length, expected.length);
    for (const [key, figures] of expected) {
      const path = key.slice(14);
      const row = answer.paths.find((row) => row.path === path);
      assert.deepEqual([row.requests, row.errors, row.uniqueIps], [figures.requests, figures.errors, figures.clients.size], path);
      assert.ok(Math.abs(row.errorRate - figures.errors / figures.requests) <= 5e-7, `error rate of ${path}`);
      assert.ok(Math.abs(row.avgResponseTime - figures.microseconds / 1000 / figures.times.length) <= 5e-4 + 1e-9, `mean of ${path}`);
      for (const [name, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) {
        const exact = nearestRank(figures.times, share);
        // Half a microsecond is lost in rounding.
        assert.ok(Math.abs(row[name] - exact) <= 0.005 * exact + 5e-4 + 1e-9, `${name} of ${path}: ${row[name]}, exactly ${exact}`);
      }
    }
  });

  test("it tells when it was made and which 24 hours it covers", async () => {
    const answer = await paths();
    assert.ok(Math.abs(Date.parse(answer.lastUpdated) - Date.now()) < 60_000);
    assert.ok(answer.stalenessSeconds >= 0 && answer.stalenessSeconds < 60);
    assert.equal(Date.parse(`${answer.to}:00Z`) - Date.parse(`${answer.from}:00Z`), 23 * HOUR_MS);
  });

  test("limit cuts the list to the busiest", async () => {
    const [three, everything] = [await paths("?limit=3"), await paths()];
    assert.deepEqual(three.paths.map(({ path }) => path), everything.paths.slice(0, 3).map(({ path }) => path));
  });

  for (const sort of ["requests", "errors", "errorRate", "avgResponseTime", "p50", "p95", "p99", "uniqueIps"]) {
    test(`sort=${sort} puts the largest first`, async () => {
      const values = (await paths(`?sort=${sort}`)).paths.map((path) => path[sort]);
      assert.deepEqual(values, [...values].sort((a, b) => b - a));
    });
  }

  test("sort=path lists by name", async () => {
    const names = (await paths("?sort=path")).paths.map(({ path }) => path);
    assert.deepEqual(names, [...names].sort());
  });
});

for (const [query, parameter] of [
  ["?limit=0", "limit"],
  ["?limit=101", "limit"],
  ["?limit=-1", "limit"],
  ["?limit=ten", "limit"],
  ["?limit=", "limit"],
  ["?sort=speed", "sort"],
  ["?refresh=yes", "refresh"],
  ["?page=2", "page"],
]) {
  test(`${query} is refused with 400 and names the parameter`, async () => {
    const response = await product.read(`/paths${query}`);
    assert.equal(response.status, 400);
    assert.ok((await problemOf(response)).detail.includes(`\`${parameter}\``));
  });
}

test("a query beyond measure is refused", async () => {
  assert.equal((await product.read(`/paths?limit=1&sort=${"x".repeat(1_000)}`)).status, 400);
});

for (const [what, options] of [["without a token", { token: null }], ["with a wrong token", { token: "not-the-read-token-at-all" }], ["with the token for sending", { token: "local-only-ingest-token" }]]) {
  test(`/paths ${what} is refused with 401`, async () => {
    const response = await product.read("/paths", options);
    assert.deepEqual([response.status, response.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.equal((await problemOf(response)).type, "about:blank#unauthorized");
  });
}

test("what does not exist is 404 with the token, and 401 without", async () => {
  assert.equal((await problemOf(await product.read("/nothing"))).status, 404);
  assert.equal((await problemOf(await product.read("/nothing", { token: null }))).status, 401);
});

test("HEAD answers as GET without the body", async () => {
  const response = await product.read("/paths", { method: "HEAD" });
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  assert.match(response.headers.get("content-type"), /^application\/json/);
});

test("anything but GET and HEAD is refused with 405", async () => {
  const response = await product.read("/paths", { method: "POST" });
  assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
});

test("answers are not to be kept by anyone between", async () => {
  assert.equal((await product.read("/paths")).headers.get("cache-control"), "private, no-cache");
});

test("/health answers without a token and tells ages", async () => {
  const response = await product.read("/health", { token: null });
  assert.equal(response.status, 200);
  const health = await response.json();
  assert.equal(health.status, "ok");
  assert.ok(health.heartbeatAgeSeconds >= 0 && health.heartbeatAgeSeconds < 120);
  assert.ok(health.snapshotAgeSeconds >= 0);
});
