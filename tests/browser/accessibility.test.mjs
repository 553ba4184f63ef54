// Every view, light and dark, held against axe's rules; on a phone; in Chinese; by keyboard.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { accessible, fits, startBrowser } from "./support/browser.mjs";
import { OLD_DAY, fill, leaveDeadLetters, startStack } from "./support/stack.mjs";

let stack;
let browser;

before(async () => {
  [stack, browser] = await Promise.all([startStack(), startBrowser()]);
  await fill(stack);
  await leaveDeadLetters(stack);
  const response = await stack.fetch("archiver", "/admin/archive/trigger", { method: "POST", body: JSON.stringify({ date: OLD_DAY.date, wait: true }) });
  assert.equal(response.status, 200, await response.text());
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

const VIEWS = {
  overview: { query: "", shows: '[data-testid="top-paths"] tbody tr' },
  "one path": { query: "?view=path&path=/shop/shop/route-0&range=7d", shows: '[data-testid="methods"] tbody tr' },
  "choice of a path": { query: "?view=path", shows: ".picker li" },
  archive: { query: `?view=archive&day=${OLD_DAY.date}`, shows: ".hours" },
  health: { query: "?view=health", shows: '[data-testid="dead-letters"] tbody tr' },
};

async function at({ query, shows }, act, { language, ...options } = {}) {
  const address = new URL(stack.address(query));
  if (language) address.searchParams.set("lang", language);
  const { page, close } = await browser.open(address.href, options);
  await page.locator(shows).first().waitFor();
  await until(async () => (await page.locator(".skeleton").count()) === 0, { what: "all is loaded" });
  await act(page);
  await close();
}

for (const [name, view] of Object.entries(VIEWS)) {
  describe(name, { concurrency: 1 }, () => {
    for (const dark of [false, true]) test(`${dark ? "dark" : "light"}: no serious violation`, () => at(view, (page) => accessible(page, name), { dark }));

    test("a phone of 360 pixels shows it without scrolling sideways", () =>
      at(view, async (page) => {
        await fits(page, name);
        await accessible(page, name);
      }, { width: 360, height: 740 }));

    test("in Chinese, nothing is left in English", () =>
      at(view, async (page) => {
        assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
        const texts = await page.locator("h1, h2, h3, nav a, th, label, .button, .tile dt, .badge").allInnerTexts();
        const english = texts.filter((text) => /^(Overview|Archive|Health|Path|Requests|Errors|Refresh|Time|Status|Method|Top paths|Checks|Dead letters|Databases)$/.test(text.trim()));
        assert.deepEqual(english, []);
        assert.ok(texts.some((text) => /\p{Script=Han}/u.test(text)));
      }, { language: "zh" }));
  });
}

test("open tables, the menu and a dialog hold to the rules as well", () =>
  at(VIEWS.overview, async (page) => {
    for (let chart = 0; chart < 3; chart++) await page.getByRole("button", { name: /^Table: / }).first().click();
    await accessible(page, "charts as tables");
    await page.locator("summary").click();
    await accessible(page, "menu");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Custom" }).click();
    await accessible(page, "dialog");
  }));

test("the first Tab leads past the header; every control can be reached and is seen to have the focus", () =>
  at(VIEWS.overview, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const seen = new Set();
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press("Tab");
      const { name, outline } = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return { name: (document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent ?? "").trim().slice(0, 40), outline: outlineStyle !== "none" && outlineWidth !== "0px" };
      });
      assert.ok(outline, `${name} shows no focus`);
      seen.add(name);
    }
    for (const name of ["24 h", "Custom", "Table: Requests and errors"]) assert.ok(seen.has(name) || [...seen].some((text) => text.startsWith(name)), `${name} was not reached: ${[...seen].join(", ")}`);
  }));

test("dark holds against the system's light once it is chosen, also after a reload", () =>
  at(VIEWS.overview, async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.locator("summary").click();
    await page.getByRole("button", { name: "Dark" }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
  }));

test("the switch of language and of time is in the link", () =>
  at(VIEWS.overview, async (page) => {
    await page.locator("summary").click();
    await page.getByRole("button", { name: "UTC" }).click();
    assert.match(await page.getByTestId("range").innerText(), /UTC$/);
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("link", { name: "总览" }).waitFor();
    assert.match(page.url(), /tz=utc&lang=zh/);
  }));
