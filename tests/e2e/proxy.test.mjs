// The proxy: clients and origins do not notice that it is there.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { promptConsumer } from "./support/configs.mjs";
import { startLoneProducer } from "./support/lone-producer.mjs";
import { ask, closedPort, plainProducer, producer, startServer, testOrigin } from "./support/proxies.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const LARGE_BYTES = 20_000_000;
const BOUND = { timeout: 60_000 };

let product;
let server;
let lone;
let url;
before(async () => {
  server = await startServer((request, response) => (SERVER[request.url] ?? echoTarget)(response, request));
  product = await startProduct([
    plainProducer,
    promptConsumer(),
    testOrigin,
    producer("both", { vars: { ORIGIN_URL: server.url } }),
    producer("default-port", { services: [], vars: { ORIGIN_URL: "http://127.0.0.1" } }),
    producer("malformed", { services: [], vars: { ORIGIN_URL: "origin.example.com" } }),
    producer("nowhere", { services: [] }),
  ]);
  ({ url } = await product.harness.listen());
  lone = await startLoneProducer({ ORIGIN_URL: `${server.url}/prefix/` });
});
after(async () => {
  await product?.stop();
  await lone?.stop();
  await server?.stop();
});

const echoTarget = (response, request) => response.end(`server: ${request.url}`);
let endStream;
const SERVER = {
  "/prefix/redirect": (response) => response.writeHead(301, { location: "/prefix/new" }).end(),
  "/prefix/stream": (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("first");
    endStream = () => response.end("last");
  },
};

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A request as its client writes it: nothing added, nothing normalised. Resolves when the answer begins. */
async function raw(path, { body, keepOpen = false, ...options } = {}) {
  const request = http.request({ host: url.hostname, port: url.port, path, ...options });
  if (body) request.write(body);
  if (!keepOpen) request.end();
  const [response] = await once(request, "response");
  return { request, response };
}

const nextChunk = async (response) => String((await once(response, "data"))[0]);

test("a GET is answered as the origin answers it", BOUND, async () => {
  const response = await ask(product, undefined, "/some/page");
  assert.deepEqual([response.status, await response.text(), response.headers.get("x-origin")], [200, "origin: /some/page", "kept"]);
});

test("a HEAD has the origin's headers and no body", BOUND, async () => {
  const response = await ask(product, undefined, "/some/page", { method: "HEAD" });
  assert.deepEqual([response.status, await response.text(), response.headers.get("x-origin")], [200, "", "kept"]);
});

for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
  test(`the body of a ${method} reaches the origin`, BOUND, async () => {
    const seen = await (await ask(product, undefined, "/seen", { method, body: "a body: é\n" })).json();
    assert.deepEqual([seen.method, seen.body], [method, "a body: é\n"]);
  });
}

test("20 MB go both ways unchanged", BOUND, async () => {
  const sent = randomBytes(LARGE_BYTES);
  const response = await fetch(new URL("/echo", url), { method: "POST", body: sent });
  const received = new Uint8Array(await response.arrayBuffer());
  assert.deepEqual([received.length, digest(received)], [sent.length, digest(sent)]);
});

test("an answer begins before the request has ended", BOUND, async () => {
  const { request, response } = await raw("/echo", { method: "POST", body: "first", keepOpen: true });
  assert.equal(await nextChunk(response), "first");
  request.end("last");
  assert.equal(await nextChunk(response), "last");
});

test("a redirect goes to the client and is not followed", BOUND, async () => {
  const response = await ask(product, undefined, "/redirect");
  assert.deepEqual([response.status, response.headers.get("location")], [302, "https://elsewhere.example/?next=1"]);
});

for (const status of [204, 304, 400, 401, 404, 429, 500, 503]) {
  test(`a ${status} of the origin stays a ${status}`, BOUND, async () => {
    const response = await ask(product, undefined, `/status?code=${status}`);
    assert.deepEqual([response.status, await response.text()], [status, status < 400 ? "" : `status ${status}`]);
  });
}

test("several cookies stay several", BOUND, async () => {
  const response = await ask(product, undefined, "/cookies");
  assert.deepEqual(response.headers.getSetCookie(), ["a=1; Path=/; HttpOnly", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]);
});

test("an answer has the headers that it has without the proxy", BOUND, async () => {
  const direct = await product.script(testOrigin.config.name).fetch("/cookies");
  const proxied = await ask(product, undefined, "/cookies");
  assert.deepEqual([...proxied.headers], [...direct.headers]);
});

