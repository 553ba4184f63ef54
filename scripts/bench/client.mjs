// A client in a process of its own: what halts the one that holds the runtime, and its own collection of garbage
// foremost, is no part of what an answer takes. Forked by `startClient`; the rest of this file is what the child runs.
import { fork } from "node:child_process";
import { Agent, get } from "node:http";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** How often an answer may come from another tier than it is to: the consumer writes snapshots of its own. */
const TRIES = 3;
/** How long a snapshot takes to be written behind an answer, mostly. Asked sooner, it would be asked for in vain, and that is work too. */
const WRITTEN_MS = 5;
/** Looking into each answer would cost more than asking. */
const LOOKS_INTO_ONE_OF = 20;

/**
 * Starts it. `ask(question)` resolves to the times of its answers in milliseconds, from the request to the last byte.
 *
 * A question is `{ url, headers, rounds }`, and of these what it needs:
 * - `source`: the `dataSource` that the answers must have, else it fails.
 * - `before`: addresses that are asked before each round, untimed, until they answer "true".
 * - `cleared`: an address that is asked once before each round, untimed, whatever it answers.
 * - `counted`: a number that is appended to the address and grows with each round, so that no two are the same.
 * - `leastBytes`: how long an answer must be, else it fails.
 * - `lenient`: the first answers may come from anywhere.
 */
export async function startClient() {
  const child = fork(fileURLToPath(import.meta.url), ["client"]);
  const replies = [];
  child.on("message", (reply) => replies.shift()?.resolve(reply));
  child.on("exit", (code) => replies.splice(0).forEach(({ reject }) => reject(new Error(`the client ended with ${code}`))));
  return {
    ask: async (question) => {
      const reply = new Promise((resolve, reject) => replies.push({ resolve, reject }));
      child.send(question);
      const { times, error } = await reply;
      if (error) throw new Error(error);
      return times;
    },
    stop: () => child.disconnect(),
  };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Asks, and takes the time until the last byte: unpacking is the client's own business. */
function timed(url, headers) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const request = get(url, { agent, headers: { "accept-encoding": "gzip", ...headers } }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ took: performance.now() - started, status: response.statusCode, body: Buffer.concat(chunks) }));
    });
    request.on("error", reject);
  });
}

const textOf = (body) => (body[0] === 0x1f ? gunzipSync(body) : body).toString();

/** Asks until the answer is "true": what is taken away is written behind an answer. At once, or the rounds would not be in a row. */
async function done(address) {
  for (const end = Date.now() + 2_000; textOf((await timed(address, {})).body) !== "true"; await after(1)) {
    if (Date.now() > end) throw new Error(`${address} was not "true" within 2 s`);
  }
}

async function round({ url, headers, source, before = [], cleared, counted, leastBytes = 0 }, at) {
  const address = counted === undefined ? url : `${url}${counted + at}`;
  for (let tries = TRIES; ; tries -= 1) {
    if (before.length > 0) await after(WRITTEN_MS);
    if (cleared) await timed(cleared, {});
    for (const first of before) await done(first);
    const { took, status, body } = await timed(address, headers);
    if (status !== 200) throw new Error(`${address} answered ${status}: ${textOf(body).slice(0, 300)}`);
    if (body.length < leastBytes) throw new Error(`${address} answered with ${body.length} bytes`);
    const isChanged = cleared || before.length > 0;
    const isLookedInto = source && (isChanged || at % LOOKS_INTO_ONE_OF === 0);
    const found = isLookedInto ? /"dataSource":"(\w+)"/.exec(textOf(body))?.[1] : source;
    if (found === source) return took;
    if (!isChanged || tries === 1) throw new Error(`${address} came from ${found}, not from ${source}`);
  }
}

async function ask(question) {
  const times = [];
  for (let at = 0; at < question.rounds; at += 1) {
    const answered = round(question, at);
    times.push(await (question.lenient && at === 0 ? answered.catch(() => undefined) : answered));
  }
  return times;
}

if (process.argv[2] === "client") {
  process.on("message", (question) => {
    ask(question).then(
      (times) => process.send({ times }),
      (error) => process.send({ error: error.message }),
    );
  });
}
