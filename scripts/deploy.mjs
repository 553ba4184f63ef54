// Deploys the product: creates what an environment lacks, applies migrations, deploys the Workers one after another, checks
// each, and takes all back when one is not well. The parts are in scripts/deploy/.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { wranglerAccount } from "./deploy/account.mjs";
import { RolledBack, carryOut } from "./deploy/carry-out.mjs";
import { deployable, domainOf, folderOf, migrationsOf, readEnvironment, tagOf } from "./deploy/configs.mjs";
import { healthChecks } from "./deploy/health.mjs";
import { journalIn } from "./deploy/journal.mjs";
import { accountOf, idsOf, look } from "./deploy/look.mjs";
import { EMPTY, plan, planText } from "./deploy/plan.mjs";
import { gather, parseSecrets, promptUnseen } from "./deploy/secrets.mjs";
import { ENVIRONMENTS } from "./deploy/settings.mjs";
import { buildWorkers } from "./build.mjs";
import { Failure, answer, help, main, progress } from "./command.mjs";
import { withLock } from "./lock.mjs";
import { ROOT } from "./paths.mjs";
import { writeWhole } from "./stamp.mjs";

const HELP = `
Deploys staging or production: shows the plan, asks, and carries it out. Running it again goes on where it was, and
changes nothing that is as it should be. docs/deploy.md says what a first deployment needs.

  just deploy staging --dry-run     the whole plan for an empty account; needs no account and no network
  just deploy staging --plan        the plan for your account; changes nothing
  just deploy staging               shows it, asks, does it

  --yes               does not ask
  --json              prints the plan as JSON
  --account ID        the account, where you are logged in to several; also CLOUDFLARE_ACCOUNT_ID
  --secrets-stdin     takes lines NAME=value from stdin for secrets that are missing, instead of asking; with --yes
  --adopt             takes over Workers of the product's names that this command did not deploy
  --api-url URL       where the api answers, if its config names no custom domain; also PATHSTATS_API_URL
  --producer-url URL  the same for the producer; also PATHSTATS_PRODUCER_URL

PATHSTATS_ADMIN_TOKEN has the api asked how everything is (GET /admin/health). CF_ACCESS_CLIENT_ID and
CF_ACCESS_CLIENT_SECRET are sent with the checks where Cloudflare Access stands in front.

Exit codes: 0 done; 1 not done, no version of a Worker was changed; 2 a wrong argument; 3 a check failed, and what was deployed
is rolled back, or stays where there was nothing before; 4 the same, and something is left to be rolled back by hand.
`;

const OPTIONS = {
  "dry-run": { type: "boolean" }, plan: { type: "boolean" }, json: { type: "boolean" }, yes: { type: "boolean" }, adopt: { type: "boolean" },
  "secrets-stdin": { type: "boolean" }, account: { type: "string" }, "api-url": { type: "string" }, "producer-url": { type: "string" },
};

await main(async (args) => {
  help(args, HELP);
  let values, environment;
  try {
    ({ values, positionals: [environment] } = parseArgs({ args, options: OPTIONS, allowPositionals: true, strict: true }));
    if (!ENVIRONMENTS.includes(environment)) throw new Error(`name what to deploy: ${ENVIRONMENTS.join(" or ")}.`);
    if (values["secrets-stdin"] && !values.yes) throw new Error("--secrets-stdin needs --yes: stdin cannot answer as well.");
  } catch (error) {
    console.error(`error: ${error.message} See --help.`);
    return 2;
  }
  const wanted = readEnvironment(environment);
  const migrations = migrationsOf(wanted);
  const show = (made, options) => console.log(values.json ? JSON.stringify(made, null, 2) : planText(made, options));
  if (values["dry-run"]) {
    show(plan(wanted, EMPTY, { migrations }), { empty: true });
    return 0;
  }
  // So that a file of secrets is removed when a person interrupts.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));
  const folder = folderOf(environment);
  return withLock(join(folder, "lock"), "deployment", () => deploy({ values, wanted, migrations, folder, show }));
});

