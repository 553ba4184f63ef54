// Logins by Cloudflare Access: who is let in, which forged ones are not, and where the keys come from.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../../scripts/paths.mjs";
import { SECRETS, changed, demoOrigin, promptConsumer, real, scriptOf } from "./support/configs.mjs";
import { logText, storesText } from "./support/contents.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { AUDIENCE, forge, hs256, keyPair, rs256, startTeam } from "./support/team.mjs";

const BOUND = { timeout: 60_000 };
const ORDER = { method: "POST", body: JSON.stringify({ date: "2025-01-01" }) };
const CHANGES = ["/admin/archive/trigger", "/admin/archive/convert", "/admin/cleanup/trigger", "/admin/reconcile", "/admin/retention/run"];

const BROKEN = {
  "answers with an error": (response) => response.writeHead(500).end(),
  "answers with what is no keys": (response) => response.end("<html>"),
  "answers with keys of another kind": (response) => response.end(JSON.stringify({ keys: [{ kid: "key-1", kty: "oct", k: "c2VjcmV0" }] })),
  "answers with far too much": (response) => response.end(JSON.stringify({ keys: [], pad: "x".repeat(70_000) })),
  "sends elsewhere": (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  "never answers": () => {},
  "never ends its answer": (response) => response.write('{"keys":['),
};

let team;
let broken;
let product;
const scripts = [];

/** An api of its own: an instance that knows no keys yet. */
const apiOf = (name, { domain }, more = {}) => {
  scripts.push(name);
  return changed("api", (config) => ({
    name,
    services: [{ binding: "ARCHIVER", service: scriptOf("archiver") }],
    vars: { ...config.vars, ACCESS_TEAM_DOMAIN: domain, ACCESS_AUD: `other-app,${AUDIENCE}`, ACCESS_ADMINS: "alice@example.com, @ops.example.com, admin-bot.access", ...more },
  }));
};

before(async () => {
  team = await startTeam();
  broken = await Promise.all(Object.entries(BROKEN).map(async ([what, answer]) => ({ what, team: await startTeam({ answer }) })));
  product = await startProduct([
    real("api"),
    promptConsumer(),
    real("producer"),
    real("archiver"),
    demoOrigin,
    apiOf("api-access", team),
    apiOf("api-access-2", team),
    apiOf("api-access-3", team),
    apiOf("api-half", team, { ACCESS_AUD: "" }),
    apiOf("api-wrong-team", { domain: "https://evil.example" }),
    ...broken.map(({ team }, at) => apiOf(`api-broken-${at}`, team)),
    { config: { name: "door", main: join(ROOT, "tests/e2e/support/cache-door.mjs"), compatibility_date: "2026-06-01" } },
  ]);
});
after(async () => {
  await product?.stop();
  await Promise.all([team, ...(broken ?? []).map(({ team }) => team)].map((team) => team?.stop()));
});

let address = 0;
/** Asks with a login. Each request comes from an address of its own, since failed tries are limited. */
const ask = (jwt, path = "/paths", { api = "api-access", headers = {}, ...init } = {}) => {
  address += 1;
  const from = `2001:db8::${address.toString(16)}`;
  return product.script(api).fetch(path, { ...init, headers: { "cf-connecting-ip": from, ...(jwt === undefined ? {} : { "cf-access-jwt-assertion": jwt }), ...headers } });
};

test("the keys are fetched at the first requests, and then kept", BOUND, async (t) => {
  const first = await Promise.all(Array.from({ length: 8 }, () => ask(team.login())));
  assert.deepEqual(first.map(({ status }) => status), Array(8).fill(200));
  const asked = team.asked;
  // Requests that come before the first answer each ask for themselves: none waits for another's.
  assert.ok(asked >= 1 && asked <= 8, `${asked} times`);
  t.diagnostic(`eight requests at once asked ${asked} times`);
  for (let turn = 0; turn < 20; turn++) assert.equal((await ask(team.login({ email: `reader-${turn}@example.com` }))).status, 200);
  assert.equal(team.asked, asked);
});

test("another instance takes the keys from the cache", BOUND, async () => {
  const asked = team.asked;
  assert.equal((await ask(team.login(), "/paths", { api: "api-access-2" })).status, 200);
  assert.equal(team.asked, asked);
});

test("who is an administrator may change things, all others may read", BOUND, async () => {
  for (const [who, status] of [
    [{}, 404],
    [{ email: "ALICE@example.com" }, 404],
    [{ email: "bob@ops.example.com" }, 404],
    [{ email: undefined, common_name: "admin-bot.access", sub: "" }, 404],
    [{ email: "bob@example.com" }, 403],
    [{ email: "bob@dev.ops.example.com" }, 403],
    [{ email: "", common_name: "alice@example.com" }, 403],
    [{ email: undefined, common_name: "reader.access", sub: "" }, 403],
  ]) {
    const jwt = team.login(who);
    assert.equal((await ask(jwt)).status, 200, JSON.stringify(who));
    // 404: there is nothing to archive on that day. The order went through.
    const response = await ask(jwt, "/admin/archive/trigger", { ...ORDER, body: JSON.stringify({ date: "2025-01-01", wait: true }) });
    assert.equal(response.status, status, `${JSON.stringify(who)}: ${await response.text()}`);
  }
});

test("a session tells who it is, what that one may do, and until when", BOUND, async () => {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const { version, ...session } = await (await ask(team.login({ exp }), "/admin/session")).json();
  assert.deepEqual(session, { role: "admin", via: "access", name: "alice@example.com", expiresAt: new Date(exp * 1000).toISOString(), errorObjective: 0.999, environment: "dev" });
  assert.match(version, /^\d+\.\d+\.\d+$/);
  const byToken = await (await ask(undefined, "/admin/session", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).json();
  assert.deepEqual([byToken.role, byToken.via, byToken.name, byToken.expiresAt], ["read", "token", "token:read", null]);
  assert.equal((await ask(undefined, "/admin/session")).status, 401);
});

/** Every kind of token that must not pass. */
const FORGED = {
  "with the algorithm none and no signature": () => forge(team.header({ alg: "none" }), team.claims(), () => ""),
  "with the algorithm none and a true signature": () => forge(team.header({ alg: "none" }), team.claims(), rs256(team.keys[0])),
  "with HS256 and the public key as its secret": () => forge(team.header({ alg: "HS256" }), team.claims(), hs256(team.keys[0].publicKey.export({ type: "spki", format: "pem" }))),
  "with HS256 and the modulus as its secret": () => forge(team.header({ alg: "HS256" }), team.claims(), hs256(team.keys[0].published.n)),
  "with RS256 in the header and an HMAC": () => forge(team.header(), team.claims(), hs256(team.keys[0].publicKey.export({ type: "spki", format: "pem" }))),
  "with a key of its own in the header": () => forge(team.header({ jwk: keyPair("mine").published }), team.claims(), rs256(keyPair("mine"))),
  "signed with another key under the right id": () => forge(team.header(), team.claims(), rs256(keyPair("key-1"))),
  "signed with a key that the team does not have": () => team.login({}, keyPair("key-9")),
  "without a key id": () => forge(team.header({ kid: undefined }), team.claims(), rs256(team.keys[0])),
  "with claims changed after it was signed": () => {
    const [header, , signature] = team.login({ email: "bob@example.com" }).split(".");
    return `${header}.${Buffer.from(JSON.stringify(team.claims())).toString("base64url")}.${signature}`;
  },
  "without a signature": () => team.login().split(".").slice(0, 2).join("."),
  "with an empty signature": () => `${team.login().split(".").slice(0, 2).join(".")}.`,
  "for another application": () => team.login({ aud: ["another"] }),
  "for no application": () => team.login({ aud: [] }),
  "of another team": () => team.login({ iss: "https://other.cloudflareaccess.com" }),
  "of the team's own session": () => team.login({ type: "org" }),
  "that has expired": () => team.login({ exp: Math.floor(Date.now() / 1000) - 61 }),
  "that never expires": () => team.login({ exp: undefined }),
  "that is not valid yet": () => team.login({ nbf: Math.floor(Date.now() / 1000) + 120 }),
  "that is from the future": () => team.login({ iat: Math.floor(Date.now() / 1000) + 120 }),
  "that names nobody": () => team.login({ email: undefined }),
  "that is too long": () => team.login({ pad: "x".repeat(16_384) }),
  "that is no token": () => "garbage",
  "that is empty": () => "",
};

for (const [what, make] of Object.entries(FORGED)) {
  test(`a login ${what} is refused with 401, and nothing is touched`, BOUND, async () => {
    const before = await storesText(product);
    const audited = await product.row("SELECT count(*) AS n FROM audit_log");
    for (const path of ["/paths", "/admin/audit", "/admin/archive/status", "/nothing/here"]) {
      const response = await ask(make(), path);
      assert.deepEqual([response.status, response.headers.get("www-authenticate")], [401, "Bearer"], path);
      const problem = await problemOf(response);
      assert.equal(problem.type, "about:blank#unauthorized");
      assert.ok(!problem.detail.includes("@") && problem.detail.length < 200, problem.detail);
    }
    for (const path of CHANGES) assert.equal((await ask(make(), path, ORDER)).status, 401, path);
    assert.equal(await storesText(product), before);
    assert.deepEqual(await product.row("SELECT count(*) AS n FROM audit_log"), audited);
  });
}

test("made-up keys make nobody ask the team", BOUND, async () => {
  const asked = team.asked;
  for (let turn = 0; turn < 10; turn++) assert.equal((await ask(team.login({}, { ...keyPair("x"), id: `made-up-${turn}` }))).status, 401);
  // Once a minute at most, and a minute may just be over.
  assert.ok(team.asked - asked <= 1, `${team.asked - asked} times`);
});

test("the cookie of a login is no login", BOUND, async () => {
  assert.equal((await ask(undefined, "/paths", { headers: { cookie: `CF_Authorization=${team.login()}` } })).status, 401);
  assert.equal((await ask(undefined, "/paths", { headers: { authorization: `Bearer ${team.login()}` } })).status, 401);
});

test("where no login is configured the header is worth nothing", BOUND, async () => {
  const asked = team.asked;
  assert.equal((await ask(team.login(), "/paths", { api: scriptOf("api") })).status, 401);
  assert.equal(team.asked, asked);
});

test("a token decides, whatever login comes with it", BOUND, async () => {
  const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
  assert.equal((await ask("garbage", "/paths", bearer(SECRETS.READ_TOKEN))).status, 200);
  assert.equal((await ask(team.login(), "/admin/reconcile", { ...ORDER, ...bearer(SECRETS.READ_TOKEN) })).status, 403);
  assert.equal((await ask(team.login(), "/paths", bearer("a-wrong-token-of-some-length"))).status, 401);
  assert.equal((await ask(team.login(), "/paths", { headers: { authorization: "Basic YTpi" } })).status, 401);
});

test("a page of another site changes nothing with the login of who looks at it", BOUND, async () => {
  const before = await storesText(product);
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }]) {
    const response = await ask(team.login(), "/admin/archive/trigger", { ...ORDER, headers: { ...headers, "content-type": "text/plain" } });
    assert.equal((await problemOf(response)).type, "about:blank#cross_site", JSON.stringify(headers));
    assert.equal((await ask(team.login(), "/paths", { headers })).status, 200, "reading stays");
  }
  assert.equal(await storesText(product), before);
});

