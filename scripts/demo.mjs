// The whole path at work: a sample access log replayed, live requests through the proxy, and the top paths read from the API.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { buildCli, buildWorkers } from "./build.mjs";
import { Failure, help, main, must, progress } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { sendTraffic } from "./live-traffic.mjs";
import { SESSION_OPTIONS, forever, openSession, printPlaces, readOptions, secretOf, untilStopped } from "./session.mjs";
import { pathsTable } from "./table.mjs";

const HELP = `
Builds what changed, runs all Workers, replays a sample access log, sends live requests through the producer to
a small origin, prints the top paths as the API tells them, and stays up with a trickle of requests.

  just demo [options]
${SESSION_OPTIONS}
  --events N          lines of the sample log (12000)
  --requests N        live requests before the table (300)
  --exit              ends after the table
`;

/** The demo does not wait as long as a deployment does: rows and snapshots are written every second or two. */
const HURRY = {
  batchSeconds: 1,
  vars: { consumer: { FLUSH_SECONDS: "2", SNAPSHOT_SECONDS: "2", TOTALS_SECONDS: "5" }, api: { CACHE_SECONDS: "1" } },
};
const LIVE_PER_SECOND = 100;
const TRICKLE_PER_SECOND = 2;
const PATIENCE_SECONDS = 90;

await main(async (args) => {
  help(args, HELP);
  const options = readOptions(args, { "--events": "number", "--requests": "number", "--exit": "flag" });
  await buildWorkers();
  const program = await buildCli();
  const begun = Date.now();
  const runtime = await openSession({ ...options, "--quiet": true }, HURRY);
  await untilStopped(runtime, async (signal) => {
    const before = await totalOf(runtime);
    const replayed = await replay(runtime, program, options["--events"] ?? 12_000);
    const live = await liveRequests(runtime, options["--requests"] ?? 300, signal);
    const answer = await waitForCounts(runtime, before + replayed + live, signal);
    console.log(`\nThe 15 busiest paths of the last 24 hours, from GET /paths (${answer.dataSource}):\n`);
    console.log(pathsTable(answer.paths.slice(0, 15)));
    console.log(`\nSlowest at p95:  ${await top(runtime, "p95", (row) => `${Math.round(row.p95)} ms`)}`);
    console.log(`Failing most:    ${await top(runtime, "errorRate", (row) => `${(row.errorRate * 100).toFixed(1)} %`)}`);
    console.log(`\n${totalIn(answer).toLocaleString("en")} requests over ${answer.paths.length} paths, ${Math.round((Date.now() - begun) / 1000)} s after the start.`);
    await printPlaces(runtime);
    if (options["--exit"]) return;
    console.log(`Running, with ${TRICKLE_PER_SECOND} requests a second. Ctrl-C stops it; \`just reset\` removes what it stored.`);
    await sendTraffic(runtime.url("producer"), { perSecond: TRICKLE_PER_SECOND, seed: 2, signal });
    await forever(signal);
  });
  return 0;
});

/** Makes the sample log and replays it, moved in time so that it ends now. Resolves to how many events were taken. */
async function replay(runtime, program, events) {
  if (events === 0) return 0;
  const folder = join(runtime.state, "demo");
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "access.log.gz");
  const shape = ["--events", String(events), "--paths", "60", "--hours", "6", "--clients", "800", "--seed", "7"];
  await must(program, ["generate", ...shape, "--end", "2026-01-01T12:00:00Z", "--format", "nginx", "--out", log, "--quiet"], { quiet: true });
  console.log(`Replaying ${events.toLocaleString("en")} lines of an access log (${log}).`);
  const token = await secretOf(runtime, "producer", "INGEST_TOKEN");
  const to = new URL("/collect", runtime.url("producer")).href;
  const env = { ...toolEnvironment(), INGEST_TOKEN: token, IP_HASH_SECRET: await secretOf(runtime, "producer", "IP_HASH_SECRET") };
  const result = await must(program, ["replay", log, "--to", to, "--shift-to", "now", "--json"], { env, quiet: true });
  const summary = lastJson(result.output);
  if (!summary) throw new Failure(`\`pathstats replay --json\` printed no summary:\n  ${result.output.trim()}`);
  return summary.accepted ?? events;
}

async function liveRequests(runtime, count, signal) {
  if (count === 0) return 0;
  console.log(`Sending ${count} live requests through the producer: about ${Math.ceil(count / LIVE_PER_SECOND)} s.`);
  const onSent = (sent) => progress(`  ${sent} of ${count}`);
  const tally = await sendTraffic(runtime.url("producer"), { count, perSecond: LIVE_PER_SECOND, seed: Date.now(), signal, onSent });
  progress("");
  if (tally.failed) console.log(`${tally.failed} of them got no answer (${tally.problem}).`);
  return tally.answered;
}

/** Asks the API until it counts `target` requests or the patience ends; a count that stays short is told, not hidden. */
async function waitForCounts(runtime, target, signal) {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    const answer = await readPaths(runtime, "limit=100&refresh=true");
    const total = totalIn(answer);
    if (total >= target) {
      progress("");
      return answer;
    }
    if (Date.now() > deadline) {
      progress("");
      console.log(`After ${PATIENCE_SECONDS} s the API counts ${total} of ${target} requests: the others are on their way, or the log above says why not.`);
      return answer;
    }
    progress(`  the API counts ${total} of ${target} requests`);
    await after(500, undefined, { signal });
  }
}

async function readPaths(runtime, query) {
  const token = await secretOf(runtime, "api", "READ_TOKEN");
  const response = await runtime.fetch("api", `/paths?${query}`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Failure(`GET /paths answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
  return response.json();
}

/** The first three paths of a sort, each with its figure. */
async function top(runtime, sort, figure) {
  const { paths } = await readPaths(runtime, `limit=3&sort=${sort}`);
  return paths.map((row) => `${row.path} (${figure(row)})`).join(", ");
}

function totalIn(answer) {
  return answer.paths.reduce((sum, row) => sum + row.requests, 0);
}

async function totalOf(runtime) {
  return totalIn(await readPaths(runtime, "limit=100"));
}

/** The last JSON object in a program's output, on one line or over several. */
function lastJson(output) {
  for (let start = output.lastIndexOf("\n{"); ; start = output.lastIndexOf("\n{", start - 1)) {
    try {
      return JSON.parse(output.slice(start + 1));
    } catch {
      if (start < 0) return undefined;
    }
  }
}
