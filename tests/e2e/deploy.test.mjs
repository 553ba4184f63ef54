// A deployment by the real wrangler, of the real builds, against an account over HTTP: that the commands exist, that what
// they print is read rightly, and what is uploaded.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Taken, wranglerAccount } from "../../scripts/deploy/account.mjs";
import { RolledBack } from "../../scripts/deploy/carry-out.mjs";
import { tagOf } from "../../scripts/deploy/configs.mjs";
import { ACCOUNT_ID, startHttpAccount } from "../../scripts/deploy/support/http-account.mjs";
import { MIGRATIONS, deployTo, scriptOf } from "../../scripts/deploy/support/run.mjs";
import { scratchFolder } from "./support/scratch.mjs";

const MUST_NOT_BE_SEEN = /a value for/;

let http;
let account;
let folder;
const live = (worker) => http.state.scripts[scriptOf(worker)].deployment.versions[0].version_id;
const bindingsOf = (worker) => Object.fromEntries(http.state.scripts[scriptOf(worker)].versions.at(-1).bindings.map(({ name, ...rest }) => [name, rest]));
const deploy = (options = {}) => deployTo(account, folder, { accountId: ACCOUNT_ID, tagged: tagOf, ...options });

before(async () => {
  http = await startHttpAccount();
  folder = scratchFolder();
  account = wranglerAccount({ accountId: ACCOUNT_ID, env: { CLOUDFLARE_API_BASE_URL: http.url, CLOUDFLARE_API_TOKEN: "of-the-test" } });
});
after(() => http?.close());

test("the account that wrangler is logged in to is known", async () => {
  assert.deepEqual(await account.identity(), { accounts: [{ id: ACCOUNT_ID, name: "Test account" }] });
});

test("an empty account is deployed to, and every question and change is one that wrangler has", async () => {
  const { plan, checked } = await deploy();
  assert.deepEqual(plan.obstacles, []);
  assert.equal(checked.length, 4);
  assert.deepEqual(http.unknown, []);
  const { queues, databases, namespaces, buckets } = http.state;
  assert.deepEqual(queues.map(({ queue_name: name, consumers }) => [name, consumers.map(({ script }) => script)]), [
    ["traffic-events-staging-dlq", [scriptOf("consumer")]],
    ["traffic-events-staging", [scriptOf("consumer")]],
  ]);
  assert.deepEqual(databases.map(({ name, applied }) => [name, applied]), [["path-stats-db-staging", MIGRATIONS]]);
  assert.deepEqual(namespaces.map(({ title }) => title), ["pathstats-staging"]);
  assert.ok(buckets["traffic-events-archive-staging"].some(({ id, abortMultipartUploadsTransition: rule }) => id === "pathstats-incomplete-uploads" && rule.condition.maxAge === 7 * 86_400));
});

test("the Workers are bound to what was created, by id", () => {
  const { databases: [database], namespaces: [namespace] } = http.state;
  for (const worker of ["archiver", "consumer", "api", "producer"]) assert.deepEqual(bindingsOf(worker).D1, { type: "d1", id: database.uuid }, worker);
  for (const worker of ["archiver", "consumer", "api"]) assert.deepEqual(bindingsOf(worker).KV, { type: "kv_namespace", namespace_id: namespace.id }, worker);
  assert.equal(bindingsOf("consumer").CONSUMER.service, scriptOf("consumer"));
  assert.equal(bindingsOf("api").SNAPSHOT_DO.script_name, scriptOf("consumer"));
  assert.equal(http.state.scripts[scriptOf("consumer")].versions.length, 2, "a first version without the binding to itself");
});

test("secrets are uploaded with the Worker and stand in no output", async () => {
  assert.deepEqual(http.state.scripts[scriptOf("producer")].secrets.sort(), ["INGEST_TOKEN", "IP_HASH_SECRET"]);
  assert.deepEqual((await account.script(scriptOf("api"))).secrets.sort(), ["ADMIN_TOKEN", "READ_TOKEN"]);
});

test("deployed again nothing changes", async () => {
  const changes = http.changes.length;
  const { plan, said } = await deploy();
  assert.equal(plan.changes, 0);
  assert.deepEqual(http.changes.slice(changes), []);
  assert.doesNotMatch(said.join("\n"), MUST_NOT_BE_SEEN);
});

test("a check that fails takes back what was deployed, by wrangler's rollback", async () => {
  const before = ["archiver", "consumer", "api"].map(live);
  const other = (worker, config) => tagOf(worker, { ...config, release: 2 });
  const error = await deploy({ tagged: other, unwell: (worker) => worker === "api" && "not well" }).catch((error) => error);
  assert.ok(error instanceof RolledBack, error.stack);
  assert.equal(error.message, "not well");
  assert.deepEqual(error.byHand, []);
  assert.deepEqual(error.rolledBack, [scriptOf("api"), scriptOf("consumer"), scriptOf("archiver")]);
  assert.deepEqual(["archiver", "consumer", "api"].map(live), before);
  assert.equal(http.state.scripts[scriptOf("producer")].versions.length, 1);
  assert.deepEqual(http.unknown, []);
});

test("a name that is taken is told as that", async () => {
  await assert.rejects(account.createQueue("traffic-events-staging"), Taken);
  await assert.rejects(account.createDatabase("path-stats-db-staging"), Taken);
  await assert.rejects(account.createNamespace("pathstats-staging"), Taken);
  await assert.rejects(account.createBucket("traffic-events-archive-staging"), Taken);
});

test("no network, no login: each says what to do", async () => {
  const nowhere = wranglerAccount({ accountId: ACCOUNT_ID, env: { CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:9", CLOUDFLARE_API_TOKEN: "x" } });
  await assert.rejects(nowhere.databases(), /Cloudflare cannot be reached: is there a network\?/);
  const stranger = wranglerAccount({ env: { CLOUDFLARE_API_BASE_URL: http.url, CLOUDFLARE_API_TOKEN: "", HOME: folder, XDG_CONFIG_HOME: folder } });
  await assert.rejects(stranger.identity(), /not logged in\. Run `npx wrangler login`/);
});
