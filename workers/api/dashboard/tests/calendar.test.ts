// The archive's days.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArchiveDay, ArchiveFile } from "../src/api/types.ts";
import { kindOf, monthOf, months, shiftDay } from "../src/model/calendar.ts";
import { hourSums, supplementOf } from "../src/model/files.ts";

const day = (more: Partial<ArchiveDay>): ArchiveDay => ({ date: "2026-11-16", closed: true, due: true, inDatabase: true, status: "database", records: 0, bytes: 0, files: 0, cleaned: false, reconciled: null, error: null, ...more });

test("weeks begin on Monday and hold all days of the month", () => {
  const { weeks } = monthOf(2026, 10);
  // 1 November 2026 is a Sunday.
  assert.deepEqual(weeks[0], [null, null, null, null, null, null, "2026-11-01"]);
  assert.deepEqual(weeks.at(-1), ["2026-11-30", null, null, null, null, null, null]);
  assert.equal(weeks.flat().filter(Boolean).length, 30);
  assert.equal(monthOf(2024, 1).weeks.flat().filter(Boolean).length, 29);
});

test("months run from that of the last day back to that of the first, over the turn of a year", () => {
  assert.deepEqual(months("2026-11-03", "2027-01-20").map(({ year, month }) => [year, month]), [[2027, 0], [2026, 11], [2026, 10]]);
  assert.equal(months("2026-11-03", "2026-11-20").length, 1);
});

test("a day is told by what needs a person first", () => {
  const kinds = [
    day({ closed: false }),
    day({}),
    day({ status: "archiving" }),
    day({ status: "cleaning", reconciled: true }),
    day({ status: "archived", reconciled: true }),
    day({ status: "archived", reconciled: true, cleaned: true }),
    day({ status: "archived", reconciled: false, cleaned: true }),
    day({ status: "archived", reconciled: false, error: "R2 refused" }),
  ].map(kindOf);
  assert.deepEqual(kinds, ["open", "database", "archiving", "cleaning", "archived", "cleaned", "differs", "error"]);
});

test("days are counted over the ends of months", () => {
  assert.equal(shiftDay("2026-11-30", 1), "2026-12-01");
  assert.equal(shiftDay("2026-03-01", -1), "2026-02-28");
});

test("events by hour: supplements are added, the other format is not counted again", () => {
  const file = (path: string, format: string, hours: Record<string, number>) => ({ path, format, hours }) as unknown as ArchiveFile;
  const sums = hourSums([
    file("d.jsonl.gz", "jsonl.gz", { "2026-11-16T00": 5, "2026-11-16T23": 1 }),
    file("d.late-1.jsonl.gz", "jsonl.gz", { "2026-11-16T23": 2 }),
    file("d.parquet", "parquet", { "2026-11-16T00": 5 }),
  ]);
  assert.deepEqual([sums[0], sums[23], sums.length], [5, 3, 24]);
});

test("a supplement is known by its name", () => {
  assert.deepEqual(["e/2026-11-16.jsonl.gz", "e/2026-11-16.late-12.parquet"].map(supplementOf), [0, 12]);
});
