// Origins for tests of the proxy: a Worker, and a plain server on this machine.
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "./scratch.mjs";

const SOURCE = `
const encoder = new TextEncoder();
let ended = 0;
const endless = () => {
  let number = 0;
  return new ReadableStream({
    async pull(controller) { await scheduler.wait(5); controller.enqueue(encoder.encode("line " + ++number + "\\n")); },
    cancel() { ended += 1; },
  });
};
export default {
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/echo": return new Response(request.body, { headers: { "x-method": request.method } });
      case "/seen": return Response.json({ method: request.method, url: request.url, headers: [...request.headers] });
      case "/cookies": return new Response("ok", { headers: [["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2; HttpOnly"], ["x-custom", "kept"], ["cache-control", "max-age=60"]] });
      case "/endless": return new Response(endless());
      case "/redirect": return new Response(null, { status: 302, headers: { location: "https://elsewhere.example/next" } });
      case "/throws": throw new Error("the origin broke");
      case "/empty": return new Response(null, { status: 204 });
      case "/websocket": {
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener("message", ({ data }) => server.send("echo " + data));
        return new Response(null, { status: 101, webSocket: client });
      }
      default: {
        const status = Number(url.pathname.slice("/status/".length)) || 200;
        return new Response("body of " + status, { status });
      }
    }
  },
};
`;

/** A Worker that echoes, streams, redirects, fails and speaks websocket, by path. */
export function originWorker(name) {
  const main = join(scratchFolder(), "origin.js");
  writeFileSync(main, SOURCE);
  return { config: { name, main, compatibility_date: "2026-06-01" } };
}

/** A server on this machine; `handle` answers. Resolves to its address and a way to stop it. */
export async function originServer(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

/** An address on this machine where nothing listens. */
export async function closedAddress() {
  const { url, stop } = await originServer(() => {});
  await stop();
  return url;
}