test("after twenty forged logins in a minute an address must wait, while a true one still works", BOUND, async () => {
  const headers = { "cf-connecting-ip": "203.0.113.77" };
  const forged = team.login({ aud: ["another"] });
  const statuses = [];
  for (let turn = 0; turn < 41; turn++) statuses.push((await ask(forged, "/paths", { headers })).status);
  assert.deepEqual(statuses.slice(0, 20), Array(20).fill(401));
  assert.ok(statuses.includes(429));
  assert.equal((await ask(team.login(), "/paths", { headers })).status, 200);
});

test("a key that the copy lacks is asked for, when the copy is older than a minute", BOUND, async () => {
  const fresh = keyPair("key-2");
  team.keys.unshift(fresh);
  const asked = team.asked;
  // This instance, and the cache, have a copy of seconds ago.
  assert.equal((await ask(team.login({}, fresh))).status, 401);
  assert.equal(team.asked, asked);
  // To an instance that knows nothing yet, the copy of the cache is older.
  await product.script("door").fetch(`/age-keys?team=${team.domain}&seconds=61`);
  assert.equal((await ask(team.login({}, fresh), "/paths", { api: "api-access-3" })).status, 200);
  assert.equal(team.asked, asked + 1);
  assert.equal((await ask(team.login({}, team.keys[1]), "/paths", { api: "api-access-3" })).status, 200, "the key before still works");
  assert.equal((await ask(team.login({}, keyPair("key-7")), "/paths", { api: "api-access-3" })).status, 401);
  assert.equal(team.asked, asked + 1, "it was asked a moment ago");
});

