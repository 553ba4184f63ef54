// What the meter shows of three loads, against what the simulator says of them; and that the meter tells all that ran.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { SECRETS } from "./support/configs.mjs";
import { HOUR_MS, event, hourLasts } from "./support/events.mjs";
import { startOnState } from "./support/runtime.mjs";
import { scratchFolder } from "./support/scratch.mjs";

/** How long events come. Longer, and counts that are few in a minute come within percents too: docs/cost.md has such a run. */
const SECONDS = Number(process.env.PATHSTATS_COST_SECONDS ?? 60);
const [FLUSH, SNAPSHOT, TOTALS, BATCH, METER] = [3, 2, 5, 1, 3];
/** An instance with little to tell waits twelve times as long. */
const PATIENCE_MS = 12 * METER * 1000 + 1000;
/** Counts so small that one more or less is no error of the model: a batch begins a moment later, a snapshot too. */
const FEW = 4;
const WITHIN = 0.05;
/** Times depend on the machine, and statements are not billed. */
const NOT_HELD = ["worker_cpu_ms", "object_ms", "d1_queries"];

const LOADS = {
  "few hot paths, an event a message": { paths: 10, popularity: "zipf", perMessage: 1, messages: 1, perSecond: 60 },
  "many paths, evenly, 20 events a message": { paths: 400, popularity: "even", perMessage: 20, messages: 1, perSecond: 100 },
  "bursts of 1,000 events, a third of them late": { paths: 50, popularity: "zipf", perMessage: 100, messages: 10, perSecond: 200, lateShare: 0.3, hoursLate: 3 },
};

const CLI = join(ROOT, "target/debug/pathstats");
before(() => execFileSync("cargo", ["build", "--locked", "-q", "-p", "pathstats-cli"], { cwd: ROOT, stdio: "inherit" }));
const running = [];
after(() => Promise.all(running.map((product) => product.stop())));

function simulate({ paths, popularity, perMessage, messages, perSecond, lateShare = 0, hoursLate = 1 }, observed) {
  const file = join(scratchFolder(), "observed.json");
  writeFileSync(file, JSON.stringify(observed));
  const options = { observed: file, paths, popularity, "events-per-message": perMessage, "messages-per-request": messages, "events-per-day": perSecond * 86_400, "late-share": lateShare,
    "hours-late": hoursLate, "flush-seconds": FLUSH, "snapshot-seconds": SNAPSHOT, "totals-seconds": TOTALS, "batch-seconds": BATCH, "window-seconds": SECONDS, "hour-of-day": new Date().getUTCHours() };
  return JSON.parse(execFileSync(CLI, ["simulate", "--json", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)], { encoding: "utf8" }));
}

/** The very events that the simulator draws (`simulation/draw.rs`): what is compared is the same load, not one of its kind. */
function draws(paths, popularity, lateShare, hoursLate) {
  const whole = (1n << 64n) - 1n;
  let state = 20_251_015n;
  const next = () => {
    let z = (state = (state + 0x9e3779b97f4a7c15n) & whole);
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & whole;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & whole;
    return z ^ (z >> 31n);
  };
  const share = () => Number(next() >> 11n) / 2 ** 53;
  const below = (end) => Number(((next() >> 32n) * BigInt(end)) >> 32n);
  const upTo = [];
  for (let rank = 1, sum = 0; rank <= paths; rank += 1) upTo.push((sum += 1 / rank));
  const popular = () => {
    const drawn = share();
    return upTo.findIndex((end) => end / upTo[paths - 1] > drawn);
  };
  return () => {
    const path = popularity === "zipf" ? popular() : below(paths);
    return { path, late: lateShare > 0 && share() < lateShare ? 1 + below(hoursLate) : 0 };
  };
}

/**
 * What the load was and how long the runtime took, from the consumer's log: the local queue hands out one batch after
 * another, so that a busy machine has fewer and larger ones, and its database takes longer. What was then done is not told.
 */
