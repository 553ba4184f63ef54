// The page's files as the api's Worker serves them: what is a file, what is not, and with which headers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoOrigin, real } from "../e2e/support/configs.mjs";
import { startProduct } from "../e2e/support/product.mjs";
import { configOf } from "../../scripts/paths.mjs";
import { FIRST_LOAD_LIMIT_BYTES, sizeOfSite } from "../../scripts/dashboard.mjs";

const { unstable_readConfig: readConfig } = await import("wrangler");
let product;
// Through the server, as a browser comes: a call straight to the Worker would pass the files by.
const get = (path) => product.harness.fetch(path, { redirect: "manual" });

before(async () => {
  product = await startProduct([real("api"), real("producer"), real("consumer"), real("archiver"), demoOrigin]);
});
after(() => product?.stop());

test("the page is at /, and asked for anew each time", async () => {
  const response = await get("/");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/html/);
  assert.equal(response.headers.get("cache-control"), "no-cache");
});

test("every file of the page carries the headers of security", async () => {
  const page = await (await get("/")).text();
  const files = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  assert.ok(files.length >= 5, files.join(" "));
  for (const path of ["/", ...files]) {
    const { status, headers } = await get(path);
    assert.equal(status, 200, path);
    const policy = headers.get("content-security-policy");
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/, path);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(headers.get("strict-transport-security"), "max-age=31536000", path);
    assert.match(headers.get("permissions-policy"), /camera=\(\)/, path);
    if (path.startsWith("/assets/")) assert.match(headers.get("cache-control"), /max-age=31536000, immutable/, path);
  }
});

test("nothing in the page comes from elsewhere or stands inline", async () => {
  const page = await (await get("/")).text();
  assert.doesNotMatch(page, /(?:src|href)="(?:https?:)?\/\//);
  assert.doesNotMatch(page, /<style|\sstyle=|<script>|\son\w+=/);
});

test("every environment serves the page, and asks for no file where the api answers", () => {
  for (const env of ["dev", "staging", "production"]) {
    const { assets } = readConfig({ config: configOf("api"), env }, { hideWarnings: true });
    assert.ok(assets?.directory.endsWith("dashboard/build/site"), env);
    assert.deepEqual(assets.run_worker_first, ["/paths*", "/admin/*", "/health", "/openapi.json"], env);
  }
});

test("what the api answers still reaches it", async () => {
  assert.equal((await (await get("/health")).json()).status, "ok");
  for (const path of ["/paths", "/paths/stats?path=/", "/admin/archive/status", "/admin/nothing"]) {
    const response = await get(path);
    assert.equal(response.status, 401, path);
    assert.match(response.headers.get("content-type"), /application\/problem\+json/, path);
  }
});

test("the list of headers is no file, and a stranger's address is the api's to refuse", async () => {
  for (const path of ["/_headers", "/assets/nothing.js", "/nothing"]) assert.equal((await get(path)).status, 401, path);
});

test("a first visit loads less than is allowed", (t) => {
  const { gzip } = sizeOfSite();
  t.diagnostic(`${(gzip / 1000).toFixed(1)} kB compressed`);
  assert.ok(gzip < FIRST_LOAD_LIMIT_BYTES && FIRST_LOAD_LIMIT_BYTES <= 150_000);
});
