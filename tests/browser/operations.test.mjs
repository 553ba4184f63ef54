// The archive and the system's health, over the running product: what is ordered happens, and is seen.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { TOKENS, accessible, startBrowser } from "./support/browser.mjs";
import { OLD_DAY, fill, leaveDeadLetters, startStack } from "./support/stack.mjs";

let stack;
let browser;

before(async () => {
  [stack, browser] = await Promise.all([startStack(), startBrowser()]);
  await fill(stack);
  await leaveDeadLetters(stack);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

async function at(query, act, options) {
  const { page, close } = await browser.open(stack.address(query), options);
  await act(page);
  await close();
}

describe("the archive", { concurrency: 1 }, () => {
  const place = `?view=archive&day=${OLD_DAY.date}`;

  test("says what to do while nothing is archived", () =>
    at("?view=archive", async (page) => {
      assert.match(await page.getByTestId("no-archive").innerText(), /Nothing is archived yet/);
    }));

  test("a reader sees the days, and why nothing can be ordered", () =>
    at(
      place,
      async (page) => {
        const order = page.getByTestId("day").getByRole("button", { name: "Archive now" });
        await order.waitFor();
        assert.equal(await order.isDisabled(), true);
        const reason = page.locator(`#${await order.getAttribute("aria-describedby")}`);
        assert.match(await reason.innerText(), /may only read/);
      },
      { token: TOKENS.read },
    ));

  test("a day is archived, verified and cleaned by a press, and seen on the calendar", () =>
    at(place, async (page) => {
      const day = page.getByTestId("calendar").locator(`[data-day="${OLD_DAY.date}"]`);
      assert.match(await day.getAttribute("aria-label"), /In D1$/);
      await page.getByTestId("day").getByRole("button", { name: "Archive now" }).click();
      await page.getByTestId("order-done").waitFor({ timeout: 60_000 });
      await until(async () => /Archived and cleaned$/.test(await day.getAttribute("aria-label")), { what: "the calendar shows the day as archived" });
      assert.match(await page.getByTestId("reconciliation").innerText(), /Equal in all \d+ hours/);
      assert.equal((await stack.row("SELECT count(*) AS n FROM traffic_events WHERE event_date = ?", OLD_DAY.date)).n, 0);
    }));

  test("its file comes to the disk, byte for byte", () =>
    at(place, async (page) => {
      const { objects: [file] } = (await stack.r2(), await stack.fetch("archiver", `/admin/archive/status?date=${OLD_DAY.date}`).then((response) => response.json()));
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Download ${OLD_DAY.date}.jsonl.gz` }).click()]);
      assert.equal(download.suggestedFilename(), `${OLD_DAY.date}.jsonl.gz`);
      const bytes = await readFile(await download.path());
      assert.equal(createHash("sha256").update(bytes).digest("hex"), file.sha256);
    }));

  test("it is verified again, and converted", () =>
    at(place, async (page) => {
      const day = page.getByTestId("day");
      await day.getByRole("button", { name: "Verify" }).click();
      await page.getByTestId("order-done").filter({ hasText: "read back" }).waitFor({ timeout: 60_000 });
      await day.getByRole("button", { name: "Convert" }).click();
      await page.getByTestId("order-done").filter({ hasText: "both formats" }).waitFor({ timeout: 60_000 });
      await day.getByText(`${OLD_DAY.date}.parquet`).waitFor();
    }));

  test("its events are read from the archive, page by page", () =>
    at(`?view=path&path=/archive/:id&day=${OLD_DAY.date}`, async (page) => {
      const events = page.getByTestId("events");
      const ids = () => events.locator("tbody tr code:last-child").last().innerText();
      await events.locator("tbody tr").first().waitFor();
      assert.equal(await events.locator("tbody tr").count(), 50);
      const first = await ids();
      await events.getByRole("button", { name: "Next" }).click();
      await until(async () => (await ids()) > first, { what: "a later page" });
      await events.getByRole("button", { name: "Back" }).click();
      await until(async () => (await ids()) === first, { what: "the first page again" });
    }));

  test("arrows go from day to day, and Enter opens one", () =>
    at(place, async (page) => {
      const calendar = page.getByTestId("calendar");
      await calendar.locator(`[data-day="${OLD_DAY.date}"]`).focus();
      await page.keyboard.press("ArrowRight");
      const next = await page.evaluate(() => document.activeElement.dataset.day);
      assert.ok(next > OLD_DAY.date, next);
      await page.keyboard.press("Enter");
      await until(() => page.url().includes(`day=${next}`), { what: "the day is in the address" });
    }));
});

describe("health", { concurrency: 1 }, () => {
  const letters = (page) => page.getByTestId("dead-letters");

  test("every check says how it is, in words", () =>
    at("?view=health", async (page) => {
      const { checks } = await stack.read("/admin/health");
      for (const { name, status } of checks) {
        const words = { ok: "OK", warning: "Warning", critical: "Critical", unknown: "Unknown" };
        assert.match(await page.getByTestId(`check-${name}`).innerText(), new RegExp(`^${words[status]}`), name);
      }
    }));

  test("an alert that fires is shown with since when, silenced with a reason, and heard again", () =>
    at("?view=health", async (page) => {
      const alerts = page.getByTestId("alerts");
      await alerts.getByText("No rule was judged yet.").waitFor();
      // The letters that were left are the cause.
      await stack.scheduled("api", "* * * * *");
      await page.reload();
      const row = page.getByTestId("alert-dead-letters");
      await row.waitFor();
      assert.match(await row.innerText(), /^Warning\s+New dead letters\s+since /);
      assert.match(await row.getByRole("link", { name: "Runbook" }).getAttribute("href"), /dead-letters\.md$/);
      await row.getByRole("button", { name: "Silence" }).click();
      const dialog = page.getByRole("dialog");
      const order = dialog.getByRole("button", { name: "Silence" });
      assert.equal(await order.isDisabled(), true, "a reason is asked for");
      await dialog.getByLabel("Reason").fill("they are looked at");
      await accessible(page, "the dialog of a silence");
      await order.click();
      const silence = page.getByTestId("silence-dead-letters");
      await silence.waitFor();
      assert.match(await silence.innerText(), /by token:admin: they are looked at/);
      assert.equal((await stack.row("SELECT count(*) AS n FROM alert_silences")).n, 1);
      await accessible(page, "alerts that fire and are silent");
      await silence.getByRole("button", { name: "End silence" }).click();
      await silence.waitFor({ state: "hidden" });
      assert.equal((await stack.row("SELECT count(*) AS n FROM alert_silences")).n, 0);
    }));

  test("a reader sees alerts, and cannot silence them", () =>
    at(
      "?view=health",
      async (page) => {
        const button = page.getByTestId("alert-dead-letters").getByRole("button", { name: "Silence" });
        await button.waitFor();
        assert.equal(await button.isDisabled(), true);
      },
      { token: TOKENS.read },
    ));

  test("alerts are told in Chinese too", () =>
    at("?view=health&lang=zh", async (page) => {
      await page.getByTestId("alerts").getByRole("heading", { name: "告警" }).waitFor();
    }));

  test("Refresh brings into the list what came since, also while nothing is refreshed by itself", () =>
    at("?view=health", async (page) => {
      await page.getByRole("button", { name: "Refresh every 30 seconds" }).click();
      await letters(page).locator("tbody tr").nth(2).waitFor();
      await stack.rows("INSERT INTO dead_letters VALUES ('browser-since', 'not_json', 'came since', 'x', 1, ?)", Date.now());
      try {
        await page.getByTestId("refresh").click();
        await letters(page).getByText("came since").first().waitFor({ timeout: 45_000 });
      } finally {
        await stack.rows("DELETE FROM dead_letters WHERE id = 'browser-since'");
      }
    }));

  test("a dead letter is opened, and its body shown as it came", () =>
    at("?view=health&reason=not_json", async (page) => {
      await letters(page).locator("tbody .link").last().click();
      const body = page.getByTestId("letter-body");
      await body.waitFor();
      assert.match(await body.innerText(), /this is no event|\{/);
      await page.keyboard.press("Escape");
      await body.waitFor({ state: "hidden" });
      assert.ok(await page.evaluate(() => document.activeElement.classList.contains("link")), "the focus is where it was");
    }));

  test("what gave up is replayed, and counted once", () =>
    at("?view=health&reason=retries_exhausted", async (page) => {
      await letters(page).locator("tbody input").first().check();
      await page.getByRole("button", { name: "Replay 1" }).click();
      assert.match(await page.getByTestId("letters-told").innerText(), /1 replayed: 1 events counted/);
      await until(async () => (await stack.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path = '/late/letter'"))?.n === 1, { what: "its event is counted" });
    }));

  test("what is no event is discarded, after a question", () =>
    at("?view=health", async (page) => {
      await letters(page).getByRole("button", { name: /^not_json/ }).click();
      await page.getByRole("button", { name: "Discard all of this reason" }).click();
      const dialog = page.getByRole("dialog");
      assert.match(await dialog.innerText(), /deleted for ever/);
      await dialog.getByRole("button", { name: "Cancel" }).click();
      assert.equal((await stack.row("SELECT count(*) AS n FROM dead_letters")).n, 2);
      await page.getByRole("button", { name: "Discard all of this reason" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
      await page.getByTestId("letters-told").waitFor();
      assert.equal((await stack.row("SELECT count(*) AS n FROM dead_letters")).n, 0);
    }));

  test("each order is in the audit log", () =>
    at("?view=health", async (page) => {
      const log = page.getByTestId("audit");
      for (const order of ["POST /admin/archive/trigger", "POST /admin/reconcile", "POST /admin/dead-letters/replay", "POST /admin/dead-letters/discard"]) await log.getByText(order).first().waitFor();
    }));

  test("the database's room is told", () =>
    at("?view=health", async (page) => {
      await page.getByTestId("capacity").getByText("of the database is used").waitFor();
    }));
});
