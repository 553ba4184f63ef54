// Live requests as a few hundred clients would send them, through the producer to the demo origin.
import { seeded } from "./random.mjs";

/** Paths with their share of the traffic. `{id}` becomes a number, so that the path policy has something to do. */
const MIX = [
  [30, "GET", "/api/products/{id}"],
  [16, "GET", "/"],
  [12, "GET", "/api/products"],
  [10, "GET", "/assets/app.js"],
  [8, "GET", "/api/search?q=boots"],
  [6, "GET", "/api/recommendations"],
  [5, "GET", "/api/cart"],
  [4, "POST", "/api/cart"],
  [3, "GET", "/api/checkout"],
  [2, "GET", "/pricing"],
  [1.5, "GET", "/blog/why-we-count-exactly"],
  [1, "GET", "/old-shop"],
  [1, "GET", "/api/events"],
  [0.5, "GET", "/wp-login.php"],
];
const WHOLE = MIX.reduce((sum, [weight]) => sum + weight, 0);
const AGENTS = ["Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)", "curl/8.14.1", "Googlebot/2.1"];

/** One request: method, path, headers. The client's address is from a range that is set aside for examples. */
export function nextRequest(random) {
  let place = random() * WHOLE;
  const [, method, template] = MIX.find(([weight]) => (place -= weight) < 0) ?? MIX[0];
  const client = Math.floor(random() ** 2 * 254) + 1;
  return {
    method,
    path: template.replace("{id}", String(1 + Math.floor(random() * 1000))),
    headers: { "cf-connecting-ip": `203.0.113.${client}`, "user-agent": AGENTS[client % AGENTS.length] },
  };
}

/**
 * Sends requests at a rate until `signal` aborts or `count` are sent. Resolves to how many were answered and
 * how many got no answer. `onSent(sent)` is called after each.
 */
export async function sendTraffic(base, { count = Infinity, perSecond, seed = 1, signal, onSent = () => {} }) {
  const random = seeded(seed);
  const started = Date.now();
  const pending = new Set();
  const tally = { answered: 0, failed: 0, problem: undefined };
  for (let sent = 0; sent < count && !signal?.aborted; sent++) {
    const due = started + (sent * 1000) / perSecond;
    const early = due - Date.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    const { path, ...init } = nextRequest(random);
    const request = fetch(new URL(path, base), { ...init, redirect: "manual", signal })
      .then((response) => response.arrayBuffer())
      .then(() => (tally.answered += 1))
      .catch((error) => {
        if (signal?.aborted) return;
        tally.failed += 1;
        tally.problem ??= error.cause?.message ?? error.message;
      })
      .finally(() => pending.delete(request));
    pending.add(request);
    onSent(sent + 1);
  }
  await Promise.all(pending);
  return tally;
}
