// The refresh button: a new snapshot is asked for, and waited for until its version grows.
import { useCallback, useRef, useState } from "preact/hooks";
import { useSWRConfig } from "swr";
import type { Client } from "../api/client.ts";
import type { Snapshot } from "../api/types.ts";
import { SNAPSHOT_KEY, newerSnapshot } from "../model/newer.ts";
import { useReload } from "./data.ts";

export type Refresh =
  | { step: "idle" }
  | { step: "waiting"; since: number }
  | { step: "done"; version: number; seconds: number }
  | { step: "gaveUp" }
  | { step: "failed"; error: unknown };

export function useRefresh(client: Client, tell: (end: Refresh) => void) {
  const [state, setState] = useState<Refresh>({ step: "idle" });
  const running = useRef(false);
  const { mutate } = useSWRConfig();
  const reload = useReload();
  const run = useCallback(async () => {
    if (running.current) return;
    running.current = true;
    const since = Date.now();
    setState({ step: "waiting", since });
    const show = (snapshot: Snapshot) => void mutate(SNAPSHOT_KEY, snapshot, { revalidate: false });
    let end: Refresh;
    try {
      const newer = await newerSnapshot(client, show, (ms) => new Promise((done) => setTimeout(done, ms)), Date.now);
      if (newer) show(newer);
      // Series may hold more than the snapshot showed: they are asked for either way.
      await reload();
      end = newer ? { step: "done", version: newer.version, seconds: Math.round((Date.now() - since) / 1000) } : { step: "gaveUp" };
    } catch (error) {
      end = { step: "failed", error };
    }
    running.current = false;
    setState(end);
    tell(end);
  }, [client, mutate, reload, tell]);
  const dismiss = useCallback(() => setState({ step: "idle" }), []);
  return { state, run, dismiss };
}
