// The API and its document say the same: every answer is one that the document tells, whatever is asked.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import { until } from "../../scripts/until.mjs";
import { DAY_MS, dayOfEvents, daysAgo } from "./support/archive.mjs";
import { SECRETS, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { inParallel, traffic } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";
import { seeded } from "./support/random.mjs";

const REQUESTS = 2_000;
const SEED = 20_261_121;
const DAY = daysAgo(5);
const LETTER = "letter-1";
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

let product;
let document;
let schemas;
let paths;

before(async () => {
  product = await startProduct([real("producer"), promptConsumer(), real("api"), real("archiver"), demoOrigin]);
  const events = [...traffic({ count: 300, paths: 5, hours: 3 }), ...dayOfEvents(DAY.start, 50, { first: 1_000 })];
  assert.equal((await product.collect(events)).status, 202);
  await until(async () => (await product.row("SELECT count(*) AS n FROM traffic_events")).n === events.length, { what: "all events stored" });
  await product.rows(
    "INSERT INTO dead_letters (id, reason, detail, body, attempts, first_seen) VALUES (?, 'not_json', 'a test', 'not json', 1, 1760536800000), ('letter-2', 'not_json', 'a test', '{}', 1, 1760536800001)",
    LETTER,
  );
  const archived = await ask("POST", "/admin/archive/trigger", { body: JSON.stringify({ date: DAY.date, wait: true }), token: SECRETS.ADMIN_TOKEN });
  assert.equal(archived.status, 200, await archived.text());
  document = await (await ask("GET", "/openapi.json")).json();
  ({ schemas } = document.components);
  paths = Object.entries(document.paths);
});
after(() => product?.stop());

const ask = (method, path, { token = SECRETS.READ_TOKEN, ...init } = {}) => product.read(path, { method, token, ...init });

/** Schemas whose objects have no other fields than those that are told. */
const closed = (value) => {
  if (Array.isArray(value)) return value.map(closed);
  if (value === null || typeof value !== "object") return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, name === "$ref" ? field.replace("#/components/schemas/", "schema:") : closed(field)]));
  return copy.type === "object" && copy.properties && copy.additionalProperties === undefined ? { ...copy, additionalProperties: false } : copy;
};

