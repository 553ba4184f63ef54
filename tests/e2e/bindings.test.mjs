// The names in the code against those in the configs: two places that must agree.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SCRIPT_LIMIT_BYTES, sizeOf } from "../../scripts/build.mjs";
import { ROOT, WORKERS, configOf } from "../../scripts/paths.mjs";
import { readJsonc } from "./support/configs.mjs";

const source = (path) => readFileSync(join(ROOT, path), "utf8");
const constants = Object.fromEntries(
  [...source("crates/pathstats-edge/src/bindings.rs").matchAll(/pub const (\w+): &str = "([^"]*)";/g)].map(([, name, value]) => [name, value]),
);
const configs = Object.fromEntries(WORKERS.map((worker) => [worker, readJsonc(configOf(worker))]));
const environments = (worker) => Object.entries(configs[worker].env);

/** All names under which a Worker reaches something else. */
function bindingsOf(config) {
  const named = (list = []) => list.map(({ binding, name }) => binding ?? name);
  return [
    ...named(config.services),
    ...named(config.queues?.producers),
    ...named(config.d1_databases),
    ...named(config.kv_namespaces),
    ...named(config.r2_buckets),
    ...named(config.durable_objects?.bindings),
    ...named(config.analytics_engine_datasets),
    ...named(config.ratelimits),
  ].sort();
}

/** Binding constants that a Worker's sources, and those of the crates it names, mention. */
function usedBy(worker) {
  const folder = join("workers", worker, "src");
  const text = readdirSync(join(ROOT, folder)).map((file) => source(join(folder, file))).join("\n");
  return [...text.matchAll(/\b(D1|KV|R2_ARCHIVE|TRAFFIC_QUEUE|AGGREGATOR_DO|SNAPSHOT_DO|BUDGET_DO|CONSUMER|ARCHIVER|COLLECT_LIMIT|SIGN_IN_LIMIT|TRAFFIC_ANALYTICS)\b/g)].map(([, name]) => name);
}

for (const worker of WORKERS) {
  test(`every binding of the ${worker} has a name that the code knows`, () => {
    const known = new Set(Object.values(constants));
    for (const [, config] of environments(worker)) for (const name of bindingsOf(config)) assert.ok(known.has(name), `${name} is no constant of bindings.rs`);
  });

  test(`the ${worker} is bound to everything that its code asks for`, () => {
    for (const [environment, config] of environments(worker)) {
      const bound = new Set(bindingsOf(config));
      for (const name of usedBy(worker)) assert.ok(bound.has(constants[name]), `${name} in ${environment}`);
    }
  });

  test(`every environment of the ${worker} has the same bindings and variables`, () => {
    const [[, first], ...others] = environments(worker);
    for (const [environment, config] of others) {
      // Deployed producers name their origin by a variable or by a binding of the operator's.
      const comparable = (config) => bindingsOf(config).filter((name) => name !== constants.ORIGIN);
      const variables = (config) => Object.keys(config.vars ?? {}).filter((name) => name !== "ORIGIN_URL").sort();
      assert.deepEqual(comparable(config), comparable(first), environment);
      assert.deepEqual(variables(config), variables(first), environment);
    }
  });

  test(`the compressed script of the ${worker} is below 1 MB`, (t) => {
    const { gzip } = sizeOf(worker);
    t.diagnostic(`${Math.round(gzip / 1000)} KB`);
    assert.ok(gzip < SCRIPT_LIMIT_BYTES && SCRIPT_LIMIT_BYTES <= 1_000_000);
  });
}

for (const worker of ["consumer", "archiver"]) {
  test(`the ${worker} cannot be reached from outside`, () => {
    const { env, ...general } = configs[worker];
    assert.equal(general.workers_dev, false);
    for (const [environment, config] of Object.entries(env)) {
      assert.notEqual(config.workers_dev, true, environment);
      for (const key of ["route", "routes"]) assert.equal(config[key] ?? general[key], undefined, `${key} in ${environment}`);
      assert.notEqual(config.preview_urls, true, environment);
    }
  });
}

test("the consumer takes from the queue that the producer fills, and from its dead-letter queue", () => {
  for (const [environment, config] of environments("consumer")) {
    const [events, dead] = config.queues.consumers;
    const [produced] = configs.producer.env[environment].queues.producers;
    assert.equal(events.queue, produced.queue, environment);
    assert.equal(events.dead_letter_queue, dead.queue, environment);
    assert.ok(dead.queue.endsWith(constants.DEAD_LETTER_QUEUE_ENDING), `${dead.queue} is told by its ending`);
    assert.ok(!events.queue.endsWith(constants.DEAD_LETTER_QUEUE_ENDING));
  }
});

test("the api asks the queue that the producer fills how much waits", () => {
  for (const [environment, config] of environments("api")) {
    const [asked] = config.queues.producers;
    const [produced] = configs.producer.env[environment].queues.producers;
    assert.deepEqual(asked, produced, environment);
  }
});

test("the attempts that the code counts on are those of the queue", () => {
  const [, retries] = source("crates/pathstats-model/src/backoff.rs").match(/MAX_RETRIES: u32 = (\d+);/);
  for (const [environment, config] of environments("consumer")) assert.equal(config.queues.consumers[0].max_retries, Number(retries), environment);
});

test("all Workers of an environment share one database and one store of snapshots", () => {
  for (const environment of Object.keys(configs.consumer.env)) {
    const ids = (key, id) => new Set(WORKERS.flatMap((worker) => (configs[worker].env[environment]?.[key] ?? []).map((binding) => binding[id])));
    assert.equal(ids("d1_databases", "database_id").size, 1, environment);
    assert.equal(ids("kv_namespaces", "id").size, 1, environment);
  }
});
