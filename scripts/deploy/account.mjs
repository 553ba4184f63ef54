// A Cloudflare account, through wrangler's own commands: what it has, and what is changed in it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, run } from "../command.mjs";
import { toolEnvironment } from "../environment.mjs";
import { ROOT } from "../paths.mjs";
import { TAG_PREFIX } from "./settings.mjs";

/** The longest that one command of wrangler may take: an upload over a slow line. */
const COMMAND_SECONDS = 300;
/** What the platform answers about what is not there: Workers, queues, buckets. */
const ABSENT = /code: (10007|10090|10006|11000|7404)\b|does not exist|not found/i;
/** What it answers to the creation of what is there: queues, databases, namespaces, buckets. */
const TAKEN = /code: (11009|7502|10014|10004)\b|already exists|already (taken|in use)/i;

/** A command that failed because the name is taken. */
export class Taken extends Failure {}

/** Over how many databases paths are spread, of all layouts whose rows may still be there: daily rows are kept 400 days. */
const DATABASES_NEEDED =
  "SELECT coalesce(max(shards), 1) AS shards FROM shard_layouts l WHERE coalesce((SELECT min(n.from_date) FROM shard_layouts n WHERE n.from_date > l.from_date), '9999') > date('now', '-400 days')";

/** What a failed command comes to, in words that say what to do. */
export function explain(command, output) {
  const said = output.replace(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim()).filter((line) => line && !/^(⛅️|─+$|🪵|If you think this is a bug|https:\/\/github.com\/cloudflare)/.test(line)).slice(-12).join("\n  ");
  const failed = `\`npx wrangler ${command}\` failed.\n  ${said}`;
  if (/CLOUDFLARE_API_TOKEN environment variable|not logged in|wrangler login|You are not authenticated/i.test(output)) return new Failure(`not logged in. Run \`npx wrangler login\`, or set CLOUDFLARE_API_TOKEN (docs/deploy.md says with which permissions).\n  ${said}`);
  if (/code: (9109|10000|10001|6003)\b|Authentication error|Invalid access token/i.test(output)) return new Failure(`the account refuses the credentials: the token is wrong, has ended, or lacks a permission (docs/deploy.md lists them), or the account is another one.\n  ${failed}`);
  if (/fetch failed|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|Failed to fetch|stopped after/i.test(output)) return new Failure(`Cloudflare cannot be reached: is there a network? Nothing is lost, run this again.\n  ${failed}`);
  if (/code: 10042\b|enable R2/i.test(output)) return new Failure(`R2 is not enabled in this account. Enable it in the dashboard, under R2, then run this again.\n  ${failed}`);
  if (TAKEN.test(output)) return new Taken(failed);
  return new Failure(failed);
}

