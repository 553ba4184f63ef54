// An account in memory, with the rules of the platform that a deployment runs into: names that are taken, bindings to
// what is not there, one consumer a queue. It can die at any change, before or after the change was made.
import { readFileSync } from "node:fs";
import { Failure } from "../../command.mjs";
import { Taken } from "../account.mjs";
import { FIRST_TAG, TAG_PREFIX } from "../settings.mjs";

export function memoryAccount({ migrations = [], existing = {} } = {}) {
  const state = { queues: {}, databases: {}, namespaces: {}, buckets: {}, scripts: {}, ...structuredClone(existing) };
  const changes = [];
  let ids = 0;
  let death;
  let die;
  let failing = () => undefined;
  const died = new Promise((resolve) => (die = resolve));

  /** A change of the account: counted, refused where `failing` says so, and deadly where a test wants it. */
  const change = (name, make) => async (...given) => {
    const number = changes.length;
    const dies = death?.number === number ? death.when : undefined;
    if (dies === "before") return die(), new Promise(() => {});
    const problem = failing(name, ...given);
    if (problem) throw new Failure(problem);
    const result = make(...given);
    changes.push([name, ...given.map((value) => (typeof value === "string" ? value.split("/").at(-1) : ""))].join(" ").trim());
    if (dies === "after") return die(), new Promise(() => {});
    return result;
  };
  const once = (kind, make) => (name) => {
    if (state[kind][name]) throw new Taken(`${name} already exists`);
    state[kind][name] = make(name);
  };
  const requireThere = (what, there) => {
    if (!there) throw new Failure(`${what} not found`);
  };

  /** What the platform checks when a script comes in. */
  function upload(path, { tag, secrets = {} }) {
    const config = JSON.parse(readFileSync(path, "utf8"));
    const { name } = config;
    for (const { service } of config.services ?? []) requireThere(`service ${service} [code: 10143],`, state.scripts[service]);
    for (const { script_name: script, class_name: object } of config.durable_objects?.bindings ?? []) {
      if (script) requireThere(`script ${script} of ${object}`, state.scripts[script]?.classes.includes(object));
    }
    for (const { database_id: id, database_name: database } of config.d1_databases ?? []) requireThere(`database ${database} ${id}`, state.databases[database]?.id === id);
    for (const { id } of config.kv_namespaces ?? []) requireThere(`namespace ${id}`, Object.values(state.namespaces).some((one) => one.id === id));
    for (const { bucket_name: bucket } of config.r2_buckets ?? []) requireThere(`bucket ${bucket}`, state.buckets[bucket]);
    for (const { queue } of config.queues?.producers ?? []) requireThere(`queue ${queue}`, state.queues[queue]);
    for (const { queue, dead_letter_queue: dead } of config.queues?.consumers ?? []) {
      requireThere(`queue ${queue}`, state.queues[queue]);
      if (dead) requireThere(`queue ${dead}`, state.queues[dead]);
      const others = state.queues[queue].consumers.filter((script) => script !== name);
      if (others.length) throw new Failure(`queue ${queue} has a consumer`);
      state.queues[queue].consumers = [name];
    }
    const before = state.scripts[name] ?? { versions: [], secrets: [], classes: [] };
    const version = `version-${++ids}`;
    const classes = (config.migrations ?? []).flatMap(({ new_sqlite_classes: list = [] }) => list);
    state.scripts[name] = { versions: [...before.versions, { version, tag, services: (config.services ?? []).map(({ service }) => service) }], live: version, secrets: [...new Set([...before.secrets, ...Object.keys(secrets)])].sort(), classes: [...new Set([...before.classes, ...classes])] };
    return { version, addresses: config.workers_dev === false ? [] : [`https://${name}.example.workers.dev`] };
  }

  return {
    state,
    changes,
    died,
    /** Dies at the change of this number (from 0), before or after it is made. */
    dieAt: (number, when) => (death = { number, when }),
    /** `problem(name, ...given)` is why a change fails, or undefined. */
    failWhere: (problem) => (failing = problem),
    identity: async () => ({ accounts: [{ id: "account-1", name: "Test" }] }),
    queue: async (name) => structuredClone(state.queues[name]),
    databases: async () => Object.fromEntries(Object.entries(state.databases).map(([name, { id }]) => [name, { id }])),
    namespaces: async () => structuredClone(state.namespaces),
    bucket: async (name) => structuredClone(state.buckets[name]),
    live: async (name) => state.scripts[name] && { version: state.scripts[name].live, whole: true },
    script: async (name) => {
      const script = state.scripts[name];
      if (!script) return undefined;
      const { tag } = script.versions.find(({ version }) => version === script.live);
      return { version: script.live, whole: true, tag, ours: script.versions.some((one) => one.tag?.startsWith(TAG_PREFIX)), secrets: script.secrets };
    },
    appliedMigrations: async (name) => state.databases[name].migrations,
    databasesNeeded: async (name) => state.databases[name].shards ?? 1,
    bookmark: async (name) => `bookmark-${state.databases[name].migrations.length}`,
    createQueue: change("createQueue", once("queues", () => ({ consumers: [] }))),
    createDatabase: change("createDatabase", once("databases", () => ({ id: `database-${++ids}`, migrations: [] }))),
    createNamespace: change("createNamespace", once("namespaces", () => ({ id: `namespace-${++ids}` }))),
    createBucket: change("createBucket", once("buckets", () => ({ rules: [] }))),
    addLifecycle: change("addLifecycle", (bucket, { name }) => void state.buckets[bucket].rules.push(name)),
    migrate: change("migrate", (name) => void (state.databases[name].migrations = [...migrations])),
    deploy: change("deploy", upload),
    rollback: change("rollback", (name, version) => {
      requireThere(`version ${version}`, state.scripts[name].versions.some((one) => one.version === version));
      state.scripts[name].live = version;
    }),
    /** All that matters of the account: what is live, and of what; not how often it was deployed. */
    summary: () => ({
      ...structuredClone({ queues: state.queues, buckets: state.buckets }),
      databases: Object.fromEntries(Object.entries(state.databases).map(([name, { migrations }]) => [name, migrations])),
      namespaces: Object.keys(state.namespaces).sort(),
      scripts: Object.fromEntries(Object.entries(state.scripts).sort().map(([name, { live, versions, secrets, classes }]) => {
        const { services, tag } = versions.find(({ version }) => version === live);
        return [name, { services, secrets, classes, first: tag === FIRST_TAG }];
      })),
    }),
  };
}
