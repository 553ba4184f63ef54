// What the figures mean: changes, and what may be compared with what.
import type { Bucket, Figures, Series } from "../api/types.ts";

export interface Change {
  now: number;
  before: number;
  /** Change as a share of what was before; null when there was nothing. */
  ratio: number | null;
}

export function changeOf(now: number | null | undefined, before: number | null | undefined): Change | null {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  return { now, before, ratio: before === 0 ? (now === 0 ? 0 : null) : (now - before) / before };
}

/** Whether a step is over, and all of it counted. */
export const isWhole = (bucket: Bucket, now: number): boolean => bucket.state !== "counting" && Date.parse(bucket.end) <= now;

/**
 * Requests and errors of the steps that are over, against those at the same places of the period before. The step under
 * way would make each period look as if traffic fell at its end; one whose hours are gone, as if there had been none.
 */
export function likeForLike(series: readonly Bucket[], previous: Series | null, now: number): { requests: Change | null; errorRate: Change | null } {
  if (!previous) return { requests: null, errorRate: null };
  const sum = { requests: 0, errors: 0 };
  const before = { requests: 0, errors: 0 };
  let steps = 0;
  series.forEach((bucket, index) => {
    const other = previous.series[index];
    if (!other || !isWhole(bucket, now) || bucket.state === "removed" || other.state === "removed") return;
    steps++;
    sum.requests += bucket.requests;
    sum.errors += bucket.errors;
    before.requests += other.requests;
    before.errors += other.errors;
  });
  if (steps === 0) return { requests: null, errorRate: null };
  const rate = (of: typeof sum) => (of.requests ? of.errors / of.requests : null);
  return { requests: changeOf(sum.requests, before.requests), errorRate: changeOf(rate(sum), rate(before)) };
}

/** A path of the overview is worse off when it fails more or is slower; more traffic is neither. */
export type Mood = "better" | "worse" | "neutral";

export function moodOf(change: Change | null, more: "bad" | "good" | "neutral"): Mood {
  if (!change || change.ratio === null || Math.abs(change.ratio) < 0.01 || more === "neutral") return "neutral";
  return (change.ratio > 0) === (more === "bad") ? "worse" : "better";
}

/** How much of the error budget is left, in words that ask for something or not. */
export function budgetLevel(spent: number, burnRate: number | null): "ok" | "warning" | "critical" {
  if (spent >= 1) return "critical";
  // 14.4 times is two percent of a month's budget in one hour: the usual threshold for a page.
  if (burnRate !== null && burnRate >= 14.4) return "critical";
  return spent >= 0.75 || (burnRate !== null && burnRate >= 6) ? "warning" : "ok";
}

/** How many requests stand for others, since not every one was recorded. */
export const isSampled = (figures: Pick<Figures, "requests" | "estimatedRequests">): boolean =>
  figures.estimatedRequests !== undefined && Math.round(figures.estimatedRequests) !== figures.requests;