/** The account that wrangler is logged in to, or the one of `accountId`. */
export function wranglerAccount({ accountId, env = {} } = {}) {
  const environment = {
    // Without its banner wrangler asks no registry for a newer version at each command.
    ...toolEnvironment(), ...env, NO_COLOR: "1", FORCE_COLOR: "0", CI: "true", WRANGLER_LOG: "log", WRANGLER_HIDE_BANNER: "true",
    ...(accountId ? { CLOUDFLARE_ACCOUNT_ID: accountId } : {}),
  };

  /** Runs wrangler; resolves to its output, or to undefined for what is `absent` where that is allowed. */
  async function wrangler(args, { absent = false, more = {} } = {}) {
    const { code, output, timedOut } = await run("wrangler", args, { cwd: ROOT, env: { ...environment, ...more }, quiet: true, timeoutSeconds: COMMAND_SECONDS });
    if (code === 0) return output;
    if (absent && !timedOut && ABSENT.test(output)) return undefined;
    throw explain(args.join(" "), output);
  }
  const json = async (args, options) => {
    const output = await wrangler(args, options);
    return output === undefined ? undefined : jsonIn(output, args);
  };

  /** The version that requests reach, or undefined where there is no such Worker. `whole`: all of them do. */
  const live = async (name) => {
    const deployment = await json(["deployments", "status", "--name", name, "--json"], { absent: true });
    if (!deployment) return undefined;
    // While two versions share the traffic, the one to go back to is the one that has more of it.
    const [most] = deployment.versions.toSorted((a, b) => b.percentage - a.percentage);
    return { version: most.version_id, whole: most.percentage === 100 };
  };

  return {
    identity: async () => {
      const { code, output } = await run("wrangler", ["whoami", "--json"], { cwd: ROOT, env: environment, quiet: true, timeoutSeconds: COMMAND_SECONDS });
      const told = /^\s*\{/m.test(output) ? jsonIn(output, ["whoami"]) : undefined;
      if (code !== 0 || !told?.loggedIn) throw explain("whoami", told ? "You are not authenticated" : output);
      return { accounts: told.accounts ?? [] };
    },
    queue: async (name) => {
      const text = await wrangler(["queues", "info", name], { absent: true });
      return text && { consumers: [...(text.match(/^Consumers: (.*)$/m)?.[1] ?? "").matchAll(/\bworker:([\w-]+)/g)].map(([, script]) => script).filter((script) => script !== "undefined") };
    },
    databases: async () => Object.fromEntries((await json(["d1", "list", "--json"])).map(({ name, uuid }) => [name, { id: uuid }])),
    namespaces: async () => Object.fromEntries((await json(["kv", "namespace", "list"])).map(({ title, id }) => [title, { id }])),
    bucket: async (name) => {
      const text = await wrangler(["r2", "bucket", "lifecycle", "list", name], { absent: true });
      return text === undefined ? undefined : { rules: [...text.matchAll(/^name:\s+(.+?)\s*$/gm)].map(([, rule]) => rule) };
    },
    live,
    script: async (name) => {
      const now = await live(name);
      if (!now) return undefined;
      const [versions, secrets] = await Promise.all([json(["versions", "list", "--name", name, "--json"]), json(["secret", "list", "--name", name, "--format", "json"])]);
      const tags = new Map(versions.map(({ id, annotations }) => [id, annotations?.["workers/tag"]]));
      return { ...now, tag: tags.get(now.version), ours: [...tags.values()].some((tag) => tag?.startsWith(TAG_PREFIX)), secrets: secrets.map((secret) => secret.name) };
    },
    appliedMigrations: async (database) => {
      const sql = "SELECT name FROM d1_migrations ORDER BY id";
      const { code, output } = await run("wrangler", ["d1", "execute", database, "--remote", "--json", "--command", sql], { cwd: ROOT, env: environment, quiet: true, timeoutSeconds: COMMAND_SECONDS });
      if (code !== 0 && /no such table/i.test(output)) return [];
      if (code !== 0) throw explain(`d1 execute ${database}`, output);
      return jsonIn(output, ["d1", "execute"])[0].results.map(({ name }) => name);
    },
    databasesNeeded: async (database) => {
      const { code, output } = await run("wrangler", ["d1", "execute", database, "--remote", "--json", "--command", DATABASES_NEEDED], { cwd: ROOT, env: environment, quiet: true, timeoutSeconds: COMMAND_SECONDS });
      // A database from before there were layouts.
      if (code !== 0 && /no such table/i.test(output)) return 1;
      if (code !== 0) throw explain(`d1 execute ${database}`, output);
      return jsonIn(output, ["d1", "execute"])[0].results[0]?.shards ?? 1;
    },
    createQueue: (name) => wrangler(["queues", "create", name]),
    createDatabase: (name) => wrangler(["d1", "create", name, "--update-config", "false"]),
    createNamespace: (title) => wrangler(["kv", "namespace", "create", title, "--update-config", "false"]),
    createBucket: (name) => wrangler(["r2", "bucket", "create", name, "--update-config", "false"]),
    addLifecycle: (bucket, { name, prefix, abortMultipartDays }) => wrangler(["r2", "bucket", "lifecycle", "add", bucket, name, prefix, "--abort-multipart-days", String(abortMultipartDays), "--force"]),
    bookmark: async (database) => (await json(["d1", "time-travel", "info", database, "--json"])).bookmark,
    migrate: (database, config) => wrangler(["d1", "migrations", "apply", database, "--remote", "--config", config]),
    deploy: (config, { tag, message, secrets = {} }) => inPrivateFolder(async (folder) => {
      const told = join(folder, "told.jsonl");
      const args = ["deploy", "--config", config, "--tag", tag, "--message", message];
      if (Object.keys(secrets).length) {
        writeFileSync(join(folder, "secrets.json"), JSON.stringify(secrets), { mode: 0o600 });
        args.push("--secrets-file", join(folder, "secrets.json"));
      }
      await wrangler(args, { more: { WRANGLER_OUTPUT_FILE_PATH: told } });
      const deployed = readFileSync(told, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)).find(({ type }) => type === "deploy");
      if (!deployed?.version_id) throw new Failure(`\`npx wrangler deploy --config ${config}\` ended well but told no version.`);
      return { version: deployed.version_id, addresses: (deployed.targets ?? []).flatMap(addressIn) };
    }),
    rollback: (script, version, message) => wrangler(["rollback", version, "--name", script, "--message", message, "--yes"]),
  };
}

/** A target of a deployment that requests can be sent to: not a cron, a queue or a pattern of paths. */
function addressIn(target) {
  const [, host] = target.match(/^(?:https:\/\/)?([\w.-]+\.[a-z]{2,})\/?(?: \(custom domain.*\))?$/i) ?? [];
  return host ? [`https://${host}`] : [];
}

/** The JSON in what wrangler printed: warnings may stand around it. */
function jsonIn(output, args) {
  const from = output.search(/^[[{]/m);
  const end = Math.max(output.lastIndexOf("]"), output.lastIndexOf("}"));
  try {
    return JSON.parse(output.slice(from, end + 1));
  } catch {
    throw new Failure(`\`npx wrangler ${args.join(" ")}\` answered no JSON:\n  ${output.trim().slice(0, 500)}`);
  }
}

/** Secrets go to wrangler in a file that only this user can read, in a folder that is removed whatever happens. */
async function inPrivateFolder(act) {
  const folder = mkdtempSync(join(tmpdir(), "pathstats-deploy-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await act(folder);
  } finally {
    process.off("exit", remove);
    remove();
  }
}
