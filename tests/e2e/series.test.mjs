// One path and the whole system over time, through the real configs: equal to a recount of what was sent.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { demoOrigin, promptConsumer, real } from "./support/configs.mjs";

const BOUND = { timeout: 120_000 };
const HOUR = 3_600_000;
const [A, B] = ["/series/a", "/series/b"];
let product;
let sent;

/** Events over three hours of two days: methods, statuses and clients that a recount can tell apart. */
function events() {
  const start = Math.floor(Date.now() / HOUR) * HOUR;
  return [50, 26, 2, 1].flatMap((ago, group) =>
    Array.from({ length: 40 + group }, (_, n) => {
      const timestamp = start - ago * HOUR + n * 1_000;
      return {
        version: 1,
        id: `${timestamp}-${(group * 1_000 + n).toString(16).padStart(8, "0")}`,
        timestamp,
        path: n % 4 === 3 ? B : A,
        method: n % 5 === 0 ? "POST" : "GET",
        status: n % 10 === 9 ? 503 : n % 10 === 8 ? 404 : 200,
        responseTime: 10 + n,
        clientIpHash: (n % 7).toString(16).padStart(16, "0"),
      };
    }),
  );
}

/** What is known of some events without any sketch. */
function recount(events) {
  const times = events.map((event) => event.responseTime).sort((a, b) => a - b);
  const rank = (share) => times[Math.max(1, Math.ceil(share * times.length)) - 1];
  return {
    requests: events.length,
    errors: events.filter(({ status }) => status >= 400).length,
    server: events.filter(({ status }) => status >= 500).length,
    average: times.reduce((sum, time) => sum + time, 0) / times.length,
    p50: rank(0.5),
    p95: rank(0.95),
    p99: rank(0.99),
    // A client counts once in all here: in the tests its hash does not change with the day.
    clients: new Set(events.map((event) => event.clientIpHash)).size,
  };
}

function equals(figures, truth, what) {
  assert.deepEqual([figures.requests, figures.errors], [truth.requests, truth.errors], what);
  assert.ok(Math.abs(figures.avgResponseTime - truth.average) < 0.001, what);
  for (const name of ["p50", "p95", "p99"]) {
    const { value, low, high } = figures[name];
    assert.ok(low <= truth[name] && truth[name] <= high && low <= value && value <= high, `${what}: ${name} ${JSON.stringify(figures[name])} for ${truth[name]}`);
  }
  assert.deepEqual([figures.uniqueIps.value, figures.uniqueIps.low], [truth.clients, truth.clients], what);
}

const get = async (path) => {
  const response = await product.read(path);
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return response.json();
};
const stats = (query) => get(`/paths/stats?path=${A}&${query}`);
const from = () => `from=${Math.floor(Date.now() / HOUR) * HOUR - 60 * HOUR}`;

before(async () => {
  product = await startProduct([real("producer"), promptConsumer({ TOTALS_SECONDS: "1" }), real("api"), real("archiver"), demoOrigin]);
  sent = events();
  assert.equal((await product.collect(sent)).status, 202);
  await until(async () => (await product.row("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly")).n === sent.length, { within: 60_000, what: "all is counted" });
  await until(
    async () => {
      await product.read("/paths?refresh=true");
      return (await product.row("SELECT coalesce(sum(requests), 0) AS n FROM hourly_totals")).n === sent.length;
    },
    { within: 60_000, what: "all is in the totals" },
  );
}, BOUND);
after(() => product?.stop());

test("a path's total over days is merged from its hours, and equals a recount", BOUND, async () => {
  const truth = recount(sent.filter(({ path }) => path === A));
  for (const granularity of ["hour", "day"]) {
    const answer = await stats(`${from()}&granularity=${granularity}`);
    equals(answer.total, truth, granularity);
    assert.equal(answer.series.reduce((sum, point) => sum + point.requests, 0), truth.requests);
    for (const [at, point] of answer.series.entries()) {
      if (at > 0) assert.equal(point.start, answer.series[at - 1].end, "no gap");
      const within = sent.filter(({ path, timestamp }) => path === A && timestamp >= Date.parse(point.start) && timestamp < Date.parse(point.end));
      if (within.length > 0) equals(point, recount(within), point.start);
      else assert.deepEqual([point.requests, point.p95, point.state === "empty" || point.state === "counting"], [0, null, true]);
    }
  }
});

test("a filter by method and class of status is exact, and says why there are no percentiles", BOUND, async () => {
  const answer = await stats(`${from()}&method=GET&statusClass=5xx`);
  const within = sent.filter(({ path, method, status }) => path === A && method === "GET" && status >= 500);
  assert.ok(within.length > 0);
  assert.deepEqual([answer.total.requests, answer.total.errors, answer.total.p95, answer.total.uniqueIps], [within.length, within.length, null, null]);
  assert.match(answer.accuracy.filtered, /exact/);
  assert.deepEqual(answer.filters, { method: "GET", statusClass: "5xx" });
  const byMethod = (await stats(from())).methods;
  const posts = sent.filter(({ path, method }) => path === A && method === "POST");
  assert.deepEqual(byMethod.find(({ method }) => method === "POST"), { method: "POST", requests: posts.length, errors: posts.filter(({ status }) => status >= 400).length });
});

