import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { nextRequest, sendTraffic } from "./live-traffic.mjs";
import { seeded } from "./random.mjs";

test("the same seed makes the same requests", () => {
  const make = (seed) => {
    const random = seeded(seed);
    return Array.from({ length: 50 }, () => nextRequest(random));
  };
  assert.deepEqual(make(1), make(1));
  assert.notDeepEqual(make(1), make(2));
});

test("every request is counted as answered or failed", async (t) => {
  const server = createServer((request, response) => (request.url.startsWith("/api") ? response.end("ok") : request.socket.destroy()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const tally = await sendTraffic(`http://127.0.0.1:${server.address().port}`, { count: 60, perSecond: 10_000, seed: 3 });
  assert.equal(tally.answered + tally.failed, 60);
  assert.ok(tally.answered > 0 && tally.failed > 0);
});
