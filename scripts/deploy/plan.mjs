// What has to be done, from what is wanted and what the account has. Pure: no I/O, so that every account can be tried.
import { bindsItself } from "./configs.mjs";
import { FIRST_TAG } from "./settings.mjs";
import { spreadObstacles } from "./spread.mjs";

/** An account in which nothing is. */
export const EMPTY = { queues: {}, databases: {}, namespaces: {}, buckets: {}, scripts: {} };

const lifecycleCommand = (bucket, { name, prefix, abortMultipartDays }) =>
  `wrangler r2 bucket lifecycle add ${bucket} ${name} ${prefix} --abort-multipart-days ${abortMultipartDays} --force`;

/**
 * The steps, in order, and what stands in the way. A step says what it does (`title`), why, and with which `command`.
 *
 * `found` has queues by name (`{ consumers: [script] }`), databases by name (`{ id, migrations: [name], shards }`), namespaces by
 * title (`{ id }`), buckets by name (`{ rules: [name] }`) and scripts by name (`{ version, tag, ours, secrets: [name] }`).
 * `tags`: the tag of each Worker's build; without them every Worker is deployed.
 */
export function plan(wanted, found, { migrations, tags = {}, adopt = false, given = {} }) {
  const steps = [];
  const obstacles = spreadObstacles(wanted, found);
  const add = (kind, subject, title, command, rest = {}) => steps.push({ id: `${kind}:${subject}`, kind, subject, title, command, ...rest });

  for (const { variable, value, file, what, worker } of wanted.unset) obstacles.push(`${file}: ${variable} of ${wanted.environment} is still ${value}. Set it to ${what}, or bind a Worker as ORIGIN and remove it. (The ${worker} would proxy to nowhere.)`);

  for (const { name, deadLetters, consumer } of wanted.queues) {
    const there = found.queues[name];
    if (!there) add("queue", name, `create the queue ${name}`, `wrangler queues create ${name}`, { why: deadLetters ? "messages whose attempts are used up" : "events on their way" });
    const others = (there?.consumers ?? []).filter((script) => script !== consumer);
    if (others.length) obstacles.push(`the queue ${name} is taken: ${others.join(", ")} consumes it, and a queue has one consumer. Remove that with \`npx wrangler queues consumer remove ${name} ${others[0]}\`, or give the queue another name in wrangler/.`);
  }
  for (const { name, id } of wanted.databases) {
    const there = found.databases[name];
    if (id && there?.id !== id) obstacles.push(`the account has no database ${name} with the id ${id} that wrangler/ gives. Is it another account? Remove the id to have the database found by its name.`);
    else if (!there) add("database", name, `create the database ${name}`, `wrangler d1 create ${name}`, { why: "raw events, hours, totals, dead letters" });
  }
  for (const { title, id } of wanted.namespaces) {
    const ids = Object.values(found.namespaces).map((namespace) => namespace.id);
    if (id && !ids.includes(id)) obstacles.push(`the account has no KV namespace with the id ${id} that wrangler/ gives. Is it another account? Remove the id to have the namespace found by its title, ${title}.`);
    else if (!id && !found.namespaces[title]) add("namespace", title, `create the KV namespace ${title}`, `wrangler kv namespace create ${title}`, { why: "the snapshot, the heartbeat" });
  }
  for (const { name, lifecycle } of wanted.buckets) {
    if (!found.buckets[name]) add("bucket", name, `create the bucket ${name}`, `wrangler r2 bucket create ${name}`, { why: "archives" });
    if (!found.buckets[name]?.rules.includes(lifecycle.name)) {
      add("lifecycle", name, `have ${name} drop uploads that were never completed`, lifecycleCommand(name, lifecycle), { why: `after ${lifecycle.abortMultipartDays} days; archives stay for ever`, rule: lifecycle });
    }
  }
  for (const { name } of wanted.databases) {
    const applied = found.databases[name]?.migrations ?? [];
    const lacking = migrations.filter((file) => !applied.includes(file));
    if (lacking.length === 0) continue;
    if (found.databases[name]) add("bookmark", name, `note where ${name} stands, to be able to go back`, `wrangler d1 time-travel info ${name} --json`, { why: "a migration is not rolled back with the Workers" });
    add("migrate", name, `apply ${lacking.length} migration${lacking.length === 1 ? "" : "s"} to ${name}: ${lacking.join(", ")}`, `wrangler d1 migrations apply ${name} --remote --config .deploy/${wanted.environment}/consumer.json`, { why: "before the Workers: a migration only adds, so that the versions that run now go on", files: lacking });
  }

  for (const worker of wanted.workers) {
    const { script } = worker;
    const there = found.scripts[script];
    if (there && !there.ours && !adopt) obstacles.push(`the name ${script} is taken: the account has a Worker of this name that this command never deployed. If it is pathstats' all the same, say --adopt.`);
    const secrets = worker.secrets.filter(({ name }) => !(there?.secrets ?? []).includes(name));
    const unknown = secrets.filter(({ name }) => !(name in given));
    const config = `--config .deploy/${wanted.environment}/${worker.worker}.json`;
    const withSecrets = secrets.length ? " --secrets-file (a file that only you can read, removed at once)" : "";
    if (!there && bindsItself(worker)) add("bootstrap", script, `deploy ${script} without its binding to itself`, `wrangler deploy ${config.replace(".json", "-first.json")}`, { worker: worker.worker, why: "a Worker can be bound only once it is there; it takes no messages yet" });
    const live = there?.tag !== undefined && there.tag === tags[worker.worker] && secrets.length === 0;
    if (live) steps.push({ id: `live:${script}`, kind: "live", subject: script, worker: worker.worker, title: `${script} is deployed as it is here: nothing to do`, version: there.version });
    else {
      add("deploy", script, `deploy ${script}${secrets.length ? ` with ${secrets.map(({ name }) => name).join(", ")}` : ""}`, `wrangler deploy ${config} --tag ${tags[worker.worker] ?? "pathstats-…"}${withSecrets}`, {
        worker: worker.worker, why: worker.why, secrets: secrets.map(({ name }) => name), unknownSecrets: unknown,
      });
    }
    add("check", script, `check that ${script} is well`, `wrangler deployments status --name ${script} --json${CHECKED[worker.worker] ? `, ${CHECKED[worker.worker]}` : ""}`, { worker: worker.worker });
  }
  const changes = steps.filter(({ kind }) => !["check", "live", "bookmark"].includes(kind)).length;
  return { environment: wanted.environment, steps, obstacles, changes, rollback: rollbackOf(wanted, found) };
}

