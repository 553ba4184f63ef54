// Both languages say everything.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../src/i18n/en.ts";
import { translator } from "../src/i18n/index.ts";
import { zh } from "../src/i18n/zh.ts";

const SOURCE = join(import.meta.dirname, "..", "src");
const keys = Object.keys(en) as (keyof typeof en)[];
const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("each text has the same places to fill in each language", () => {
  for (const key of keys) assert.deepEqual(places(zh[key]), places(en[key]), key);
});

test("no text of the other language was left as it is", () => {
  const same = keys.filter((key) => zh[key] === en[key] && /[a-z]{4}/i.test(en[key].replace(/\{\w+\}/g, "")));
  assert.deepEqual(same, []);
});

test("every text is used, and every part of a language is part of it", () => {
  const files = readdirSync(SOURCE, { recursive: true }).map(String).filter((name) => /\.tsx?$/.test(name) && !name.startsWith("i18n"));
  const source = files.map((name) => readFileSync(join(SOURCE, name), "utf8")).join("\n");
  const patterns = [...source.matchAll(/\bt\(`([^`]+)`/g)].map(([, text]) => new RegExp(`^${(text ?? "").replace(/[.]/g, "\\.").replace(/\$\{[^}]*\}/g, "[\\w]+")}$`));
  const unused = keys.filter((key) => !source.includes(`"${key}"`) && !patterns.some((pattern) => pattern.test(key)));
  assert.deepEqual(unused, []);
});

test("places are filled", () => {
  assert.equal(translator("en")("pager.page", { page: 3 }), "Page 3");
  assert.equal(translator("zh")("pager.page", { page: 3 }), "第 3 页");
});
