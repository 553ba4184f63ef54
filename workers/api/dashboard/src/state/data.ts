// Data of the api: kept by address, asked for again every 30 seconds while the page is seen.
import { useEffect, useState } from "preact/hooks";
import useSWR, { useSWRConfig, type SWRConfiguration } from "swr";
import { ApiError, kindOfError } from "../api/errors.ts";
import type { Snapshot } from "../api/types.ts";
import { SNAPSHOT_KEY } from "../model/newer.ts";
import { useSession } from "./session.tsx";
import { useSettings } from "./settings.tsx";

export const REFRESH_MS = 30_000;
const STALE_MS = 3_000;
/** How SWR begins the name of a list of several pages. */
const LIST = "$inf$";

export interface Data<T> {
  data: T | undefined;
  error: unknown;
  /** Nothing to show yet. */
  loading: boolean;
  /** Asking, with something to show or not. */
  busy: boolean;
  again(): Promise<unknown>;
}

export function useApi<T>(key: string | null, options: SWRConfiguration<T, unknown> = {}): Data<T> {
  const { client } = useSession();
  const { auto } = useSettings();
  const { data, error, isLoading, isValidating, mutate } = useSWR<T, unknown>(key, (path: string) => client.get<T>(path), {
    refreshInterval: auto ? REFRESH_MS : 0,
    revalidateOnFocus: auto,
    keepPreviousData: true,
    dedupingInterval: 1_000,
    onErrorRetry: (failure, _key, _config, revalidate, { retryCount }) => {
      const kind = kindOfError(failure);
      if (!["limited", "unavailable", "unreachable", "offline"].includes(kind) || retryCount > 5) return;
      const told = failure instanceof ApiError ? failure.retryAfter : null;
      setTimeout(() => void revalidate({ retryCount }), Math.max(told ?? 0, 2 ** retryCount) * 1000);
    },
    ...options,
  });
  return { data, error, loading: data === undefined && (isLoading || (key !== null && error === undefined)), busy: isValidating, again: () => mutate() };
}

/** The snapshot: another one when its version grew, or when what is told of its age changed. */
export function useSnapshot(): Data<Snapshot> {
  const { auto } = useSettings();
  return useApi<Snapshot>(SNAPSHOT_KEY, {
    // A stale answer is being refreshed behind it: the newer one is there in a moment.
    refreshInterval: (latest) => (auto ? (latest?.stale ? STALE_MS : REFRESH_MS) : 0),
    compare: (a, b) => a?.version === b?.version && a?.stale === b?.stale && a?.dataSource === b?.dataSource && a?.stalenessSeconds === b?.stalenessSeconds,
  });
}

/** Has everything but the snapshot asked for anew, lists of several pages among it. */
export function useReload(): () => Promise<unknown> {
  const { mutate, cache } = useSWRConfig();
  return () => {
    // SWR leaves lists of several pages out of what a filter finds, but takes each by its name.
    const lists = [...cache.keys()].filter((key) => key.startsWith(LIST));
    return Promise.all([mutate((key) => typeof key === "string" && key !== SNAPSHOT_KEY), ...lists.map((key) => mutate(key))]);
  };
}

/** The time, as of so many milliseconds at most ago. */
export function useNow(everyMs = 10_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** A value that follows another once that has been still for so long. */
export function useSettled<T>(value: T, afterMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), afterMs);
    return () => clearTimeout(timer);
  }, [value, afterMs]);
  return settled;
}
