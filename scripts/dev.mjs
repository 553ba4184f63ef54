// Builds everything, starts all Workers in one local runtime, and stays up.
import { buildWorkers } from "./build.mjs";
import { help, main } from "./command.mjs";
import { SESSION_OPTIONS, forever, openSession, printPlaces, readOptions, untilStopped } from "./session.mjs";

const HELP = `
Builds what changed, applies the migrations, and runs all Workers in one local runtime until Ctrl-C.
Their crons fire by themselves.

  just dev [options]
${SESSION_OPTIONS}
  --no-build          starts what is built already
`;

await main(async (args) => {
  help(args, HELP);
  const options = readOptions(args, { "--no-build": "flag" });
  if (!options["--no-build"]) await buildWorkers();
  const runtime = await openSession(options);
  await printPlaces(runtime);
  console.log("Running. Ctrl-C stops it; `just reset` removes what it stored.");
  await untilStopped(runtime, forever);
  console.log("Stopped.");
  return 0;
});