test("the origin sees headers, cookies, path and query as the client sent them", BOUND, async () => {
  const sent = {
    "authorization": "Bearer of-the-origin",
    "cookie": "a=1; b=2",
    "if-none-match": '"etag"',
    "x-forwarded-for": "198.51.100.7",
    "x-request-id": "kept",
  };
  const target = "/seen?a=1&a=2&b=%20+c&%C3%A9=%2F&empty=&flag";
  const { response } = await raw(target, { headers: { ...sent, host: "shop.example" } });
  const seen = JSON.parse(Buffer.concat(await response.toArray()).toString());
  const received = Object.fromEntries(seen.headers);
  assert.equal(seen.url, `http://shop.example${target}`);
  assert.deepEqual(Object.fromEntries(Object.keys(sent).map((name) => [name, received[name]])), sent);
});

test("a websocket opens through the proxy and carries messages both ways", BOUND, async () => {
  const socket = new WebSocket(new URL("/socket", `ws://${url.host}`));
  await once(socket, "open");
  for (const text of ["one", "two"]) {
    socket.send(text);
    assert.equal((await once(socket, "message"))[0].data, `echo: ${text}`);
  }
  socket.close(1000);
  assert.equal((await once(socket, "close"))[0].code, 1000);
});

test("only /collect itself is the producer's own, what lies below it is the origin's", BOUND, async () => {
  assert.equal((await ask(product, undefined, "/collect")).status, 405);
  assert.equal(await (await ask(product, undefined, "/collect/more?x=/collect")).text(), "origin: /collect/more");
});

test("an origin that throws is a 502 that says so", BOUND, async () => {
  const response = await ask(product, undefined, "/throw");
  assert.equal(response.status, 502);
  const problem = await problemOf(response);
  assert.equal(problem.type, "about:blank#origin_unreachable");
  assert.doesNotMatch(JSON.stringify(problem), /the origin is broken/, "what the origin threw is not for clients");
});

test("an origin that is down is a 502 that says so", BOUND, async () => {
  const down = await startLoneProducer({ ORIGIN_URL: `http://127.0.0.1:${await closedPort()}` });
  try {
    const response = await down.fetch("/page");
    assert.equal(response.status, 502);
    assert.equal((await problemOf(response)).type, "about:blank#origin_unreachable");
  } finally {
    await down.stop();
  }
});

test("ORIGIN_URL: method, path below the prefix, query, headers and body reach the address", BOUND, async () => {
  const response = await lone.fetch("/a%2Fb/c?x=1&x=%20", { method: "POST", body: "a body", headers: { "x-request-id": "kept", "content-type": "text/plain" } });
  assert.equal(await response.text(), "server: /prefix/a%2Fb/c?x=1&x=%20");
  const { method, url: target, headers, body } = server.requests.at(-1);
  assert.deepEqual([method, target, body], ["POST", "/prefix/a%2Fb/c?x=1&x=%20", "a body"]);
  assert.deepEqual([headers["x-request-id"], headers["content-type"], headers.host], ["kept", "text/plain", `127.0.0.1:${server.port}`]);
});

test("ORIGIN_URL: a redirect goes to the client and is not followed", BOUND, async () => {
  const response = await lone.fetch("/redirect");
  assert.deepEqual([response.status, response.headers.get("location")], [301, "/prefix/new"]);
  assert.equal(server.requests.filter(({ url: target }) => target.endsWith("/new")).length, 0);
});

test("ORIGIN_URL: an answer streams, its first part arrives before its last is sent", BOUND, async () => {
  const reader = (await lone.fetch("/stream")).body.getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  assert.equal(await read(), "first");
  endStream();
  assert.equal(await read(), "last");
});

test("ORIGIN_URL without a port means its scheme's own port, whatever port the client asked", BOUND, async () => {
  const before = server.requests.length;
  await (await ask(product, "default-port", `http://shop.example:${server.port}/page`)).text();
  assert.equal(server.requests.length, before, "the client's port was taken over");
});

test("the service binding ORIGIN goes before ORIGIN_URL", BOUND, async () => {
  assert.equal(await (await ask(product, "both", "/page")).text(), "origin: /page");
});

test("without ORIGIN and ORIGIN_URL the answer is a 500 that names both", BOUND, async () => {
  const response = await ask(product, "nowhere", "/page");
  assert.equal(response.status, 500);
  assert.match((await problemOf(response)).detail, /\bORIGIN\b.*\bORIGIN_URL\b/);
});

test("a malformed ORIGIN_URL is a 500 that says what it may be", BOUND, async () => {
  const response = await ask(product, "malformed", "/page");
  assert.equal(response.status, 500);
  assert.match((await problemOf(response)).detail, /ORIGIN_URL is no address: expected one such as/);
});
