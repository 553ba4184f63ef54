-- What each hour's budget of distinct paths came to: one row an hour, written by the hour's object at most
-- once a minute and deleted with it. Nothing is counted by it; `(other)` and `(not found)` are rows of
-- path_stats_hourly like any other.
CREATE TABLE path_budgets (
  hour_bucket TEXT PRIMARY KEY,        -- '2025-10-15T14', UTC
  path_limit INTEGER,                  -- most paths with a row of their own; NULL: no limit
  closed INTEGER NOT NULL,             -- 1: the hour takes no more events
  groups_not_found INTEGER NOT NULL,   -- 1: 404s of paths that are not admitted count in '(not found)'
  admitted INTEGER NOT NULL,
  refused INTEGER NOT NULL,            -- distinct paths without a row of their own, estimated
  sample TEXT NOT NULL,                -- JSON array: up to 200 of them
  updated_at INTEGER NOT NULL          -- milliseconds
) WITHOUT ROWID;
