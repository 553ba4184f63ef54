// A Worker that reaches into the cache that the api uses, as time and evictions do: copies grow old, and go.
const KEY = "https://pathstats.internal/snapshot";
const CACHED_AT = "x-pathstats-cached-at";

const ACTS = {
  /** Nothing is cached any more. */
  "/empty": () => caches.default.delete(KEY),
  /** The copy was put there `seconds` earlier than it was. */
  "/age": async (seconds) => {
    const copy = await caches.default.match(KEY);
    const headers = new Headers(copy.headers);
    headers.set(CACHED_AT, String(Number(headers.get(CACHED_AT)) - seconds * 1000));
    await caches.default.put(KEY, new Response(copy.body, { headers }));
  },
  /** The copy is one of another release, that does not read. */
  "/garble": () => caches.default.put(KEY, new Response('{"of":"another release"}', { headers: { "cache-control": "max-age=3600", [CACHED_AT]: String(Date.now()) } })),
};

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    await ACTS[pathname](Number(searchParams.get("seconds")));
    return new Response();
  },
};
