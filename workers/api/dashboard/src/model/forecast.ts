// The database's size so far, and as its growth would have it.
import type { Capacity } from "../api/types.ts";
import { DAY } from "./zone.ts";

export interface Point {
  at: number;
  measured: number | null;
  expected: number | null;
}

/** Days that are looked ahead at most: further, a trend is a guess. */
const AHEAD_DAYS = 30;

export function forecastPoints({ samples, growthBytesPerDay, limitBytes }: Pick<Capacity, "samples" | "growthBytesPerDay" | "limitBytes">): Point[] {
  const measured = samples.map(({ at, sizeBytes }) => ({ at: Date.parse(at), measured: sizeBytes as number | null, expected: null as number | null })).sort((a, b) => a.at - b.at);
  const last = measured.at(-1);
  if (!last || last.measured === null || growthBytesPerDay === null) return measured;
  last.expected = last.measured;
  const span = last.at - (measured[0]?.at ?? last.at);
  // As far ahead as there is behind, so that neither part is squeezed.
  const days = Math.min(AHEAD_DAYS, Math.max(2, Math.ceil(span / DAY)));
  const from = last.measured;
  for (let day = 1; day <= days; day++) {
    const expected = from + growthBytesPerDay * day;
    if (expected < 0 || expected > limitBytes * 1.1) break;
    measured.push({ at: last.at + day * DAY, measured: null, expected });
  }
  return measured;
}
