// Where a reader is: everything that a link must carry, as the query of the page's address.
import { RANGES, type Asked, type RangeName } from "./ranges.ts";
import { isCatchAll } from "./catch-all.ts";

export const VIEWS = ["overview", "path", "archive", "health"] as const;
export type View = (typeof VIEWS)[number];
export const SORTS = ["path", "requests", "errors", "errorRate", "avgResponseTime", "p50", "p95", "p99", "uniqueIps"] as const;
export type Sort = (typeof SORTS)[number];
export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER", "UNKNOWN"] as const;
export const STATUS_CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;
export type Language = "en" | "zh";

export interface Place extends Asked {
  view: View;
  path: string | null;
  compare: boolean;
  method: string | null;
  statusClass: string | null;
  sort: Sort;
  descending: boolean;
  search: string;
  /** A day of the archive, or of raw events: `2026-11-20`, UTC. */
  day: string | null;
  /** Raw events from this hour of the day on, 0 to 23, UTC. */
  hour: number | null;
  /** Of dead letters. */
  reason: string | null;
  zone: "local" | "utc";
  language: Language | null;
}

export const START: Place = {
  view: "overview",
  path: null,
  range: "24h",
  from: null,
  to: null,
  granularity: "auto",
  compare: true,
  method: null,
  statusClass: null,
  sort: "requests",
  descending: true,
  search: "",
  day: null,
  hour: null,
  reason: null,
  zone: "local",
  language: null,
};

const oneOf = <T extends string>(list: readonly T[], text: string | null): T | null => list.find((entry) => entry === text) ?? null;
const day = (text: string | null): string | null => (text && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null);
const hour = (text: string | null): number | null => (text && /^\d\d?$/.test(text) && Number(text) < 24 ? Number(text) : null);

function moment(text: string | null): number | null {
  const at = text && /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** Reads a query. What is unknown or wrong is as if it were not there: an old link still leads somewhere. */
export function readPlace(query: string): Place {
  const given = new URLSearchParams(query);
  const from = moment(given.get("from"));
  const to = moment(given.get("to"));
  const custom = given.get("range") === "custom" && from !== null && to !== null && to > from;
  const sort = oneOf(SORTS, given.get("sort")) ?? START.sort;
  const path = given.get("path");
  return {
    view: oneOf(VIEWS, given.get("view")) ?? START.view,
    path: path && (path.startsWith("/") || isCatchAll(path)) ? path.slice(0, 512) : null,
    range: custom ? "custom" : (oneOf<RangeName>(RANGES, given.get("range")) ?? START.range),
    from: custom ? from : null,
    to: custom ? to : null,
    granularity: oneOf(["hour", "day"] as const, given.get("step")) ?? "auto",
    compare: given.get("compare") !== "none",
    method: oneOf(METHODS, given.get("method")),
    statusClass: oneOf(STATUS_CLASSES, given.get("status")),
    sort,
    descending: given.get("order") ? given.get("order") === "desc" : sort !== "path",
    search: (given.get("q") ?? "").slice(0, 200),
    day: day(given.get("day")),
    hour: hour(given.get("hour")),
    reason: given.get("reason")?.slice(0, 100) || null,
    zone: given.get("tz") === "utc" ? "utc" : "local",
    language: oneOf(["en", "zh"] as const, given.get("lang")),
  };
}

/** Writes a query: what is as at the start is left out, so links stay short. */
export function writePlace(place: Place): string {
  const minute = (at: number | null) => (at === null ? null : `${new Date(at).toISOString().slice(0, 16)}Z`);
  const entries: [string, string | null | false][] = [
    ["view", place.view !== START.view && place.view],
    ["path", place.path],
    ["range", place.range !== START.range && place.range],
    ["from", place.range === "custom" && minute(place.from)],
    ["to", place.range === "custom" && minute(place.to)],
    ["step", place.granularity !== "auto" && place.granularity],
    ["compare", !place.compare && "none"],
    ["method", place.method],
    ["status", place.statusClass],
    ["sort", place.sort !== START.sort && place.sort],
    ["order", place.descending !== (place.sort !== "path") && (place.descending ? "desc" : "asc")],
    ["q", place.search || null],
    ["day", place.day],
    ["hour", place.hour === null ? null : String(place.hour)],
    ["reason", place.reason],
    ["tz", place.zone === "utc" && "utc"],
    ["lang", place.language],
  ];
  const query = new URLSearchParams();
  for (const [name, value] of entries) if (value) query.set(name, value);
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return text ? `?${text}` : "";
}