const validators = new Map();
let ajv;
function validate(schema, value, what) {
  if (!ajv) {
    ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    for (const [name, one] of Object.entries(schemas)) ajv.addSchema(closed(one), `schema:${name}`);
  }
  const key = JSON.stringify(schema);
  if (!validators.has(key)) validators.set(key, ajv.compile(closed(schema)));
  const check = validators.get(key);
  assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value).slice(0, 500)}`);
}

const resolved = (one) => (one?.$ref ? one.$ref.slice(2).split("/").reduce((at, name) => at[name], document) : one);

/** Holds an answer against the document. Gives its body, as JSON if it is. */
async function conforms(method, path, url, response, what = `${method} ${url}`.slice(0, 300)) {
  const text = await response.text();
  const told = document.paths[path]?.[method.toLowerCase()] ?? (method === "HEAD" ? document.paths[path]?.get : undefined);
  const body = /^application\/(problem\+)?json/.test(response.headers.get("content-type") ?? "") && text && method !== "HEAD" ? JSON.parse(text) : undefined;
  assert.notEqual(response.status, 500, `${what}: ${text.slice(0, 300)}`);
  if (!told) {
    // A method that is not told of: refused with those that are, or by name for calls that are gone. Who asks is told first.
    const expected = document.paths[path]?.get?.deprecated ? [400, 401, 410, 429] : [400, 401, 405, 429];
    assert.ok(expected.includes(response.status), `${what}: ${response.status}`);
    if (response.status === 405) assert.ok(response.headers.get("allow"), what);
    if (method !== "HEAD") validate({ $ref: "#/components/schemas/Problem" }, body, what);
    return body;
  }
  const answer = resolved(told.responses[response.status]);
  assert.ok(answer, `${what}: ${response.status} is not documented: ${text.slice(0, 300)}`);
  for (const [name, header] of Object.entries(answer.headers ?? {})) {
    const { required, schema } = resolved(header);
    const value = response.headers.get(name);
    if (required) assert.ok(value !== null, `${what}: ${response.status} has no ${name}`);
    if (value !== null) validate(schema, schema.type === "integer" ? Number(value) : value, `${what}: ${name}`);
  }
  if (method === "HEAD" || !answer.content) {
    assert.equal(text, "", `${what}: ${response.status} has a body`);
    return undefined;
  }
  const type = response.headers.get("content-type")?.split(";")[0];
  assert.ok(type in answer.content, `${what}: ${response.status} is ${type}`);
  if (answer.content[type].schema) validate(answer.content[type].schema, body, what);
  if (response.status >= 400) assert.equal(body.status, response.status, what);
  return body;
}

/** Values that a GET needs, so that it is answered. */
const needed = (name) => ({ path: "/api/route-1", date: DAY.date, from: DAY.date, to: new Date(DAY.start + DAY_MS).toISOString(), id: LETTER })[name];
const requiredOf = (operation) => Object.fromEntries((operation.parameters ?? []).filter(({ required }) => required).map(({ name }) => [name, needed(name)]));
const urlOf = (path, query) => `${path.replace(/\{\w+\}/g, "192.0.2.1")}${Object.keys(query).length ? `?${new URLSearchParams(query)}` : ""}`;
const gets = () => paths.filter(([, { get }]) => get && !get.deprecated).map(([path, { get }]) => [path, get]);

/** The edges of a parameter: values that it may have, and values that it may not. */
function edges({ name, schema }) {
  if (schema.enum) return { good: schema.enum, bad: ["", "x", schema.enum[0].toUpperCase() + schema.enum[0]] };
  if (schema.type === "boolean") return { good: ["true", "false"], bad: ["1", "", "TRUE"] };
  if (schema.type === "integer") return { good: [schema.minimum, schema.maximum], bad: [schema.minimum - 1, schema.maximum + 1, "", "x", "1.5", "+1", "1e1", "-0", "٣"] };
  if (schema.type === "number") return { good: ["0.000001", "0.999999"], bad: [0, 1, -1, "x", "", "NaN"] };
  if (name === "path") return { good: ["/", `/${"x".repeat(schema.maxLength - 1)}`, "/ö/🦀", ...(schema.examples.includes("(other)") ? ["(other)", "(not found)"] : [])], bad: ["", "x", `/${"x".repeat(schema.maxLength)}`, "/\u0000", "/\u0085"] };
  if (name === "status") return { good: ["100", "599", "1xx", "5xx"], bad: ["099", "600", "6xx", "5x", "", "5XX"] };
  if (name === "date") return { good: [DAY.date], bad: ["", "2025-02-30", "2025-1-1", "today", "2025-10-15T14"] };
  if (name === "from") return { good: [DAY.date, `${DAY.date}T14:00:00Z`, String(DAY.start)], bad: ["", "now", "2025-02-30", "1"] };
  if (name === "to") return { good: [`${new Date(DAY.start + DAY_MS).toISOString()}`, String(DAY.start + DAY_MS)], bad: ["", "now", "2025-02-30", "1"] };
  if (name === "timezone") return { good: ["UTC", "Europe/Berlin", "Asia/Kathmandu"], bad: ["", "Mars/Olympus", "x".repeat(65)] };
  if (name === "cursor") return { good: [], bad: ["", "x", "%", "🦀"] };
  if (schema.pattern === "^[!-~]+$") return { good: ["x", "x".repeat(schema.maxLength)], bad: ["", "x".repeat(schema.maxLength + 1), "a b", "ö"] };
  const least = schema.minLength ?? 0;
  return { good: ["x".repeat(schema.maxLength)], bad: ["x".repeat(schema.maxLength + 1), ...(least > 0 ? [""] : [])] };
}

test("every read is answered as it is documented, and again by its tag", async () => {
  assert.ok(gets().length >= 16, "all reads are there");
  for (const [path, operation] of gets()) {
    const url = urlOf(path, requiredOf(operation));
    for (const token of [SECRETS.READ_TOKEN, SECRETS.ADMIN_TOKEN]) {
      const response = await ask("GET", url, { token });
      assert.equal(response.status, 200, `${url}: ${response.status}`);
      const tag = response.headers.get("etag");
      await conforms("GET", path, url, response);
      assert.equal(tag !== null, "304" in operation.responses, `${url}: an ETag, and 304`);
      if (tag && path !== "/paths") {
        const again = await ask("GET", url, { token, headers: { "if-none-match": tag } });
        assert.equal(again.status, 304, url);
        await conforms("GET", path, url, again);
      }
    }
    await conforms("HEAD", path, url, await ask("HEAD", url));
  }
});

test("more of an answer is documented too: one day, a filter, a page behind a page, a part of a file", async () => {
  const events = { path: "/admin/archive/query", url: `/admin/archive/query?date=${DAY.date}&limit=3` };
  const letters = { path: "/admin/dead-letters", url: "/admin/dead-letters?limit=1" };
  const found = { path: "/paths/search", url: "/paths/search?limit=1" };
  for (const { path, url } of [events, letters, found]) {
    const first = await conforms("GET", path, url, await ask("GET", url));
    assert.ok(first.nextCursor, `${url}: there is more`);
    const next = `${url}&cursor=${encodeURIComponent(first.nextCursor)}`;
    const response = await ask("GET", next);
    assert.equal(response.status, 200, next);
    await conforms("GET", path, next, response);
  }
  for (const [path, url] of [
    ["/admin/archive/status", `/admin/archive/status?date=${DAY.date}`],
    ["/paths/stats", "/paths/stats?path=/api/route-1&granularity=day&compare=previous&timezone=Asia/Shanghai"],
    ["/paths/stats", "/paths/stats?path=/api/route-1&method=GET&statusClass=2xx"],
    ["/paths/metrics", "/paths/metrics?compare=previous&granularity=day"],
    ["/paths/events/export", `/paths/events/export?from=${DAY.date}&to=${DAY.date}T12:00Z&format=csv&anonymize=true`],
  ]) {
    const response = await ask("GET", url);
    assert.equal(response.status, 200, url);
    await conforms("GET", path, url, response);
  }
  const file = `/admin/archive/download?date=${DAY.date}`;
  for (const [range, status] of [["bytes=0-9", 206], ["bytes=99999999-", 416]]) {
    const response = await ask("GET", file, { headers: { range } });
    assert.equal(response.status, status);
    await conforms("GET", "/admin/archive/download", file, response);
  }
});

test("every change is answered as it is documented", async () => {
  const left = new Set(Object.entries(document.paths).filter(([, { post }]) => post && !post.deprecated).map(([path]) => path));
  for (const [path, body, status] of [
    ["/admin/archive/trigger", { date: DAY.date, wait: true }, 200],
    ["/admin/archive/trigger", { date: new Date().toISOString().slice(0, 10) }, 409],
    ["/admin/archive/trigger", { date: "2020-01-01", wait: true }, 404],
    ["/admin/archive/convert", { date: DAY.date, wait: true }, 200],
    ["/admin/cleanup/trigger", { date: DAY.date, wait: true }, 200],
    ["/admin/reconcile", { date: DAY.date, wait: true, repair: true }, 200],
    ["/admin/reconcile", { date: DAY.date }, 202],
    ["/admin/retention/run", undefined, 200],
    ["/admin/dead-letters/replay", { ids: [LETTER] }, 200],
    ["/admin/dead-letters/discard", { ids: ["nobody"] }, 200],
    ["/admin/alerts/silence", { rule: "all", minutes: 1, reason: "a test" }, 200],
    ["/admin/alerts/unsilence", { rule: "all" }, 200],
    ["/admin/alerts/test", undefined, 409],
    ["/admin/sharding/reshard", { shards: 2, dryRun: true }, 409],
  ]) {
    left.delete(path);
    const init = { body: body && JSON.stringify(body) };
    const response = await ask("POST", path, { ...init, token: SECRETS.ADMIN_TOKEN });
    assert.equal(response.status, status, `${path}: ${await response.clone().text()}`);
    await conforms("POST", path, path, response);
    const refused = await ask("POST", path, init);
    assert.ok([403, 429].includes(refused.status), `${path}: ${refused.status} to a reader`);
    await conforms("POST", path, path, refused);
  }
  assert.deepEqual([...left], [], "of each one");
});

test("every bound of every parameter is where the document says", async () => {
  let checked = 0;
  for (const [path, operation] of gets()) {
    for (const parameter of operation.parameters) {
      const { good, bad } = edges(parameter);
      const with_ = (value) => urlOf(path, { ...requiredOf(operation), [parameter.name]: String(value) });
      for (const value of good) {
        const response = await ask("GET", with_(value));
        // What is allowed need not be there.
        const missing = ["id", "supplement", "format"].includes(parameter.name) && response.status === 404;
        assert.ok(response.status === 200 || missing, `${with_(value).slice(0, 200)}: ${response.status} ${await response.clone().text()}`.slice(0, 500));
        await conforms("GET", path, with_(value), response);
        checked += 1;
      }
      for (const value of bad) {
        const url = with_(value);
        const response = await ask("GET", url);
        assert.equal(response.status, 400, `${url.slice(0, 200)}: ${response.status}`);
        const { detail } = await conforms("GET", path, url, response);
        assert.ok(detail.includes(`\`${parameter.name}\``), `${url.slice(0, 200)}: ${detail}`);
        checked += 1;
      }
      if (parameter.required) {
        const { [parameter.name]: _, ...rest } = requiredOf(operation);
        const problem = await conforms("GET", path, path, await ask("GET", urlOf(path, rest)));
        assert.equal(problem.type, "about:blank#missing_parameter", path);
      }
    }
    const problem = await conforms("GET", path, path, await ask("GET", urlOf(path, { ...requiredOf(operation), nothing: "1" })));
    assert.equal(problem.type, "about:blank#unknown_parameter", path);
  }
  assert.ok(checked > 150, `${checked} values`);
});

