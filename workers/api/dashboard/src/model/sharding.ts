// Over how many databases paths are spread on which days, and what an operator is to know of it.
import type { Layout, Sharding } from "../api/types.ts";
import { DAY } from "./zone.ts";

export interface Span {
  /** First and last day, UTC; null where it has none. */
  from: string | null;
  to: string | null;
  shards: number;
  state: Layout["state"];
}

const dayBefore = (date: string) => new Date(Date.parse(date) - DAY).toISOString().slice(0, 10);

/** Every day belongs to one of these, newest first: the oldest has one database and no beginning. */
export function spansOf(layouts: readonly Layout[]): Span[] {
  const [first] = layouts;
  const before: Span = { from: null, to: first ? dayBefore(first.from) : null, shards: 1, state: first && first.state !== "coming" ? "past" : "current" };
  const spans = layouts.map(({ from, shards, state }, index): Span => {
    const next = layouts[index + 1];
    return { from, to: next ? dayBefore(next.from) : null, shards, state };
  });
  return [before, ...spans].reverse();
}

export interface Standing {
  /** The layout that takes the place of today's. */
  next: Layout | null;
  /** Nothing is spread, and nothing can be: there is one database. */
  single: boolean;
  /** A layout of today or later that needs more databases than every Worker is bound to. */
  unreachable: Layout | null;
  /** The api is bound to databases that another Worker is not. */
  uneven: boolean;
  /** Databases that could be used and that the last layout leaves out. */
  unused: number;
}

export function standingOf({ layouts, databases, bound }: Sharding): Standing {
  const ahead = layouts.filter(({ state }) => state !== "past");
  return {
    next: layouts.find(({ state }) => state === "coming") ?? null,
    single: databases.length === 1 && layouts.length === 0,
    unreachable: ahead.find(({ shards }) => shards > bound) ?? null,
    uneven: databases.length > bound,
    unused: Math.max(0, bound - (layouts.at(-1)?.shards ?? 1)),
  };
}

/** The command that tells what spreading paths over all databases would publish; without any left, over N. */
export const reshardCommand = ({ bound }: Sharding, { unused }: Standing, url: string) => `pathstats reshard --shards ${unused > 0 ? bound : "N"} --dry-run --url ${url}`;
