// A small origin for the demo: paths that are fast, slow, failing, redirecting and streaming, as a real service has them.
//
// Times and failures follow from the request's number, so two runs of the demo look alike.

let served = 0;

/** A number in [0, 1) that is spread evenly over requests, and the same in each run. */
const spread = (salt) => (served * 0.6180339887 + salt * 0.7548776662) % 1;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Mostly short, sometimes long: the shape of response times. */
const delay = async (shortest, longest) => wait(shortest + (longest - shortest) * spread(1) ** 3);
const json = (body, init) => Response.json(body, init);
const page = (title) => new Response(`<!doctype html><title>${title}</title><h1>${title}</h1>\n`, { headers: { "content-type": "text/html; charset=utf-8" } });
const failing = (share) => spread(2) < share;

const ROUTES = [
  [/^\/$/, () => page("Demo shop")],
  [/^\/pricing$/, () => page("Pricing")],
  [/^\/blog\/[\w-]+$/, async () => (await delay(5, 40), page("Blog"))],
  [/^\/assets\/[\w.-]+$/, () => new Response("/* asset */\n", { headers: { "cache-control": "public, max-age=3600" } })],
  [/^\/api\/products$/, async () => (await delay(8, 60), json({ products: [1, 2, 3] }))],
  [/^\/api\/products\/\d+$/, async (request) => {
    await delay(4, 30);
    const id = Number(new URL(request.url).pathname.split("/").at(-1));
    return id > 950 ? json({ error: "no such product" }, { status: 404 }) : json({ id, name: `Product ${id}` });
  }],
  [/^\/api\/search$/, async () => (await delay(50, 400), json({ results: [] }))],
  [/^\/api\/cart$/, async (request) => (await delay(10, 80), request.method === "POST" ? json({ ok: true }, { status: 201 }) : json({ items: [] }))],
  [/^\/api\/checkout$/, async () => (await delay(80, 350), failing(0.08) ? json({ error: "payment failed" }, { status: 500 }) : json({ ok: true }))],
  [/^\/api\/recommendations$/, async () => (await delay(20, 200), failing(0.15) ? json({ error: "busy" }, { status: 503, headers: { "retry-after": "1" } }) : json({ products: [4, 5] }))],
  [/^\/old-shop$/, (request) => Response.redirect(new URL("/", request.url), 301)],
  [/^\/api\/events$/, () => stream()],
  [/^\/health$/, () => json({ ok: true })],
];

/** Five lines, 20 ms apart. */
function stream() {
  const { readable, writable } = new TransformStream();
  const write = async () => {
    const writer = writable.getWriter();
    for (let line = 1; line <= 5; line++) {
      await writer.write(new TextEncoder().encode(`data: ${line}\n\n`));
      await wait(20);
    }
    await writer.close();
  };
  // A client that goes away ends the stream: nothing to report.
  write().catch(() => {});
  return new Response(readable, { headers: { "content-type": "text/event-stream" } });
}

export default {
  async fetch(request) {
    served += 1;
    const { pathname } = new URL(request.url);
    const route = ROUTES.find(([pattern]) => pattern.test(pathname));
    return route ? route[1](request) : new Response("Not found\n", { status: 404 });
  },
};
