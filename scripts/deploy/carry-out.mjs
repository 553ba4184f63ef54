// Carries a plan out, step by step, and takes back what was deployed when a check fails.
//
// Every step may be repeated: the plan is made anew from what the account has, so a run that died anywhere is finished
// by running again. What must outlive the run is in the journal, written before the step that needs it.
import { Taken } from "./account.mjs";
import { deployable, tagOf, withoutItself, writeConfig } from "./configs.mjs";
import { idsOf } from "./look.mjs";
import { versionBefore } from "./plan.mjs";
import { FIRST_TAG } from "./settings.mjs";
import { until } from "../until.mjs";

/** What is created is listed within seconds. */
const LISTED_MS = 30_000;

/** A run that went wrong after the first Worker was deployed, with what became of each. */
export class RolledBack extends Error {
  constructor(cause, became) {
    super(cause.message, { cause });
    Object.assign(this, became);
  }
}

/**
 * Does the steps of `plan`. `secrets` are values by name, `addresses` base URLs by Worker, which grows with what
 * wrangler tells. Fails with RolledBack when it went wrong after the first Worker was deployed.
 */
export async function carryOut({ plan, wanted, found, account, journal, health, secrets = {}, addresses, folder, message, say = () => {}, tagged = tagOf }) {
  const versions = new Map();
  const configs = new Map();
  const there = new Set(Object.keys(found.scripts));

  /** Creates what may have been created meanwhile by another run: then that is taken. */
  const create = async (make, lookAgain) => {
    try {
      await make();
    } catch (error) {
      if (!(error instanceof Taken) || !(await lookAgain())) throw error;
    }
    await until(lookAgain, { within: LISTED_MS, what: "what was created being listed" });
  };
  const configsWithIds = async () => {
    if (configs.size) return;
    const [databases, namespaces] = [await account.databases(), await account.namespaces()];
    const ids = idsOf({ databases, namespaces }, wanted);
    for (const worker of wanted.workers) {
      const config = deployable(worker, ids);
      configs.set(worker.worker, { config, path: writeConfig(folder, worker.worker, config), first: writeConfig(folder, `${worker.worker}-first`, withoutItself(config)) });
    }
  };
  const deploy = async ({ worker, subject: script, secrets: names }) => {
    await configsWithIds();
    const { config, path } = configs.get(worker);
    // Noted first: if we die in the upload, the next run knows what this Worker goes back to.
    journal.deploying(script, versionBefore(found.scripts[script]));
    const given = Object.fromEntries(names.map((name) => [name, secrets[name]]));
    const deployed = await account.deploy(path, { tag: tagged(wanted.workers.find((one) => one.worker === worker), config), message, secrets: given });
    versions.set(script, deployed.version);
    there.add(script);
    addresses[worker] ??= deployed.addresses[0];
    return deployed.version;
  };

  const does = {
    queue: ({ subject }) => create(() => account.createQueue(subject), () => account.queue(subject)),
    database: ({ subject }) => create(() => account.createDatabase(subject), async () => (await account.databases())[subject]),
    namespace: ({ subject }) => create(() => account.createNamespace(subject), async () => (await account.namespaces())[subject]),
    bucket: ({ subject }) => create(() => account.createBucket(subject), () => account.bucket(subject)),
    lifecycle: ({ subject, rule }) => account.addLifecycle(subject, rule),
    bookmark: async ({ subject }) => {
      const bookmark = await account.bookmark(subject);
      journal.bookmark(subject, bookmark);
      return `${bookmark}; back with \`npx wrangler d1 time-travel restore ${subject} --bookmark=${bookmark}\`, which loses what was written since`;
    },
    // Each file is one transaction and is remembered: dying between two is going on with the second.
    migrate: async ({ subject }) => {
      await configsWithIds();
      await account.migrate(subject, configs.get("consumer").path);
    },
    bootstrap: async ({ subject: script, worker }) => {
      await configsWithIds();
      journal.deploying(script, undefined);
      await account.deploy(configs.get(worker).first, { tag: FIRST_TAG, message });
    },
    deploy,
    live: ({ subject, version }) => void versions.set(subject, version),
    check: ({ subject: script, worker }) =>
      health.check(worker, { script, version: versions.get(script), first: !found.scripts[script], apiThere: there.has(wanted.workers.find((one) => one.worker === "api").script) }),
  };

  for (const [n, step] of plan.steps.entries()) {
    say(`[${n + 1}/${plan.steps.length}] ${step.title}`);
    try {
      const told = await does[step.kind](step);
      if (typeof told === "string" && ["check", "deploy", "bookmark"].includes(step.kind)) say(`      ${told}`);
    } catch (error) {
      if (!journal.unfinished()) throw error;
      say(`      failed: ${error.message}`);
      throw new RolledBack(error, await rollBack({ account, journal, say, reason: `failed at: ${step.title}` }));
    }
  }
  journal.end();
}

/**
 * Takes back exactly what the journal says was deployed, the last first. One that fails does not keep the others.
 *
 * Resolves to scripts that are `rolledBack`, commands that are left to do `byHand`, scripts that had no version before
 * (`stays`), and the `bookmarks` of databases that were migrated.
 */
export async function rollBack({ account, journal, say, reason }) {
  const [rolledBack, failed, byHand, stays] = [[], [], [], []];
  const bookmarks = { ...journal.bookmarks() };
  for (const { script, previous } of journal.deployed()) {
    if (!previous) {
      stays.push(script);
      continue;
    }
    try {
      // Dying here and running again: the version is asked for each time, so going back twice is going back once.
      const live = await account.live(script);
      if (live?.version !== previous || !live.whole) await account.rollback(script, previous, reason.slice(0, 100));
      rolledBack.push(script);
      say(`rolled back: ${script} to ${previous}`);
    } catch (error) {
      failed.push(script);
      byHand.push(`npx wrangler rollback ${previous} --name ${script} --yes`);
      say(`NOT rolled back: ${script}: ${error.message}`);
    }
  }
  // What could not be taken back is still to do, and a first version that was not well is nothing to go back to: the next
  // run must know both.
  journal.keepOnly([...failed, ...stays]);
  return { rolledBack, byHand, stays, bookmarks };
}

