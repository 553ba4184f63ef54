import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hashFiles, readStamp, writeWhole } from "./stamp.mjs";

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "stamp-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  mkdirSync(join(path, "src", "deep"), { recursive: true });
  writeFileSync(join(path, "src", "lib.rs"), "one");
  writeFileSync(join(path, "src", "deep", "part.rs"), "two");
  return path;
}

test("an edit, a new name, a new file and a removed file each change the hash", (t) => {
  const root = folder(t);
  const seen = new Set([hashFiles(root, [root])]);
  const differs = (what) => {
    const hash = hashFiles(root, [root]);
    assert.ok(!seen.has(hash), what);
    seen.add(hash);
  };
  writeFileSync(join(root, "src", "lib.rs"), "two");
  differs("an edit");
  renameSync(join(root, "src", "lib.rs"), join(root, "src", "main.rs"));
  differs("a new name");
  writeFileSync(join(root, "src", "more.rs"), "");
  differs("a new file, even an empty one");
  rmSync(join(root, "src", "deep"), { recursive: true });
  differs("a removed file");
});

test("what builds make is no input to builds", (t) => {
  const root = folder(t);
  const before = hashFiles(root, [root]);
  mkdirSync(join(root, "build"));
  writeFileSync(join(root, "build", "index.js"), "made");
  assert.equal(hashFiles(root, [root]), before);
});

test("what is not there yet is left out, and tools count as inputs", (t) => {
  const root = folder(t);
  assert.equal(hashFiles(root, [root, join(root, "absent")]), hashFiles(root, [root]));
  assert.notEqual(hashFiles(root, [root], "tool 1"), hashFiles(root, [root], "tool 2"));
});

test("a stamp is written whole and leaves nothing beside it", (t) => {
  const root = folder(t);
  const file = join(root, "new", "stamp");
  assert.equal(readStamp(file), undefined);
  writeWhole(file, "first\n");
  writeWhole(file, "second\n");
  assert.equal(readStamp(file), "second");
  assert.deepEqual(readdirSync(join(root, "new")), ["stamp"]);
});
