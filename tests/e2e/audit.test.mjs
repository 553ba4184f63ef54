// The audit: an entry before each change, how it ended after it, and who was refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SECRETS, changed, demoOrigin, promptConsumer, real, scriptOf } from "./support/configs.mjs";
import { logText, storesText } from "./support/contents.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const BOUND = { timeout: 60_000 };
const DAY_MS = 86_400_000;

let product;
before(async () => {
  product = await startProduct([
    real("api"),
    promptConsumer(),
    real("producer"),
    real("archiver"),
    demoOrigin,
    changed("api", () => ({ name: "api-alone", services: [] })),
  ]);
});
after(() => product?.stop());

const post = (path, body, { token = SECRETS.ADMIN_TOKEN, headers = {}, api = scriptOf("api") } = {}) =>
  product.script(api).fetch(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers: { authorization: `Bearer ${token}`, ...headers } });
const audit = async (query = "", token) => (await product.read(`/admin/audit${query}`, { token })).json();
const newest = async () => (await audit("?limit=1")).entries[0];

test("a change has an entry: who, what, how it ended, under the request's id", BOUND, async () => {
  const began = Date.now();
  const response = await post("/admin/archive/trigger", { date: "2025-01-01", wait: true }, { headers: { "x-request-id": "my-request-1" } });
  const { id, at, ...entry } = await newest();
  assert.deepEqual(entry, {
    actor: "token:admin", via: "token", action: "POST /admin/archive/trigger", target: '{"date":"2025-01-01","wait":true}',
    status: response.status, requestId: "my-request-1",
  });
  assert.match(id, /^\d{13}-[0-9a-f]{16}$/);
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(at) - began) < 30_000 && id.startsWith(String(Date.parse(at))));
  assert.equal(response.headers.get("x-request-id"), "my-request-1");
});

test("a change that the archiver refuses is one too", BOUND, async () => {
  assert.equal((await post("/admin/archive/trigger", "not json")).status, 400);
  assert.deepEqual([(await newest()).status, (await newest()).target], [400, '{"bodyBytes":8}']);
});

test("a reader who wants to change something gets 403 and an entry, and nothing else happens", BOUND, async () => {
  const before = await storesText(product);
  const response = await post("/admin/reconcile", { date: "2025-01-01" }, { token: SECRETS.READ_TOKEN });
  assert.deepEqual([response.status, response.headers.get("www-authenticate")], [403, 'Bearer error="insufficient_scope", scope="admin"']);
  assert.equal((await problemOf(response)).type, "about:blank#insufficient_scope");
  const { actor, action, status } = await newest();
  assert.deepEqual([actor, action, status], ["token:read", "POST /admin/reconcile", 403]);
  assert.equal(await storesText(product), before);
});

test("a reader cannot fill the audit by asking", BOUND, async () => {
  const count = async () => (await product.row("SELECT count(*) AS n FROM audit_log")).n;
  const statuses = new Set();
  for (let turn = 0; turn < 45; turn++) statuses.add((await post("/admin/reconcile", {}, { token: SECRETS.READ_TOKEN })).status);
  assert.deepEqual([...statuses].sort(), [403, 429]);
  const full = await count();
  await post("/admin/reconcile", {}, { token: SECRETS.READ_TOKEN });
  assert.equal(await count(), full);
  assert.equal((await product.read("/paths")).status, 200, "reading goes on");
});

test("a stranger leaves no entry", BOUND, async () => {
  const before = await audit();
  for (const token of ["a-wrong-token-of-some-length", "", SECRETS.INGEST_TOKEN]) assert.equal((await post("/admin/reconcile", {}, { token })).status, 401);
  assert.deepEqual(await audit(), before);
});

test("reading leaves no entry", BOUND, async () => {
  const before = await audit();
  for (const path of ["/paths", "/admin/archive/status", "/admin/audit"]) assert.equal((await product.read(path, { token: SECRETS.ADMIN_TOKEN })).status, 200);
  assert.deepEqual(await audit(), before);
});

