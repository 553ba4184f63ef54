// What the account has of what an environment needs: only asks, changes nothing.
import { Failure } from "../command.mjs";

/** Which account it is: the one that was asked for, or the only one there is. Fails where that is not certain. */
export async function accountOf(account, asked) {
  const { accounts } = await account.identity();
  const list = () => accounts.map(({ name, id }) => `${id} (${name})`).join(", ");
  // A token that may not list its accounts tells none: then what was asked for is taken at its word.
  if (asked && accounts.length && !accounts.some(({ id }) => id === asked)) throw new Failure(`wrong account: you are logged in to ${list()}, and the account ${asked} was asked for. Log in to that one, or name another with --account.`);
  if (asked) return { id: asked, name: accounts.find(({ id }) => id === asked)?.name ?? "" };
  if (accounts.length === 1) return accounts[0];
  throw new Failure(accounts.length ? `you are logged in to several accounts: ${list()}. Name one with --account, or set CLOUDFLARE_ACCOUNT_ID.` : "the credentials tell no account. Name it with --account, or set CLOUDFLARE_ACCOUNT_ID.");
}

/** Each question is a process of wrangler that mostly waits for the network. */
const AT_ONCE = 4;

/** Everything that `wanted` names and the account has; `say` hears what is being looked at. */
export async function look(account, wanted, say = () => {}) {
  const questions = [];
  /** Asks about each name; what is not there is left out. */
  const byName = (names, ask) => {
    const found = {};
    for (const name of names) {
      questions.push(async () => {
        say(`looking at ${name}`);
        const answer = await ask(name);
        if (answer) found[name] = answer;
      });
    }
    return found;
  };
  const namesOf = (list) => list.map(({ name }) => name);
  const [databases, namespaces] = await Promise.all([account.databases(), account.namespaces()]);
  const migrations = byName(namesOf(wanted.databases).filter((name) => databases[name]), account.appliedMigrations);
  // Layouts stand in the first database.
  const needed = byName(namesOf(wanted.databases).slice(0, 1).filter((name) => databases[name]), account.databasesNeeded);
  const queues = byName(namesOf(wanted.queues), account.queue);
  const buckets = byName(namesOf(wanted.buckets), account.bucket);
  const scripts = byName(wanted.workers.map(({ script }) => script), account.script);
  const lane = async () => {
    for (let next = questions.shift(); next; next = questions.shift()) await next();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  for (const [name, applied] of Object.entries(migrations)) databases[name] = { ...databases[name], migrations: applied };
  for (const [name, shards] of Object.entries(needed)) databases[name] = { ...databases[name], shards };
  return { databases, namespaces, queues, buckets, scripts };
}

/** Ids by name, as the deployed configs have them. */
export const idsOf = ({ databases, namespaces }, wanted) => ({
  databases: Object.fromEntries(Object.entries(databases).map(([name, { id }]) => [name, id])),
  namespace: namespaces[wanted.namespaces[0]?.title]?.id,
});
