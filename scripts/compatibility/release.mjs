// The last release, built: what runs in production while a newer version is deployed beside it.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, answer, must } from "../command.mjs";
import { toolEnvironment } from "../environment.mjs";
import { withLock } from "../lock.mjs";
import { NODE_MODULES, ROOT, TOOLS } from "../paths.mjs";

/** `{ version, commit }` of the last release. */
export const RELEASE = JSON.parse(readFileSync(join(ROOT, "tests", "compatibility", "release.json"), "utf8"));

/** What a Worker is made of. A tree in which none of it differs is the release. */
const SOURCES = ["crates", "workers", "wrangler", "Cargo.toml", "Cargo.lock", ":!crates/pathstats-cli", ":!workers/api/dashboard", ":!**/tests"];
const FOLDER = join(TOOLS, "releases");

/** Whether this tree's Workers are those of the release. */
export async function isThisTree() {
  const changed = await answer("git", ["status", "--porcelain", "--", ...SOURCES], { cwd: ROOT });
  const differs = await answer("git", ["diff", "--name-only", RELEASE.commit, "HEAD", "--", ...SOURCES], { cwd: ROOT });
  if (differs === undefined) throw new Failure(`the commit ${RELEASE.commit} of release ${RELEASE.version} is not in this repository. A shallow clone has none: \`git fetch --unshallow\`.`);
  return changed === "" && differs === "";
}

/** The folder of the release with its Workers built. It is made once a commit, and again when that was broken off. */
export async function releaseTree() {
  if (await isThisTree()) return ROOT;
  const tree = join(FOLDER, RELEASE.commit);
  const done = join(FOLDER, `${RELEASE.commit}.built`);
  await withLock(join(FOLDER, "lock"), "build of a release", async () => {
    if (existsSync(done) && existsSync(tree)) return;
    console.log(`Building release ${RELEASE.version} (${RELEASE.commit.slice(0, 7)}): about 3 minutes, once.`);
    if (!existsSync(tree)) await extract(tree);
    // Its own folder of compiled crates, shared by releases: what differs from this tree's would be compiled again and again.
    const env = { ...toolEnvironment(), CARGO_TARGET_DIR: join(FOLDER, "target") };
    await must("node", ["scripts/build.mjs", "--workers"], { cwd: tree, env, quiet: true, log: join(TOOLS, "log", "release.log") });
    writeFileSync(done, "");
  });
  return tree;
}

/** Files of the commit, with this tree's tools. They come under their name only when they are whole. */
async function extract(tree) {
  const part = `${tree}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const archive = join(part, "release.tar");
  await must("git", ["archive", "--output", archive, RELEASE.commit], { cwd: ROOT, quiet: true });
  await must("tar", ["-xf", archive, "-C", part], { quiet: true });
  rmSync(archive);
  symlinkSync(NODE_MODULES, join(part, "node_modules"));
  symlinkSync(TOOLS, join(part, ".tools"));
  renameSync(part, tree);
}