function observe(logs, started) {
  // What is no JSON is the runtime's own.
  const lines = logs.filter(({ message }) => message.startsWith("{")).map(({ timestamp, message }) => ({ timestamp, ...JSON.parse(message) }));
  const of = (message) => lines.filter((line) => line.message === message && line.timestamp >= started);
  const middle = (values, share = 0.5) => values.toSorted((a, b) => a - b)[Math.floor(share * values.length)];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
  const flushes = of("a row was flushed").map(({ timestamp, milliseconds }) => ({ began: timestamp - milliseconds, ended: timestamp }));
  // Of rows that are written at once, the time from one to the next.
  const gaps = flushes.slice(1).flatMap(({ began, ended }, before) => (began < flushes[before].ended ? [ended - flushes[before].ended] : []));
  const took = (message) => of(message).map(({ milliseconds }) => milliseconds);
  // A rebuild is due so long after the last one began, while others ask for it: what is more is how late its alarm rang.
  // The middle one, since now and then nobody asked until some time later.
  const rebuilds = of("the snapshot was rebuilt").map(({ timestamp, milliseconds }) => timestamp - milliseconds);
  const late = rebuilds.slice(1).map((began, before) => began - rebuilds[before] - SNAPSHOT * 1000).filter((late) => late >= 0 && late < 500);
  return {
    batches: of("a batch was taken in").filter(({ messages }) => messages > 0).map(({ timestamp, milliseconds, messages }) => [timestamp - started - milliseconds, milliseconds, messages]),
    delays: {
      flushMs: middle(flushes.map(({ began, ended }) => ended - began), 0.1),
      queryMs: mean(gaps),
      ringMs: middle(late) ?? 0,
      askMs: Math.round(mean(took("a snapshot was asked for"))),
      rebuildMs: middle(took("the snapshot was rebuilt")),
    },
  };
}

/** Sends a load at its pace. Its events lie in the hour that began when it did, and in those before. */
async function send(product, { paths, popularity, perMessage, messages, perSecond, lateShare = 0, hoursLate = 1 }) {
  const draw = draws(paths, popularity, lateShare, hoursLate);
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const perRequest = perMessage * messages;
  const requests = Math.round((SECONDS * perSecond) / perRequest);
  let number = 0;
  const make = () => {
    const { path, late } = draw();
    return event((number += 1), { timestamp: hour - late * HOUR_MS + (number % 60_000), path: `/load/route-${path}`, userAgent: "Mozilla/5.0 (X11; Linux x86_64)", country: "DE" });
  };
  const started = Date.now();
  const answers = [];
  for (let request = 0; request < requests; request += 1) {
    const due = started + (request * perRequest * 1000) / perSecond;
    if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
    const body = JSON.stringify(Array.from({ length: perRequest }, make));
    answers.push(product.fetch("producer", "/collect", { method: "POST", body, headers: { authorization: `Bearer ${SECRETS.INGEST_TOKEN}` } }));
  }
  for (const answer of await Promise.all(answers)) assert.equal(answer.status, 202);
  return requests * perRequest;
}

/** Waits until nothing is left to be done: everything flushed, totalled, and in a snapshot made after. */
async function quiet(product, events) {
  await until(async () => (await product.row("SELECT coalesce(sum(requests), 0) AS n FROM path_stats_hourly")).n === events, { within: 120_000, what: "all events flushed" });
  const { at } = await product.row("SELECT max(updated_at) AS at FROM path_stats_hourly");
  const kv = await product.kv();
  await until(async () => (await kv.get("paths:snapshot:latest", "json"))?.version >= at && (await product.row("SELECT count(*) AS n FROM totals_due")).n === 0,
    { within: 120_000, what: "a snapshot and totals after the last flush" });
}

const metered = async (product) => {
  const { month, operations, workers, events } = await (await product.fetch("api", "/admin/cost", { headers: { authorization: `Bearer ${SECRETS.READ_TOKEN}` } })).json();
  const of = (list) => Object.fromEntries(list.map(({ operation, count }) => [operation, count]));
  return { month, events, all: of(operations), workers: Object.fromEntries(workers.map(({ worker, operations }) => [worker, of(operations)])) };
};

/** What ran, less what reading the meter and counting its writes added. */
async function readMeter(product, events) {
  const since = Date.now();
  await until(() => Date.now() - since > PATIENCE_MS, { within: PATIENCE_MS + 10_000, what: "the time after which instances add up the rest" });
  // One request and one batch without messages: each adds up what its instance has.
  assert.equal((await product.fetch("producer", "/collect")).status, 405);
  assert.equal((await product.queue("consumer", "traffic-events", [])).outcome, "ok");
  const found = await until(async () => {
    const found = await metered(product);
    return found.workers.producer?.queue_writes && found.all.events === events && found;
  }, { within: 20_000, what: "all events metered" });
  const { writes } = await product.row("SELECT writes FROM meter_writes");
  found.all.worker_requests -= 2;
  // Each of the meter's own: a row, and the test's trigger wrote and read one more.
  found.all.d1_rows_written -= 2 * (writes - 2);
  found.all.d1_rows_read -= 2 * (writes - 2);
  return found;
}

