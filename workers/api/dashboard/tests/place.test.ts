// What a link carries.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { METHODS, SORTS, START, STATUS_CLASSES, readPlace, writePlace, type Place } from "../src/model/place.ts";

test("what can be chosen is what the API takes", () => {
  const { paths } = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"));
  const words = (path: string, name: string): string[] => paths[path].get.parameters.find((parameter: { name: string }) => parameter.name === name).schema.enum;
  for (const [own, path, name] of [[METHODS, "/paths/stats", "method"], [STATUS_CLASSES, "/paths/stats", "statusClass"], [SORTS, "/paths", "sort"]] as const) {
    assert.deepEqual([...own].sort(), words(path, name).sort(), name);
  }
});

test("no query is the start, and the start writes none", () => {
  assert.deepEqual(readPlace(""), START);
  assert.equal(writePlace(START), "");
});

test("every part of a place survives a link", () => {
  const place: Place = {
    view: "path",
    path: "/api/größe/:id?x&y=1",
    range: "custom",
    from: Date.parse("2026-11-01T00:00Z"),
    to: Date.parse("2026-11-02T12:30Z"),
    granularity: "day",
    compare: false,
    method: "POST",
    statusClass: "5xx",
    sort: "p95",
    descending: false,
    search: "a b+c%",
    day: "2026-11-01",
    hour: 0,
    reason: "invalid_json",
    zone: "utc",
    language: "zh",
  };
  assert.deepEqual(readPlace(writePlace(place)), place);
});

test("what is unknown or wrong is as if it were not there", () => {
  const odd = "?view=admin&path=no-slash&range=2h&step=week&method=BREW&status=9xx&sort=size&day=today&hour=24&tz=mars&lang=fr&from=x";
  assert.deepEqual(readPlace(odd), START);
  assert.equal(readPlace("?range=custom&from=2026-11-02T00:00Z&to=2026-11-01T00:00Z").range, "24h");
});

test("an order is written only where it is not the usual one", () => {
  assert.equal(writePlace({ ...START, sort: "errors" }), "?sort=errors");
  assert.equal(writePlace({ ...START, sort: "path", descending: false }), "?sort=path");
  assert.equal(readPlace("?sort=path").descending, false);
  assert.equal(readPlace("?sort=path&order=desc").descending, true);
});

test("addresses stay readable, and hold no more than they may", () => {
  assert.equal(writePlace({ ...START, view: "path", path: "/api/foo" }), "?view=path&path=/api/foo");
  assert.equal(readPlace(`?q=${"a".repeat(500)}`).search.length, 200);
});

test("a row of many paths is a place like any path's", () => {
  for (const path of ["(other)", "(not found)"]) assert.equal(readPlace(`?view=path&path=${encodeURIComponent(path)}`).path, path);
  assert.equal(readPlace("?view=path&path=(else)").path, null);
});
