// Brings everything that the project needs and the machine lacks. Safe to run again at any time, and to interrupt.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Failure, help, main } from "./command.mjs";
import { withLock } from "./lock.mjs";
import { TOOLS } from "./paths.mjs";
import { BROWSER_REQUIREMENTS, CHECK_REQUIREMENTS, REQUIREMENTS, missing } from "./requirements.mjs";

const HELP = `
Brings what is missing: npm packages, the wasm32 target, wasm-bindgen and worker-build, all inside this folder
(.tools, node_modules), but for Debian packages where rustup cannot add the target.

  node scripts/setup.mjs            what builds, tests and runs need
  node scripts/setup.mjs --check    also what \`just check\` needs
  node scripts/setup.mjs --browser  also what \`just browser\` needs
  node scripts/setup.mjs --quiet    says nothing when there is nothing to do
`;

await main(async (args) => {
  help(args, HELP);
  const requirements = [...REQUIREMENTS, ...(args.includes("--check") ? CHECK_REQUIREMENTS : []), ...(args.includes("--browser") ? BROWSER_REQUIREMENTS : [])];
  if ((await missing(requirements)).length === 0) {
    if (!args.includes("--quiet")) console.log("Set-up is complete: nothing to do.");
    return 0;
  }
  await withLock(join(TOOLS, "setup.lock"), "set-up", () => mendAll(requirements));
  return 0;
});

async function mendAll(requirements) {
  const started = Date.now();
  // Asked again under the lock: the set-up that was waited for may have done the work.
  const lacking = await missing(requirements);
  const hands = lacking.filter(({ requirement }) => !requirement.mend);
  if (hands.length) throw new Failure(hands.map(({ requirement, reason }) => `${requirement.name}: ${reason}. To mend it, ${requirement.command}.`).join("\n"));
  const total = lacking.reduce((sum, { requirement }) => sum + requirement.seconds, 0);
  if (lacking.length) console.log(`Setting up ${lacking.length} of ${requirements.length}: about ${Math.ceil(total / 60)} minutes on 2 cores. It can be interrupted, and goes on where it was.`);
  for (const [index, { requirement, reason }] of lacking.entries()) {
    console.log(`[${index + 1}/${lacking.length}] ${requirement.name}: ${requirement.why} (${reason}; about ${requirement.seconds} s)`);
    const begun = Date.now();
    await requirement.mend((line) => console.log(`      ${line}`));
    const still = await requirement.check();
    if (still) throw new Failure(`${requirement.name}: ${still}, even after its set-up ended without an error. Try by hand: ${requirement.command}`);
    console.log(`      done in ${Math.round((Date.now() - begun) / 1000)} s`);
  }
  // What the tools were compiled in is some gigabytes, and of no more use.
  rmSync(join(TOOLS, "build"), { recursive: true, force: true });
  console.log(`Set-up is complete, after ${Math.round((Date.now() - started) / 1000)} s.`);
}
