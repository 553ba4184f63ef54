// Requests are followed from the producer to what the browser paints: what was sent, what was stored, what the API
// answers and what the page shows are one and the same.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { HOUR_MS, event } from "../e2e/support/events.mjs";
import { nearestRank } from "../e2e/support/recount.mjs";
import { startBrowser } from "./support/browser.mjs";
import { collect, startStack } from "./support/stack.mjs";

/** Requests to the origin behind the producer: path, method, how many, and the status that it answers. */
const PROXIED = [
  ["/api/products", "GET", 40, 200],
  ["/api/cart", "POST", 11, 201],
  ["/no/such/page", "GET", 23, 404],
];
const COLLECTED = 260;
const CLIENTS = 37;
const ORDERS = "/orders/:id/größe";
/** The share of the pixels of a bar of some 150 by which its height is rounded, and then some. */
const PIXELS = 0.02;

/** In the hour before this one; one in seven fails. */
const begin = (Math.floor(Date.now() / HOUR_MS) - 1) * HOUR_MS;
const sent = Array.from({ length: COLLECTED }, (_, number) =>
  event(number, {
    timestamp: begin + number * 10_000,
    path: ORDERS,
    method: number % 3 ? "GET" : "PUT",
    status: number % 7 ? 200 : 503,
    responseTime: 5 + ((number * 37) % 500) + 0.125,
    clientIpHash: ((number % CLIENTS) + 1).toString(16).padStart(16, "0"),
    userAgent: "a client",
    country: "NZ",
  }),
);

let stack;
let browser;
/** Every raw event, as the API tells it. */
let raw;
/** What must be seen of a path, counted from those. */
let counted;

