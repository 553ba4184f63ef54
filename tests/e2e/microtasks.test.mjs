// Work goes on by promises: no Worker calls `queueMicrotask`, which is dear in this runtime.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WORKERS, buildOf } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { changed, demoOrigin, promptConsumer } from "./support/configs.mjs";
import { traffic } from "./support/events.mjs";
import { startProduct } from "./support/product.mjs";
import { scratchFolder } from "./support/scratch.mjs";

let product;
before(async () => {
  const folder = scratchFolder();
  writeFileSync(join(folder, "without.mjs"), 'globalThis.queueMicrotask = () => { throw new Error("queueMicrotask was called"); };\n');
  /** The Worker's build, in an instance where that function fails whoever calls it. */
  const without = (name) => {
    const main = join(folder, `${name}.mjs`);
    const build = JSON.stringify(join(buildOf(name), "index.js"));
    writeFileSync(main, `import "./without.mjs";\nexport * from ${build};\nexport { default } from ${build};\n`);
    const { config } = name === "consumer" ? promptConsumer() : changed(name);
    return { config: { ...config, main } };
  };
  product = await startProduct([...WORKERS.map(without), demoOrigin]);
});
after(() => product?.stop());

test("events are taken in, counted, shown and looked for in the archive without queueMicrotask", { timeout: 60_000 }, async () => {
  const events = traffic({ count: 300, paths: 5, hours: 2, seed: 3 });
  assert.equal((await product.collect(events)).status, 202);
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly")).n === events.length, { what: "all events flushed" });
  const { paths } = await until(async () => {
    const answer = await (await product.read("/paths?refresh=true")).json();
    return answer.paths?.reduce((sum, { requests }) => sum + requests, 0) === events.length && answer;
  }, { within: 30_000, what: "the snapshot has every event" });
  assert.equal(paths.length, 5);
  assert.equal((await product.read("/admin/archive/status")).status, 200);
});
