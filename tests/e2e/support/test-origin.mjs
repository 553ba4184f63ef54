// An origin whose answers tests can tell apart: each path is one behaviour of a real service.

const ROUTES = {
  /** What arrived, as the origin saw it. */
  "/seen": async (request) =>
    Response.json({ method: request.method, url: request.url, headers: [...request.headers], body: await request.text() }),
  /** The request's body, each chunk as it comes. */
  "/echo": (request) => new Response(request.body, { headers: { "content-type": request.headers.get("content-type") ?? "application/octet-stream" } }),
  "/status": (_, url) => {
    const status = Number(url.searchParams.get("code"));
    return new Response([204, 304].includes(status) ? null : `status ${status}`, { status });
  },
  "/redirect": () => new Response(null, { status: 302, headers: { location: "https://elsewhere.example/?next=1" } }),
  "/cookies": () =>
    new Response("two cookies", {
      headers: [["set-cookie", "a=1; Path=/; HttpOnly"], ["set-cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"], ["x-origin", "kept"], ["cache-control", "private, max-age=7"]],
    }),
  "/throw": () => {
    throw new Error("the origin is broken");
  },
  "/socket": (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("no upgrade", { status: 426 });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(`echo: ${data}`));
    server.addEventListener("close", () => server.close(1000, "bye"));
    return new Response(null, { status: 101, webSocket: client });
  },
};

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const route = ROUTES[url.pathname];
    return route ? route(request, url) : new Response(`origin: ${url.pathname}`, { headers: { "x-origin": "kept" } });
  },
};
