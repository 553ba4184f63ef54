// The environments of the configs: within each, Workers, objects, queues and stores find one another.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, WORKERS, configOf } from "../../scripts/paths.mjs";
import { readJsonc } from "./support/configs.mjs";

const ENVIRONMENTS = ["dev", "staging", "production"];
/** Constants of bindings.rs that no config of the product uses: other Workers reach the api by it, as examples/reader does. */
const OTHERS = ["API"];
/** Crons by Worker. Other Workers have none. */
const CRONS = { api: ["* * * * *"], consumer: ["*/5 * * * *"], archiver: ["0 2 * * *", "*/10 * * * *", "0 */6 * * *"] };

const source = (path) => readFileSync(join(ROOT, path), "utf8");
const configs = Object.fromEntries(WORKERS.map((worker) => [worker, readJsonc(configOf(worker))]));
const configIn = (environment, worker) => ({ ...configs[worker], ...configs[worker].env[environment] });
/** The name that a Worker is deployed under, as wrangler makes it. */
const scriptIn = (environment, worker) => configs[worker].env[environment].name ?? `${configs[worker].name}-${environment}`;
const everywhere = (key) => WORKERS.flatMap((worker) => ENVIRONMENTS.flatMap((environment) => [configIn(environment, worker)[key] ?? []].flat()));

test("every Worker has all environments and no other", () => {
  for (const worker of WORKERS) assert.deepEqual(Object.keys(configs[worker].env).sort(), [...ENVIRONMENTS].sort(), worker);
});

test("every binding that the code names is in some config, except those of other Workers", () => {
  const bindings = source("crates/pathstats-edge/src/bindings.rs").matchAll(/pub const (\w+): &str = "\1";/g);
  const names = [...bindings].map(([, name]) => name);
  assert.ok(names.length >= 10, `${names.length} constants found`);
  const bound = new Set(
    [
      ...["services", "d1_databases", "kv_namespaces", "r2_buckets", "analytics_engine_datasets", "ratelimits"].flatMap(everywhere),
      ...everywhere("queues").flatMap(({ producers = [] }) => producers),
      ...everywhere("durable_objects").flatMap(({ bindings }) => bindings),
    ].map(({ binding, name }) => binding ?? name),
  );
  assert.deepEqual(names.filter((name) => !bound.has(name)), OTHERS);
});

for (const environment of ENVIRONMENTS) {
  const scripts = new Set(WORKERS.map((worker) => scriptIn(environment, worker)));

  test(`${environment}: Workers and objects that are bound are of the same environment`, () => {
    const origin = "ORIGIN";
    for (const worker of WORKERS) {
      const { services = [], durable_objects: { bindings } = { bindings: [] } } = configIn(environment, worker);
      for (const { binding, service } of services) if (binding !== origin) assert.ok(scripts.has(service), `${service}, bound to the ${worker}`);
      for (const { name, script_name: script } of bindings) {
        if (worker !== "consumer") assert.equal(script, scriptIn(environment, "consumer"), `${name} of the ${worker}`);
      }
    }
  });

  test(`${environment}: every Worker with a database has the same one, with the migrations of the repository`, () => {
    const databases = WORKERS.map((worker) => configIn(environment, worker).d1_databases);
    for (const [database, ...others] of databases) {
      assert.deepEqual(others, []);
      assert.deepEqual(database, databases[0][0]);
      assert.ok(readdirSync(join(ROOT, "wrangler", database.migrations_dir)).some((file) => file.endsWith(".sql")));
    }
  });

  test(`${environment}: queue and dead-letter queue are the same for producer and consumer`, () => {
    const [produced] = configIn(environment, "producer").queues.producers;
    const [events, dead] = configIn(environment, "consumer").queues.consumers;
    assert.deepEqual([events.queue, events.dead_letter_queue, dead.queue], [produced.queue, `${produced.queue}-dlq`, `${produced.queue}-dlq`]);
  });

  test(`${environment}: an origin is named once, by binding or by address`, () => {
    const { services = [], vars } = configIn(environment, "producer");
    const named = [services.some(({ binding }) => binding === "ORIGIN"), "ORIGIN_URL" in vars].filter(Boolean);
    assert.equal(named.length, 1);
  });

  test(`${environment}: schedules are those that the code expects`, () => {
    for (const worker of WORKERS) assert.deepEqual(configIn(environment, worker).triggers?.crons ?? [], CRONS[worker] ?? [], worker);
  });
}

test("what is stored and queued in staging and in production is never the same", () => {
  const stores = (environment) => {
    const { queues, d1_databases: [database] } = configIn(environment, "producer");
    const [{ bucket_name: bucket }] = configIn(environment, "archiver").r2_buckets;
    return [queues.producers[0].queue, database.database_name, bucket];
  };
  const production = stores("production");
  for (const store of stores("staging")) assert.ok(!production.includes(store), store);
});

test("the consumer's migrations make all classes of objects, in SQLite, and the code has them", () => {
  const { migrations, env } = configs.consumer;
  const made = migrations.flatMap(({ new_sqlite_classes: classes = [] }) => classes).sort();
  assert.deepEqual(made, ["AggregatorDO", "PathBudgetDO", "SnapshotDO"]);
  const sources = readdirSync(join(ROOT, "workers/consumer/src")).map((file) => source(`workers/consumer/src/${file}`)).join("\n");
  const inCode = [...sources.matchAll(/#\[durable_object\(alarm\)\]\s*pub struct (\w+)/g)].map(([, name]) => name).sort();
  assert.deepEqual(inCode, made);
  for (const environment of ENVIRONMENTS) {
    const { bindings } = env[environment].durable_objects;
    assert.deepEqual(bindings.map((binding) => binding.class_name).sort(), made, environment);
  }
});

test("no two limits of rates share a count", () => {
  const ids = everywhere("ratelimits").map(({ namespace_id: id }) => id);
  assert.equal(new Set(ids).size, ids.length, ids.join(", "));
});

test("secrets stand in no config", () => {
  for (const worker of WORKERS) {
    for (const environment of ENVIRONMENTS) {
      for (const name of Object.keys(configIn(environment, worker).vars ?? {})) assert.doesNotMatch(name, /SECRET|TOKEN|PASSWORD|KEY/, `${worker}, ${environment}`);
    }
  }
});
