// Starting from an alert's text alone: the runbook that it links, its commands run as they are written, and what they mend.
// Replaced is only what a reader replaces: the ports, the day, the log file.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { event, hourOf } from "./support/events.mjs";
import { startOnState } from "./support/runtime.mjs";
import { scratchFolder } from "./support/scratch.mjs";

const BOUND = { timeout: 120_000 };
const DAY_MS = 86_400_000;
const FOLDER = join(ROOT, "docs/runbooks");
/** A day that is due for the archive. */
const OLD = Date.now() - 9 * DAY_MS;
const DATE = new Date(OLD).toISOString().slice(0, 10);
const LETTER = event(1);
/** An event of an hour that has ended. */
const YESTERDAY = event(9, { timestamp: Date.now() - DAY_MS, path: "/uncounted" });
const run = promisify(execFile);

let product;
let log;
/** The snapshot that a new one follows. */
let known;

before(async () => {
  product = await startOnState();
  log = join(scratchFolder(), "access.log");
  writeFileSync(log, `192.0.2.1 - - [${new Date().toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, "$1/$2/$3:$4 +0000")}] "GET /lost HTTP/1.1" 200 5 "-" "-"\n`);
});
after(() => product?.stop());

const textOf = (rule) => readFileSync(join(FOLDER, `${rule}.md`), "utf8");

async function admin(path) {
  const response = await product.fetch("api", path, { headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` } });
  assert.equal(response.status, 200, path);
  return response.json();
}
const health = () => admin("/admin/health");

/** Runs all blocks of a runbook, one after another in one shell, as a person does; resolves to what they print. */
async function follow(rule) {
  const blocks = [...textOf(rule).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1]);
  assert.ok(blocks.length > 0, rule);
  const here = (name) => String(product.url(name)).replace(/\/$/, "");
  const script = blocks.join("\n")
    .replaceAll("http://localhost:8788", here("api"))
    .replaceAll("http://localhost:8787", here("producer"))
    .replaceAll("DATE=2025-10-15", `DATE=${DATE}`)
    .replaceAll("HOUR=2025-10-15T14", `HOUR=${hourOf(YESTERDAY.timestamp)}`)
    .replaceAll("/var/log/nginx/access.log", log);
  // A refusal of the API ends it, as it would make a person stop.
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", `curl() { command curl --fail-with-body "$@"; echo; }\n${script}`], { cwd: ROOT }).catch((error) => {
    throw new Error(`${rule}: ${error.message}\n${error.stdout}`);
  });
  // What it has people read is there to be read.
  for (const [sentence] of textOf(rule).matchAll(/\bRead (the days, their )?`[^\n]*?(?=\. |\.\n|: )/g)) {
    for (const [, name] of sentence.matchAll(/`([\w.]+)`/g)) assert.ok(stdout.includes(`"${name.split(".").at(-1)}":`), `${rule}: ${name} in ${stdout}`);
  }
  return stdout;
}

/** What the ledger says of that hour, after its cron. */
async function differenceOfYesterday() {
  const hour = hourOf(YESTERDAY.timestamp);
  await product.rows("INSERT INTO ledger_hours (hour_bucket, changed) VALUES (?, 1) ON CONFLICT DO UPDATE SET changed = 1", hour);
  await product.scheduled("consumer", "*/5 * * * *");
  const { hours } = await admin(`/admin/ledger?from=${hour}:00Z`);
  return hours.find((row) => row.hour === hour)?.difference;
}

/** What the runbook's commands mend, by rule: the cause, and what is to be seen behind it. */
const COURSES = {
  heartbeat: {
    over: async () => {
      assert.equal(await product.rows("SELECT count(*) AS n FROM traffic_events WHERE path = '/runbook'").then(([{ n }]) => n), 1);
      assert.ok((await health()).heartbeat);
    },
  },
  snapshot: {
    cause: async () => {
      await product.fetch("api", "/paths?refresh=true", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } });
      await until(async () => (await health()).snapshot?.ageSeconds >= 2, { what: "a snapshot of two seconds ago" });
      known = (await health()).snapshot.updatedAt;
    },
    over: async () => assert.notEqual((await health()).snapshot.updatedAt, known),
  },
  "dead-letters": {
    cause: () => {
      const letter = (id, reason, body) => product.rows("INSERT INTO dead_letters VALUES (?, ?, '', ?, 1, ?)", id, reason, body, Date.now());
      return Promise.all([letter("runbook-1", "retries_exhausted", JSON.stringify(LETTER)), letter("runbook-2", "not_json", "no event")]);
    },
    over: async () => {
      assert.equal((await health()).deadLetters.total, 0);
      assert.equal((await product.row("SELECT count(*) AS n FROM traffic_events WHERE id = ?", LETTER.id)).n, 1, "the letter that is an event counts");
    },
  },
  "archive-late": {
    cause: () => product.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, '/old', 'GET', 200)", event(5, { timestamp: OLD }).id),
    over: async () => assert.equal((await admin(`/admin/archive/status?date=${DATE}`)).status, "archived"),
  },
  "archive-failed": {
    cause: () => product.rows("UPDATE archive_metadata SET record = json_set(record, '$.error', 'R2 refused a part', '$.clean', json('false')) WHERE date = ?", DATE),
    over: async () => assert.equal((await admin(`/admin/archive/status?date=${DATE}`)).error ?? null, null),
  },
  reconciliation: {
    // The event of the day that was archived above is in no hourly row: it was put into the database by hand.
    cause: async () => assert.equal((await admin(`/admin/archive/status?date=${DATE}`)).reconciliation.differing, 1),
    over: async () => {
      assert.equal((await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path = '/old'")).n, 1);
      assert.equal((await admin(`/admin/archive/status?date=${DATE}`)).reconciliation.differing, 0);
    },
  },
  ledger: {
    // Stored, and counted nowhere.
    cause: async () => {
      await product.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, ?, 'GET', 200)", YESTERDAY.id, YESTERDAY.path);
      await until(async () => (await differenceOfYesterday()) === 1, { what: "the difference" });
    },
    over: async () => {
      assert.equal((await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE path = ?", YESTERDAY.path)).n, 1);
      assert.equal(await differenceOfYesterday(), 0);
    },
  },
  "queue-backlog": { over: async () => assert.ok((await admin("/admin/alerts")).silences.some(({ rule }) => rule === "queue-backlog")) },
};

// In an order in which the archive's follow each other.
const RULES = [...new Set(["heartbeat", "snapshot", "archive-late", "archive-failed", "reconciliation", ...readdirSync(FOLDER).map((file) => file.replace(/\.md$/, ""))])];
for (const rule of RULES) {
  test(`${rule}: the commands of its runbook work as they are written`, BOUND, async () => {
    const { cause, over } = COURSES[rule] ?? {};
    await cause?.();
    await follow(rule);
    if (!over) return;
    // The last thing that is wrong is told, not that it took too long.
    let wrong;
    const holds = () => over().then(() => true, (error) => ((wrong = error), false));
    await until(holds, { what: `the end of ${rule}` }).catch((error) => {
      throw wrong ?? error;
    });
  });
}
