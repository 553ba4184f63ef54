// What a deployment asks of the Workers that it deployed, against a server that answers as they would.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { healthChecks } from "./health.mjs";

const TOKEN = "a token for the checks";
const PATIENCE_MS = 300;
const VERSION = "version-2";
const DEPLOYED = { script: "a-script", version: VERSION, first: false, apiThere: true };

/** Checks against a server whose `answers` are `[status, body, headers]` by path; `asked` are the requests it got. */
async function checksWith(t, answers, { live = { version: VERSION, whole: true }, token = TOKEN, ...options } = {}) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push({ method: request.method, path: request.url, headers: request.headers });
    const [status, body, headers = {}] = answers[request.url] ?? [404, "nothing"];
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  const checks = healthChecks({ account: { live: async () => live }, addresses: { api: url, producer: url }, token, patience: PATIENCE_MS, firstPatience: PATIENCE_MS, ...options });
  return { ...checks, asked };
}

const report = (...critical) => [200, { checks: ["heartbeat", "database"].map((name) => ({ name, status: critical.includes(name) ? "critical" : "ok", detail: `about ${name}` })) }];
const WELL = { "/health": [200, "{}"], "/admin/health": report(), "/collect": [401, "{}"] };

test("Workers that are well pass, and the token goes to the api's health alone", async (t) => {
  const { check, asked } = await checksWith(t, WELL);
  assert.equal(await check("api", DEPLOYED), "live, GET /health 200, GET /admin/health no worse");
  assert.match(await check("producer", DEPLOYED), /POST \/collect refused without a token/);
  assert.match(await check("consumer", DEPLOYED), /GET \/admin\/health no worse/);
  for (const { path, headers } of asked) assert.equal(headers.authorization, path === "/admin/health" ? `Bearer ${TOKEN}` : undefined, path);
});

test("a version that is not live for all requests fails", async (t) => {
  for (const live of [{ version: "version-1", whole: true }, { version: VERSION, whole: false }, undefined]) {
    const { check } = await checksWith(t, WELL, { account: { live: async () => live } });
    await assert.rejects(check("archiver", DEPLOYED), /version version-2 of a-script live for all requests: not within/);
  }
});

test("an api that answers 503 fails, with what it said", async (t) => {
  const { check } = await checksWith(t, { ...WELL, "/health": [503, "KV cannot be read"] });
  await assert.rejects(check("api", DEPLOYED), /GET \/health of .* answering 200: not within .*; it answered 503 KV cannot be read/);
});

test("a producer without its secrets fails: it answers 500", async (t) => {
  const { check } = await checksWith(t, { ...WELL, "/collect": [500, "secret INGEST_TOKEN is missing"] });
  await assert.rejects(check("producer", DEPLOYED), /it answered 500 secret INGEST_TOKEN is missing/);
});

test("what was critical before is nobody's fault; what became critical fails", async (t) => {
  const answers = { ...WELL, "/admin/health": report("heartbeat") };
  const { before, check } = await checksWith(t, answers);
  await before();
  assert.match(await check("consumer", DEPLOYED), /no worse/);
  answers["/admin/health"] = report("heartbeat", "database");
  await assert.rejects(check("consumer", DEPLOYED), /critical since the deployment: database \(about database\)$/);
});

test("without a token, and before there is an api, nobody is asked how everything is", async (t) => {
  const bare = await checksWith(t, {}, { token: null });
  assert.equal(await bare.check("consumer", DEPLOYED), "live");
  const first = await checksWith(t, {});
  assert.equal(await first.check("archiver", { ...DEPLOYED, apiThere: false }), "live");
  assert.deepEqual([...bare.asked, ...first.asked], []);
});

test("an address that is not known is told, and is no failure", async (t) => {
  const { check } = await checksWith(t, WELL, { addresses: {}, token: null });
  assert.match(await check("api", DEPLOYED), /not asked: no address is known, give --api-url/);
});

test("a login page of Cloudflare Access is told as that, and a service token goes with each request", async (t) => {
  const away = await checksWith(t, { ...WELL, "/health": [302, "", { location: "https://team.cloudflareaccess.com/login" }] });
  await assert.rejects(away.check("api", DEPLOYED), /a login of Cloudflare Access: set CF_ACCESS_CLIENT_ID/);
  const { check, asked } = await checksWith(t, WELL, { headers: { "CF-Access-Client-Id": "id", "CF-Access-Client-Secret": "secret" } });
  await check("api", DEPLOYED);
  for (const { headers } of asked) assert.equal(headers["cf-access-client-secret"], "secret");
});
