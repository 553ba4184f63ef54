// Removes what local runs stored: databases, objects, snapshots, archives. Nothing else.
import { existsSync, rmSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Failure, help, main } from "./command.mjs";
import { STATE } from "./paths.mjs";
import { claim } from "./runtime-owner.mjs";

const HELP = `
Removes .state: all that \`just dev\` and \`just demo\` stored.

  just reset          asks first
  just reset --yes    does not ask
`;

await main(async (args) => {
  help(args, HELP);
  if (!existsSync(STATE)) return void console.log("There is nothing to remove.");
  // Refuses while a session runs on it.
  await claim(STATE);
  if (!args.includes("--yes")) {
    if (!process.stdin.isTTY) throw new Failure("this would remove .state. Say so with --yes.");
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const reply = await terminal.question(`Remove ${STATE} and everything in it? [y/N] `);
    terminal.close();
    if (!/^y(es)?$/i.test(reply.trim())) return void console.log("Nothing was removed.");
  }
  rmSync(STATE, { recursive: true, force: true });
  console.log("Removed .state.");
});
