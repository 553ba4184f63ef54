// Reading what was recorded: a day by query, its files, and exports that are the same before, while and after a day is archived.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event, parts, traffic } from "./support/events.mjs";
import { problemOf, startProduct } from "./support/product.mjs";

const DAY_MS = 86_400_000;
const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);
const START = today - 6 * DAY_MS;
const DAY = dateOf(START);
const NEXT = dateOf(START + DAY_MS);
const AFTER = dateOf(START + 2 * DAY_MS);
const OBJECT = `events-archive/${DAY.slice(0, 4)}/${DAY.slice(5, 7)}/${DAY}`;

let product;
let events;
before(async () => {
  product = await startProduct([real("producer"), promptConsumer(), real("api"), real("archiver"), demoOrigin]);
  events = [
    ...traffic({ count: 9_000, paths: 8, hours: 24, seed: 7, now: START + DAY_MS }),
    ...traffic({ count: 300, paths: 8, hours: 24, seed: 8, now: START + 2 * DAY_MS, first: 10_000 }),
    event(20_000, { timestamp: START + 1_000, path: '/odd,"path"', userAgent: '=HYPERLINK("x"), "y"', country: "NZ", sampleRatio: 0.5 }),
    event(20_001, { timestamp: START + DAY_MS - 1, path: "/last" }),
  ].map((one) => JSON.parse(JSON.stringify(one)));
  await send(events);
});
after(() => product?.stop());

async function send(some) {
  const { n } = await product.row("SELECT count(*) AS n FROM traffic_events");
  for (const part of parts(some, 3_000)) assert.equal((await product.collect(part)).status, 202);
  await until(async () => (await product.row("SELECT count(*) AS n FROM traffic_events")).n === n + some.length, { within: 60_000, what: "all events stored" });
}

