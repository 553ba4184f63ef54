// A lock between processes: two set-ups or two builds at once take turns instead of spoiling each other's work.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { lives } from "./alive.mjs";

/**
 * Runs `work` while this process holds the lock file, which names its owner. A lock whose owner no
 * longer lives is taken over.
 */
export async function withLock(file, what, work) {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    if (!told) console.error(`Another ${what} is running (process ${owner(file) ?? "?"}): waiting for it.`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const release = () => rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    const pid = owner(file);
    // An empty file may be one that its owner is about to fill.
    if (pid ? !lives(pid) : age(file) > 2000) rmSync(file, { force: true });
    return false;
  }
}

function owner(file) {
  try {
    return Number(readFileSync(file, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

function age(file) {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
