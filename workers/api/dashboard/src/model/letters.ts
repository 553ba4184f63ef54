// Replaying and discarding dead letters, in as many calls as it takes.
import type { Client } from "../api/client.ts";
import type { Discarded, Replayed } from "../api/types.ts";

/** One call takes so many ids. */
const A_CALL = 100;

function slices(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / A_CALL) }, (_, slice) => ids.slice(slice * A_CALL, (slice + 1) * A_CALL));
}

type Poster = Pick<Client, "post">;

/**
 * Replays letters by their ids, or all of a reason (null: of any). All are tried once: calls go on where the one before
 * ended, so letters that stay dead end it too.
 */
export async function replay(client: Poster, which: readonly string[] | { reason: string | null }, progress: (so: Replayed) => void): Promise<Replayed> {
  const sum: Replayed = { selected: 0, replayed: 0, counted: 0, duplicates: 0, stillDead: 0, failed: 0, remaining: 0, letters: [] };
  const call = async (order: object) => {
    const { value } = await client.post<Replayed>("/admin/dead-letters/replay", order);
    for (const key of ["selected", "replayed", "counted", "duplicates", "stillDead", "failed"] as const) sum[key] += value[key];
    sum.remaining = value.remaining;
    progress({ ...sum });
    return value;
  };
  if (!("reason" in which)) {
    for (const ids of slices(which)) await call({ ids });
    return sum;
  }
  let cursor: string | null | undefined;
  do {
    ({ nextCursor: cursor } = await call({ all: true, ...(which.reason ? { reason: which.reason } : {}), ...(cursor ? { cursor } : {}) }));
  } while (cursor);
  return sum;
}

/** Discards letters by their ids, or all of a reason. Stops when a call discards nothing. */
export async function discard(client: Poster, which: readonly string[] | { reason: string }): Promise<Discarded> {
  const sum: Discarded = { discarded: 0, remaining: 0 };
  const call = async (order: object) => {
    const { value } = await client.post<Discarded>("/admin/dead-letters/discard", order);
    sum.discarded += value.discarded;
    sum.remaining = value.remaining;
    return value;
  };
  if (!("reason" in which)) {
    for (const ids of slices(which)) await call({ ids });
    return sum;
  }
  for (;;) {
    const { discarded, remaining } = await call({ all: true, reason: which.reason });
    if (discarded === 0 || remaining === 0) return sum;
  }
}
