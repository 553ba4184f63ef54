// What a Worker of some lines takes to answer what the api has in its cache, in KV and in D1: what the local runtime
// alone costs. It keeps a copy as the api does, but does not look for a newer one, and from D1 it gives counts alone,
// without percentiles and clients.
const COPY = "https://plain.internal/snapshot";
const BUSIEST = `SELECT path, sum(requests) AS requests, sum(errors) AS errors, sum(sum_response_time) / sum(count_response_time) AS mean
  FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?2 GROUP BY path ORDER BY 2 DESC, path LIMIT 100`;

async function kept({ KV }, context) {
  const copy = await caches.default.match(COPY);
  if (copy) return copy.text();
  const text = await KV.get(`paths:snapshot:${(await KV.get("paths:snapshot:latest", "json")).version}`);
  context.waitUntil(caches.default.put(COPY, new Response(text, { headers: { "cache-control": "max-age=3600" } })));
  return text;
}

const TIERS = {
  "/kept": kept,
  "/forget": async () => String(await caches.default.delete(COPY)),
  /** The api finds no snapshot in KV any more, and makes one from D1. Tells whether there was one. */
  "/drop-snapshot": async ({ KV }) => {
    const found = await KV.get("paths:snapshot:latest");
    await KV.delete("paths:snapshot:latest");
    return String(found !== null);
  },
  "/d1": async ({ D1 }) => {
    const hour = (ago) => new Date(Date.now() - ago * 3_600_000).toISOString().slice(0, 13);
    return JSON.stringify((await D1.prepare(BUSIEST).bind(hour(23), hour(0)).all()).results);
  },
};

export default {
  async fetch(request, env, context) {
    return new Response(await TIERS[new URL(request.url).pathname](env, context), { headers: { "content-type": "application/json" } });
  },
};
