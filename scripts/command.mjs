// Runs other programs: their output shown or captured, with a time limit, and with errors that say what was run.
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A failure that is shown as one message, without a stack. */
export class Failure extends Error {}

/**
 * Runs a program and waits for it.
 *
 * `quiet` captures the output instead of showing it; `log` also writes it to a file. Resolves to
 * `{ code, output }`, and never rejects for an exit code: `must` does that.
 */
export function run(program, args = [], { cwd, env = process.env, quiet = false, log, timeoutSeconds, label } = {}) {
  if (log) {
    mkdirSync(dirname(log), { recursive: true });
    writeFileSync(log, `$ ${program} ${args.join(" ")}\n`);
  }
  return new Promise((resolve) => {
    const stdio = quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"];
    const child = spawn(program, args, { cwd, env, stdio });
    const started = Date.now();
    let output = "";
    let timedOut = false;
    const take = (chunk) => {
      output += chunk;
      if (log) appendFileSync(log, chunk);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    // An interrupt ends this process group as a whole; a time limit ends the child alone.
    const limit = timeoutSeconds && setTimeout(() => ((timedOut = true), child.kill("SIGKILL")), timeoutSeconds * 1000);
    const beat = label && setInterval(() => progress(`${label}: ${seconds(started)} s${lastWord(output)}`), 1000);
    const finish = (code, problem) => {
      clearTimeout(limit);
      clearInterval(beat);
      if (label) progress("");
      resolve({ code, output: problem ? `${output}${problem}\n` : output, timedOut, seconds: seconds(started) });
    };
    child.on("error", (error) => finish(127, error.code === "ENOENT" ? `${program}: not found` : error.message));
    child.on("close", (code, signal) => finish(code ?? 1, timedOut ? `stopped after ${timeoutSeconds} s` : signal ? `ended by ${signal}` : ""));
  });
}

/** As `run`, but fails when the program does, with the end of what it said. */
export async function must(program, args, options = {}) {
  const result = await run(program, args, options);
  if (result.code !== 0) {
    const said = result.output.trim().split("\n").slice(-15).join("\n  ");
    const where = options.log ? `\n  The whole output: ${options.log}` : "";
    throw new Failure(`\`${program} ${args.join(" ")}\` failed with exit code ${result.code}.${said ? `\n  ${said}` : ""}${where}`);
  }
  return result;
}

/** What a program prints, or undefined when it fails or is not there. */
export async function answer(program, args, options = {}) {
  const result = await run(program, args, { timeoutSeconds: 20, ...options, quiet: true });
  return result.code === 0 ? result.output.trim() : undefined;
}

/** One line that overwrites itself on a terminal, and is silent in a log file. */
export function progress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

/** Runs a script's main function; a `Failure` becomes one message and exit code 1. */
export async function main(body) {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? process.exitCode ?? 0;
  } catch (error) {
    progress("");
    console.error(error instanceof Failure ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Prints the help text and ends, where --help is among the arguments. */
export function help(args, text) {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(text.trim());
    process.exit(0);
  }
}

const seconds = (since) => Math.round((Date.now() - since) / 1000);

function lastWord(output) {
  const line = output.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line ? `  ${line}` : "";
}
