// Who may read, what a wrong request or a wrong configuration is told, and that no secret is ever told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SECRETS, changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { logText, storesText } from "./support/contents.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const BOUND = { timeout: 60_000 };
const SHORT_TOKEN = "short-but-mine";
const WRONG_TOKEN = "a-wrong-token-of-some-length";
const TRIES = 20;

const apiWith = (name, change) => changed("api", (config) => ({ name, services: [], vars: change(config.vars) }));

let product;
before(async () => {
  product = await startProduct([
    real("api"),
    promptConsumer(),
    real("producer"),
    real("archiver"),
    demoOrigin,
    apiWith("api-without-token", ({ READ_TOKEN, ...others }) => others),
    apiWith("api-without-admin", ({ ADMIN_TOKEN, ...others }) => others),
    apiWith("api-with-equal-tokens", (vars) => ({ ...vars, ADMIN_TOKEN: vars.READ_TOKEN })),
    apiWith("api-with-short-token", (vars) => ({ ...vars, READ_TOKEN: SHORT_TOKEN })),
    apiWith("api-with-wrong-seconds", (vars) => ({ ...vars, CACHE_SECONDS: "soon" })),
  ]);
});
after(() => product?.stop());

const withHeader = (authorization) => product.read("/paths", { token: null, headers: { authorization } });

for (const [what, authorization] of [
  ["a token that is not called a bearer's", `Basic ${SECRETS.READ_TOKEN}`],
  ["a token without its scheme", SECRETS.READ_TOKEN],
  ["an empty token", "Bearer "],
  ["a token cut short", `Bearer ${SECRETS.READ_TOKEN.slice(0, -1)}`],
  ["a token with more after it", `Bearer ${SECRETS.READ_TOKEN}x`],
  ["the token of services that send events", `Bearer ${SECRETS.INGEST_TOKEN}`],
  ["two tokens at once", `Bearer ${SECRETS.READ_TOKEN}, Bearer ${SECRETS.ADMIN_TOKEN}`],
]) {
  test(`${what} is refused with 401`, BOUND, async () => {
    const response = await withHeader(authorization);
    assert.deepEqual([response.status, response.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.equal((await problemOf(response)).type, "about:blank#unauthorized");
  });
}

test("reading takes either token, changing that of administrators, and a refused request touches nothing", BOUND, async () => {
  const before = await storesText(product);
  const order = { method: "POST", body: JSON.stringify({ date: "2025-01-01", wait: true }) };
  for (const [token, read, change] of [[SECRETS.READ_TOKEN, 200, 403], [SECRETS.ADMIN_TOKEN, 200, 404], [WRONG_TOKEN, 401, 401], [null, 401, 401]]) {
    const headers = { "cf-connecting-ip": "203.0.113.9" };
    for (const path of ["/paths", "/admin/archive/status", "/admin/audit"]) assert.equal((await product.read(path, { token, headers })).status, read, path);
    // 404: there is nothing to archive on that day.
    assert.equal((await product.read("/admin/archive/trigger", { token, headers, ...order })).status, change);
  }
  // Reading may have made a snapshot; of everything else there is nothing new.
  const lasting = (text) => text.split("\n").filter((line) => !line.startsWith("KV paths:snapshot:"));
  assert.deepEqual(lasting(await storesText(product)), lasting(before));
});

for (const name of ["token", "access_token", "api_key", "%74oken"]) {
  test(`a token in the address as ${name} is refused, used for nothing and not echoed`, BOUND, async () => {
    for (const path of ["/paths", "/health", "/admin/reconcile", "/nothing/here"]) {
      for (const token of [null, SECRETS.ADMIN_TOKEN]) {
        const response = await product.read(`${path}?${name}=${SECRETS.ADMIN_TOKEN}`, { token });
        const problem = await problemOf(response);
        assert.deepEqual([response.status, problem.type], [400, "about:blank#token_in_address"], path);
        assert.match(problem.detail, /Send `Authorization: Bearer <token>`/);
        assert.ok(!JSON.stringify(problem).includes(SECRETS.ADMIN_TOKEN));
      }
    }
  });
}

test("refusing takes as long whatever part of a token is right", BOUND, async (t) => {
  const right = SECRETS.ADMIN_TOKEN;
  const tries = {
    "nothing right": "x".repeat(right.length),
    "half of it right": right.slice(0, right.length / 2).padEnd(right.length, "x"),
    "all but its end right": `${right.slice(0, -1)}x`,
  };
  const times = Object.fromEntries(Object.keys(tries).map((what) => [what, []]));
  for (let turn = 0; turn < 150; turn++) {
    for (const [at, [what, token]] of Object.entries(tries).entries()) {
      const started = performance.now();
      // An address of its own: the try itself is measured, not the limit on tries.
      const response = await product.read("/paths", { token, headers: { "cf-connecting-ip": `2001:db8:1::${turn.toString(16)}:${at}` } });
      times[what].push(performance.now() - started);
      assert.equal(response.status, 401);
      await response.arrayBuffer();
    }
  }
  // Told, not judged: a test must not depend on speed.
  for (const [what, list] of Object.entries(times)) {
    const sorted = list.toSorted((a, b) => a - b);
    const at = (share) => sorted[Math.floor(share * sorted.length)].toFixed(3);
    t.diagnostic(`${what}: median ${at(0.5)} ms, quarters ${at(0.25)} and ${at(0.75)} ms`);
  }
});

test("the scheme may be written in any case", BOUND, async () => {
  assert.equal((await withHeader(`bearer ${SECRETS.READ_TOKEN}`)).status, 200);
});

test("after twenty wrong tokens in a minute an address must wait, while the valid token still works", BOUND, async () => {
  const from = (address, token) => product.read("/paths", { token, headers: { "cf-connecting-ip": address } });
  const statuses = [];
  // More than one minute's tries, should a minute end in between.
  for (let turn = 0; turn < 2 * TRIES + 1; turn++) statuses.push((await from("203.0.113.5", WRONG_TOKEN)).status);
  assert.deepEqual(statuses.slice(0, TRIES), Array(TRIES).fill(401));
  assert.ok(statuses.includes(429));
  const refused = await from("203.0.113.5", WRONG_TOKEN);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "60"]);
  assert.equal((await problemOf(refused)).retryAfter, 60);
  assert.equal((await from("203.0.113.5")).status, 200);
  assert.equal((await from("203.0.113.6", WRONG_TOKEN)).status, 401, "another address may still try");
});

