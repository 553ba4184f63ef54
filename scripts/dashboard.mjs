// Builds the dashboard (TypeScript, Vite) into workers/api/dashboard/build, and holds it to its size.
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Failure, must } from "./command.mjs";
import { toolEnvironment } from "./environment.mjs";
import { withLock } from "./lock.mjs";
import { DASHBOARD, DASHBOARD_SITE, NODE_MODULES, ROOT } from "./paths.mjs";
import { hashFiles, readStamp, writeWhole } from "./stamp.mjs";

/** The most that a first visit may load, compressed: two seconds on a slow phone line, half a second on a common one. */
export const FIRST_LOAD_LIMIT_BYTES = 150_000;

const BUILD = join(DASHBOARD, "build");
const STAMP = join(BUILD, ".made-from");

const inputsHash = () => hashFiles(ROOT, [DASHBOARD, join(ROOT, "package-lock.json")]);
const isBuilt = () => existsSync(join(DASHBOARD_SITE, "index.html")) && readStamp(STAMP) === inputsHash();

/** Builds the page if its sources changed. */
export async function buildDashboard({ force = false } = {}) {
  if (!force && isBuilt()) return;
  await withLock(join(BUILD, "lock"), "build of the dashboard", async () => {
    if (!force && isBuilt()) return;
    const started = Date.now();
    const hash = inputsHash();
    const env = toolEnvironment();
    const program = (path, args) => must("node", [join(NODE_MODULES, path), ...args], { cwd: DASHBOARD, env, quiet: true });
    await program("typescript/bin/tsc", ["-p", "."]);
    // Made beside and then put in place: what serves the page meanwhile has all of the old one.
    const made = join(BUILD, "new");
    await program("vite/bin/vite.js", ["build", "--outDir", made, "--emptyOutDir", "--logLevel", "error"]);
    const { gzip } = sizeOfSite(made);
    if (gzip > FIRST_LOAD_LIMIT_BYTES) throw new Failure(`the dashboard's first load is ${inKilobytes(gzip)} compressed, and ${inKilobytes(FIRST_LOAD_LIMIT_BYTES)} are allowed:\n${table(made)}`);
    rmSync(DASHBOARD_SITE, { recursive: true, force: true });
    renameSync(made, DASHBOARD_SITE);
    writeWhole(STAMP, hash);
    console.log(`Built the dashboard in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  });
}

/** Files of a first visit with their sizes: all that index.html names, and what is in the folder of assets. */
function files(site) {
  const names = readdirSync(site, { recursive: true }).map(String).filter((name) => statSync(join(site, name)).isFile() && name !== "_headers");
  return names.map((name) => {
    const content = readFileSync(join(site, name));
    // Fonts are compressed already.
    return { name, raw: content.length, gzip: name.endsWith(".woff2") ? content.length : gzipSync(content, { level: 9 }).length };
  });
}

/** Bytes of a first visit, as they are and compressed. */
export function sizeOfSite(site = DASHBOARD_SITE) {
  return files(site).reduce((sum, { raw, gzip }) => ({ raw: sum.raw + raw, gzip: sum.gzip + gzip }), { raw: 0, gzip: 0 });
}

const inKilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const table = (site) => files(site).map(({ name, raw, gzip }) => `  ${name.padEnd(48)} ${inKilobytes(raw).padStart(10)}, compressed ${inKilobytes(gzip).padStart(9)}`).join("\n");

/** Says what a first visit loads. */
export function printSite({ detailed = false } = {}) {
  const { raw, gzip } = sizeOfSite();
  if (detailed) console.log(table(DASHBOARD_SITE));
  console.log(`  ${"dashboard".padEnd(10)} ${`${(raw / 1000).toFixed(0)} KB`.padStart(8)}, compressed ${`${(gzip / 1000).toFixed(0)} KB`.padStart(8)} of ${FIRST_LOAD_LIMIT_BYTES / 1000} allowed`);
}