test("the period before is of the same length and ends where this one begins", BOUND, async () => {
  const answer = await stats("compare=previous");
  assert.equal(answer.previous.to, answer.from);
  assert.equal(answer.previous.series.length, answer.series.length);
  const before = sent.filter(({ path, timestamp }) => path === A && timestamp >= Date.parse(answer.previous.from) && timestamp < Date.parse(answer.previous.to));
  assert.ok(before.length > 0);
  equals(answer.previous.total, recount(before), "before");
  assert.equal((await stats("compare=none")).previous, null);
});

test("days are those of the time zone", BOUND, async () => {
  const { series, timeZone } = await stats(`${from()}&granularity=day&timezone=Asia/Shanghai`);
  assert.equal(timeZone, "Asia/Shanghai");
  assert.ok(series.every(({ start }) => start.endsWith("T16:00:00.000Z")), JSON.stringify(series.map(({ start }) => start)));
});

test("a path never seen has an empty series, and a wrong parameter is told", BOUND, async () => {
  const empty = await get("/paths/stats?path=/never/seen");
  assert.deepEqual([empty.total.requests, empty.series.length, empty.lastUpdated], [0, 24, null]);
  for (const [query, names] of [["", "path"], ["path=x", "path"], ["path=/a&from=soon", "from"], ["path=/a&method=get", "method"], ["path=/a&timezone=Mars", "timezone"], ["path=/a&compare=all", "compare"], ["path=/a&path=/b", "path"], ["path=/a&granularity=week", "granularity"]]) {
    const problem = await problemOf(await product.read(`/paths/stats?${query}`));
    assert.equal(problem.status, 400);
    assert.match(problem.detail, new RegExp(`parameter \`${names}\``), query);
  }
});

test("the whole system's totals, budget and lists equal a recount", BOUND, async () => {
  const truth = recount(sent);
  for (const granularity of ["hour", "day"]) {
    const answer = await get(`/paths/metrics?${from()}&granularity=${granularity}`);
    equals(answer.total, truth, granularity);
    assert.equal(answer.series.reduce((sum, point) => sum + point.requests, 0), truth.requests);
    assert.deepEqual([answer.errorBudget.errors, answer.errorBudget.counts], [truth.server, "5xx"]);
    assert.ok(Math.abs(answer.errorBudget.allowedErrors - truth.requests * 0.001) < 0.001);
  }
  const strict = await get(`/paths/metrics?${from()}&objective=0.5`);
  assert.ok(Math.abs(strict.errorBudget.spent - truth.server / (truth.requests / 2)) < 1e-5);
  assert.equal(strict.busiest[0].path, A);
  assert.deepEqual(new Set(strict.slowest.map(({ path }) => path)), new Set([A, B]));
});

test("what changed against the day before is told with both days", BOUND, async () => {
  const { changed } = await get("/paths/metrics?compare=previous");
  const day = (path, first, last) => sent.filter((event) => event.path === path && event.timestamp >= first && event.timestamp < last).length;
  const end = Math.floor(Date.now() / HOUR) * HOUR;
  const of = changed.find(({ path }) => path === A);
  assert.deepEqual(of?.requests, { now: day(A, end - 24 * HOUR, end), before: day(A, end - 48 * HOUR, end - 24 * HOUR) });
});

test("any path is found by a part of it, page by page", BOUND, async () => {
  const whole = await get("/paths/search?q=SERIES");
  assert.deepEqual(whole.paths.map(({ path }) => path), [A, B]);
  const first = await get("/paths/search?q=series&limit=1");
  const second = await get(`/paths/search?q=series&limit=1&cursor=${first.nextCursor}`);
  assert.deepEqual([first.paths, second.paths, second.nextCursor], [[whole.paths[0]], [whole.paths[1]], null]);
  assert.deepEqual((await get("/paths/search?q=nowhere")).paths, []);
  assert.equal((await problemOf(await product.read("/paths/search?cursor=x"))).status, 400);
});

test("an answer is kept for a while, and has a tag that a client can ask by", BOUND, async () => {
  const path = `/paths/stats?path=${B}&${from()}`;
  const first = await product.read(path);
  const made = await first.json();
  assert.equal(made.dataSource, "d1");
  // It is kept behind the answer.
  const [again, kept] = await until(async () => {
    const response = await product.read(path);
    const answer = await response.json();
    return answer.dataSource === "cache" && [response, answer];
  }, { what: "the answer is kept" });
  assert.deepEqual({ ...kept, dataSource: "d1" }, made);
  assert.equal(first.headers.get("etag"), again.headers.get("etag"));
  const known = await product.read(path, { headers: { "if-none-match": first.headers.get("etag") } });
  assert.equal(known.status, 304);
});

const RETIRED = ["/admin/paths/compare", "/admin/paths/discovered", "/admin/paths/do/system-stats", "/admin/paths/do/ip/192.0.2.1", "/admin/paths/do/batch-cleanup", "/admin/paths/do/export", "/admin/health/do-overview", "/admin/health/do-detailed", "/admin/health/auto-maintenance", "/admin/health/comparison", "/paths?source=do"];

test("the retired calls are gone, and name what took their place", BOUND, async () => {
  for (const path of RETIRED) {
    const problem = await problemOf(await product.read(path));
    assert.deepEqual([problem.status, typeof problem.successor], [410, "string"], path);
    const successor = await product.read(problem.successor.includes("compare") ? `${problem.successor}&path=/a` : problem.successor);
    assert.ok([200, 400, 405].includes(successor.status), `${problem.successor}: ${successor.status}`);
  }
});
