// A Worker that reaches into the cache that the api uses, as time and evictions do: copies grow old, and go.
const KEY = "https://pathstats.internal/snapshot";
const COPY = "x-pathstats-copy";
const FETCHED_AT = "x-pathstats-fetched-at";

/** A copy was put there `seconds` earlier than it was. The header begins with when that was. */
async function age(key, header, seconds) {
  const copy = await caches.default.match(key);
  const headers = new Headers(copy.headers);
  const [at, ...rest] = headers.get(header).split(" ");
  headers.set(header, [Number(at) - seconds * 1000, ...rest].join(" "));
  await caches.default.put(key, new Response(copy.body, { headers }));
}

const ACTS = {
  /** Whether there is a copy. */
  "/has": async () => (await caches.default.match(KEY)) !== undefined,
  /** Nothing is cached any more. Tells whether there was something. */
  "/empty": () => caches.default.delete(KEY),
  /** The copy was put there `seconds` earlier than it was. */
  "/age": ({ seconds }) => age(KEY, COPY, Number(seconds)),
  /** The copy of a team's keys was fetched `seconds` earlier than it was. */
  "/age-keys": ({ team, seconds }) => age(`https://pathstats.internal/access-keys?team=${team}`, FETCHED_AT, Number(seconds)),
  /** The copy is one of another release, that does not read. */
  "/garble": () => caches.default.put(KEY, new Response('{"of":"another release"}', { headers: { "cache-control": "max-age=3600", [COPY]: `${Date.now()} 1 1` } })),
};

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    return Response.json((await ACTS[pathname](Object.fromEntries(searchParams))) ?? null);
  },
};
