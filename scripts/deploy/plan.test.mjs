// What is planned for an account, whatever it has already.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, plan, planText } from "./plan.mjs";
import { ENVIRONMENTS, ORDER, SECRETS } from "./settings.mjs";
import { readEnvironment } from "./configs.mjs";
import { memoryAccount } from "./support/memory-account.mjs";
import { MIGRATIONS, WANTED, deployTo, scratch, scriptOf, wantedEnvironment } from "./support/run.mjs";

const kinds = ({ steps }) => steps.map(({ kind, worker, subject }) => (worker ? `${kind} ${worker}` : `${kind} ${subject}`));
const ofAccount = () => memoryAccount({ migrations: MIGRATIONS });

test("an empty account gets everything, each thing before what needs it", () => {
  const made = plan(WANTED, EMPTY, { migrations: MIGRATIONS });
  assert.deepEqual(made.obstacles, []);
  assert.deepEqual(kinds(made), [
    "queue traffic-events-staging-dlq", "queue traffic-events-staging", "database path-stats-db-staging", "namespace pathstats-staging",
    "bucket traffic-events-archive-staging", "lifecycle traffic-events-archive-staging", "migrate path-stats-db-staging",
    "deploy archiver", "check archiver", "bootstrap consumer", "deploy consumer", "check consumer", "deploy api", "check api", "deploy producer", "check producer",
  ]);
  assert.deepEqual(made.steps.find(({ kind }) => kind === "migrate").files, MIGRATIONS);
});

/** Two databases and two queues, as docs/scaling-runbook.md has them; `change` makes a mistake. */
const spread = (change = (_, config) => config) => readEnvironment("staging", { edit: (worker, config) => change(worker, {
  ...config,
  vars: { ...config.vars, ORIGIN_URL: "https://origin.of-the-test.com" },
  d1_databases: worker === "producer" ? config.d1_databases : [...config.d1_databases, { ...config.d1_databases[0], binding: "D1_1", database_name: "path-stats-db-staging-1" }],
  queues: config.queues && {
    ...config.queues,
    ...(config.queues.producers ? { producers: [...config.queues.producers, { binding: "TRAFFIC_QUEUE_1", queue: "traffic-events-staging-1" }] } : {}),
    ...(config.queues.consumers ? { consumers: [...config.queues.consumers, { ...config.queues.consumers[0], queue: "traffic-events-staging-1" }] } : {}),
  },
}) });

test("further databases and queues are made, and every database gets the migrations", () => {
  const made = plan(spread(), EMPTY, { migrations: MIGRATIONS });
  assert.deepEqual(made.obstacles, []);
  const of = (kind) => made.steps.filter((step) => step.kind === kind).map(({ subject }) => subject);
  assert.deepEqual(of("queue"), ["traffic-events-staging-dlq", "traffic-events-staging", "traffic-events-staging-1"]);
  assert.deepEqual(of("database"), ["path-stats-db-staging", "path-stats-db-staging-1"]);
  assert.deepEqual(of("migrate"), ["path-stats-db-staging", "path-stats-db-staging-1"]);
});

test("a Worker that lacks a database or a queue of the others is not deployed", () => {
  const without = (name, key) => spread((worker, config) => (worker === name ? key(config) : config));
  const databases = (edit) => (config) => ({ ...config, d1_databases: edit(config.d1_databases) });
  const obstacles = (wanted) => plan(wanted, EMPTY, { migrations: MIGRATIONS }).obstacles;
  for (const name of ["consumer", "api", "archiver"]) {
    assert.match(obstacles(without(name, databases((list) => list.slice(0, 1)))).join("\n"), /have other databases in staging: D1 \(path-stats-db-staging\)/, name);
  }
  assert.match(obstacles(spread((_, config) => databases((list) => list.map((one) => (one.binding === "D1_1" ? { ...one, binding: "D1_2" } : one)))(config))).join("\n"), /D1_2 of staging has no database before it/);
  assert.match(obstacles(spread((_, config) => databases((list) => list.map((one) => ({ ...one, database_name: "one" })))(config))).join("\n"), /two of the databases of staging are one/);
  assert.match(obstacles(without("consumer", (config) => ({ ...config, queues: { consumers: config.queues.consumers.slice(0, 2) } }))).join("\n"), /nobody takes from the queue traffic-events-staging-1/);
  assert.match(obstacles(without("api", (config) => ({ ...config, queues: { producers: config.queues.producers.slice(0, 1) } }))).join("\n"), /have other queues in staging/);
});

