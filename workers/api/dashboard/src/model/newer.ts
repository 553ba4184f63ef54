// A newer snapshot: asked for, and waited for.
import { withQuery, type Client } from "../api/client.ts";
import type { Snapshot } from "../api/types.ts";

export const GIVE_UP_MS = 30_000;
const STEP_MS = 1_000;
export const SNAPSHOT_KEY = withQuery("/paths", { limit: 100 });

/** Asks, and waits until the version grows. Resolves to the newer snapshot, or to null when none came in time. */
export async function newerSnapshot(client: Pick<Client, "get">, show: (snapshot: Snapshot) => void, pause: (ms: number) => Promise<void>, clock: () => number): Promise<Snapshot | null> {
  const until = clock() + GIVE_UP_MS;
  const before = await client.get<Snapshot>(withQuery("/paths", { limit: 100, refresh: true }));
  show(before);
  while (clock() < until) {
    await pause(STEP_MS);
    const now = await client.get<Snapshot>(SNAPSHOT_KEY);
    if (now.version > before.version) return now;
  }
  return null;
}
