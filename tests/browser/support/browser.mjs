// A browser on the page, as a reader has it: nothing is switched off, least of all the page's policy of content.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { findBrowser } from "../../../scripts/browser.mjs";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const TOKENS = { admin: "local-only-admin-token", read: "local-only-read-token" };
/** A zone that is not UTC and has other days than it for a while each day. */
const ZONE = "Asia/Shanghai";

/** Starts a browser. Resolves to `open` and `close`. */
export async function startBrowser() {
  const executablePath = findBrowser();
  assert.ok(executablePath, "there is no browser: `just setup --browser` brings one");
  // Chromium's own sandbox does not start for root.
  const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });

  /**
   * Opens the page at `address` in a context of its own, with a token already given, or none. Whatever the browser
   * complains of while the page is open fails `close`, but for what `expected` matches.
   */
  async function open(address, { token = TOKENS.admin, width = 1280, height = 900, dark = false, locale = "en-GB", expected = null, reducedMotion = "reduce", scale = 1 } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", locale, timezoneId: ZONE, reducedMotion, deviceScaleFactor: scale, acceptDownloads: true });
    await context.addInitScript((given) => {
      // A dialog of the system's would wait for a person: files come as downloads instead.
      delete window.showSaveFilePicker;
      if (given && !sessionStorage.getItem("opened")) sessionStorage.setItem("pathstats.token", given);
      sessionStorage.setItem("opened", "yes");
    }, token);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    await page.goto(address);
    return {
      page,
      close: async () => {
        await context.close();
        assert.deepEqual(complaints.filter((text) => !expected?.test(text)), [], "the browser complained");
      },
    };
  }
  return { open, close: () => browser.close() };
}

/** Holds the page against axe's rules: no violation that is serious or critical. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = bad.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 4).map(({ html, failureSummary }) => `${html.slice(0, 160)} (${failureSummary?.split("\n")[1]?.trim()})`).join("; ")}`);
  assert.deepEqual(told, [], what);
}

/** Nothing is wider than the window: tables scroll within their own boxes. */
export async function fits(page, what) {
  const { wide, window: width } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }));
  assert.ok(wide <= width, `${what}: ${wide} pixels in a window of ${width}`);
}
