// The floor under every figure of batches: a bare object in JavaScript that stores one row a call, called 45 at once.
import { join } from "node:path";
import { median } from "./events.mjs";

const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");

const CALLS = 100;
const AT_ONCE = 45;
const ROUNDS = 20;

const WORKER = `
import { DurableObject } from "cloudflare:workers";
export class Bare extends DurableObject {
  constructor(context, env) {
    super(context, env);
    this.sql = context.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }
  async fetch(request) {
    const body = await request.arrayBuffer();
    this.sql.exec("INSERT INTO log (body) VALUES (?)", body);
    return new Response(body.slice(0, 10));
  }
}
export default {
  async fetch(request, env) {
    const calls = Number(await request.text());
    const call = async (at) => (await env.BARE.getByName("bare " + at).fetch("https://bare/", { method: "POST", body: new Uint8Array(60) })).arrayBuffer();
    for (let at = 0; at < calls; at += ${AT_ONCE}) await Promise.all(Array.from({ length: Math.min(${AT_ONCE}, calls - at) }, (_, n) => call(at + n)));
    return new Response();
  },
};`;

/** Time of 100 calls to 100 bare objects that exist already, each with one durable row. */
export async function measureFloor(state, say) {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "floor",
      modules: [{ type: "ESModule", path: "floor.mjs", contents: WORKER }],
      compatibilityDate: "2026-06-01",
      durableObjects: { BARE: { className: "Bare", useSQLite: true } },
      resourcePersistencePath: join(state, "floor"),
      log: new Log(LogLevel.ERROR),
    }),
  );
  try {
    const url = await miniflare.ready;
    const times = [];
    for (let round = 0; round < ROUNDS + 3; round += 1) {
      const started = performance.now();
      await (await fetch(url, { method: "POST", body: String(CALLS) })).arrayBuffer();
      if (round >= 3) times.push(performance.now() - started);
    }
    say(`floor: 100 bare objects          ${median(times).toFixed(1).padStart(6)} ms for a row in each, and nothing else`);
    return { medianMs: median(times) };
  } finally {
    await miniflare.dispose();
  }
}
