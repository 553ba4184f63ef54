// Numbers and times as they are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFormat } from "../src/model/format.ts";
import { tickLabels } from "../src/model/ticks.ts";

const en = makeFormat("en", "UTC");
const zh = makeFormat("zh", "Asia/Shanghai");

test("response times have the digits that count", () => {
  const told = [0, 0.005, 1.234, 12.34, 123.4, 999.6, 1234, 12_345, null].map(en.ms);
  assert.deepEqual(told, ["0 ms", "0.01 ms", "1.23 ms", "12.3 ms", "123 ms", "1,000 ms", "1.23 s", "12.3 s", "–"]);
});

test("a share that is not zero never reads as zero, nor one below all as all", () => {
  const told = [0, 0.00001, 0.0012, 0.05, 0.5, 0.999, 0.99999, 1, null].map(en.percent);
  assert.deepEqual(told, ["0%", "< 0.01%", "0.12%", "5.00%", "50.0%", "99.90%", "> 99.99%", "100%", "–"]);
});

test("sizes, and times gone by", () => {
  assert.deepEqual([0, 999, 1000, 8_300_000_000].map(en.bytes), ["0 B", "999 B", "1.00 kB", "8.30 GB"]);
  assert.deepEqual([5, 65, 7300, 200_000].map(en.ago), ["5 sec ago", "1 min ago", "2 hr ago", "2 days ago"]);
});

test("each language has its own ways", () => {
  assert.deepEqual([en.compact(1_153_774), zh.compact(1_153_774), en.compact(9_999)], ["1.15M", "115万", "9,999"]);
  assert.equal(en.moment("2026-11-20T14:05:00Z"), "20 Nov, 14:05");
  assert.equal(zh.moment("2026-11-20T14:05:00Z"), "11月20日 22:05");
  assert.equal(en.utcDay("2026-11-20"), "Fri, 20 Nov 2026");
  assert.equal(en.weekday(0), "M");
});

test("an axis of hours names the day where one begins", () => {
  const ticks = [22, 23, 24, 25].map((hour) => Date.UTC(2026, 10, 19, hour) / 1000);
  assert.deepEqual(tickLabels(ticks, "UTC", en), ["22:00", "23:00", "20 Nov", "01:00"]);
});

test("an axis of days names the year where it changes", () => {
  const ticks = [30, 31, 32].map((day) => Date.UTC(2026, 11, day) / 1000);
  assert.deepEqual(tickLabels(ticks, "UTC", en), ["30 Dec", "31 Dec", "1 Jan 2027"]);
});
