// Takes the pictures of the dashboard for the docs, over the product with generated traffic.
import { mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCli } from "./build.mjs";
import { findBrowser } from "./browser.mjs";
import { Failure, help, main, must } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { ROOT } from "./paths.mjs";
import { startRuntime } from "./runtime.mjs";
import { secretOf } from "./session.mjs";
import { until } from "./until.mjs";

const HELP = `
Runs the product on a fresh state, replays a week of generated traffic into it, archives what is due, and
takes the pictures of the dashboard into docs/images.

  just screenshots
  just screenshots --to FOLDER     elsewhere
  just screenshots --events N      lines of traffic (20000)
`;

const OPEN = { width: 1280, height: 860 };
const VIEWS = [
  { name: "dashboard-overview", query: "?tz=utc", shows: '[data-testid="top-paths"] tbody tr' },
  { name: "dashboard-overview-dark", query: "?tz=utc", shows: '[data-testid="top-paths"] tbody tr', dark: true },
  { name: "dashboard-path", query: "?view=path&path=PATH&range=7d&tz=utc", shows: '[data-testid="methods"] tbody tr' },
  { name: "dashboard-archive", query: "?view=archive&day=DAY&tz=utc", shows: ".hours" },
  { name: "dashboard-health", query: "?view=health&tz=utc", shows: '[data-testid="checks"] li' },
  { name: "dashboard-phone", query: "?tz=utc", shows: '[data-testid="top-paths"] tbody tr', width: 360, height: 760, scale: 2 },
];
const DAYS = 8;

await main(async (args) => {
  help(args, HELP);
  const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const to = option("--to") ?? join(ROOT, "docs", "images");
  const events = Number(option("--events") ?? 20_000);
  const executablePath = findBrowser();
  if (!executablePath) throw new Failure("there is no browser. `just setup --browser` brings one.");
  const state = join(tmpdir(), `pathstats-screenshots-${process.pid}`);
  const runtime = await startRuntime({ state, ports: {}, crons: false, batchSeconds: 0, vars: { consumer: { FLUSH_SECONDS: "2", SNAPSHOT_SECONDS: "1", TOTALS_SECONDS: "1" } } });
  try {
    const place = await fill(runtime, state, events);
    await shoot(runtime, executablePath, to, place);
  } finally {
    await runtime.stop();
    rmSync(state, { recursive: true, force: true });
  }
  return 0;
});

/** Replays the traffic, archives the days that are due, and names a path and a day worth a picture. */
async function fill(runtime, state, events) {
  const token = await secretOf(runtime, "api", "ADMIN_TOKEN");
  const read = async (path, init = {}) => {
    const response = await runtime.fetch("api", path, { ...init, headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Failure(`${path} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
    return response.json();
  };
  const program = await buildCli();
  const log = join(state, "traffic.ndjson.gz");
  const env = { ...toolEnvironment(), INGEST_TOKEN: await secretOf(runtime, "producer", "INGEST_TOKEN"), IP_HASH_SECRET: await secretOf(runtime, "producer", "IP_HASH_SECRET") };
  const shape = ["--events", String(events), "--paths", "24", "--hours", String(DAYS * 24), "--clients", "4000", "--seed", "11"];
  await must(program, ["generate", ...shape, "--end", "2026-01-01T12:00:00Z", "--format", "nginx", "--out", log, "--quiet"], { quiet: true });
  console.log(`Replaying ${events.toLocaleString("en")} lines of ${DAYS} days.`);
  await must(program, ["replay", log, "--to", new URL("/collect", runtime.url("producer")).href, "--shift-to", "now", "--json"], { env, quiet: true });
  await runtime.queue("consumer", "traffic-events", ["this is no event", "{"].map((body, index) => ({ id: `letter-${index}`, timestamp: new Date(), attempts: 1, body })));
  const database = await runtime.d1();
  const counted = async () => (await database.prepare("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly").first()).n;
  await until(async () => (await counted()) >= events * 0.999, { within: 300_000, what: "the traffic is counted" });
  const { days } = await read("/admin/archive/status");
  const dates = days.filter((day) => day.due).map(({ date }) => date).sort();
  console.log(`Archiving ${dates.join(", ")}.`);
  for (const date of dates) await read("/admin/archive/trigger", { method: "POST", body: JSON.stringify({ date, wait: true }) });
  const due = async () => database.prepare("SELECT 1 FROM totals_due LIMIT 1").first();
  await until(async () => (await due()) === null, { within: 120_000, what: "every total is made" });
  const { paths } = await until(
    async () => {
      const answer = await read("/paths?refresh=true");
      return answer.paths.length >= 20 && answer;
    },
    { within: 60_000, what: "the snapshot shows the paths" },
  );
  return { path: paths[2].path, day: dates.at(-1), token };
}

async function shoot(runtime, executablePath, to, { path, day, token }) {
  const { chromium } = await import("playwright-core");
  mkdirSync(to, { recursive: true });
  const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  for (const { name, query, shows, dark = false, width = OPEN.width, height = OPEN.height, scale = 1 } of VIEWS) {
    const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale, colorScheme: dark ? "dark" : "light", locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce" });
    await context.addInitScript((given) => sessionStorage.setItem("pathstats.token", given), token);
    const page = await context.newPage();
    await page.goto(new URL(`/${query.replace("PATH", encodeURIComponent(path)).replace("DAY", day)}`, runtime.url("api")).href);
    await page.locator(shows).first().waitFor();
    await until(async () => (await page.locator(".skeleton").count()) === 0, { what: `${name} is loaded` });
    const file = join(to, `${name}.png`);
    await page.screenshot({ path: file });
    console.log(`  ${file}, ${Math.round(statSync(file).size / 1000)} kB`);
    await context.close();
  }
  await browser.close();
}
