// A million events through everything, by the program `pathstats`, and each figure held against a plain recount.
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { compare, recount } from "../tests/e2e/support/recount.mjs";
import { buildCli } from "./build.mjs";
import { Failure, help, main, must, progress } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { startRuntime } from "./runtime.mjs";
import { readOptions } from "./session.mjs";

const HELP = `
Generates events, replays them through POST /collect twice, and compares every path and hour with a plain
recount: requests, errors and sums exactly, percentiles within 0.5 %, clients within 2 %.

  just soak [--events N] [--paths N] [--hours N] [--seed N]

  --events N   events (1,000,000: some ten minutes, and 1 GB of memory for the recount)
  --paths N    paths (300)
  --hours N    hours (24)
  --seed N     another seed, other events
`;

const ROWS = "SELECT path, hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, p50, p95, p99 FROM path_stats_hourly";
const PATIENCE_SECONDS = 300;

await main(async (args) => {
  help(args, HELP);
  const options = readOptions(args, { "--events": "number", "--paths": "number", "--hours": "number", "--seed": "number" });
  const events = options["--events"] ?? 1_000_000;
  const program = await buildCli();
  const folder = mkdtempSync(join(tmpdir(), "pathstats-soak-"));
  const file = join(folder, "events.jsonl");
  const shape = ["--events", events, "--paths", options["--paths"] ?? 300, "--hours", options["--hours"] ?? 24, "--seed", options["--seed"] ?? 1];
  await must(program, ["generate", ...shape.map(String), "--format", "jsonl", "--out", file]);
  const expected = await recountFile(file);
  const runtime = await startRuntime({ state: join(folder, "state"), ports: {}, crons: true });
  try {
    const d1 = await runtime.d1();
    let first;
    for (const round of ["first", "second"]) {
      const started = Date.now();
      await replay(runtime, program, file);
      const accepted = Date.now();
      await flushed(d1, events);
      const { results } = await d1.prepare(`${ROWS} ORDER BY hour_bucket, path`).all();
      const worst = compare(results, expected);
      const raw = await d1.prepare("SELECT count(*) AS n FROM traffic_events").first("n");
      if (raw !== events) throw new Failure(`${raw} raw rows, expected ${events}`);
      if (first && JSON.stringify(first) !== JSON.stringify(results)) throw new Failure("the second time changed a figure");
      first ??= results;
      const usage = await runtime.usage();
      console.log(
        `${round} time: ${events.toLocaleString("en")} events accepted in ${Math.round((accepted - started) / 1000)} s; ${worst.pathHours} path-hours exact, ` +
          `percentiles within ${(worst.percentile * 100).toFixed(2)} %, clients within ${(worst.clients * 100).toFixed(2)} %; ` +
          `runtime ${usage ? `${Math.round(usage.memoryBytes / 2 ** 20)} MB` : "of unknown size"}.`,
      );
    }
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function recountFile(file) {
  const events = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const { id, timestamp, path, status, responseTime, clientIpHash } = JSON.parse(line);
    events.push({ id, timestamp, path, status, responseTime, clientIpHash });
  }
  return recount(events);
}

async function replay(runtime, program, file) {
  const to = new URL("/collect", runtime.url("producer")).href;
  const { INGEST_TOKEN } = await runtime.bindings("producer");
  await must(program, ["replay", file, "--to", to, "--no-journal"], { env: { ...toolEnvironment(), INGEST_TOKEN } });
}

/** Waits until as many requests are counted as were sent, and nothing changes for longer than an object waits with its flush. */
async function flushed(d1, events) {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  for (let settled = 0; settled < 35; ) {
    const counted = (await d1.prepare("SELECT sum(requests) AS n FROM path_stats_hourly").first("n")) ?? 0;
    settled = counted >= events ? settled + 1 : 0;
    progress(`  ${counted.toLocaleString("en")} of ${events.toLocaleString("en")} counted`);
    if (Date.now() > deadline) throw new Failure(`after ${PATIENCE_SECONDS} s only ${counted} of ${events} events are counted`);
    await after(1000);
  }
  progress("");
}