test("a wrong method is told the right ones, with a token and without", BOUND, async () => {
  for (const path of ["/paths", "/health"]) {
    for (const token of [SECRETS.READ_TOKEN, null]) {
      const response = await product.read(path, { method: "DELETE", token });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
      assert.match((await problemOf(response)).detail, /method DELETE is not accepted here: use GET/);
    }
  }
});

const REFUSED = [
  ["limit=0", "limit", "0", "a whole number from 1 to 100"],
  ["limit=1.5", "limit", "1.5", "a whole number from 1 to 100"],
  ["limit=%22%0A", "limit", '"\n', "a whole number from 1 to 100"],
  ["sort=Requests", "sort", "Requests", "requests, errors, errorRate, avgResponseTime, p50, p95, p99, uniqueIps or path"],
  ["refresh=1", "refresh", "1", "true or false"],
];
for (const [query, name, came, may] of REFUSED) {
  test(`?${query} is told the parameter, what came and what may come`, BOUND, async () => {
    const response = await product.read(`/paths?${query}`);
    assert.equal(response.status, 400);
    const { type, detail } = await problemOf(response);
    assert.deepEqual([type, detail], ["about:blank#invalid_parameter", `parameter \`${name}\` is ${JSON.stringify(came)}: expected ${may}`]);
  });
}

test("an unknown parameter is told the known ones", BOUND, async () => {
  const response = await product.read("/paths?limit=5&sorted=path");
  assert.equal(response.status, 400);
  assert.match((await problemOf(response)).detail, /`sorted`: expected limit, sort, refresh/);
});

test("a long value is not echoed whole", BOUND, async () => {
  const { detail } = await problemOf(await product.read(`/paths?sort=${"x".repeat(900)}`));
  assert.ok(detail.length < 300, `${detail.length} characters`);
});

for (const [script, says] of [
  ["api-without-token", /^variable READ_TOKEN is not set: expected/],
  ["api-without-admin", /^variable ADMIN_TOKEN is not set: expected/],
  ["api-with-equal-tokens", /^secrets READ_TOKEN and ADMIN_TOKEN are equal: expected two different ones/],
  ["api-with-short-token", /^secret READ_TOKEN is too short: expected 16 characters/],
  ["api-with-wrong-seconds", /^variable CACHE_SECONDS is "soon": expected a whole number from 1 to 3600/],
]) {
  test(`${script}: the answer is a 500 that names the variable, and no token opens it`, BOUND, async () => {
    for (const token of [SECRETS.READ_TOKEN, SHORT_TOKEN, "undefined", ""]) {
      const response = await product.script(script).fetch("/paths", { headers: { authorization: `Bearer ${token}` } });
      assert.equal(response.status, 500);
      const problem = await problemOf(response);
      assert.match(problem.detail, says);
      assert.ok(!JSON.stringify(problem).includes(SHORT_TOKEN), "the value is told");
    }
  });
}

// Last: it reads what all the others made the Workers log.
test("no line of the log holds a secret or a token, right or wrong", BOUND, async () => {
  await product.kv().put("paths:snapshot:latest", "{{{");
  await product.read("/paths?refresh=true");
  await product.collect("[", { token: WRONG_TOKEN });
  await product.read(`/paths?limit=${WRONG_TOKEN}`);
  const logged = logText(product);
  for (const secret of [...Object.values(SECRETS), SHORT_TOKEN, WRONG_TOKEN]) assert.ok(!logged.includes(secret), secret);
  assert.ok(!/bearer/i.test(logged) && !logged.includes("?"), "a header of access, or a query");
});
