// A plan carried out: broken off anywhere and run again it ends in the same state, and what is not well is taken back.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RolledBack } from "./carry-out.mjs";
import { memoryAccount } from "./support/memory-account.mjs";
import { MIGRATIONS, deployTo, scratch, scriptOf } from "./support/run.mjs";

const ofAccount = () => memoryAccount({ migrations: MIGRATIONS });
const live = (account) => Object.fromEntries(Object.entries(account.state.scripts).map(([name, script]) => [name, script.live]));
const unfinished = (folder) => existsSync(join(folder, "unfinished.json"));

/** An account with a release, and nothing under way. */
async function withRelease(folder, release = "1") {
  const account = ofAccount();
  await deployTo(account, folder, { release });
  return account;
}

async function fails(run) {
  const error = await run.then(() => undefined, (error) => error);
  assert.ok(error instanceof RolledBack, `expected a rollback, got ${error?.stack}`);
  return error;
}

test("a first deployment leaves an account whose Workers are bound to all that they need", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const { scripts, queues, databases } = account.summary();
  assert.deepEqual(scripts[scriptOf("consumer")], { services: [scriptOf("consumer")], secrets: [], classes: ["AggregatorDO", "SnapshotDO", "PathBudgetDO"], first: false });
  assert.deepEqual(scripts[scriptOf("api")], { services: [scriptOf("archiver"), scriptOf("consumer")], secrets: ["ADMIN_TOKEN", "READ_TOKEN"], classes: [], first: false });
  assert.deepEqual(scripts[scriptOf("producer")].secrets, ["INGEST_TOKEN", "IP_HASH_SECRET"]);
  assert.deepEqual(queues["traffic-events-staging"].consumers, [scriptOf("consumer")]);
  assert.deepEqual(databases["path-stats-db-staging"], MIGRATIONS);
  assert.equal(unfinished(folder), false);
});

test("configs that are deployed hold ids and no secrets, and wrangler/ is not written to", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const config = JSON.parse(readFileSync(join(folder, "api.json"), "utf8"));
  assert.equal(config.d1_databases[0].database_id, account.state.databases["path-stats-db-staging"].id);
  assert.equal(config.kv_namespaces[0].id, account.state.namespaces["pathstats-staging"].id);
  assert.doesNotMatch(readFileSync(join(folder, "api.json"), "utf8"), /a value for/);
});

for (const when of ["before", "after"]) {
  test(`a first deployment that dies ${when} any change, and is run again, ends in the same state`, async (t) => {
    const whole = await withRelease(scratch(t));
    for (let number = 0; number < whole.changes.length; number++) {
      const folder = scratch(t);
      const account = ofAccount();
      account.dieAt(number, when);
      const what = `died ${when} ${whole.changes[number]}`;
      assert.equal(await Promise.race([deployTo(account, folder).then(() => "ended"), account.died.then(() => "died")]), "died", what);
      account.dieAt(undefined);
      await deployTo(account, folder);
      assert.deepEqual(account.summary(), whole.summary(), what);
      assert.equal(unfinished(folder), false, what);
    }
  });

  test(`an update that dies ${when} any change, and is run again, ends in the same state`, async (t) => {
    const reference = await withRelease(scratch(t));
    const begun = reference.changes.length;
    await deployTo(reference, scratch(t), { release: "2" });
    const updates = reference.changes.slice(begun);
    assert.equal(updates.length, 4, "one a Worker");
    for (const [n, change] of updates.entries()) {
      const folder = scratch(t);
      const account = await withRelease(folder);
      account.dieAt(begun + n, when);
      await Promise.race([deployTo(account, folder, { release: "2" }), account.died]);
      account.dieAt(undefined);
      const { tags } = await deployTo(account, folder, { release: "2" });
      assert.deepEqual(account.summary(), reference.summary(), change);
      for (const [worker, tag] of Object.entries(tags)) assert.equal((await account.script(scriptOf(worker))).tag, tag, `${worker} is of the release`);
      assert.equal(unfinished(folder), false);
    }
  });
}

for (const [n, sick] of ["archiver", "consumer", "api", "producer"].entries()) {
  test(`the ${sick} failing its check takes back exactly what was deployed`, async (t) => {
    const folder = scratch(t);
    const account = await withRelease(folder);
    const before = live(account);
    const begun = account.changes.length;
    const error = await fails(deployTo(account, folder, { release: "2", unwell: (worker) => worker === sick && "503 nothing works" }));
    const deployed = ["archiver", "consumer", "api", "producer"].slice(0, n + 1);
    assert.match(error.message, /503 nothing works/);
    assert.deepEqual(error.rolledBack, deployed.map(scriptOf).reverse());
    assert.deepEqual(error.byHand, []);
    assert.deepEqual(live(account), before);
    assert.deepEqual(account.changes.slice(begun), [
      ...deployed.map((worker) => `deploy ${worker}.json`),
      ...deployed.toReversed().map((worker) => `rollback ${scriptOf(worker)} ${before[scriptOf(worker)]} failed at: check that ${scriptOf(sick)} is well`),
    ]);
    assert.equal(unfinished(folder), false);
  });
}

