// A whole deployment against an account in memory, as the command does it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { carryOut } from "../carry-out.mjs";
import { deployable, migrationsOf, readEnvironment, tagOf } from "../configs.mjs";
import { journalIn } from "../journal.mjs";
import { idsOf, look } from "../look.mjs";
import { plan } from "../plan.mjs";
import { SECRETS } from "../settings.mjs";

export const ENVIRONMENT = "staging";
export const scriptOf = (worker) => `pathstats-${worker}-${ENVIRONMENT}`;
const VALUES = Object.fromEntries(Object.values(SECRETS).flat().map(({ name }) => [name, `a value for ${name}`]));

/** The environment as wrangler/ has it, with an origin. */
export const wantedEnvironment = (edit = (_, config) => config) =>
  readEnvironment(ENVIRONMENT, { edit: (worker, config) => edit(worker, worker === "producer" ? { ...config, vars: { ...config.vars, ORIGIN_URL: "https://api.example.org" } } : config) });

export const WANTED = wantedEnvironment();
export const MIGRATIONS = migrationsOf(WANTED);

/** A folder that goes with the test. */
export function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), "pathstats-deploy-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Sources of a release: two releases have different tags. */
const tagger = (release) => (worker, config) => tagOf(worker, { ...config, release }, "/nowhere");

/**
 * Looks, plans and carries out. `unwell(worker, script)` says why a check fails, or nothing. Resolves to the plan and
 * to what was said.
 */
export async function deployTo(account, folder, { wanted = WANTED, release = "1", unwell = () => undefined, given = {}, migrations = MIGRATIONS, adopt = false, accountId = "account-1", tagged = tagger(release) } = {}) {
  const found = await look(account, wanted);
  const tags = Object.fromEntries(wanted.workers.map((worker) => [worker.worker, tagged(worker, deployable(worker, idsOf(found, wanted)))]));
  const made = plan(wanted, found, { migrations, tags, given, adopt });
  const said = [];
  const checked = [];
  const health = {
    check: async (worker, { script, version }) => {
      checked.push(script);
      const live = await account.live(script);
      if (live?.version !== version) throw new Error(`${script} has ${live?.version} live instead of ${version}`);
      const problem = unwell(worker, script);
      if (problem) throw new Error(problem);
      return "well";
    },
  };
  const result = { plan: made, said, checked, tags };
  if (made.obstacles.length) return result;
  const journal = journalIn(folder, accountId);
  await carryOut({ plan: made, wanted, found, account, journal, health, secrets: VALUES, addresses: {}, folder, message: "test", say: (line) => said.push(line), tagged });
  return result;
}
