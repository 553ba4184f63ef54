import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withLock } from "./lock.mjs";

function lockFile(t) {
  const path = mkdtempSync(join(tmpdir(), "lock-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, "setup.lock");
}

test("two that want the lock take turns", async (t) => {
  const file = lockFile(t);
  const order = [];
  let finish;
  const first = withLock(file, "set-up", async () => {
    order.push("first begins");
    await new Promise((resolve) => (finish = resolve));
    order.push("first ends");
  });
  const second = withLock(file, "set-up", async () => order.push("second"));
  finish();
  await Promise.all([first, second]);
  assert.deepEqual(order, ["first begins", "first ends", "second"]);
  assert.ok(!existsSync(file));
});

test("a lock whose owner is gone is taken over", async (t) => {
  const file = lockFile(t);
  const gone = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(file, String(gone));
  assert.equal(await withLock(file, "set-up", async () => "done"), "done");
});

test("a failure gives the lock back", async (t) => {
  const file = lockFile(t);
  await assert.rejects(withLock(file, "set-up", async () => { throw new Error("disk full"); }), /disk full/);
  assert.ok(!existsSync(file));
});
