// Producers with one thing changed each, all in one runtime: what a deploy that went wrong, or an outage, looks like.
import { changed } from "./configs.mjs";

/** A producer called `name`, with `change` made to its real config. */
export const producer = (name, change = () => ({})) => changed("producer", (config) => ({ name, ...change(config) }));

export const withVars = (vars) => (config) => ({ vars: { ...config.vars, ...vars } });
export const withoutQueue = () => ({ queues: {} });
export const withoutDatabase = () => ({ d1_databases: [] });
/** Another limit of a rate, in a minute. */
export const withLimit = (name, limit) => (config) => ({
  ratelimits: config.ratelimits.map((entry) => (entry.name === name ? { ...entry, simple: { limit, period: 60 } } : entry)),
});
/** Several changes, each on the config as the one before left it. */
export const all = (...changes) => (config) => changes.reduce((made, change) => ({ ...made, ...change({ ...config, ...made }) }), {});
