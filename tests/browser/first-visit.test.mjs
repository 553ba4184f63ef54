// Signing in, and a system that has nothing to show yet or does not answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { TOKENS, accessible, startBrowser } from "./support/browser.mjs";
import { collect, startStack } from "./support/stack.mjs";
import { event } from "../e2e/support/events.mjs";

/** The browser reports each refusal on its console. */
const REFUSED = /Failed to load resource/;
let stack;
let browser;

before(async () => {
  [stack, browser] = await Promise.all([startStack(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

async function at(query, act, options) {
  const { page, close } = await browser.open(stack.address(query), { expected: REFUSED, ...options });
  await act(page);
  await close();
}
const signIn = async (page, token) => {
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
};

test("a stranger is asked for a token; a wrong one is refused with a reason; a right one leads where the link led", () =>
  at(
    "?view=health",
    async (page) => {
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.id), "token");
      await accessible(page, "sign in");
      await signIn(page, "a wrong one");
      assert.match(await page.getByRole("alert").innerText(), /not accepted/);
      await signIn(page, ` Bearer ${TOKENS.admin}\n`.trimEnd());
      await page.getByTestId("checks").waitFor();
      assert.match(page.url(), /\?view=health$/);
      assert.ok(!page.url().includes(TOKENS.admin));
      assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
    },
    { token: null },
  ));

test("the token is forgotten on signing out, and kept over a reload", () =>
  at("", async (page) => {
    await page.reload();
    await page.locator("summary").click();
    await page.getByText("token:admin").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem("pathstats.token")), null);
  }));

test("a token that is replaced meanwhile brings the form, says so, and keeps the place", () =>
  at("?view=archive&day=2026-01-02", async (page) => {
    await page.getByTestId("calendar").waitFor();
    await page.route("**/paths*", (route) => route.fulfill({ status: 401, contentType: "application/problem+json", body: '{"title":"A token is needed","status":401}' }));
    await page.getByTestId("refresh").click();
    assert.match(await page.getByRole("alert").innerText(), /signed out/);
    await page.unroute("**/paths*");
    await signIn(page, TOKENS.admin);
    await page.getByTestId("calendar").waitFor();
    assert.match(page.url(), /view=archive&day=2026-01-02/);
  }));

test("too many tries say how long to wait", () =>
  at(
    "",
    async (page) => {
      await page.route("**/admin/session", (route) => route.fulfill({ status: 429, headers: { "retry-after": "42" }, contentType: "application/problem+json", body: '{"title":"Too many tries","status":429}' }));
      await signIn(page, "again");
      assert.match(await page.getByRole("alert").innerText(), /42 s/);
    },
    { token: null },
  ));

test("with nothing counted yet, the page says what to do first, and the command it gives works", () =>
  at("", async (page) => {
    const first = page.getByTestId("first-steps");
    await first.waitFor();
    await accessible(page, "first steps");
    const command = await first.locator("pre").first().innerText();
    const body = command.match(/-d '(.*)'$/s)[1];
    await collect(stack, [JSON.parse(body)]);
    await until(async () => (await stack.row("SELECT sum(requests) AS n FROM path_stats_hourly"))?.n === 1, { what: "the event is counted" });
    await page.getByTestId("refresh").click();
    await page.getByTestId("top-paths").getByRole("link", { name: "/hello" }).waitFor({ timeout: 40_000 });
    assert.equal(await first.count(), 0);
  }));

test("when no newer data comes, Refresh gives up after half a minute and says what that means", { timeout: 90_000 }, () =>
  at("", async (page) => {
    await page.getByTestId("version").waitFor();
    // As if no rebuild ever ended: the answer stays the same.
    const answer = await stack.read("/paths?limit=100");
    await page.route("**/paths?*", (route) => route.fulfill({ json: answer }));
    await page.clock.install();
    await page.getByTestId("refresh").click();
    await page.getByTestId("refresh").filter({ hasText: "Refreshing" }).waitFor();
    await until(
      async () => {
        await page.clock.runFor(1_000);
        return /No newer data within 30 s/.test(await page.getByTestId("announcement").innerText());
      },
      { within: 60_000, what: "it gives up" },
    );
  }));

test("without a network the page says so, keeps what it has, and goes on when it is back", () =>
  at("", async (page) => {
    await page.getByTestId("top-paths").waitFor();
    await page.context().setOffline(true);
    await page.getByRole("button", { name: "6 h" }).click();
    await page.getByRole("alert").filter({ hasText: "offline" }).first().waitFor();
    await page.context().setOffline(false);
    await until(async () => (await page.getByRole("alert").count()) === 0, { within: 40_000, what: "the alert is gone" });
  }));

test("a part that does not answer is told with what to do, and the id of the request", () =>
  at("", async (page) => {
    await page.route("**/paths/metrics*", (route) =>
      route.fulfill({ status: 503, headers: { "x-request-id": "request-7" }, contentType: "application/problem+json", body: '{"title":"D1 cannot be read","status":503,"detail":"try again later"}' }),
    );
    await page.getByRole("button", { name: "7 d" }).click();
    const alert = page.getByRole("alert").first();
    assert.match(await alert.innerText(), /does not answer.*request-7/s);
    await page.unroute("**/paths/metrics*");
    await alert.getByRole("button", { name: "Try again" }).click();
    await until(async () => (await page.getByRole("alert").count()) === 0, { what: "the alert is gone" });
  }));

test("the first picture waits for no answer", (t) =>
  at("", async (page) => {
    await page.getByTestId("top-paths").waitFor();
    // Everything but the page and its own files is held until the end.
    const held = [];
    await page.route("**/*", (route) => (["fetch", "xhr"].includes(route.request().resourceType()) ? held.push(route) : route.continue()));
    await page.reload({ waitUntil: "commit" });
    const paint = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    await until(() => held.length > 0, { what: "the page asks for figures" });
    t.diagnostic(`first contentful paint after ${(await paint.jsonValue()).toFixed(0)} ms`);
    await Promise.all(held.splice(0).map((route) => route.continue()));
    await page.unroute("**/*");
    await page.getByTestId("top-paths").waitFor();
  }));
