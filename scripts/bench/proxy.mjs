// What the proxy adds to a request, against the origin alone, taking turns in one run.
import { setTimeout as after } from "node:timers/promises";
import { median } from "./events.mjs";

const REQUESTS = 1_000;
// The recording runs behind the answer, on the one thread that a local runtime has. In production the next request is
// another thread's, so here it waits until the thread is free.
const PAUSE_MS = 4;

/** Requests to the origin directly and through the producer, one after another in turns. */
export async function measureProxy(runtime, say) {
  const path = "/pricing";
  const time = async (name) => {
    const started = performance.now();
    const response = await runtime.fetch(name, path);
    await response.arrayBuffer();
    const took = performance.now() - started;
    await after(PAUSE_MS);
    return took;
  };
  for (let round = 0; round < 100; round += 1) {
    await time("origin");
    await time("producer");
  }
  const [direct, proxied] = [[], []];
  for (let round = 0; round < REQUESTS; round += 1) {
    direct.push(await time("origin"));
    proxied.push(await time("producer"));
  }
  const added = median(proxied) - median(direct);
  say(`proxy: origin alone ${median(direct).toFixed(2)} ms, through the producer ${median(proxied).toFixed(2)} ms, added ${added.toFixed(2)} ms (medians of ${REQUESTS})`);
  return { originMs: median(direct), proxiedMs: median(proxied), addedMs: added };
}
