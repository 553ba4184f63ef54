// What is recorded of a release, and the events that it was made from: the same for whoever records and whoever compares.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/paths.mjs";
import { event, traffic } from "../../e2e/support/events.mjs";

/** A day that had ended when the first release was recorded. It is the same for all of them. */
export const DATE = "2026-11-10";
export const DAY = Date.parse(`${DATE}T00:00:00Z`);

/** Its events: six paths over three hours. */
export const dayEvents = () => traffic({ count: 400, paths: 6, hours: 3, clients: 120, seed: 5, prefix: "/day", now: DAY + 12 * 3_600_000 });

/** Events of the hour in which a release was recorded, for what shows the last 24 hours. */
export const recentEvents = (now) => Array.from({ length: 40 }, (_, n) => event(5_000 + n, { timestamp: now, path: n % 4 ? "/recent/a" : "/recent/b", responseTime: n + 1, clientIpHash: (n % 9).toString(16).padStart(16, "0") }));

const FROM_TO = `from=${DATE}T00:00:00Z&to=${DATE}T23:00:00Z`;
/** What the api was asked. Its answers hang on the stores alone, not on the time of asking. */
export const QUESTIONS = [
  ...[0, 1, 2].map((route) => `/paths/stats?path=${encodeURIComponent(`/day/${route % 3 ? "api" : "shop"}/route-${route}`)}&${FROM_TO}&granularity=hour`),
  `/paths/stats?path=${encodeURIComponent("/day/shop/route-0")}&from=${DATE}T00:00:00Z&to=2026-11-11T00:00:00Z&granularity=day`,
  `/paths/metrics?${FROM_TO}&granularity=hour`,
  `/admin/archive/status?date=${DATE}`,
  `/admin/archive/query?date=${DATE}&limit=100`,
  "/admin/dead-letters",
  "/admin/audit",
];

export const fixtureFolder = (version) => join(ROOT, "tests", "compatibility", version);
export const readFixture = (version, name) => JSON.parse(readFileSync(join(fixtureFolder(version), name), "utf8"));
/** Releases that were recorded. */
export const RECORDED = readdirSync(join(ROOT, "tests", "compatibility")).filter((name) => existsSync(join(fixtureFolder(name), "messages.json")));
/** Files of the bucket, by key. */
export const bucketOf = (version) => {
  const folder = join(fixtureFolder(version), "r2");
  const keys = readdirSync(folder, { recursive: true }).map(String).filter((key) => statSync(join(folder, key)).isFile());
  return Object.fromEntries(keys.map((key) => [key, readFileSync(join(folder, key))]));
};

export const hex = (bytes) => Buffer.from(bytes).toString("hex");
