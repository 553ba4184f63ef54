// A local session: everything built, one runtime with all Workers, and a clean end. `just dev` and `just demo` are sessions.
import { setTimeout as after } from "node:timers/promises";
import { Failure } from "./command.mjs";
import { PORTS, startRuntime } from "./runtime.mjs";
import { STATE } from "./paths.mjs";

export const SESSION_OPTIONS = `
  --producer-port N   port of the producer (${PORTS.producer}); 0 takes any free one
  --api-port N        port of the api (${PORTS.api})
  --state FOLDER      where D1, KV, R2 and Durable Objects are kept (.state)
  --quiet             does not show what the Workers log, but for problems`;

/** Reads the options of a session, and those that a script has on top: `{ "--exit": "flag" }`. */
export function readOptions(args, more = {}) {
  const kinds = { "--producer-port": "port", "--api-port": "port", "--state": "text", "--quiet": "flag", ...more };
  const options = {};
  const rest = [...args];
  while (rest.length) {
    const [name, inline] = rest.shift().split(/=(.*)/s);
    const kind = kinds[name];
    if (!kind) throw new Failure(`${name}: no such option. See --help.`);
    if (kind === "flag") options[name] = true;
    else {
      const value = inline ?? rest.shift();
      if (value === undefined) throw new Failure(`${name} needs a value.`);
      const number = Number(value);
      const valid = kind === "text" || (Number.isInteger(number) && number >= 0 && (kind !== "port" || number <= 65535));
      if (!valid) throw new Failure(`${name} ${value}: a ${kind === "port" ? "port from 0 to 65535" : "whole number"} is needed.`);
      options[name] = kind === "text" ? value : number;
    }
  }
  return options;
}

/** Starts the runtime for a session. `more` are further settings of `startRuntime`. */
export function openSession(options, more = {}) {
  return startRuntime({
    ...more,
    state: options["--state"] ?? STATE,
    ports: { producer: options["--producer-port"] ?? PORTS.producer, api: options["--api-port"] ?? PORTS.api },
    onLog: ({ level, message }) => {
      const problem = level === "error" || level === "warn";
      if (problem || !options["--quiet"]) console.error(`${problem ? `[${level}] ` : ""}${message}`);
    },
  });
}

/** The local values of a secret, as the Workers got them. */
export const secretOf = async (runtime, worker, name) => (await runtime.bindings(worker))[name];

export async function printPlaces(runtime) {
  const producer = String(runtime.url("producer")).replace(/\/$/, "");
  const api = String(runtime.url("api")).replace(/\/$/, "");
  console.log(`
  producer   ${producer}            proxies the demo origin; POST /collect takes events
  dashboard  ${api}/           sign in with ${await secretOf(runtime, "api", "ADMIN_TOKEN")}
  api        ${api}            GET /paths, GET /health
  tokens     wrangler/.dev.vars              for local use only
  state      ${runtime.state}
  try        curl -H "authorization: Bearer ${await secretOf(runtime, "api", "READ_TOKEN")}" "${api}/paths?limit=5"
`);
}

/** Runs `work` until it ends or the session is interrupted (Ctrl-C, SIGTERM), and stops the runtime either way. */
export async function untilStopped(runtime, work) {
  const stopping = new AbortController();
  const interrupted = new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      // miniflare's own listeners would end this process before anything is put in order.
      process.removeAllListeners(signal);
      process.once(signal, () => {
        // A second Ctrl-C ends at once: its listener is gone by then.
        stopping.abort();
        resolve();
      });
    }
  });
  try {
    await Promise.race([interrupted, work(stopping.signal)]);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    stopping.abort();
    await Promise.race([runtime.stop(), after(10_000, undefined, { ref: false })]);
  }
}

/** Waits for the end of the session: for `untilStopped`. */
export const forever = (signal) =>
  new Promise(() => {
    // Keeps the process alive, and lets it go when the session ends.
    const timer = setInterval(() => {}, 1 << 30);
    signal.addEventListener("abort", () => clearInterval(timer));
  });
