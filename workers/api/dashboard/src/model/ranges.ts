// Which time is asked for, and in which steps.
import { DAY, HOUR, startOfDay } from "./zone.ts";

export const RANGES = ["1h", "6h", "24h", "7d", "30d", "90d"] as const;
export type RangeName = (typeof RANGES)[number];
export type Granularity = "hour" | "day";

/** The api's limits. */
export const MOST_HOUR_DAYS = 92;
export const MOST_DAYS = 800;
/** Above this, hours are too many to be told apart. */
const AUTO_HOUR_SPAN = 8 * DAY;

export interface Asked {
  range: RangeName | "custom";
  from: number | null;
  to: number | null;
  granularity: "auto" | Granularity;
}

export interface Range {
  from: number;
  to: number;
  granularity: Granularity;
}

const LENGTH: Record<RangeName, number> = { "1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY };

/**
 * The range at a moment. Ends lie on full hours or days, so that the same question is asked, and can be answered from
 * a cache, until the hour is over. The step under way is part of it. "1 h" takes the hour before as well: the one under
 * way may have begun just now.
 */
export function resolve(asked: Asked, now: number, zone: string): Range {
  if (asked.range === "custom" && asked.from !== null && asked.to !== null && asked.to > asked.from) {
    return { from: asked.from, to: asked.to, granularity: stepOf(asked.granularity, asked.to - asked.from) };
  }
  const name = asked.range === "custom" ? "24h" : asked.range;
  const granularity = stepOf(asked.granularity, LENGTH[name]);
  if (granularity === "day") {
    const days = Math.max(1, LENGTH[name] / DAY);
    return { from: startOfDay(now, zone, 1 - days), to: startOfDay(now, zone, 1), granularity };
  }
  const to = Math.floor(now / HOUR) * HOUR + HOUR;
  return { from: to - Math.max(LENGTH[name], 2 * HOUR), to, granularity };
}

function stepOf(chosen: Asked["granularity"], span: number): Granularity {
  if (span > MOST_HOUR_DAYS * DAY) return "day";
  if (chosen !== "auto") return chosen;
  return span > AUTO_HOUR_SPAN ? "day" : "hour";
}

export type Wrong = "incomplete" | "reversed" | "tooLong" | "future";

/** What is wrong with a range that was typed in, if anything. */
export function checkCustom(from: number | null, to: number | null, now: number): Wrong | null {
  if (from === null || to === null) return "incomplete";
  if (to <= from) return "reversed";
  if (from > now) return "future";
  return to - from > MOST_DAYS * DAY ? "tooLong" : null;
}

/** A range as parameters of the api. */
export function parameters({ from, to, granularity }: Range, zone: string): Record<string, string> {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), granularity, timezone: zone };
}