/** Any request, good or bad, drawn from the document. */
function drawn(random) {
  const pick = (some) => some[Math.floor(random() * some.length)];
  const chance = (share) => random() < share;
  const [path, item] = pick(paths);
  const [verb, operation] = Object.entries(item)[0];
  const method = chance(0.9) ? verb.toUpperCase() : chance(0.3) ? "HEAD" : pick(METHODS);
  const odd = () => pick(["", "null", "[]", "-1", "1e309", "0x10", "9".repeat(400), "x".repeat(3_000), "🦀", "\u0000", "%00", "' OR 1=1 --", "../..", "<script>", "true", "2025-13-40", "\uffff"]);
  const query = [];
  for (const parameter of (operation.parameters ?? []).filter((one) => one.in === "query")) {
    if (!parameter.required && chance(0.6)) continue;
    if (parameter.required && chance(0.1)) continue;
    const { good, bad } = edges(parameter);
    const value = chance(0.7) && good.length ? (parameter.required && chance(0.7) ? needed(parameter.name) : pick(good)) : chance(0.5) ? pick(bad) : odd();
    query.push([parameter.name, String(value)]);
    if (chance(0.05)) query.push([parameter.name, String(value)]);
  }
  if (chance(0.08)) query.push([pick(["nothing", "source", "limit", "__proto__", "Path", "\u0000"]), odd()]);
  if (chance(0.02)) query.push(["source", "do"]);
  if (chance(0.02)) query.push([pick(["token", "access_token"]), "secret"]);
  const url = `${path.replace(/\{\w+\}/g, encodeURIComponent(`a${pick(["", "1", "🦀", "%"])}`))}${query.length ? `?${new URLSearchParams(query)}` : ""}`;
  const whole = operation.requestBody?.content["application/json"].example;
  const value = () => pick([null, 0, -1, 1e300, "", "x", true, false, [], {}, [""], ["x"], "2020-01-01", DAY.date, "9999-12-31", "x".repeat(3_000), Array(101).fill("id")]);
  const bodies = [
    () => JSON.stringify({ ...whole, date: undefined, ids: undefined, [pick(["date", "wait", "clean", "repair", "ids", "all", "reason", "cursor", "more"])]: value(), ...(chance(0.5) ? { date: "2020-01-01" } : {}) }),
    () => JSON.stringify(value()),
    () => pick(["", "{", "not json", "\u0000", `{"date":"2020-01-01","date":"2020-01-01"}`, "[".repeat(10_000), "x".repeat(70_000)]),
    () => new Uint8Array([0xff, 0xfe, 0x00]),
  ];
  const headers = { ...(chance(0.05) ? { "if-none-match": pick(["*", '"x"', "W/", "x"]) } : {}), ...(chance(0.05) ? { range: pick(["bytes=0-0", "bytes=-0", "bytes=9-1", "x", "bytes=0-1,3-4"]) } : {}), ...(chance(0.05) ? { "x-request-id": pick(["mine", "x".repeat(500), "a b"]) } : {}) };
  return {
    path,
    method,
    url,
    token: verb === "post" && chance(0.98) ? SECRETS.ADMIN_TOKEN : pick([SECRETS.READ_TOKEN, SECRETS.ADMIN_TOKEN]),
    headers,
    ...(method === "GET" || method === "HEAD" || chance(0.1) ? {} : { body: pick(bodies)() }),
  };
}

