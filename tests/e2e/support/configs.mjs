// The Workers' real wrangler configs, as they are or changed at a single point.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEMO_ORIGIN_CONFIG, ROOT, configOf } from "../../../scripts/paths.mjs";

/** Where paths of the configs mean the same as in their own folder, but no file of secrets lies. */
export const BESIDE_WRANGLER = join(ROOT, "tests");
export const ENVIRONMENT = "dev";

/** A wrangler config as written. Its comments stand on lines of their own. */
export function readJsonc(file) {
  return JSON.parse(readFileSync(file, "utf8").replace(/^\s*\/\/.*$/gm, ""));
}

/** The local secrets, as `wrangler/.dev.vars` holds them. */
export const SECRETS = Object.fromEntries(
  [...readFileSync(join(ROOT, "wrangler", ".dev.vars"), "utf8").matchAll(/^(\w+)="(.*)"$/gm)].map(([, name, value]) => [name, value]),
);

export const scriptOf = (name) => `pathstats-${name}-${ENVIRONMENT}`;

/** A Worker as it is configured, with other values for some variables. */
export const real = (name, vars = {}) => ({ configPath: configOf(name), env: ENVIRONMENT, vars });

export const demoOrigin = { configPath: DEMO_ORIGIN_CONFIG, env: ENVIRONMENT };

/**
 * A Worker with its real config changed by `change`: another name, a binding less, a variable more.
 * Secrets stand among its variables.
 */
export function changed(name, change = (config) => config) {
  const { $schema, env, ...general } = readJsonc(configOf(name));
  const config = { ...general, ...env[ENVIRONMENT], name: scriptOf(name), vars: { ...env[ENVIRONMENT].vars, ...SECRETS } };
  return { config: { ...config, ...change(config) } };
}

/** As `changed`, for a consumer that takes what is queued at once. */
export const promptConsumer = (vars = {}) =>
  changed("consumer", (config) => ({
    vars: { ...config.vars, FLUSH_SECONDS: "1", SNAPSHOT_SECONDS: "1", TOTALS_SECONDS: "1", ...vars },
    queues: { consumers: config.queues.consumers.map((consumer) => ({ ...consumer, max_batch_timeout: 0 })) },
  }));