test("crons that find nothing to do cost what the simulator takes them for", { timeout: 180_000 }, async () => {
  // `CRONS` of simulation/measured.rs. What the api's asks of the archiver is the archiver's here, and what is deleted
  // once there are a month of samples is not seen.
  const EACH = {
    api: { cron: "* * * * *", d1_queries: 7, d1_rows_read: 9, d1_rows_written: 1, object_requests: 0, kv_reads: 3 },
    consumer: { cron: "*/5 * * * *", d1_queries: 2, d1_rows_read: 147, d1_rows_written: 0, object_requests: 1, kv_reads: 0 },
    archiver: { cron: "*/10 * * * *", d1_queries: 11, d1_rows_read: 16, d1_rows_written: 0, object_requests: 0, kv_reads: 0 },
  };
  const RUNS = 40;
  const product = await startOnState({ vars: Object.fromEntries(Object.keys(EACH).map((worker) => [worker, { METER_SECONDS: "1" }])) });
  running.push(product);
  // An instance with little to tell tells it at the first run behind its patience.
  const counts = async (worker, cron, at) => {
    const since = Date.now();
    await until(() => Date.now() - since > 13_000, { what: "the time after which an instance adds up the rest" });
    await product.scheduled(worker, cron, at);
    return (await product.rows("SELECT * FROM operations_hourly")).filter((row) => row.worker === worker).reduce((sum, row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value + (sum[name] ?? 0)])), {});
  };
  for (const [worker, { cron, ...each }] of Object.entries(EACH)) {
    const now = Date.now();
    await product.scheduled(worker, cron, now);
    const before = await counts(worker, cron, now + 60_000);
    for (let run = 2; run < RUNS + 1; run += 1) await product.scheduled(worker, cron, now + run * 60_000);
    const after = await counts(worker, cron, now + (RUNS + 1) * 60_000);
    assert.equal(after.worker_requests - before.worker_requests, RUNS, worker);
    for (const [operation, count] of Object.entries(each)) {
      // Beside them the meter's own, a heartbeat, and a round that a first run begins.
      const measured = (after[operation] - before[operation]) / RUNS;
      assert.ok(Math.abs(measured - count) <= 0.5, `${worker}: ${operation} ${measured}, taken for ${count}`);
    }
  }
});

// At once: each has a runtime of its own, and most of the time is waiting.
describe("loads", { concurrency: true }, () => {
  for (const [name, load] of Object.entries(LOADS)) {
    test(`the simulator's counts are close to the meter's: ${name}`, { timeout: 420_000 + 2 * SECONDS * 1000 }, async (t) => {
      const product = await startOnState({
        vars: {
          producer: { METER_SECONDS: `${METER}` },
          consumer: { LOG_LEVEL: "debug", FLUSH_SECONDS: `${FLUSH}`, SNAPSHOT_SECONDS: `${SNAPSHOT}`, TOTALS_SECONDS: `${TOTALS}`, METER_SECONDS: `${METER}` },
        },
        batchSeconds: BATCH,
      });
      running.push(product);
      const d1 = await product.d1();
      await d1.batch(["CREATE TABLE meter_writes (writes INTEGER NOT NULL)", "INSERT INTO meter_writes VALUES (0)",
        ...["INSERT", "UPDATE"].map((change) => `CREATE TRIGGER meter_${change} AFTER ${change} ON operations_hourly BEGIN UPDATE meter_writes SET writes = writes + 1; END`)]
        .map((sql) => d1.prepare(sql)));
      // An hour that ends while events come would settle, and its sketches be read once more.
      await hourLasts((SECONDS + 180) * 1000);
      const started = Date.now();
      const events = await send(product, load);
      await quiet(product, events);
      const found = await readMeter(product, events);
      const observed = observe(product.logs, started);
      assert.equal(observed.batches.reduce((sum, [, , messages]) => sum + messages, 0), events / load.perMessage, "each message in one batch");
      const operations = simulate(load, observed).operations;
      t.diagnostic(JSON.stringify({ ...observed, batches: observed.batches.length }));
      const wrong = [];
      for (const [operation, simulated] of Object.entries(operations)) {
        if (NOT_HELD.includes(operation)) continue;
        const measured = found.all[operation];
        const off = Math.abs(simulated - measured) / Math.max(measured, 1);
        t.diagnostic(`${operation.padEnd(20)} measured ${measured}, simulated ${simulated}: ${(off * 100).toFixed(1)} %`);
        if (off > WITHIN && Math.abs(simulated - measured) > FEW) wrong.push(`${operation}: measured ${measured}, simulated ${simulated}`);
      }
      assert.deepEqual(wrong, []);
      assert.ok(found.month.totalDollars >= 5);
    });
  }
});