test("what an entry tells is short, and holds no secret", BOUND, async () => {
  await post("/admin/archive/trigger", { date: "x".repeat(700), adminToken: "a-secret-of-mine" });
  const { target } = await newest();
  assert.ok(target.length <= 500, target);
  assert.ok(JSON.parse(target).date.startsWith("xxx") && !target.includes("a-secret-of-mine"), target);
  assert.equal((await post("/admin/archive/trigger", "x".repeat(70_000))).status, 413);
});

test("a change that fails has an entry with the status that was answered", BOUND, async () => {
  const response = await post("/admin/archive/trigger", { date: "2025-01-01" }, { api: "api-alone" });
  assert.deepEqual([response.status, (await newest()).status], [502, 502]);
});

test("without an entry nothing is changed: 503", BOUND, async () => {
  const before = await storesText(product);
  await product.d1().prepare("ALTER TABLE audit_log RENAME TO audit_gone").run();
  try {
    const response = await post("/admin/archive/trigger", { date: "2025-01-01", wait: true });
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "10"]);
    assert.equal((await problemOf(response)).type, "about:blank#audit_unavailable");
    assert.ok([403, 429].includes((await post("/admin/reconcile", {}, { token: SECRETS.READ_TOKEN })).status));
    const unreadable = await product.read("/admin/audit");
    assert.deepEqual([unreadable.status, (await problemOf(unreadable)).type], [503, "about:blank#d1_unreadable"]);
  } finally {
    await product.d1().prepare("ALTER TABLE audit_gone RENAME TO audit_log").run();
  }
  assert.equal(await storesText(product), before);
});

test("the audit pages by key from the newest, and both tokens read it", BOUND, async () => {
  await product.d1().prepare("DELETE FROM audit_log").run();
  const start = Date.now() - 1_000;
  const rows = Array.from({ length: 7 }, (_, n) => `('${start + Math.floor(n / 2)}-${String(n).padStart(16, "0")}', ${start}, 'a', 'token', 'POST /x', NULL, 'r', ${n ? 200 : "NULL"})`);
  await product.d1().prepare(`INSERT INTO audit_log VALUES ${rows.join(",")}`).run();
  const seen = [];
  let cursor = "";
  let pages = 0;
  do {
    const page = await audit(`?limit=3${cursor && `&cursor=${cursor}`}`, pages % 2 ? SECRETS.READ_TOKEN : SECRETS.ADMIN_TOKEN);
    seen.push(...page.entries.map(({ id }) => Number(id.slice(-2))));
    cursor = page.nextCursor;
    pages += 1;
    // An entry that is written meanwhile moves none.
    if (pages === 1) await post("/admin/archive/trigger", {});
  } while (cursor);
  assert.deepEqual([seen, pages], [[6, 5, 4, 3, 2, 1, 0], 3]);
  assert.equal((await audit("?limit=200")).entries.at(-1).status, null, "not known to have ended");
  for (const query of ["?limit=0", "?limit=201", "?cursor=x", "?cursor=' OR 1=1", "?sort=at"]) assert.equal((await product.read(`/admin/audit${query}`)).status, 400, query);
});

test("entries older than four hundred days go when one is written", BOUND, async () => {
  const old = Date.now() - 401 * DAY_MS;
  const rows = Array.from({ length: 25 }, (_, n) => `('${old + n}-${String(n).padStart(16, "0")}', ${old}, 'a', 'token', 'POST /x', NULL, 'r', 200)`);
  await product.d1().prepare(`INSERT INTO audit_log VALUES ${rows.join(",")}`).run();
  const left = async () => (await product.row("SELECT count(*) AS n FROM audit_log WHERE at = ?", old)).n;
  await post("/admin/archive/trigger", {});
  assert.equal(await left(), 5);
  await post("/admin/archive/trigger", {});
  assert.equal(await left(), 0);
});

// Last: it reads what all the others made the Workers log.
test("what the api logs of a request holds the request's id", BOUND, async () => {
  await post("/admin/archive/trigger", {}, { api: "api-alone", headers: { "x-request-id": "my-request-2" } });
  const lines = logText(product).split("\n").filter((line) => line.includes("the archiver does not answer"));
  assert.ok(lines.some((line) => JSON.parse(line).requestId === "my-request-2"), lines.join("\n"));
  for (const line of lines) assert.ok(JSON.parse(line).requestId, line);
});