test("an upload that is refused takes back what was deployed before it", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const before = live(account);
  account.failWhere((name, path) => name === "deploy" && path.endsWith("api.json") && "the script is too large [code: 10027]");
  const { rolledBack } = await fails(deployTo(account, folder, { release: "2" }));
  assert.deepEqual(live(account), before);
  assert.deepEqual(rolledBack, [scriptOf("api"), scriptOf("consumer"), scriptOf("archiver")]);
});

test("what was deployed by a run that died is taken back too, to what was there before that run", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const before = live(account);
  account.dieAt(account.changes.length + 1, "after");
  await Promise.race([deployTo(account, folder, { release: "2" }), account.died]);
  account.dieAt(undefined);
  assert.ok(unfinished(folder));
  const { rolledBack } = await fails(deployTo(account, folder, { release: "3", unwell: (worker) => worker === "consumer" && "no" }));
  assert.deepEqual(rolledBack, [scriptOf("consumer"), scriptOf("archiver")]);
  assert.deepEqual(live(account), before);
});

test("a first deployment that is not well stays, and its version is never gone back to", async (t) => {
  const folder = scratch(t);
  const account = ofAccount();
  const first = await fails(deployTo(account, folder, { unwell: (worker) => worker === "consumer" && "no" }));
  assert.deepEqual(first.stays, [scriptOf("consumer"), scriptOf("archiver")]);
  assert.equal(account.changes.some((change) => change.startsWith("rollback")), false);
  const second = await fails(deployTo(account, folder, { release: "2", unwell: (worker) => worker === "api" && "no" }));
  assert.deepEqual(second.rolledBack, []);
  assert.deepEqual(second.stays, [scriptOf("api"), scriptOf("consumer"), scriptOf("archiver")]);
  await deployTo(account, folder, { release: "2" });
  assert.deepEqual(account.summary(), (await withRelease(scratch(t))).summary());
});

test("a rollback that fails leaves its command and is told; the others go back, and the next run knows", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const before = live(account);
  account.failWhere((name, script) => name === "rollback" && script === scriptOf("consumer") && "fetch failed");
  const error = await fails(deployTo(account, folder, { release: "2", unwell: (worker) => worker === "api" && "no" }));
  assert.deepEqual(error.rolledBack, [scriptOf("api"), scriptOf("archiver")]);
  assert.deepEqual(error.byHand, [`npx wrangler rollback ${before[scriptOf("consumer")]} --name ${scriptOf("consumer")} --yes`]);
  account.failWhere(() => undefined);
  await fails(deployTo(account, folder, { release: "2", unwell: (worker) => worker === "producer" && "no" }));
  assert.deepEqual(live(account), before);
});

test("what fails before any Worker is deployed takes nothing back", async (t) => {
  const account = ofAccount();
  account.failWhere((name) => name === "migrate" && "near \"CREAT\": syntax error");
  await assert.rejects(deployTo(account, scratch(t)), (error) => !(error instanceof RolledBack) && /syntax error/.test(error.message));
  assert.equal(account.changes.some((change) => /^(deploy|rollback)/.test(change)), false);
});

test("what another run created meanwhile is taken as it is", async (t) => {
  const account = ofAccount();
  const { createQueue } = account;
  account.createQueue = async (name) => {
    await createQueue(name);
    return createQueue(name);
  };
  await deployTo(account, scratch(t));
  assert.deepEqual(Object.keys(account.state.queues).sort(), ["traffic-events-staging", "traffic-events-staging-dlq"]);
});

test("a database that has something is marked before it is migrated", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  const { said } = await deployTo(account, folder, { migrations: [...MIGRATIONS, "9999_more.sql"] });
  assert.ok(said.some((line) => line.includes(`bookmark-${MIGRATIONS.length}; back with \`npx wrangler d1 time-travel restore path-stats-db-staging`)), said.join("\n"));
});

test("an unfinished run in another account is not gone on with", async (t) => {
  const folder = scratch(t);
  const account = await withRelease(folder);
  account.dieAt(account.changes.length, "after");
  await Promise.race([deployTo(account, folder, { release: "2" }), account.died]);
  const { journalIn } = await import("./journal.mjs");
  assert.throws(() => journalIn(folder, "account-2"), /unfinished run in the account account-1/);
});
