// Where tests keep what they store: in memory where the machine offers that, since each object of the product has a
// database of its own, and a disk that waits for every commit makes thousands of them ten times slower.
import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

/** A new folder that goes with this process. */
export function scratchFolder() {
  const folder = mkdtempSync(join(base(), "pathstats-e2e-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