test("a database that layouts need cannot be left out", () => {
  const found = (shards) => ({ ...EMPTY, databases: { "path-stats-db-staging": { id: "one", migrations: MIGRATIONS, shards } } });
  const obstacles = (wanted, shards) => plan(wanted, found(shards), { migrations: MIGRATIONS }).obstacles;
  assert.match(obstacles(WANTED, 3).join("\n"), /spread paths over 3 databases, and wrangler\/ binds 1: .* Bind D1_1 to D1_2/);
  assert.match(obstacles(spread(), 3).join("\n"), /binds 2/);
  assert.deepEqual([...obstacles(WANTED, 1), ...obstacles(spread(), 2), ...obstacles(spread(), 1)], []);
});

test("every step of the text has its command, and no secret can stand in one", () => {
  const made = plan(WANTED, EMPTY, { migrations: MIGRATIONS });
  const text = planText(made, { empty: true });
  for (const { title, command } of made.steps) assert.ok(text.includes(title) && text.includes(`$ npx ${command}`), title);
  for (const { name } of Object.values(SECRETS).flat()) {
    assert.match(text, new RegExp(`${name}: .*You are asked for it`), name);
    assert.doesNotMatch(text, new RegExp(`${name}=`), name);
  }
});

test("the plan of the configs as they are says what only the operator knows", () => {
  for (const environment of ENVIRONMENTS) {
    const wanted = readEnvironment(environment);
    const { obstacles } = plan(wanted, EMPTY, { migrations: MIGRATIONS });
    assert.equal(obstacles.length, wanted.unset.length);
    for (const obstacle of obstacles) assert.match(obstacle, /wrangler\/producer\.jsonc: ORIGIN_URL/);
  }
});

test("no Worker is bound to one that is deployed after it, or consumes after it is sent to", () => {
  for (const environment of ENVIRONMENTS) {
    const { workers } = readEnvironment(environment);
    assert.deepEqual(workers.map(({ worker }) => worker), ORDER.map(({ worker }) => worker));
    const place = (script) => workers.findIndex((one) => one.script === script);
    workers.forEach(({ script, config }, n) => {
      for (const { service, binding } of config.services ?? []) if (place(service) >= 0) assert.ok(place(service) <= n, `${script} is bound to ${service} as ${binding}`);
      for (const { script_name: other } of config.durable_objects?.bindings ?? []) if (other) assert.ok(place(other) < n, `${script} is bound to objects of ${other}`);
    });
    const consumer = workers.findIndex(({ config }) => config.queues?.consumers);
    const sender = workers.findIndex(({ worker }) => worker === "producer");
    assert.ok(consumer < sender);
  }
});

test("an account that has everything gets nothing but checks", async (t) => {
  const account = ofAccount();
  const folder = scratch(t);
  await deployTo(account, folder);
  const changes = account.changes.length;
  const { plan: again, checked } = await deployTo(account, folder);
  assert.deepEqual(again.steps.filter(({ kind }) => !["live", "check"].includes(kind)), []);
  assert.equal(again.changes, 0);
  assert.equal(account.changes.length, changes);
  assert.deepEqual(checked, ORDER.map(({ worker }) => scriptOf(worker)));
});

