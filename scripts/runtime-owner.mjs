// Who runs on a state folder: one runtime at a time, and none left over from a killed session.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure, answer } from "./command.mjs";
import { writeWhole } from "./stamp.mjs";
import { lives } from "./alive.mjs";

const fileOf = (state) => join(state, "runtime.json");

/** Fails if a living session has the folder. Ends the runtime of a session that was killed before it could. */
export async function claim(state) {
  const { session, runtime } = read(state);
  if (session && session !== process.pid && lives(session)) {
    throw new Failure(`${state} is in use by process ${session} (\`just dev\` or \`just demo\`). Stop that first, or take another folder with --state.`);
  }
  if (session === process.pid || !runtime || !lives(runtime)) return;
  // Process ids are used again: only what still is a Workers runtime is ended.
  const serves = async () => (await answer("ps", ["-o", "args=", "-p", String(runtime)]))?.includes("workerd serve");
  if (!(await serves())) return;
  process.kill(runtime, "SIGKILL");
  for (let turn = 0; turn < 60 && (await serves()); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Remembers this process and its runtime. */
export const remember = (state, runtime) => writeWhole(fileOf(state), JSON.stringify({ session: process.pid, runtime }));

export const forget = (state) => rmSync(fileOf(state), { force: true });

function read(state) {
  try {
    return JSON.parse(readFileSync(fileOf(state), "utf8"));
  } catch {
    return {};
  }
}