async function deploy({ values, wanted, migrations, folder, show }) {
  const asked = values.account ?? process.env.CLOUDFLARE_ACCOUNT_ID ?? wanted.accountId;
  const tell = (line) => console.error(line);
  const { id, name } = await accountOf(wranglerAccount(), asked);
  tell(`Account: ${id}${name ? ` (${name})` : ""}`);
  const account = wranglerAccount({ accountId: id });
  const journal = journalIn(folder, id);
  if (journal.unfinished()) tell(`A run before this one did not end. It had begun to deploy ${journal.deployed().map(({ script }) => script).join(", ")}: this one goes on.`);
  if (!values.plan) await buildWorkers();
  const found = await look(account, wanted, progress);
  progress("");
  const given = values["secrets-stdin"] ? parseSecrets(readFileSync(0, "utf8")) : {};
  const ids = idsOf(found, wanted);
  const tags = Object.fromEntries(wanted.workers.map((worker) => [worker.worker, tagOf(worker, deployable(worker, ids))]));
  const made = plan(wanted, found, { migrations, tags, adopt: values.adopt, given });
  show(made);
  if (made.obstacles.length) throw new Failure(`${made.obstacles.length} of the plan's conditions are not met: see above. Nothing was changed.`);
  if (values.plan) return 0;
  if (!values.yes && !(await agreed(wanted.environment))) throw new Failure("not agreed to: nothing was changed.");
  const secrets = await gather(made.steps, { given, prompt: process.stdin.isTTY ? promptUnseen() : undefined, say: tell });

  const known = join(folder, "addresses.json");
  const remembered = existsSync(known) ? JSON.parse(readFileSync(known, "utf8")) : {};
  const ofConfig = Object.fromEntries(wanted.workers.map((worker) => [worker.worker, domainOf(worker)]).filter(([, address]) => address));
  const named = { api: values["api-url"] ?? process.env.PATHSTATS_API_URL, producer: values["producer-url"] ?? process.env.PATHSTATS_PRODUCER_URL };
  const addresses = { ...remembered, ...ofConfig, ...Object.fromEntries(Object.entries(named).filter(([, address]) => address)) };
  const { CF_ACCESS_CLIENT_ID: client, CF_ACCESS_CLIENT_SECRET: secret, PATHSTATS_ADMIN_TOKEN } = process.env;
  const headers = client && secret ? { "CF-Access-Client-Id": client, "CF-Access-Client-Secret": secret } : {};
  // A first deployment may have been given the token itself.
  const health = healthChecks({ account, addresses, token: PATHSTATS_ADMIN_TOKEN ?? secrets.ADMIN_TOKEN, headers });
  if (found.scripts[wanted.workers.find(({ worker }) => worker === "api").script]) await health.before();

  const commit = await answer("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT });
  try {
    await carryOut({ plan: made, wanted, found, account, journal, health, secrets, addresses, folder, message: `pathstats ${commit ?? ""}`.trim(), say: tell });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error instanceof Failure ? new Failure(`${error.message}\nNo version of a Worker was changed. Mend it and run this again: it goes on from here.`) : error;
    tell(`\nerror: ${error.message}`);
    if (error.rolledBack.length) tell(`Rolled back: ${error.rolledBack.join(", ")}.`);
    if (error.stays.length) tell(`Left as they are, since there was nothing before: ${error.stays.join(", ")}. Mend it and run this again.`);
    for (const [database, bookmark] of Object.entries(error.bookmarks)) tell(`The database ${database} keeps its migrations, which the versions before understand. Where it stood: ${bookmark}.`);
    if (error.byHand.length) tell(`To be done by hand:\n  ${error.byHand.join("\n  ")}`);
    return error.byHand.length ? 4 : 3;
  } finally {
    writeWhole(known, `${JSON.stringify({ ...remembered, ...addresses }, null, 2)}\n`);
  }
  tell(`\n${wanted.environment} is deployed${addresses.api ? `: ${addresses.api}` : ""}.`);
  return 0;
}

/** Asks a person. For production the name has to be typed. */
async function agreed(environment) {
  if (!process.stdin.isTTY) throw new Failure("nobody can be asked here: say --yes to go on. Nothing was changed.");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const word = environment === "production" ? environment : "yes";
  const said = await lines.question(`\nDo this? Type "${word}" to go on: `);
  lines.close();
  return said.trim() === word;
}
