// What every answer of the api carries: a request id, headers for browsers, gzip, entity tags; and which other pages may ask.
import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { SECRETS, changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { startOnState } from "./support/runtime.mjs";
import { until } from "../../scripts/until.mjs";

const BOUND = { timeout: 60_000 };
const PAGE = "https://page.example.com";
const apiWith = (name, CORS_ORIGINS) => changed("api", (config) => ({ name, services: [], vars: { ...config.vars, CORS_ORIGINS } }));

let product;
let runtime;
before(async () => {
  product = await startProduct([
    real("api", { CACHE_SECONDS: "3600" }),
    promptConsumer(),
    real("producer"),
    real("archiver"),
    demoOrigin,
    apiWith("api-cors", `${PAGE}, http://localhost:5173`),
    apiWith("api-cors-any", "*"),
  ]);
  // On its own port, without the runtime's front door, which compresses by itself as Cloudflare's edge does.
  runtime = await startOnState({ vars: { api: { CACHE_SECONDS: "3600" } } });
  // Paths enough for a long answer.
  await runtime.deliver(Array.from({ length: 60 }, (_, n) => event(n, { path: `/answers/some-long-name-of-a-path-${n}x` })));
  const shown = async () => (await (await runtime.fetch("api", "/paths?refresh=true", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).json()).paths.length;
  await until(async () => (await shown()) === 60, { what: "sixty paths shown" });
});
after(async () => {
  await product?.stop();
  await runtime?.stop();
});

/** The bytes as they go over the wire. */
const raw = (path, headers) =>
  new Promise((resolve, reject) => {
    get(new URL(path, runtime.url("api")), { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}`, ...headers } }, async (response) => {
      const body = Buffer.concat(await Array.fromAsync(response));
      resolve({ status: response.statusCode, headers: response.headers, body });
    }).on("error", reject);
  });

const EVERY_KIND = [
  ["/health", {}, 200],
  ["/paths", {}, 200],
  ["/paths", { token: null }, 401],
  ["/paths?limit=x", {}, 400],
  ["/paths?token=x", {}, 400],
  ["/nothing/here", {}, 404],
  ["/paths", { method: "DELETE" }, 405],
  ["/admin/reconcile", { method: "POST" }, 403],
  ["/admin/archive/status", {}, 200],
  ["/admin/paths/compare", {}, 410],
];

for (const [path, init, status] of EVERY_KIND) {
  test(`${init.method ?? "GET"} ${path}, ${status}: named, not sniffed, not kept, not framed`, BOUND, async () => {
    const response = await product.read(path, { ...init, headers: { "x-request-id": "a.request_of-mine" } });
    const header = (name) => response.headers.get(name);
    assert.equal(response.status, status);
    assert.equal(header("x-request-id"), "a.request_of-mine");
    assert.equal(header("x-content-type-options"), "nosniff");
    assert.equal(header("referrer-policy"), "no-referrer");
    assert.equal(header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert.match(header("cache-control"), /^(no-store|private, no-cache)$/);
    assert.equal(header("strict-transport-security"), null, "this came by http");
    assert.equal(header("access-control-allow-origin"), null);
  });
}

test("a request without a usable name gets one, each its own", BOUND, async () => {
  const ids = [];
  for (const id of [undefined, "short", "x".repeat(65), "with space", 'quote"quote']) {
    const response = await product.read("/health", { headers: id ? { "x-request-id": id } : {} });
    ids.push(response.headers.get("x-request-id"));
  }
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(new Set(ids).size, ids.length);
});

test("a browser that came by https is told to stay there", BOUND, async () => {
  const response = await product.worker("api").fetch("https://stats.example.com/health");
  assert.equal(response.headers.get("strict-transport-security"), "max-age=31536000");
});

for (const [path, first, then] of [
  ["/paths", "cache", "cache"],
  ["/paths?limit=59&sort=p99", "cache", "cache"],
  ["/paths/stats?path=/answers/some-long-name-of-a-path-1x", "d1", "cache"],
  ["/paths/metrics", "d1", "cache"],
]) {
  test(`${path} is compressed for who accepts it, made anew and kept`, BOUND, async () => {
    const zipped = [];
    const plain = [];
    for (let round = 0; round < 3; round++) {
      // The first is kept behind its answer.
      if (round === 1 && first !== then) await until(async () => JSON.parse((await raw(path)).body).dataSource === then, { what: "the answer is kept" });
      zipped.push(await raw(path, { "accept-encoding": "gzip" }));
      plain.push(await raw(path, { "accept-encoding": "identity" }));
    }
    const [tag] = new Set(zipped.map(({ headers }) => headers.etag));
    for (const { headers, body } of zipped) {
      assert.deepEqual([headers["content-encoding"], headers.vary, headers.etag], ["gzip", "Accept-Encoding", tag]);
      assert.equal(headers["content-type"], "application/json; charset=utf-8");
      assert.ok(body.length < plain[0].body.length / 2, `${body.length} of ${plain[0].body.length} bytes`);
    }
    for (const { headers } of plain) assert.equal(headers["content-encoding"], undefined);
    const answers = [...zipped.map(({ body }) => gunzipSync(body)), ...plain.map(({ body }) => body)].map((body) => JSON.parse(body));
    assert.equal(answers[0].dataSource, first);
    for (const at of [1, 2, 4, 5]) assert.equal(answers[at].dataSource, then);
    const same = ({ dataSource, stalenessSeconds, ...rest }) => rest;
    for (const answer of answers) assert.deepEqual(same(answer), same(answers[0]));
    const known = await raw(path, { "accept-encoding": "gzip", "if-none-match": tag });
    assert.deepEqual([known.status, known.headers["content-encoding"], known.body.length], [304, undefined, 0]);
  });
}

test("a short answer, and who accepts no gzip, get bytes as they are", BOUND, async () => {
  for (const [path, headers] of [["/health", { "accept-encoding": "gzip" }], ["/paths", { "accept-encoding": "br" }], ["/paths", { "accept-encoding": "gzip;q=0, *" }], ["/paths", {}]]) {
    const { headers: got, body } = await raw(path, headers);
    assert.equal(got["content-encoding"], undefined, path);
    JSON.parse(body);
  }
});

test("a client that has the answer is told so, by weak comparison and in lists", BOUND, async () => {
  const path = "/paths?limit=3";
  const first = await product.read(path);
  const tag = first.headers.get("etag");
  assert.match(tag, /^W\/"[\w-]{16}"$/);
  assert.equal(first.headers.get("cache-control"), "private, no-cache");
  for (const known of [tag, tag.slice(2), `"another", ${tag}`, "*"]) {
    const again = await product.read(path, { headers: { "if-none-match": known } });
    assert.deepEqual([again.status, again.headers.get("etag"), await again.text()], [304, tag, ""], known);
    assert.ok(again.headers.get("x-request-id"));
  }
  assert.equal((await product.read(path, { headers: { "if-none-match": '"another"' } })).status, 200);
  assert.equal((await product.read("/paths?limit=4", { headers: { "if-none-match": tag } })).status, 200, "another question");
  assert.equal((await product.read(path, { token: null, headers: { "if-none-match": tag } })).status, 401, "who may not know does not learn");
});

const cors = (path, headers, { token = SECRETS.READ_TOKEN, api = "api-cors", ...init } = {}) =>
  product.script(api).fetch(path, { ...init, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers } });

test("pages of the named origins may ask and read, those of others may not", BOUND, async () => {
  for (const origin of [PAGE, "http://localhost:5173"]) {
    for (const [token, status] of [[SECRETS.READ_TOKEN, 200], [null, 401]]) {
      const { status: got, headers } = await cors("/paths", { origin }, { token });
      assert.deepEqual([got, headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")], [status, origin, null]);
      const exposed = headers.get("access-control-expose-headers");
      for (const name of ["ETag", "X-Request-Id", "Retry-After", "Content-Disposition"]) assert.ok(exposed.includes(name), name);
      assert.match(headers.get("vary"), /\bOrigin\b/);
    }
  }
  for (const origin of ["https://evil.example", "null", `${PAGE}.evil.example`, "http://page.example.com"]) {
    const { headers } = await cors("/paths", { origin });
    assert.equal(headers.get("access-control-allow-origin"), null, origin);
    assert.match(headers.get("vary"), /\bOrigin\b/);
  }
});

test("a browser's question before it asks is answered without a token", BOUND, async () => {
  const question = { "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" };
  for (const path of ["/admin/reconcile", "/paths", "/nothing/here"]) {
    const response = await cors(path, { origin: PAGE, ...question }, { token: null, method: "OPTIONS" });
    const header = (name) => response.headers.get(name);
    assert.deepEqual([response.status, await response.text(), header("access-control-allow-origin")], [204, "", PAGE]);
    assert.equal(header("access-control-allow-methods"), "GET, HEAD, POST");
    for (const name of ["Authorization", "Content-Type", "If-None-Match", "Range"]) assert.ok(header("access-control-allow-headers").includes(name), name);
    assert.equal(header("access-control-max-age"), "7200");
    assert.ok(header("x-request-id"));
  }
  const evil = await cors("/paths", { origin: "https://evil.example", ...question }, { token: null, method: "OPTIONS" });
  assert.deepEqual([evil.status, evil.headers.get("access-control-allow-origin")], [403, null]);
  assert.equal((await problemOf(evil)).type, "about:blank#origin_not_allowed");
  assert.equal((await cors("/paths", { origin: PAGE }, { method: "OPTIONS" })).status, 405, "OPTIONS that is no such question");
});

test("where no origin is named none may ask", BOUND, async () => {
  const response = await product.read("/paths", { headers: { origin: PAGE } });
  assert.deepEqual([response.status, response.headers.get("access-control-allow-origin")], [200, null]);
  assert.ok(!/\bOrigin\b/.test(response.headers.get("vary") ?? ""));
});

test("any origin is refused as a configuration, with its reason", BOUND, async () => {
  const response = await cors("/paths", {}, { api: "api-cors-any" });
  assert.equal(response.status, 500);
  assert.match((await problemOf(response)).detail, /^variable CORS_ORIGINS is "\*": expected exact origins: tokens are used/);
});
