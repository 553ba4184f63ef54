// Values of secrets that a deployment lacks: from stdin, from a person who types them unseen, or made here. Never from an
// argument, which every process of the machine can read.
import { randomBytes } from "node:crypto";
import { Failure } from "../command.mjs";
import { MIN_SECRET_CHARS } from "./settings.mjs";

/** As `openssl rand -hex 32`. */
export const makeSecret = () => randomBytes(32).toString("hex");

/** Lines `NAME=value` or `NAME="value"`; empty lines and comments are left out. */
export function parseSecrets(text) {
  const secrets = {};
  for (const [n, line] of text.split("\n").entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const match = line.match(/^\s*([A-Z][A-Z0-9_]*)=(?:"(.*)"|'(.*)'|(.*?))\s*$/);
    // The line itself may hold a secret: it is not shown.
    if (!match) throw new Failure(`stdin, line ${n + 1}: expected NAME=value.`);
    secrets[match[1]] = match[2] ?? match[3] ?? match[4];
  }
  return secrets;
}

/** What is wrong with a value, or undefined. `others` are the values that it must differ from. */
export function problemOf(name, value, others = []) {
  if ([...value].length < MIN_SECRET_CHARS) return `${name} is too short: expected ${MIN_SECRET_CHARS} characters at least, as from \`openssl rand -hex 32\`.`;
  if (/^local-only-/.test(value)) return `${name} is the public value of wrangler/.dev.vars, which is for local use only.`;
  if (others.includes(value)) return `${name} is the same as another secret: each needs a value of its own.`;
  return undefined;
}

/**
 * Values of the secrets that the plan's steps need. `given` comes from stdin; what is not given is asked with `prompt`
 * (an empty answer has one made), or fails where nobody can be asked.
 */
export async function gather(steps, { given = {}, prompt, say = () => {} }) {
  const needed = steps.flatMap(({ secrets = [], unknownSecrets = [], subject }) => secrets.map((name) => ({ name, subject, what: unknownSecrets.find((one) => one.name === name)?.what ?? "" })));
  const values = {};
  const missing = needed.filter(({ name }) => !(name in given));
  if (missing.length && !prompt) {
    throw new Failure(
      `secrets are missing: ${missing.map(({ name, subject }) => `${name} of ${subject}`).join(", ")}. Give them as lines NAME=value on stdin, with --secrets-stdin:\n  ` +
        `for name in ${missing.map(({ name }) => name).join(" ")}; do echo "$name=$(openssl rand -hex 32)"; done > secrets.env   # keep it where your passwords are\n  just deploy … --yes --secrets-stdin < secrets.env`,
    );
  }
  for (const { name, subject, what } of needed) {
    const typed = given[name] ?? (await prompt(`${name} of ${subject} (${what}; empty: one is made): `));
    const value = typed === "" ? makeSecret() : typed;
    const problem = problemOf(name, value, Object.values(values));
    if (problem) throw new Failure(problem);
    if (typed === "") say(`${name} was made: ${value}\n  Keep it where your passwords are: it cannot be read again.`);
    values[name] = value;
  }
  return values;
}

/** Asks on a terminal without showing what is typed. */
export function promptUnseen(input = process.stdin, output = process.stderr) {
  return (question) => new Promise((resolve, reject) => {
    output.write(question);
    let typed = "";
    input.setRawMode(true);
    input.resume();
    const take = (chunk) => {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return finish(() => resolve(typed.trim()));
        if (character === "\u0003" || character === "\u0004") return finish(() => reject(new Failure("interrupted: nothing was changed.")));
        typed = character === "\u007f" ? typed.slice(0, -1) : typed + character;
      }
    };
    const finish = (settle) => {
      input.off("data", take);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      settle();
    };
    input.on("data", take);
  });
}