test("of an account that has half, the other half is planned", () => {
  const found = {
    ...EMPTY,
    queues: { "traffic-events-staging-dlq": { consumers: [] } },
    databases: { "path-stats-db-staging": { id: "d", migrations: MIGRATIONS.slice(0, 2) } },
    buckets: { "traffic-events-archive-staging": { rules: [] } },
    scripts: { [scriptOf("archiver")]: { version: "v1", tag: "pathstats-old", ours: true, secrets: [] } },
  };
  const made = plan(WANTED, found, { migrations: MIGRATIONS });
  assert.deepEqual(kinds(made).slice(0, 6), [
    "queue traffic-events-staging", "namespace pathstats-staging", "lifecycle traffic-events-archive-staging", "bookmark path-stats-db-staging", "migrate path-stats-db-staging", "deploy archiver",
  ]);
  assert.deepEqual(made.steps.find(({ kind }) => kind === "migrate").files, MIGRATIONS.slice(2));
  assert.deepEqual(made.rollback.find(({ script }) => script === scriptOf("archiver")).to, "v1");
});

test("only the secrets that are missing are asked for", () => {
  const found = { ...EMPTY, scripts: { [scriptOf("api")]: { version: "v", tag: "pathstats-x", ours: true, secrets: ["READ_TOKEN"] } } };
  const made = plan(WANTED, found, { migrations: [], given: { INGEST_TOKEN: "x" } });
  const step = (worker) => made.steps.find((one) => one.kind === "deploy" && one.worker === worker);
  assert.deepEqual(step("api").secrets, ["ADMIN_TOKEN"]);
  assert.deepEqual(step("producer").secrets, ["IP_HASH_SECRET", "INGEST_TOKEN"]);
  assert.deepEqual(step("producer").unknownSecrets.map(({ name }) => name), ["IP_HASH_SECRET"]);
});

test("a Worker's name that is taken stops everything, and is adopted only when that is said", async (t) => {
  const account = memoryAccount({ existing: { scripts: { [scriptOf("api")]: { versions: [{ version: "theirs" }], live: "theirs", secrets: [], classes: [] } } }, migrations: MIGRATIONS });
  const { plan: made } = await deployTo(account, scratch(t));
  assert.equal(made.obstacles.length, 1);
  assert.match(made.obstacles[0], /the name pathstats-api-staging is taken: .*--adopt/);
  assert.deepEqual(account.changes, []);
  await deployTo(account, scratch(t), { adopt: true });
  assert.equal(account.summary().scripts[scriptOf("api")].first, false);
});

test("a queue that another Worker consumes stops everything", () => {
  const found = { ...EMPTY, queues: { "traffic-events-staging": { consumers: ["somebody-else"] } } };
  const { obstacles } = plan(WANTED, found, { migrations: [] });
  assert.equal(obstacles.length, 1);
  assert.match(obstacles[0], /traffic-events-staging is taken: somebody-else consumes it/);
});

test("an id in the configs that the account does not have is another account", () => {
  const wanted = wantedEnvironment((worker, config) => ({
    ...config,
    d1_databases: config.d1_databases?.map((one) => ({ ...one, database_id: "of-another" })),
    kv_namespaces: config.kv_namespaces?.map((one) => ({ ...one, id: "of-another" })),
  }));
  const { obstacles } = plan(wanted, { ...EMPTY, databases: { "path-stats-db-staging": { id: "mine", migrations: [] } } }, { migrations: [] });
  assert.equal(obstacles.length, 2);
  for (const obstacle of obstacles) assert.match(obstacle, /id of-another that wrangler\/ gives\. Is it another account\?/);
});

test("several queues and databases are created and migrated, each", () => {
  const wanted = wantedEnvironment((worker, config) => ({
    ...config,
    d1_databases: config.d1_databases && [...config.d1_databases, { ...config.d1_databases[0], binding: "D1_1", database_name: "path-stats-db-staging-1" }],
  }));
  const made = plan(wanted, EMPTY, { migrations: MIGRATIONS });
  for (const kind of ["database", "migrate"]) assert.deepEqual(made.steps.filter((step) => step.kind === kind).map(({ subject }) => subject), ["path-stats-db-staging", "path-stats-db-staging-1"]);
});