/** What is asked of a Worker itself, for those that can be reached. */
const CHECKED = { api: "GET /health, GET /admin/health with PATHSTATS_ADMIN_TOKEN", producer: "POST /collect without a token: 401" };

/** The version to go back to, or undefined: one without its bindings is none. */
export const versionBefore = (script) => (script?.tag === FIRST_TAG ? undefined : script?.version);

/** What a failing check leads to: the last deployed goes back first. */
const rollbackOf = (wanted, found) =>
  wanted.workers.toReversed().map(({ script }) => {
    const version = versionBefore(found.scripts[script]);
    return { script, to: version ?? null, command: version ? `wrangler rollback ${version} --name ${script} --yes` : null };
  });

/** The plan as text. */
export function planText({ environment, steps, obstacles, rollback, changes }, { empty = false } = {}) {
  const number = (n) => String(n + 1).padStart(3);
  const lines = [`Plan for ${environment}${empty ? ", as for an empty account" : ""}: ${steps.length} steps, ${changes} of them change something.`, ""];
  steps.forEach((step, n) => {
    lines.push(`${number(n)}. ${step.title}`);
    if (step.why) lines.push(`       ${step.why}`);
    if (step.command) lines.push(`       $ npx ${step.command}`);
    for (const { name, what } of step.unknownSecrets ?? []) lines.push(`       ${name}: ${what}. You are asked for it, or give it with --secrets-stdin.`);
  });
  lines.push("", "When a check fails, what was deployed goes back, the last first:");
  for (const { script, command } of rollback) lines.push(`       ${command ? `$ npx ${command}` : `${script}: there is no version before; it stays, and running this again goes on`}`);
  if (obstacles.length) lines.push("", "Before this can be done:", ...obstacles.map((text) => `  - ${text}`));
  return lines.join("\n");
}