test(`${REQUESTS.toLocaleString("en")} requests of any kind get answers that are documented, and never a 500`, async () => {
  const random = seeded(SEED);
  const requests = Array.from({ length: REQUESTS }, () => drawn(random));
  // A drawn body is seldom an order, and one is taken for sure.
  const order = "/admin/archive/trigger";
  requests.push({ path: order, method: "POST", url: order, token: SECRETS.ADMIN_TOKEN, headers: {}, body: JSON.stringify({ date: DAY.date }) });
  const seen = new Map();
  await inParallel(requests, 6, async ({ path, method, url, token, headers, body }, number) => {
    const response = await ask(method, url, { token, headers, body });
    seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
    await conforms(method, path, url, response, `request ${number} of seed ${SEED}: ${method} ${url.slice(0, 200)} ${String(body ?? "").slice(0, 100)}`);
  });
  for (const status of [200, 202, 400, 404, 405, 410, 413]) assert.ok(seen.get(status) > 0, `${status} came: ${JSON.stringify([...seen])}`);
  console.log(`  ${[...seen].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`).join(", ")}`);
});

test("a request without a valid token is answered with 401, whatever it asks", async () => {
  // Fewer than the twenty that one address may try in a minute.
  for (const [path, item] of paths.filter(([path]) => path !== "/health").slice(0, 9)) {
    const [verb, operation] = Object.entries(item)[0];
    const url = urlOf(path, requiredOf(operation));
    for (const token of [null, "wrong"]) {
      const response = await ask(verb.toUpperCase(), url, { token });
      assert.ok([401, 429].includes(response.status), `${url}: ${response.status}`);
      await conforms(verb.toUpperCase(), path, url, response);
    }
  }
});
