// The overview and a path, over the running product: what is shown is what was counted, and links lead back to it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { startBrowser } from "./support/browser.mjs";
import { fill, startStack } from "./support/stack.mjs";

const BUSIEST = "/shop/shop/route-0";
let stack;
let browser;

before(async () => {
  [stack, browser] = await Promise.all([startStack(), startBrowser()]);
  await fill(stack);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Opens a place, runs `act` in it, and closes it. */
async function at(query, act, options) {
  const { page, close } = await browser.open(stack.address(query), options);
  await act(page);
  await close();
}
const card = (page, name) => page.getByTestId(name);
const figure = async (page, label) => {
  const tile = page.getByTestId("tiles").locator(".tile", { hasText: label }).first();
  await tile.locator(".tile-value", { hasText: /\d/ }).waitFor();
  return tile.innerText();
};
const rowsOf = (page, name) => card(page, name).locator("tbody tr");

test("the overview shows what was counted in 24 hours", () =>
  at("", async (page) => {
    const { total } = await stack.read("/paths/metrics");
    assert.ok(total.requests > 1_000);
    const shown = await figure(page, "Requests");
    assert.ok(shown.includes(total.requests.toLocaleString("en")), `${shown} for ${total.requests}`);
    assert.match(await figure(page, "Error rate"), /\d+ errors/);
    assert.match(await figure(page, "p95"), /\d+(\.\d+)? ms/);
    assert.equal(await rowsOf(page, "top-paths").count(), 100);
    assert.equal(await page.locator(".chart canvas").count(), 3);
    assert.match(await card(page, "budget").innerText(), /99\.90%/);
  }));

test("the table sorts by each column, says so, and the link keeps it", () =>
  at("", async (page) => {
    const header = page.getByTestId("top-paths").getByRole("columnheader", { name: "p95" });
    await header.getByRole("button").click();
    assert.equal(await header.getAttribute("aria-sort"), "descending");
    const values = async () => (await rowsOf(page, "top-paths").locator("td:nth-of-type(7)").allInnerTexts()).map((text) => Number.parseFloat(text) * (text.endsWith(" s") ? 1000 : 1));
    const falling = await values();
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    await header.getByRole("button").click();
    assert.equal(await header.getAttribute("aria-sort"), "ascending");
    assert.match(page.url(), /sort=p95&order=asc/);
    const rising = await values();
    await page.reload();
    await rowsOf(page, "top-paths").first().waitFor();
    assert.deepEqual(await values(), rising);
    await page.goBack();
    assert.equal(await header.getAttribute("aria-sort"), "descending");
  }));

test("a search finds paths among the busiest and beyond them", () =>
  at("", async (page) => {
    await rowsOf(page, "top-paths").first().waitFor();
    const { paths } = await stack.read("/paths");
    const known = new Set(paths.map(({ path }) => path));
    const hidden = (await stack.rows("SELECT DISTINCT path FROM path_stats_hourly WHERE path LIKE '/shop/%'")).map(({ path }) => path).filter((path) => !known.has(path));
    const { paths: [wanted] } = await stack.read(`/paths/search?q=${encodeURIComponent(hidden[0].split("/").at(-1))}&limit=1`);
    await page.getByRole("searchbox", { name: "Search paths" }).fill(wanted.path);
    await card(page, "found").getByRole("link", { name: wanted.path, exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Search paths" }).fill("route-0");
    await until(async () => (await rowsOf(page, "top-paths").first().locator("th").innerText()) === BUSIEST, { what: "the busiest path is found" });
    assert.match(page.url(), /q=route-0/);
  }));

test("a path opens with its own figures; Back leads to the overview", () =>
  at("", async (page) => {
    await card(page, "top-paths").getByRole("link", { name: BUSIEST, exact: true }).click();
    await page.getByRole("heading", { level: 1, name: BUSIEST }).waitFor();
    const { total, methods } = await stack.read(`/paths/stats?path=${BUSIEST}`);
    assert.ok((await figure(page, "Requests")).startsWith(`Requests\n${total.requests.toLocaleString("en")}`));
    assert.equal(await rowsOf(page, "methods").count(), methods.length);
    assert.ok(methods.length >= 2);
    await page.locator('[data-testid="classes"], .legend').filter({ hasText: "2xx" }).first().waitFor();
    await page.goBack();
    await card(page, "top-paths").waitFor();
  }));

test("another range is asked for, and is in the link", () =>
  at(`?view=path&path=${BUSIEST}`, async (page) => {
    await figure(page, "Requests");
    const before = await page.getByTestId("range").innerText();
    await page.getByRole("button", { name: "7 d" }).click();
    const { total } = await stack.read(`/paths/stats?path=${BUSIEST}&from=${new Date(Date.now() - 7 * 86_400_000).toISOString()}`);
    await until(async () => (await figure(page, "Requests")).includes(total.requests.toLocaleString("en")), { what: `${total.requests} requests in 7 days` });
    assert.match(page.url(), /range=7d/);
    assert.notEqual(await page.getByTestId("range").innerText(), before);
  }));

test("beside the range stands how new the figures are, and from which tier", () =>
  at(`?view=path&path=${BUSIEST}&tz=utc`, async (page) => {
    const { lastUpdated } = await stack.read(`/paths/stats?path=${BUSIEST}`);
    const made = page.getByTestId("range-made");
    await made.waitFor();
    assert.match(await made.innerText(), /^newest row of .+ (cache|KV|D1)$/);
    const time = await made.locator("span").first().getAttribute("title");
    assert.equal(Date.parse(time), Math.floor(Date.parse(lastUpdated) / 1000) * 1000, time);
  }));

test("a range of one's own: what is wrong is told, what is right is shown", () =>
  at("?tz=utc", async (page) => {
    await page.getByRole("button", { name: "Custom" }).click();
    const dialog = page.getByRole("dialog");
    const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await dialog.getByLabel("From").fill(`${day}T12:00`);
    await dialog.getByLabel("To").fill(`${day}T11:00`);
    await dialog.getByRole("button", { name: "Show" }).click();
    assert.match(await dialog.getByRole("alert").innerText(), /after the start/);
    await dialog.getByLabel("To").fill(`${day}T15:00`);
    await dialog.getByRole("button", { name: "Show" }).click();
    await dialog.waitFor({ state: "hidden" });
    assert.match(page.url(), new RegExp(`range=custom&from=${day}T12:00Z&to=${day}T15:00Z`));
    const { total } = await stack.read(`/paths/metrics?from=${day}T12:00:00Z&to=${day}T15:00:00Z`);
    await until(async () => (await figure(page, "Requests")).includes(total.requests.toLocaleString("en")), { what: `${total.requests} requests in 3 hours` });
  }));

test("the period before is a line of its own, and changes are told; or neither", () =>
  at(`?view=path&path=${BUSIEST}`, async (page) => {
    const legend = page.locator(".legend li", { hasText: "Period before" });
    await legend.first().waitFor();
    await page.getByTestId("tiles").locator(".change").first().waitFor();
    await page.getByLabel("Compare with the period before").uncheck();
    await until(async () => (await legend.count()) === 0 && (await page.getByTestId("tiles").locator(".change").count()) === 0, { what: "nothing is compared" });
    assert.match(page.url(), /compare=none/);
  }));

test("a filter leaves counts, and says why there is nothing else", () =>
  at(`?view=path&path=${BUSIEST}`, async (page) => {
    await figure(page, "p95");
    await page.getByLabel("Status", { exact: true }).selectOption("5xx");
    await until(async () => (await page.getByTestId("tiles").innerText()).includes("not kept by filter"), { what: "the tiles say what is missing" });
    const { total } = await stack.read(`/paths/stats?path=${BUSIEST}&statusClass=5xx`);
    assert.ok((await figure(page, "Requests")).startsWith(`Requests\n${total.requests}`));
    await page.getByText("Percentiles are kept for all requests of a path together. Take the filters off").waitFor();
  }));

test("raw events are those of the last hours, or from an hour of a day on", () =>
  at(`?view=path&path=${BUSIEST}&tz=utc`, async (page) => {
    const events = card(page, "events");
    const now = new Date();
    await events.locator("tbody tr, .nothing, td").first().waitFor();
    assert.equal(await events.getByLabel("Day (UTC)").inputValue(), now.toISOString().slice(0, 10));
    const yesterday = new Date(now - 86_400_000).toISOString().slice(0, 10);
    await events.getByLabel("Day (UTC)").fill(yesterday);
    await events.getByLabel("From (UTC)").selectOption("20:00");
    assert.match(page.url(), new RegExp(`day=${yesterday}&hour=20`));
    const { events: expected } = await stack.read(`/admin/archive/query?date=${yesterday}&from=${yesterday}T20:00Z&path=${BUSIEST}&limit=50`);
    assert.ok(expected.length > 10);
    const ids = () => events.locator("tbody tr td:last-child").allInnerTexts();
    await until(async () => (await ids()).join() === expected.map(({ id }) => id).join(), { what: "the events from 20:00 on" });
    await page.goto(stack.address(`?view=path&path=${BUSIEST}&day=2020-01-01`));
    await events.getByText("No event of this path on").waitFor();
  }));

test("a chart's figures are there as a table, and as CSV", () =>
  at("", async (page) => {
    await page.getByRole("button", { name: "Table: Requests and errors" }).click();
    const table = page.getByRole("region", { name: "Requests and errors" }).last();
    await table.locator("tbody tr").first().waitFor();
    assert.equal(await table.locator("tbody tr").count(), 24);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV: Requests and errors" }).click()]);
    assert.match(download.suggestedFilename(), /^pathstats-requests-\d{8}T\d{4}Z\.csv$/);
    const text = await readFile(await download.path(), "utf8");
    const lines = text.trimEnd().split("\r\n");
    assert.equal(lines[0], "\uFEFFTime,Successes,Errors,Period before");
    assert.equal(lines.length, 25);
    const { series } = await stack.read("/paths/metrics");
    const sent = new Map(series.map(({ start, requests, errors }) => [start, `${requests - errors},${errors}`]));
    for (const line of lines.slice(1, -1)) {
      const [time, successes, errors] = line.split(",");
      assert.equal(`${successes},${errors}`, sent.get(time), time);
    }
  }));

test("Refresh shows stale data, and then newer, without a reload", () =>
  at("", async (page) => {
    await page.getByTestId("version").waitFor();
    // The cached copy is kept for a second in this runtime: after that it is answered once more, as stale.
    await until(
      async () => {
        await page.reload();
        return (await page.getByTestId("stale").innerText()) === "stale";
      },
      { what: "stale data is shown" },
    );
    const version = async () => Number((await page.getByTestId("version").innerText()).slice(1));
    const old = await version();
    await page.getByTestId("refresh").click();
    await until(async () => (await page.getByTestId("announcement").innerText()).startsWith("Newer data is shown"), { within: 40_000, what: "newer data is announced" });
    assert.ok((await version()) > old);
    assert.equal(await page.getByTestId("tier").innerText().then((tier) => ["cache", "KV", "D1"].includes(tier)), true);
  }));
