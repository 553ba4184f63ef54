// Stamps: small files that say what a folder was made from, written last. A folder whose stamp is missing or differs is made again.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Folders that are made, never written by hand: they are no input to anything. */
const MADE = new Set(["build", "target", "node_modules", ".git", ".wrangler", ".state", ".tools", "proptest-regressions"]);

/** Every file below the given files and folders, sorted, as absolute paths. What does not exist is left out. */
export function filesBelow(paths) {
  const found = [];
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) return void found.push(path);
    for (const name of readdirSync(path)) if (!MADE.has(name)) visit(join(path, name));
  };
  paths.forEach(visit);
  return found.sort();
}

/** A hash over names and contents, so that a renamed, added or removed file changes it as an edit does. */
export function hashFiles(root, paths, extra = "") {
  const hash = createHash("sha256").update(extra);
  for (const file of filesBelow(paths)) {
    const content = readFileSync(file);
    hash.update(`\0${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** What the stamp says, or undefined. */
export const readStamp = (file) => (existsSync(file) ? readFileSync(file, "utf8").trim() : undefined);

/** Writes a file whole or not at all: a killed process leaves the old one. */
export function writeWhole(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}
