import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsTable } from "./table.mjs";

test("columns line up, and a path without response times has none", () => {
  const rows = [
    { path: "/api/products/:id", requests: 12345, errors: 617, avgResponseTime: 7.25, p50: 5.5, p95: 20.4, p99: 31, uniqueIps: 800 },
    { path: "/x", requests: 1, errors: 0, avgResponseTime: null, p50: null, p95: null, p99: null, uniqueIps: 1 },
  ];
  assert.equal(
    pathsTable(rows),
    [
      "path               requests  errors  avg ms  p50  p95  p99  clients",
      "-----------------  --------  ------  ------  ---  ---  ---  -------",
      "/api/products/:id    12,345   5.0 %     7.3  5.5   20   31      800",
      "/x                        1   0.0 %       –    –    –    –        1",
    ].join("\n"),
  );
});
