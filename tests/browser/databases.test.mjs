// The card of the databases, over the running product: with one database, and with two between which layouts change.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { HOUR_MS, traffic } from "../e2e/support/events.mjs";
import { makeFormat } from "../../workers/api/dashboard/src/model/format.ts";
import { TOKENS, accessible, fits, startBrowser } from "./support/browser.mjs";
import { collect, startStack } from "./support/stack.mjs";

const DAY_MS = 24 * HOUR_MS;
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);
const { utcDay, bytes, percent } = makeFormat("en", "UTC");
let stack;
let browser;

/** Opens Health, and calls `act` with the page, its card of the databases and what the api told that card. */
async function look(act, { query = "", prepare = () => {}, ...options } = {}) {
  const { page, close } = await browser.open(stack.address(`?view=health${query}`), options);
  await prepare(page);
  const [response] = await Promise.all([page.waitForResponse(/\/admin\/sharding$/), page.reload()]);
  const card = page.getByTestId("databases");
  await until(async () => (await card.count()) === 1 && (await card.locator(".skeleton").count()) === 0, { what: "the card is loaded" });
  await act(page, card, response.ok() ? await response.json() : null);
  await close();
}

/** Rows of one of the card's tables, as lists of texts. */
const rowsOf = async (card, name) => {
  const rows = await card.getByRole("table", { name }).locator("tbody tr").all();
  return Promise.all(rows.map((row) => row.locator("th, td").allInnerTexts()));
};

const layouts = async (...of) => {
  await stack.rows("DELETE FROM shard_layouts");
  for (const [from, shards] of of) await stack.rows("INSERT INTO shard_layouts (from_date, shards, published_at, published_by) VALUES (?, ?, 0, 'the test')", from, shards);
};

