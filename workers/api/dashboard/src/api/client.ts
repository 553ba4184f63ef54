// Calls to the api, with the token, and with what it answered before where that still holds.
import { ApiError, Unreachable, refusalOf } from "./errors.ts";

/** Answers that are kept for their ETag. */
const KEPT = 200;

export interface Client {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<{ status: number; value: T }>;
  /** A response whose body is for the caller to read. */
  open(path: string, signal?: AbortSignal): Promise<Response>;
}

/** `onUnauthorized` is called whenever the token, or the lack of one, was refused. */
export function makeClient(token: string | null, onUnauthorized: (error: ApiError) => void): Client {
  const kept = new Map<string, { etag: string; value: unknown }>();

  async function call(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "same-origin", redirect: "error" });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Unreachable(error);
    }
    if (response.ok || response.status === 304) return response;
    const refusal = await refusalOf(response);
    if (refusal.status === 401) onUnauthorized(refusal);
    throw refusal;
  }

  /** A body that breaks off is as if no answer came. */
  async function read<T>(response: Response): Promise<T> {
    try {
      return (await response.json()) as T;
    } catch (error) {
      throw new Unreachable(error);
    }
  }

  return {
    async get<T>(path: string) {
      const known = kept.get(path);
      const response = await call(path, known ? { headers: { "If-None-Match": known.etag } } : {});
      // The same object again: nothing has to be drawn anew.
      if (response.status === 304 && known) return known.value as T;
      const value = await read<T>(response);
      const etag = response.headers.get("etag");
      if (etag) {
        kept.delete(path);
        kept.set(path, { etag, value });
        const oldest = kept.size > KEPT ? kept.keys().next().value : undefined;
        if (oldest !== undefined) kept.delete(oldest);
      }
      return value;
    },
    async post<T>(path: string, body: unknown) {
      const response = await call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      return { status: response.status, value: await read<T>(response) };
    },
    open: (path, signal) => call(path, signal ? { signal } : {}),
  };
}

/** A path with its query; what is null, undefined or empty is left out. */
export function withQuery(path: string, parameters: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
