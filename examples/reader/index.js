// Another Worker that reads pathstats through a service binding: it answers with the hottest path of the last 24 hours.
//
// A service binding is a call within the platform: no address, no DNS, no way in from outside. The api asks for its
// token all the same.

/** A page can wait so long for a figure that is nice to have. Without a limit, a slow api makes this Worker slow too. */
const LIMIT_MS = 2_000;

export default {
  async fetch(request, env) {
    if (request.method !== "GET") return problem(405, "Only GET is answered here");
    if (!env.READ_TOKEN) return problem(500, "READ_TOKEN is missing: set it with `wrangler secret put READ_TOKEN`");
    const { snapshot, failed } = await busiest(env, 5);
    if (failed) return failed;
    const [hottest = null] = snapshot.paths;
    return Response.json({
      hottest: hottest && { path: hottest.path, requests: hottest.requests, errorRate: hottest.errorRate, p95: hottest.p95 },
      runnersUp: snapshot.paths.slice(1).map(({ path }) => path),
      lastUpdated: snapshot.lastUpdated,
      // An old snapshot is better than none, as long as whoever reads it is told.
      stale: snapshot.stale,
    });
  },
};

/** The busiest paths, or what to answer instead. */
async function busiest(env, limit) {
  // One limit for the whole answer, its body included.
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    // The host is a name for the log: a binding knows where it leads.
    const response = await env.API.fetch(`https://pathstats.internal/paths?limit=${limit}`, {
      headers: { authorization: `Bearer ${env.READ_TOKEN}` },
      signal,
    });
    const body = await response.json();
    // The api says what is wrong in `title` and `detail`, as application/problem+json (RFC 9457).
    if (!response.ok) return { failed: problem(502, [`pathstats answered ${response.status}`, body.title, body.detail].filter(Boolean).join(": ")) };
    return { snapshot: body };
  } catch (error) {
    if (signal.aborted) return { failed: problem(504, `pathstats did not answer within ${LIMIT_MS / 1000} s`) };
    return { failed: problem(502, `pathstats cannot be asked: ${error.message}`) };
  }
}

const problem = (status, title) =>
  new Response(JSON.stringify({ status, title }), { status, headers: { "content-type": "application/problem+json" } });
