// What a run that is under way has deployed, kept until it has ended: a later run goes on from it, and rolls back to what
// was there before the first of them.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../command.mjs";
import { writeWhole } from "../stamp.mjs";

/** The journal of an environment, in its folder. `account` is the id of the account that it is about. */
export function journalIn(folder, account) {
  const file = join(folder, "unfinished.json");
  const entries = { account, scripts: [], bookmarks: {} };
  if (existsSync(file)) {
    let kept;
    try {
      kept = JSON.parse(readFileSync(file, "utf8"));
    } catch {
      throw new Failure(`${file} cannot be read: it says what an unfinished run deployed. Look at \`npx wrangler deployments list\` of each Worker, then remove the file.`);
    }
    if (kept.account !== account) throw new Failure(`${file} is of an unfinished run in the account ${kept.account}, and this is ${account}. Finish that run first, or remove the file.`);
    Object.assign(entries, kept);
  }
  const keep = () => writeWhole(file, `${JSON.stringify(entries, null, 2)}\n`);
  return {
    file,
    /** Whether a run before this one did not come to its end. */
    unfinished: () => entries.scripts.length > 0,
    /** Notes, before it is deployed, what a Worker goes back to. What is noted first stays: it is the older. */
    deploying: (script, previous) => {
      if (entries.scripts.some((entry) => entry.script === script)) return;
      entries.scripts.push({ script, previous: previous ?? null });
      keep();
    },
    bookmark: (database, bookmark) => {
      entries.bookmarks[database] ??= bookmark;
      keep();
    },
    bookmarks: () => entries.bookmarks,
    /** The Workers deployed, the last first. */
    deployed: () => entries.scripts.toReversed(),
    /** After a rollback: only what is still to do stays, if anything is. */
    keepOnly: (scripts) => {
      Object.assign(entries, { scripts: entries.scripts.filter(({ script }) => scripts.includes(script)), bookmarks: {} });
      if (entries.scripts.length) keep();
      else rmSync(file, { force: true });
    },
    end: () => {
      Object.assign(entries, { scripts: [], bookmarks: {} });
      rmSync(file, { force: true });
    },
  };
}
