// Says what the project needs and this machine lacks, and the command that mends it. Changes nothing.
import { help, main } from "./command.mjs";
import { toolVersions, wasmToolchain } from "./environment.mjs";
import { BROWSER_REQUIREMENTS, CHECK_REQUIREMENTS, REQUIREMENTS } from "./requirements.mjs";

const HELP = `
Says what is missing, and the command that mends it. The exit code is 1 if something is.

  node scripts/doctor.mjs [--json]
`;

await main(async (args) => {
  help(args, HELP);
  const rows = await Promise.all([
    ...REQUIREMENTS.map((requirement) => examine(requirement)),
    ...CHECK_REQUIREMENTS.map((requirement) => examine(requirement, "just check")),
    ...BROWSER_REQUIREMENTS.map((requirement) => examine(requirement, "just browser")),
  ]);
  const bad = rows.filter((row) => row.required && !row.ok);
  if (args.includes("--json")) {
    console.log(JSON.stringify({ ok: bad.length === 0, wasmTarget: (await wasmToolchain()) ?? null, versions: toolVersions(), requirements: rows }, null, 2));
  } else {
    for (const row of rows) {
      console.log(`${row.ok ? "ok     " : row.required ? "MISSING" : "absent "}  ${row.name.padEnd(24)} ${row.ok ? row.why : row.reason}`);
      if (!row.ok) console.log(`         ${"".padEnd(24)} mend: ${row.mend}${row.required ? "" : `   (only \`${row.neededBy}\` needs it, and brings it)`}`);
    }
    console.log(bad.length ? `\n${bad.length} missing. \`just setup\` brings all that it can.` : "\nNothing is missing.");
  }
  return bad.length ? 1 : 0;
});

/** `neededBy` is the command that alone needs it; none, and every command does. */
async function examine({ name, why, check, command }, neededBy) {
  const reason = await check();
  return { name, why, required: !neededBy, ...(neededBy && { neededBy }), ok: !reason, ...(reason && { reason, mend: command }) };
}
