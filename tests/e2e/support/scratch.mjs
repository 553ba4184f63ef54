// Where tests keep what they store: in memory where the machine offers that, since each object of the product has a
// database of its own, and a disk that waits for every commit makes thousands of them ten times slower.
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lives } from "../../../scripts/alive.mjs";

const MEMORY = "/dev/shm";
const NEEDED_BYTES = 2e9;

function base() {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > NEEDED_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}

const NAME = "pathstats-e2e-";

/** Removes what processes left that were killed. */
function sweep(folder) {
  for (const name of readdirSync(folder)) {
    const owner = name.startsWith(NAME) && Number(name.slice(NAME.length).split("-")[0]);
    if (owner && !lives(owner)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** A new folder that goes with this process. */
export function scratchFolder() {
  const within = base();
  sweep(within);
  const folder = mkdtempSync(join(within, `${NAME}${process.pid}-`));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