before(async () => {
  [stack, browser] = await Promise.all([startStack(), startBrowser()]);
  for (const [path, method, count, status] of PROXIED) {
    for (let number = 0; number < count; number++) {
      const response = await stack.fetch("producer", path, { method, headers: { "cf-connecting-ip": `203.0.113.${number % 5}` } });
      assert.equal(response.status, status);
      await response.arrayBuffer();
    }
  }
  await collect(stack, sent);
  const all = PROXIED.reduce((sum, [, , count]) => sum + count, COLLECTED);
  await until(async () => (await stack.row("SELECT sum(requests) AS n FROM path_stats_hourly"))?.n === all, { within: 120_000, what: "every request is counted" });
  await until(async () => (await stack.read("/paths?refresh=true")).paths.reduce((sum, { requests }) => sum + requests, 0) === all, { within: 60_000, what: "the snapshot has every request" });
  await until(async () => (await stack.read("/paths/metrics")).total.requests === all, { within: 60_000, what: "the totals have every request" });
  raw = (await Promise.all([begin, Date.now()].map((time) => new Date(time).toISOString().slice(0, 10)).filter((day, index, days) => days.indexOf(day) === index).map(eventsOf))).flat();
  counted = new Map([...new Set(raw.map(({ path }) => path))].map((path) => [path, recount(raw.filter((one) => one.path === path))]));
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** All raw events of a day, some at a time. */
async function eventsOf(day) {
  const events = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await stack.read(`/admin/archive/query?date=${day}&limit=100${cursor && `&cursor=${cursor}`}`);
    events.push(...page.events);
    cursor = page.nextCursor;
  }
  return events;
}

function recount(events) {
  const times = events.map(({ responseTime }) => Math.round(responseTime * 1000)).sort((a, b) => a - b);
  return {
    requests: events.length,
    errors: events.filter(({ status }) => status >= 400).length,
    average: times.reduce((sum, time) => sum + time, 0) / times.length / 1000,
    clients: new Set(events.map(({ clientIpHash }) => clientIpHash)).size,
    rank: (share) => nearestRank(times, share),
  };
}

/** Opens a place, runs `act` in it, and closes it. */
async function at(query, act) {
  const { page, close } = await browser.open(stack.address(query));
  await act(page);
  await close();
}
const number = (value) => value.toLocaleString("en-GB");
/** Milliseconds of a text such as `12.4 ms` or `1.20 s`, and what the last digit is worth. */
function milliseconds(text) {
  const [, digits, unit] = /^([\d.]+) (ms|s)$/.exec(text.trim()) ?? assert.fail(`${text} is no time`);
  const scale = unit === "s" ? 1000 : 1;
  return { value: Number(digits) * scale, unit: scale * 10 ** -(digits.split(".")[1]?.length ?? 0) };
}

describe("from request to pixel", { concurrency: 1 }, () => {
  test("the raw events are the requests that were sent", () => {
    const collected = raw.filter(({ path }) => path === ORDERS);
    assert.deepEqual(collected, sent.map(({ version, ...fields }) => ({ version, ...fields })));
    for (const [path, method, count, status] of PROXIED) {
      const events = raw.filter((one) => one.path === path);
      assert.equal(events.length, count, path);
      assert.equal(counted.get(path).clients, 5, path);
      assert.ok(events.every((one) => one.method === method && one.status === status && one.responseTime >= 0), path);
    }
    assert.equal(new Set(raw.map(({ id }) => id)).size, raw.length, "each once");
  });

  test("the API's figures are a recount of them", async () => {
    const { paths } = await stack.read("/paths");
    assert.deepEqual(paths.map(({ path }) => path).sort(), [...counted.keys()].sort());
    for (const row of paths) {
      const exact = counted.get(row.path);
      assert.deepEqual([row.requests, row.errors, row.uniqueIps], [exact.requests, exact.errors, exact.clients], row.path);
      assert.ok(Math.abs(row.errorRate - exact.errors / exact.requests) < 1e-6, `${row.path}: ${row.errorRate} of ${exact.errors} of ${exact.requests}`);
      assert.ok(Math.abs(row.avgResponseTime - exact.average) < 0.001, `${row.path}: ${row.avgResponseTime}, exactly ${exact.average}`);
      for (const [name, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) {
        const [low, high] = row.bounds[name];
        const value = exact.rank(share);
        assert.ok(low <= value && value <= high, `${row.path}: ${name} is ${value}, said to be from ${low} to ${high}`);
        assert.ok(Math.abs(row[name] - value) <= 0.005 * value + 1e-9, `${row.path}: ${name} is ${value}, said to be ${row[name]}`);
      }
      const { total } = await stack.read(`/paths/stats?path=${encodeURIComponent(row.path)}`);
      assert.deepEqual([total.requests, total.errors, total.uniqueIps.value], [exact.requests, exact.errors, exact.clients], row.path);
    }
  });

  test("the overview's table shows the API's figures", () =>
    at("", async (page) => {
      const rows = page.getByTestId("top-paths").locator("tbody tr");
      await rows.first().waitFor();
      const shown = await rows.evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.innerText.trim())));
      const { paths } = await stack.read("/paths");
      assert.equal(shown.length, paths.length);
      for (const [path, , requests, errors, , average, p50, p95, p99, clients] of shown) {
        const row = paths.find((one) => one.path === path) ?? assert.fail(`${path} is no path`);
        assert.deepEqual([requests, errors, clients], [row.requests, row.errors, row.uniqueIps].map(number), path);
        for (const [text, value] of [[average, row.avgResponseTime], [p50, row.p50], [p95, row.p95], [p99, row.p99]]) {
          const { value: told, unit } = milliseconds(text);
          assert.ok(Math.abs(told - value) <= unit / 2 + 1e-9, `${path}: ${text} for ${value}`);
        }
      }
    }));

  test("the overview's bars have as many pixels as there were successes and errors", () =>
    at("", async (page) => {
      const canvas = page.locator(".chart canvas").first();
      await canvas.waitFor();
      const errors = raw.filter(({ status }) => status >= 400).length;
      const share = errors / raw.length;
      // Bars are painted a frame after their canvas is there.
      const painted = await until(
        async () => {
          const pixels = await canvas.evaluate((element) => {
            const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
            const colourOf = (name) => {
              const probe = document.body.appendChild(document.createElement("span"));
              probe.style.color = `var(--chart-${name})`;
              const colour = getComputedStyle(probe).color.match(/\d+/g).map(Number);
              probe.remove();
              return colour;
            };
            const count = ([r, g, b]) => {
              let found = 0;
              for (let at = 0; at < data.length; at += 4) if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) found++;
              return found;
            };
            return { successes: count(colourOf("blue")), errors: count(colourOf("red")) };
          });
          return pixels.successes > 0 && pixels;
        },
        { what: "bars are painted" },
      );
      const paintedShare = painted.errors / (painted.errors + painted.successes);
      assert.ok(Math.abs(paintedShare - share) <= PIXELS, `${painted.errors} red and ${painted.successes} blue pixels for ${errors} errors of ${raw.length} requests`);
    }));

  test("a path's page shows its figures, and each of its requests", () =>
    at(`?view=path&path=${encodeURIComponent(ORDERS)}&day=${new Date(begin).toISOString().slice(0, 10)}&hour=${new Date(begin).getUTCHours()}&tz=utc`, async (page) => {
      const exact = counted.get(ORDERS);
      const tile = page.getByTestId("tiles").locator(".tile", { hasText: "Requests" }).first().locator(".tile-value");
      await tile.filter({ hasText: /\d/ }).waitFor();
      assert.equal((await tile.innerText()).trim(), number(exact.requests));
      const events = page.getByTestId("events");
      const seen = [];
      for (;;) {
        await events.locator("tbody tr").first().waitFor();
        const rows = await events.locator("tbody tr").evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.innerText.trim())));
        const first = rows[0].at(-1);
        seen.push(...rows);
        const next = events.getByRole("button", { name: "Next" });
        if (await next.isDisabled()) break;
        await next.click();
        await until(async () => (await events.locator("tbody tr").first().locator("td").last().innerText()).trim() !== first, { what: "the next page" });
      }
      const expected = sent.map(({ id, method, status, clientIpHash }) => [method, String(status), clientIpHash.slice(0, 8), id]);
      assert.deepEqual(seen.map((cells) => [cells[1], cells[2], cells[5], cells[7]]), expected);
      assert.ok(seen[0][0].endsWith(new Date(begin).toISOString().slice(11, 19)), seen[0][0]);
    }));
});