async function reshard(shards) {
  const response = await stack.fetch("api", "/admin/sharding/reshard", { method: "POST", headers: { authorization: `Bearer ${TOKENS.admin}` }, body: JSON.stringify({ shards }) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

describe("one database", { concurrency: 1 }, () => {
  before(async () => {
    stack = await startStack({ vars: { api: { RUNBOOK_BASE_URL: "https://runbooks.test/here" } } });
  });
  after(() => stack?.stop());

  test("a sentence says so and leads to the runbook, where the set-up has its runbooks", () =>
    look(async (page, card) => {
      assert.match(await card.innerText(), /All paths are in one database\./);
      const address = await card.getByRole("link", { name: "Scaling runbook" }).getAttribute("href");
      assert.equal(address, "https://runbooks.test/here/docs/scaling-runbook.md");
      assert.ok(existsSync(join(ROOT, new URL(address).pathname.replace("/here/", ""))));
      assert.equal(await card.getByRole("table").count(), 0);
      assert.equal(await page.getByTestId("capacity-databases").count(), 0);
      assert.match(await page.getByTestId("capacity").innerText(), /of the database is used/);
      await accessible(page, "one database");
    }));
});

describe("two databases", { concurrency: 1 }, () => {
  before(async () => {
    stack = await startStack({ databases: 2 });
  });
  after(() => stack?.stop());

  test("before any layout, the second is not in use, and the command spreads over both", () =>
    look(async (page, card, { earliest }) => {
      assert.match(await page.getByTestId("databases-today").innerText(), /^1 of 2 databases in use today\. No change is to come\.$/);
      const each = await rowsOf(card, "Each database");
      assert.deepEqual(each.map(([binding, inUse]) => [binding, inUse]), [["D1", "in use"], ["D1_1", "not in use"]]);
      assert.deepEqual(await rowsOf(card, "Layouts by day"), [["the beginning", "1", "in force", "open"]]);
      assert.ok((await card.innerText()).includes(`A layout begins on ${utcDay(earliest)}, 00:00 UTC, at the earliest`));
      // By keyboard: from the link on to the button, and the command is in the clipboard as it stands there.
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await card.getByRole("link", { name: "Scaling runbook" }).focus();
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      const command = `pathstats reshard --shards 2 --dry-run --url ${new URL(stack.address()).origin}`;
      await until(async () => (await page.evaluate(() => navigator.clipboard.readText())) === command, { what: "the command is copied" });
      assert.ok((await card.innerText()).includes(command));
    }));

  test("a layout that was published is seen as the next, with its day", async () => {
    const { from } = await reshard(2);
    await look(async (page, card) => {
      assert.ok((await page.getByTestId("databases-today").innerText()).endsWith(`Next: 2, from ${utcDay(from)}, 00:00 UTC.`));
      const before = dateOf(Date.parse(from) - DAY_MS);
      assert.deepEqual(await rowsOf(card, "Layouts by day"), [
        [utcDay(from), "2", "to come", "open"],
        ["the beginning", "1", "in force", utcDay(before)],
      ]);
      assert.match(await card.innerText(), /--shards N --dry-run [^]*N is 1 to 2\./, "nothing is left to spread over");
      assert.equal(await card.getByRole("button", { name: "Copy" }).count(), 0);
    });
  });

  test("nothing on the card publishes a layout", () =>
    look(async (page, card) => {
      const orders = [];
      page.on("request", (request) => request.method() === "POST" && orders.push(request.url()));
      const buttons = await card.getByRole("button").all();
      for (const button of buttons) await button.click();
      // Both tables are saved, and one is sorted by two columns.
      assert.equal(buttons.length, 4);
      assert.deepEqual(orders, []);
      assert.equal((await stack.row("SELECT count(*) AS n FROM shard_layouts")).n, 1);
    }));

  test("what each holds is told: its size, its share, its days; and Capacity tells the fullest", async () => {
    // No Worker but the api has looked for layouts yet, and the api shows no copy.
    await layouts([dateOf(Date.now() - 3 * DAY_MS), 2]);
    const events = traffic({ count: 2_000, paths: 60, hours: 3, clients: 50, now: Date.now(), prefix: "/spread" });
    await collect(stack, events);
    await until(async () => (await stack.read("/admin/sharding")).databases.every(({ newestHour }) => newestHour !== null), { within: 120_000, what: "both have hourly rows" });
    await reshard(1);
    await look(async (page, card, told) => {
      assert.ok((await page.getByTestId("databases-today").innerText()).startsWith("2 of 2 databases in use today. Next: 1, from "));
      const capacity = page.getByTestId("capacity");
      await until(async () => (await page.getByTestId("capacity-databases").count()) === 1, { what: "the sizes of both" });
      const { limitBytes } = await stack.read("/admin/capacity");
      const shown = await rowsOf(card, "Each database");
      const span = (oldest, newest) => (oldest === newest ? utcDay(newest) : `${utcDay(oldest)} – ${utcDay(newest)}`);
      assert.deepEqual(
        shown.map((row) => row.slice(0, 5)),
        told.databases.map(({ binding, sizeBytes, oldestEvent, newestEvent }) => [binding, "in use", bytes(sizeBytes), percent(sizeBytes / limitBytes), span(oldestEvent, newestEvent)]),
      );
      assert.ok(told.databases.every(({ newestEvent }) => newestEvent !== null));
      assert.deepEqual((await rowsOf(card, "Layouts by day")).map(([, shards, state]) => [shards, state]), [["1", "to come"], ["2", "in force"], ["1", "past"]]);
      assert.match(await capacity.innerText(), /of the fullest database, D1(_1)?, is used/);
      assert.deepEqual(await page.getByTestId("capacity-databases").locator("dt").allInnerTexts(), ["D1", "D1_1"]);
      // Sorted by size, as any table.
      const header = card.getByRole("columnheader", { name: "Size" });
      await header.getByRole("button").click();
      assert.equal(await header.getAttribute("aria-sort"), "descending");
    });
  });

  for (const dark of [false, true]) test(`${dark ? "dark" : "light"}: no serious violation`, () => look((page) => accessible(page, "two databases"), { dark }));

  test("a phone of 360 pixels shows it without scrolling sideways", () =>
    look(async (page) => {
      await fits(page, "two databases");
      await accessible(page, "two databases on a phone");
    }, { width: 360, height: 740 }));

  test("in Chinese, nothing is left in English", () =>
    look(async (page, card) => {
      const texts = await card.locator("h2, h3, p, th[scope=col], .card-note").allInnerTexts();
      assert.deepEqual(texts.filter((text) => !/\p{Script=Han}/u.test(text)), []);
      assert.match(await page.getByTestId("capacity").innerText(), /最满的数据库为/);
    }, { query: "&lang=zh" }));

  test("a layout that needs a database which is not bound stands out", async () => {
    const from = dateOf(Date.now() + 9 * DAY_MS);
    await layouts([dateOf(Date.now() - 3 * DAY_MS), 2], [from, 3]);
    await look(async (page) => {
      const notice = page.getByTestId("databases-unreachable");
      assert.ok((await notice.innerText()).startsWith(`From ${utcDay(from)} on, paths are spread over 3 databases, and not every Worker is bound to more than 2.`));
      await accessible(page, "a database that is not bound");
    });
  });

  test("a database that only some Workers are bound to is told", () =>
    look(
      async (page) => {
        assert.match(await page.getByTestId("databases-uneven").innerText(), /^Not every Worker is bound to more than 1 of these databases/);
        await accessible(page, "Workers with other databases than the api");
      },
      {
        // The stack binds all alike, so the api's answer is changed on its way: as if the consumer had one database.
        prepare: (page) =>
          page.route(/\/admin\/sharding$/, async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...(await response.json()), bound: 1 } });
          }),
      },
    ));

  test("when the layouts cannot be read the card says so, and is there again when asked once more", async () => {
    await stack.rows("ALTER TABLE shard_layouts RENAME TO gone");
    await look(
      async (page, card) => {
        await card.getByRole("alert").waitFor();
        assert.equal(await card.getByRole("table").count(), 0);
        await stack.rows("ALTER TABLE gone RENAME TO shard_layouts");
        const again = card.getByRole("button", { name: "Try again" });
        // The page asks again by itself too: the button may go at any time.
        await until(
          async () => {
            await again.evaluateAll(([button]) => button?.click());
            return (await card.getByRole("table", { name: "Each database" }).count()) === 1;
          },
          { what: "the card is there again" },
        );
        assert.equal(await card.getByRole("alert").count(), 0);
      },
      { expected: /Failed to load resource/ },
    );
  });
});