const archiver = (path, init) => product.worker("archiver").fetch(path, init);
const order = async (what, body) => {
  const response = await archiver(`/admin/${what}`, { method: "POST", body: JSON.stringify({ wait: true, ...body }) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
};
const text = async (path) => {
  const response = await archiver(path);
  assert.equal(response.status, 200, await response.clone().text().catch(String));
  return response.text();
};
const inDatabase = async () => (await product.row("SELECT count(*) AS n FROM traffic_events WHERE event_date = ?", DAY)).n;
const bucket = async () => (await product.worker("archiver").getEnv()).R2_ARCHIVE;
const byId = (some) => [...some].sort((a, b) => (a.id < b.id ? -1 : 1));
const linesOf = (body) => body.split("\n").filter(Boolean).map((line) => JSON.parse(line));
const WHOLE = `/paths/events/export?from=${DAY}&to=${AFTER}`;

/** All answers of a query, one after another. */
async function pages(query) {
  const answers = [];
  for (let cursor = ""; cursor !== null; ) {
    const answer = JSON.parse(await text(`/admin/archive/query?date=${DAY}${query}${cursor && `&cursor=${cursor}`}`));
    assert.equal(answer.date, DAY);
    answers.push(answer);
    cursor = answer.nextCursor;
  }
  return { answers, events: answers.flatMap((answer) => answer.events), scanned: answers.reduce((sum, { scanned }) => sum + scanned, 0) };
}

describe("an export", { concurrency: 1 }, () => {
  let first;

  test("holds every event once, by id, as it was sent", async () => {
    first = await text(WHOLE);
    assert.deepEqual(linesOf(first), byId(events));
  });

  test("is the same when a day is archived and still in the database", async () => {
    assert.equal((await order("archive/trigger", { date: DAY, clean: false })).records, 9_002);
    assert.equal(await inDatabase(), 9_002);
    assert.equal(await text(WHOLE), first);
  });

  test("is the same when the database holds half of a day", async () => {
    await product.rows("DELETE FROM traffic_events WHERE id IN (SELECT id FROM traffic_events WHERE event_date = ? ORDER BY substr(id, -1), id LIMIT 4500)", DAY);
    assert.equal(await inDatabase(), 4_502);
    assert.equal(await text(WHOLE), first);
  });

  test("is the same when the archive holds all of a day", async () => {
    await order("cleanup/trigger", { date: DAY });
    assert.equal(await inDatabase(), 0);
    assert.equal(await text(WHOLE), first);
  });

  test("holds late events, in the database and then in a supplement", async () => {
    const late = [1, 2, 3].map((n) => event(30_000 + n, { timestamp: START + n * 7 * 3_600_000, path: "/late" }));
    await send(late);
    events.push(...late);
    first = await text(WHOLE);
    assert.deepEqual(linesOf(first), byId(events));
    const { objects } = await order("archive/trigger", { date: DAY });
    assert.deepEqual(objects.map(({ records }) => records), [9_002, 3]);
    assert.equal(await text(WHOLE), first);
  });

  test("is the same while a day is archived", async () => {
    const exports = Array.from({ length: 12 }, () => text(WHOLE));
    await order("archive/trigger", { date: NEXT });
    for (const body of await Promise.all(exports)) assert.equal(body, first);
    assert.equal((await product.row("SELECT count(*) AS n FROM traffic_events")).n, 0);
  });

  test("of a part of a day holds what lies from its first to before its last millisecond", async () => {
    const middle = byId(events)[4_000].timestamp;
    for (const [from, to] of [[middle, middle + 1], [middle - 3_600_000, middle], [START + DAY_MS - 1, START + DAY_MS + 1], [START + 1_000, START + 30 * 3_600_000]]) {
      const expected = byId(events.filter(({ timestamp }) => timestamp >= from && timestamp < to));
      assert.deepEqual(linesOf(await text(`/paths/events/export?from=${from}&to=${to}`)), expected);
      const iso = (ms) => new Date(ms).toISOString();
      assert.deepEqual(linesOf(await text(`/paths/events/export?from=${iso(from)}&to=${iso(to)}`)), expected);
    }
  });

  test("as CSV has a line an event, and no formula", async () => {
    const response = await archiver(`${WHOLE}&format=csv`);
    assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8; header=present");
    const compact = (date) => `${date.replaceAll("-", "")}T000000Z`;
    assert.equal(response.headers.get("content-disposition"), `attachment; filename="events-${compact(DAY)}-${compact(AFTER)}.csv"`);
    const lines = (await response.text()).split("\r\n");
    assert.equal(lines[0], "id,timestamp,path,method,status,responseTime,clientIpHash,userAgent,country,sampleRatio");
    assert.equal(lines.length, events.length + 2);
    const odd = `${START + 1_000}-00004e20`;
    assert.ok(lines.includes(`${odd},${START + 1_000},"/odd,""path""",GET,200,12.5,0123456789abcdef,"'=HYPERLINK(""x""), ""y""",NZ,0.5`), lines.find((line) => line.startsWith(odd)));
  });

  test("anonymous tells neither hash nor user agent", async () => {
    const expected = byId(events).map(({ clientIpHash, userAgent, ...rest }) => rest);
    assert.deepEqual(linesOf(await text(`${WHOLE}&anonymize=true`)), expected);
    const csv = await text(`${WHOLE}&format=csv&anonymize=true`);
    assert.ok(!csv.includes("clientIpHash") && !csv.includes("0123456789abcdef") && !csv.includes("Mozilla"));
  });
});

describe("a query", { concurrency: 1 }, () => {
  const ofDay = () => byId(events.filter(({ timestamp }) => timestamp < START + DAY_MS));

  test("reads what only the database holds", async () => {
    const fresh = event(40_000, { timestamp: START + 2 * DAY_MS + 5, path: "/fresh" });
    await send([fresh]);
    assert.deepEqual(JSON.parse(await text(`/admin/archive/query?date=${AFTER}`)), { date: AFTER, events: [fresh], scanned: 1, nextCursor: null });
  });

  test("from a time on and up to another holds what lies between them", async () => {
    const [from, to] = [START + 5 * 3_600_000, START + 6 * 3_600_000];
    const { events: found, scanned } = await pages(`&limit=10000&from=${from}&to=${new Date(to).toISOString()}`);
    assert.deepEqual(found, ofDay().filter(({ timestamp }) => timestamp >= from && timestamp < to));
    assert.ok(found.length > 100 && scanned === found.length);
  });

  for (const [query, wanted, limit] of [
    ["", () => true, 4_000],
    ["&path=/api/route-1", ({ path }) => path === "/api/route-1", 500],
    ["&status=404", ({ status }) => status === 404, 50],
    ["&status=5xx", ({ status }) => status >= 500, 10_000],
    ["&path=/shop/route-0&status=5xx", ({ path, status }) => path === "/shop/route-0" && status >= 500, 7],
    ["&path=/late", ({ path }) => path === "/late", 2],
    ["&path=/nothing", () => false, 100],
  ]) {
    test(`${query || "without a filter"} pages through what matches, ${limit} at a time`, async () => {
      const expected = ofDay().filter(wanted);
      const { answers, events: found, scanned } = await pages(`${query}&limit=${limit}`);
      assert.deepEqual(found, expected);
      assert.equal(scanned, 9_005);
      assert.ok(answers.every((answer) => answer.events.length <= limit));
      assert.ok(answers.length <= Math.floor(expected.length / limit) + 1);
    });
  }

  test("gives a hundred events unless it says how many", async () => {
    const answer = JSON.parse(await text(`/admin/archive/query?date=${DAY}`));
    assert.deepEqual([answer.events.length, answer.scanned], [100, 100]);
  });

  test("with a cursor of another query is refused", async () => {
    const { nextCursor } = JSON.parse(await text(`/admin/archive/query?date=${DAY}&status=404&limit=1`));
    for (const query of [`status=403&cursor=${nextCursor}`, `cursor=${nextCursor}`, `status=404&cursor=${nextCursor}x`, "cursor=x"]) {
      const problem = await problemOf(await archiver(`/admin/archive/query?date=${DAY}&${query}`));
      assert.deepEqual([problem.status, problem.detail.includes("`cursor`")], [400, true]);
    }
  });
});

describe("a download", { concurrency: 1 }, () => {
  const stored = async (name) => Buffer.from(await (await (await bucket()).get(name)).arrayBuffer());

  for (const [query, name, type] of [
    ["", ".jsonl.gz", "application/gzip"],
    ["&supplement=1", ".late-1.jsonl.gz", "application/gzip"],
    ["&format=parquet", ".parquet", "application/vnd.apache.parquet"],
    ["&supplement=1&format=parquet", ".late-1.parquet", "application/vnd.apache.parquet"],
  ]) {
    test(`of ${name} is the file byte for byte`, async () => {
      if (name === ".parquet") await order("archive/convert", { date: DAY });
      const response = await archiver(`/admin/archive/download?date=${DAY}${query}`);
      assert.equal(response.status, 200);
      const expected = await stored(OBJECT + name);
      assert.ok(expected.equals(Buffer.from(await response.arrayBuffer())));
      const header = (of) => response.headers.get(of);
      assert.deepEqual([header("content-type"), header("content-length"), header("accept-ranges")], [type, String(expected.length), "bytes"]);
      assert.equal(header("content-disposition"), `attachment; filename="${DAY}${name}"`);
      assert.equal(header("etag"), (await (await bucket()).head(OBJECT + name)).httpEtag);
    });
  }

  test("of a part is that part", async () => {
    const expected = await stored(`${OBJECT}.jsonl.gz`);
    const ask = (range, more) => archiver(`/admin/archive/download?date=${DAY}`, { headers: { range, ...more } });
    for (const [range, from, to] of [["bytes=10-19", 10, 20], ["bytes=-7", expected.length - 7, expected.length], [`bytes=${expected.length - 3}-`, expected.length - 3, expected.length]]) {
      const response = await ask(range);
      assert.deepEqual([response.status, response.headers.get("content-range"), response.headers.get("content-length")], [206, `bytes ${from}-${to - 1}/${expected.length}`, String(to - from)]);
      assert.ok(expected.subarray(from, to).equals(Buffer.from(await response.arrayBuffer())));
    }
    const beyond = await ask(`bytes=${expected.length}-`);
    assert.deepEqual([beyond.headers.get("content-range"), (await problemOf(beyond)).status], [`bytes */${expected.length}`, 416]);
    const whole = await ask("bytes=10-19", { "if-range": '"other"' });
    assert.deepEqual([whole.status, (await whole.arrayBuffer()).byteLength], [200, expected.length]);
  });

  test("of what is not there is 404", async () => {
    for (const query of [`date=${DAY}&supplement=2`, `date=${AFTER}`, "date=2020-01-01&format=parquet"]) {
      assert.equal((await problemOf(await archiver(`/admin/archive/download?${query}`))).type, "about:blank#no_such_file");
    }
  });
});

for (const [path, name] of [
  ["/admin/archive/query", "date"],
  ["/admin/archive/query?date=2025-13-01", "date"],
  [`/admin/archive/query?date=${DAY}&date=${DAY}`, "date"],
  [`/admin/archive/query?date=${DAY}&path=x`, "path"],
  [`/admin/archive/query?date=${DAY}&status=4`, "status"],
  [`/admin/archive/query?date=${DAY}&limit=10001`, "limit"],
  [`/admin/archive/query?date=${DAY}&offset=1`, "offset"],
  [`/admin/archive/query?date=${DAY}&from=${NEXT}`, "from"],
  [`/admin/archive/query?date=${DAY}&to=${DAY}`, "to"],
  ["/admin/archive/download?date=../../x", "date"],
  [`/admin/archive/download?date=${DAY}&supplement=-1`, "supplement"],
  [`/admin/archive/download?date=${DAY}&format=csv`, "format"],
  [`/paths/events/export?to=${DAY}`, "from"],
  [`/paths/events/export?from=${DAY}&to=${DAY}`, "to"],
  ["/paths/events/export?from=2025-01-01&to=2025-02-02", "to"],
  [`/paths/events/export?from=${DAY}&to=${NEXT}&format=parquet`, "format"],
  [`/paths/events/export?from=${DAY}&to=${NEXT}&anonymize=yes`, "anonymize"],
]) {
  test(`${path} is refused with 400 and names ${name}`, async () => {
    const problem = await problemOf(await archiver(path));
    assert.equal(problem.status, 400);
    assert.ok(problem.detail.includes(`\`${name}\``), problem.detail);
  });
}


test("what fails on the way is never a whole answer", async () => {
  const damage = (number, by) => product.rows("UPDATE archive_pages SET crc32 = crc32 + ? WHERE r2_path = ? AND number = ?", by, `${OBJECT}.jsonl.gz`, number);
  const asked = [`/admin/archive/query?date=${DAY}&limit=10000`, WHOLE];
  await damage(1, 1);
  for (const path of asked) {
    const response = await archiver(path);
    assert.equal(response.status, 200, "it had begun");
    await assert.rejects(response.text(), path);
  }
  await damage(1, -1);
  await damage(0, 1);
  for (const path of asked) assert.equal((await problemOf(await archiver(path))).type, "about:blank#damaged");
  await damage(0, -1);
  assert.deepEqual(linesOf(await text(WHOLE)), byId(events));
});

test("a file that is gone from the bucket is told", async () => {
  const files = await bucket();
  const name = `${OBJECT}.late-1.jsonl.gz`;
  const bytes = await (await files.get(name)).arrayBuffer();
  await files.delete(name);
  assert.equal((await problemOf(await archiver(`/admin/archive/download?date=${DAY}&supplement=1`))).status, 502);
  await assert.rejects(async () => (await archiver(WHOLE)).text());
  await files.put(name, bytes);
  assert.deepEqual(linesOf(await text(WHOLE)), byId(events));
});

test("an export sent to an empty deployment makes the same events again", async () => {
  const lines = await text(WHOLE);
  await product.reset();
  for (const part of parts(lines.split("\n").filter(Boolean), 3_000)) assert.equal((await product.collect(part.join("\n"))).status, 202);
  await until(async () => (await product.row("SELECT count(*) AS n FROM traffic_events")).n === events.length, { within: 60_000, what: "all events stored" });
  assert.equal(await text(WHOLE), lines);
});
