// Tables for spreadsheets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { csvName, toCsv } from "../src/model/csv.ts";

const lines = (rows: Parameters<typeof toCsv>[1]) => toCsv(["a", "b"], rows).slice(1).split("\r\n");

test("quotes, commas and line ends are quoted", () => {
  assert.deepEqual(lines([['say "hi"', "1,5"], ["two\nlines", " led by a blank"]]).slice(1, -1).join("|"), '"say ""hi""","1,5"|"two\nlines"," led by a blank"');
});

test("what a spreadsheet would run is made a text", () => {
  for (const evil of ["=1+1", "+cmd", "-cmd", "@sum", "\tx", "\rx"]) assert.match(lines([[evil, 1]])[1] ?? "", /^"?'/, JSON.stringify(evil));
  assert.match(lines([['=HYPERLINK("http://x")', 1]])[1] ?? "", /^"'=HYPERLINK\(""http/);
});

test("numbers stay numbers, also below zero, and nothing is empty", () => {
  assert.equal(lines([[-1.5, null]])[1], "-1.5,");
  assert.equal(lines([[Number.NaN, undefined]])[1], ",");
  assert.equal(lines([[true, 0]])[1], "true,0");
});

test("a file begins with the mark of UTF-8 and ends with a line end", () => {
  const text = toCsv(["路径"], [["/首页"]]);
  assert.ok(text.startsWith("\uFEFF路径\r\n") && text.endsWith("/首页\r\n"));
});

test("a name says what and when", () => {
  assert.equal(csvName("Events /api/foo 2026-11-20", Date.parse("2026-11-20T14:35:12Z")), "pathstats-events-api-foo-2026-11-20-20261120T1435Z.csv");
  assert.match(csvName("路径", 0), /^pathstats-table-/);
});
