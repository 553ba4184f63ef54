import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkDocs, namedIn, recipesIn } from "./check-docs.mjs";

test("recipes are found whatever their arguments and dependencies, variables are not", () => {
  const recipes = recipesIn('inside := "node"\n\n# Builds.\nbuild *ARGS: _ready\n    @cargo build\ntest: native wasm\ndemo target="dev":\n_ready:\n');
  assert.deepEqual([...recipes], ["build", "test", "demo"]);
});

test("commands are taken from code, not from prose", () => {
  const { recipes } = namedIn("You just run it. Use `just demo`.\n\n```sh\nnpx -y rust-just test   # all\ncd x && just build producer\n```\n");
  assert.deepEqual(recipes.sort(), ["build", "demo", "test"]);
});

test("the program's options are taken over continued lines, and end at a pipe", () => {
  const { programs } = namedIn("```sh\npathstats replay access.log \\\n  --to http://x --dry-run | grep --color x\n```\n");
  assert.deepEqual(programs, [{ subcommand: "replay", flags: ["--to", "--dry-run"] }]);
  assert.deepEqual(namedIn("`pathstats archive cat --limit 2`").programs, [{ subcommand: "archive cat", flags: ["--limit"] }]);
  assert.deepEqual(namedIn("`pathstats archive --help`").programs, [{ subcommand: "archive", flags: ["--help"] }]);
});

test("placeholders are no paths, and addresses are no links to files", () => {
  const { paths, links } = namedIn("`crates/pathstats-model/src` `workers/NAME/build` `wrangler/*.jsonc` [a](https://x.org) [b](docs/a.md#top) [c](#here)");
  assert.deepEqual(paths, ["crates/pathstats-model/src"]);
  assert.deepEqual(links, ["docs/a.md#top"]);
});

test("a document that names what is not there is told with its file and the name", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "docs-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const write = (path, text) => (mkdirSync(dirname(join(root, path)), { recursive: true }), writeFileSync(join(root, path), text));
  write("justfile", "build:\n    true\n");
  write("scripts/build.mjs", "");
  write("README.md", "`just build`, `just bild`, `scripts/build.mjs`, `scripts/bild.mjs`, [docs](docs/a.md), [none](docs/b.md)\n");
  write("docs/a.md", "[up](../README.md)\n");
  assert.deepEqual(await checkDocs(root), [
    "README.md: `just bild`: the justfile has no such recipe",
    "README.md: `scripts/bild.mjs` does not exist",
    "README.md: the link docs/b.md leads nowhere",
  ]);
});
