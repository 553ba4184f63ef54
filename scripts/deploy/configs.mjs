// What an environment consists of, read from the real wrangler configs; and the configs that are deployed, with ids.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { experimental_readRawConfig as readRaw } from "wrangler";
import { Failure } from "../command.mjs";
import { ROOT, buildOf, configOf } from "../paths.mjs";
import { LIFECYCLE, ORDER, PLACEHOLDERS, SECRETS, TAG_PREFIX, namespaceTitle } from "./settings.mjs";

/** Folder of what deploying an environment leaves here: configs with ids, and how far an unfinished run came. */
export const folderOf = (environment, root = ROOT) => join(root, ".deploy", environment);

const unique = (list) => [...new Set(list)];

/**
 * The Workers of an environment in the order of their deployment, and all that they are bound to.
 *
 * `edit(worker, config)` lets a test change a config.
 */
export function readEnvironment(environment, { fileOf = configOf, edit = (_, config) => config } = {}) {
  const workers = ORDER.map(({ worker, why }) => {
    const file = fileOf(worker);
    const { rawConfig } = readRaw({ config: file });
    const { env: environments = {}, $schema: _, ...general } = rawConfig;
    const own = environments[environment];
    if (!own) throw new Failure(`${relative(ROOT, file)} has no environment "${environment}". It has: ${Object.keys(environments).join(", ")}.`);
    // As wrangler names it: an environment without a name of its own is appended.
    const config = edit(worker, { ...general, ...own, name: own.name ?? `${general.name}-${environment}` });
    return { worker, why, file, script: config.name, config, secrets: SECRETS[worker] ?? [] };
  });
  const all = (pick) => workers.flatMap(({ config }) => pick(config) ?? []);
  const consumed = all(({ queues }) => queues?.consumers);
  const dead = unique(consumed.map(({ dead_letter_queue: queue }) => queue).filter(Boolean));
  const queues = unique([...dead, ...consumed.map(({ queue }) => queue), ...all(({ queues }) => queues?.producers).map(({ queue }) => queue)]);
  const databases = all(({ d1_databases: list }) => list);
  return {
    environment,
    workers,
    // The dead-letter queue first: a consumer may name it only once it is there.
    queues: queues.map((name) => ({ name, deadLetters: dead.includes(name), consumer: workers.find(({ config }) => config.queues?.consumers?.some(({ queue }) => queue === name))?.script })),
    databases: unique(databases.map(({ database_name: name }) => name)).map((name) => ({ name, id: databases.find((one) => one.database_name === name && one.database_id)?.database_id })),
    namespaces: unique(all(({ kv_namespaces: list }) => list).map(({ id }) => id ?? "")).map((id) => ({ title: namespaceTitle(environment), id: id || undefined })),
    buckets: unique(all(({ r2_buckets: list }) => list).map(({ bucket_name: name }) => name)).map((name) => ({ name, lifecycle: LIFECYCLE })),
    accountId: unique(workers.map(({ config }) => config.account_id).filter(Boolean))[0],
    unset: PLACEHOLDERS.flatMap((placeholder) => {
      const { config, file } = workers.find(({ worker }) => worker === placeholder.worker);
      return config.vars?.[placeholder.variable] === placeholder.value ? [{ ...placeholder, file: relative(ROOT, file) }] : [];
    }),
  };
}

/** Files of the migrations of an environment, by name. */
export function migrationsOf({ workers }) {
  const { config, file } = workers.find(({ config }) => config.d1_databases?.[0]?.migrations_dir);
  const folder = resolve(dirname(file), config.d1_databases[0].migrations_dir);
  return readdirSync(folder).filter((name) => name.endsWith(".sql")).sort();
}

/**
 * The config that is deployed: of one environment only, with ids, and with whole paths. No id has to be written into
 * `wrangler/`: every store is found by its name.
 */
export function deployable({ file, config }, ids) {
  const whole = (path) => resolve(dirname(file), path);
  return {
    ...config,
    main: whole(config.main),
    ...(config.assets ? { assets: { ...config.assets, directory: whole(config.assets.directory) } } : {}),
    d1_databases: config.d1_databases?.map((one) => ({ ...one, database_id: one.database_id ?? ids.databases[one.database_name], migrations_dir: whole(one.migrations_dir) })),
    kv_namespaces: config.kv_namespaces?.map((one) => ({ ...one, id: one.id ?? ids.namespace })),
  };
}

/** The same without what binds the Worker to itself: a Worker can only be bound once it is there. */
export const withoutItself = (config) => ({ ...config, services: config.services?.filter(({ service }) => service !== config.name), queues: undefined, triggers: { crons: [] } });

export const bindsItself = ({ config }) => Boolean(config.services?.some(({ service }) => service === config.name));

/** Writes a config into the environment's folder, and resolves to its path. */
export function writeConfig(folder, name, config) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}

/** Tag of a version: what it was made of. The same sources and settings have the same tag. */
export function tagOf({ worker }, config, built = buildOf(worker)) {
  const hash = createHash("sha256").update(JSON.stringify({ ...config, main: "", assets: undefined, d1_databases: config.d1_databases?.map(({ migrations_dir: _, ...one }) => one) }));
  const folders = [built, config.assets?.directory].filter((folder) => folder && existsSync(folder));
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
      const path = join(folder, name);
      if (statSync(path).isFile() && !name.startsWith(".")) hash.update(name).update(readFileSync(path));
    }
  }
  return TAG_PREFIX + hash.digest("hex").slice(0, 12);
}

/** Where a Worker answers by its config alone: a custom domain. */
export function domainOf({ config }) {
  const routes = [config.route, ...(config.routes ?? [])].filter(Boolean);
  const domain = routes.find((route) => route.custom_domain);
  return domain && `https://${domain.pattern}`;
}
