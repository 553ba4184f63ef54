// The archive's days on a calendar. Days are UTC, written as `2026-11-20`.
import type { ArchiveDay } from "../api/types.ts";

export const DAY_KINDS = ["open", "database", "archiving", "cleaning", "archived", "cleaned", "differs", "error"] as const;
export type DayKind = (typeof DAY_KINDS)[number];

/** What a day is, in one word: what needs a person comes first. */
export function kindOf(day: ArchiveDay): DayKind {
  if (day.error) return "error";
  if (day.status === "archiving") return "archiving";
  if (day.status !== "database" && day.reconciled === false) return "differs";
  if (day.status === "cleaning") return "cleaning";
  if (day.status === "archived") return day.cleaned ? "cleaned" : "archived";
  return day.closed ? "database" : "open";
}

export interface Month {
  year: number;
  /** January is 0. */
  month: number;
  /** Weeks from Monday on; a place before the first or after the last day is null. */
  weeks: (string | null)[][];
}

const iso = (moment: number) => new Date(moment).toISOString().slice(0, 10);

export function monthOf(year: number, month: number): Month {
  const days = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const before = (new Date(Date.UTC(year, month, 1)).getUTCDay() + 6) % 7;
  const places: (string | null)[] = Array.from({ length: Math.ceil((before + days) / 7) * 7 }, (_, place) => {
    const day = place - before + 1;
    return day >= 1 && day <= days ? iso(Date.UTC(year, month, day)) : null;
  });
  return { year, month, weeks: Array.from({ length: places.length / 7 }, (_, week) => places.slice(week * 7, week * 7 + 7)) };
}

/** The months from that of the first day to that of the last, newest first. */
export function months(first: string, last: string): Month[] {
  const [fromYear, fromMonth] = first.split("-").map(Number) as [number, number];
  const [toYear, toMonth] = last.split("-").map(Number) as [number, number];
  const count = (toYear - fromYear) * 12 + toMonth - fromMonth + 1;
  return Array.from({ length: Math.max(1, count) }, (_, back) => {
    const index = toYear * 12 + (toMonth - 1) - back;
    return monthOf(Math.floor(index / 12), index % 12);
  });
}

/** The day so many days on. */
export const shiftDay = (day: string, days: number): string => iso(Date.parse(day) + days * 86_400_000);
