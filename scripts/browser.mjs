// A browser for the browser tests and the screenshots: one that is there, or one brought into .tools.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Failure, must, run } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { NODE_MODULES, ROOT, TOOLS } from "./paths.mjs";

/** Where one is installed to that is brought by set-up. */
const BROUGHT = join(TOOLS, "browsers");
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const BROUGHT_NAMES = ["chrome-headless-shell", "headless_shell", "chrome-headless-shell.exe"];

function runs(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program of a browser, or undefined. `PATHSTATS_BROWSER` comes first, then PATH, then what set-up brought. */
export function findBrowser() {
  const named = process.env.PATHSTATS_BROWSER;
  if (named) {
    if (!runs(named)) throw new Failure(`PATHSTATS_BROWSER is ${named}, which is no program that can be run.`);
    return named;
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const inPath = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(runs);
  if (inPath) return inPath;
  const below = existsSync(BROUGHT) ? readdirSync(BROUGHT, { recursive: true }).map(String) : [];
  return below.map((name) => join(BROUGHT, name)).find((file) => BROUGHT_NAMES.some((name) => file.endsWith(`/${name}`)) && runs(file));
}

/** Brings one: Playwright's headless shell into .tools, or else, on Debian as root, the distribution's. */
export async function bringBrowser(say, log) {
  const env = { ...toolEnvironment(), PLAYWRIGHT_BROWSERS_PATH: BROUGHT };
  const playwright = await run("node", [join(NODE_MODULES, "playwright-core", "cli.js"), "install", "chromium-headless-shell"], { cwd: ROOT, env, quiet: true, log, timeoutSeconds: 300 });
  if (playwright.code === 0 && findBrowser()) return;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new Failure("no browser could be fetched. Install Chromium or Chrome, or name one in PATHSTATS_BROWSER.");
  }
  say("Playwright's could not be fetched: the distribution's it is.");
  await must("apt-get", ["install", "-y", "-q", "chromium"], { cwd: ROOT, quiet: true, log, label: "apt-get install chromium" });
}