for (const [at, what] of Object.keys(BROKEN).entries()) {
  test(`a team that ${what}: 503 that says so, and never a pass`, BOUND, async () => {
    const { team } = broken[at];
    const api = `api-broken-${at}`;
    const before = await storesText(product);
    const started = performance.now();
    const response = await ask(team.login(), "/paths", { api });
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "10"]);
    assert.match((await problemOf(response)).detail, /the keys of Cloudflare Access cannot be had \(.+\), so no login can be checked/);
    assert.ok(performance.now() - started < 20_000, "it waited too long");
    // At once, and without asking again.
    assert.equal((await ask(team.login(), "/admin/reconcile", { ...ORDER, api })).status, 503);
    assert.equal(team.asked, 1);
    // What needs no key.
    assert.equal((await ask(forge({ alg: "none" }, team.claims(), () => "x"), "/paths", { api })).status, 401);
    assert.equal((await ask(undefined, "/paths", { api, headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).status, 200);
    assert.equal(await storesText(product), before);
  });
}

for (const [api, says] of [
  ["api-half", /^variable ACCESS_AUD is not set: expected the application's audience tag/],
  ["api-wrong-team", /^variable ACCESS_TEAM_DOMAIN is "https:\/\/evil.example": expected https:\/\/NAME.cloudflareaccess.com/],
]) {
  test(`${api}: the answer is a 500 that names the variable, and nobody gets in`, BOUND, async () => {
    for (const [jwt, headers] of [[team.login(), {}], [undefined, { authorization: `Bearer ${SECRETS.READ_TOKEN}` }]]) {
      const response = await ask(jwt, "/paths", { api, headers });
      assert.equal(response.status, 500);
      assert.match((await problemOf(response)).detail, says);
    }
  });
}

// Last: it reads what all the others made the Workers log.
test("no line of the log holds a login's token or an e-mail address", BOUND, async () => {
  const logged = logText(product);
  assert.ok(logged.includes("a request was refused"), "refusals are logged");
  assert.ok(!/eyJ[\w-]{10}/.test(logged), "a part of a token");
  assert.ok(!logged.includes("@example.com"));
});
