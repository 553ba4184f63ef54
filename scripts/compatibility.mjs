// Has two releases meet, or records what the last one writes. The tests are in tests/compatibility.
import { help, main, run } from "./command.mjs";
import { RELEASE, isThisTree, releaseTree } from "./compatibility/release.mjs";
import { ROOT } from "./paths.mjs";

const HELP = `
Builds the last release (tests/compatibility/release.json) beside this tree, once, and runs every mixture of its Workers
and these that a deployment and a rollback pass through, over one set of stores.

  just compatibility            about two minutes; three more the first time
  just compatibility --record   writes tests/compatibility/VERSION: what the release puts into queue, database, KV,
                                objects and bucket. Done once, when a release is made
`;

await main(async (args) => {
  help(args, HELP);
  const tree = await releaseTree();
  console.log(`Release ${RELEASE.version}, ${RELEASE.commit.slice(0, 7)}: ${(await isThisTree()) ? "the Workers of this tree are that release, so it meets itself" : tree}`);
  const what = args.includes("--record") ? ["tests/compatibility/record.mjs"] : ["--test", "--test-timeout=1300000", "tests/compatibility/meeting.test.mjs"];
  return (await run("node", what, { cwd: ROOT })).code;
});
