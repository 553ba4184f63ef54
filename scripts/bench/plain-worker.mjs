// What a Worker of ten lines takes to answer what the api has in its cache: what the local runtime alone costs.
const KEY = "https://pathstats.internal/snapshot";

export default {
  async fetch() {
    const copy = await caches.default.match(KEY);
    return new Response(await copy?.text(), { headers: { "content-type": "application/json" } });
  },
};
