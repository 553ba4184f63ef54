// The plain recount that every figure is held against: maps, sums and sorted lists, nothing else.
import assert from "node:assert/strict";
import { hourOf } from "./events.mjs";

/** Counts events by path and hour, each id once: a map from `path hour` to exact figures. */
export function recount(events) {
  const counted = new Map();
  for (const event of events) {
    const key = `${hourOf(event.timestamp)} ${event.path}`;
    if (!counted.has(key)) counted.set(key, { ids: new Set(), requests: 0, errors: 0, microseconds: 0, times: [], clients: new Set() });
    const figures = counted.get(key);
    if (figures.ids.has(event.id)) continue;
    figures.ids.add(event.id);
    figures.requests += 1;
    if (event.status >= 400) figures.errors += 1;
    if (event.clientIpHash !== undefined) figures.clients.add(event.clientIpHash);
    if (event.responseTime !== undefined) {
      const microseconds = Math.round(event.responseTime * 1000);
      figures.microseconds += microseconds;
      figures.times.push(microseconds);
    }
  }
  for (const figures of counted.values()) figures.times.sort((a, b) => a - b);
  return counted;
}

/** The value that at least `share` of the values do not exceed, in milliseconds. */
export function nearestRank(times, share) {
  return times.length ? times[Math.max(1, Math.ceil(share * times.length)) - 1] / 1000 : null;
}

/** Holds rows of path_stats_hourly against a recount; resolves to the largest errors found. */
export function compare(rows, counted) {
  const worst = { percentile: 0, clients: 0, pathHours: counted.size };
  assert.equal(rows.length, counted.size, "path-hours");
  for (const row of rows) {
    const key = `${row.hour_bucket} ${row.path}`;
    const figures = counted.get(key);
    assert.ok(figures, `${key} was never sent`);
    assert.equal(row.requests, figures.requests, `requests of ${key}`);
    assert.equal(row.errors, figures.errors, `errors of ${key}`);
    assert.equal(row.count_response_time, figures.times.length, `response times of ${key}`);
    assert.equal(row.sum_response_time, figures.microseconds / 1000, `sum of response times of ${key}`);
    for (const [column, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) {
      const exact = nearestRank(figures.times, share);
      if (exact === null) {
        assert.equal(row[column], null, `${column} of ${key}`);
        continue;
      }
      const error = Math.abs(row[column] - exact) / exact;
      assert.ok(Math.abs(row[column] - exact) <= 0.005 * exact + 1e-9, `${column} of ${key}: ${row[column]}, exactly ${exact}`);
      worst.percentile = Math.max(worst.percentile, error);
    }
    const clients = figures.clients.size;
    const off = Math.abs(row.unique_ips - clients);
    assert.ok(clients < 500 ? off === 0 : off <= 0.02 * clients, `clients of ${key}: ${row.unique_ips}, exactly ${clients}`);
    worst.clients = Math.max(worst.clients, clients ? off / clients : 0);
  }
  return worst;
}
