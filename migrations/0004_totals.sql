-- The whole system, an hour and a day: what all paths of a period come to, so that figures over time
-- are read without reading every path's row. The BLOBs are last, as in the hourly rows.
CREATE TABLE hourly_totals (
  hour_bucket TEXT PRIMARY KEY,        -- '2025-10-15T14', UTC
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  sum_response_time REAL NOT NULL,     -- milliseconds
  count_response_time INTEGER NOT NULL,
  unique_ips INTEGER NOT NULL,
  estimated_requests REAL NOT NULL,    -- requests divided by their sampling ratios
  p50 REAL,                            -- milliseconds, within 0.5 %
  p95 REAL,
  p99 REAL,
  paths INTEGER NOT NULL,              -- distinct; exact below a thousand or so, then a standard error of 0.8 %
  pass INTEGER NOT NULL,               -- number of the pass that made it; a time in milliseconds
  updated_at INTEGER NOT NULL,         -- milliseconds
  path_sketch BLOB NOT NULL,           -- the distinct paths, to be merged
  sketches BLOB NOT NULL               -- PathHourStats, with a version byte and a checksum
) WITHOUT ROWID;

-- As hourly_totals: merged from the hours of the day while they are there, and from
-- path_stats_daily once they are gone.
CREATE TABLE daily_totals (
  date TEXT PRIMARY KEY,               -- '2025-10-15', UTC
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  sum_response_time REAL NOT NULL,
  count_response_time INTEGER NOT NULL,
  unique_ips INTEGER NOT NULL,
  estimated_requests REAL NOT NULL,
  p50 REAL,
  p95 REAL,
  p99 REAL,
  paths INTEGER NOT NULL,
  pass INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  path_sketch BLOB NOT NULL,
  sketches BLOB NOT NULL
) WITHOUT ROWID;

-- The hours and days whose total is to be made, and no other. A pass has a number, since two may run
-- at once and a later one may die. A row goes when the last pass begun has ended and nothing changed
-- since it began.
CREATE TABLE totals_due (
  period TEXT PRIMARY KEY,             -- an hour or a day
  changed INTEGER NOT NULL,            -- 1: something of it was written after the last pass began
  pass INTEGER NOT NULL                -- number of the last pass begun; 0: none yet
) WITHOUT ROWID;

-- How far a pass came that one invocation could not end.
CREATE TABLE totals_parts (
  period TEXT PRIMARY KEY,
  pass INTEGER NOT NULL,
  after TEXT NOT NULL,                 -- the last row that is in it
  path_sketch BLOB NOT NULL,
  sketches BLOB NOT NULL
) WITHOUT ROWID;

-- Days whose hourly rows went, or are about to. Their hours have no totals any more, and none is
-- made of the hourly rows that are left or come late: it would lack those that are gone. The day's
-- total follows path_stats_daily, which has all of them.
CREATE TABLE totals_purged (
  date TEXT PRIMARY KEY
) WITHOUT ROWID;

INSERT INTO totals_purged (date) SELECT DISTINCT date FROM path_stats_daily WHERE purged_at IS NOT NULL;
INSERT INTO totals_due (period, changed, pass) SELECT date, 1, 0 FROM totals_purged;
INSERT INTO totals_due (period, changed, pass)
SELECT DISTINCT hour_bucket, 1, 0 FROM path_stats_hourly
WHERE substr(hour_bucket, 1, 10) NOT IN (SELECT date FROM totals_purged);

-- Notes the change with the flush itself, as the triggers of daily_rollups do: one row looked up, and
-- written only for the first flush after a pass began or ended.
CREATE TRIGGER hourly_total_due_added AFTER INSERT ON path_stats_hourly
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (new.hour_bucket, 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

CREATE TRIGGER hourly_total_due_changed AFTER UPDATE OF sketches ON path_stats_hourly
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (new.hour_bucket, 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

-- A day is made anew when the total of one of its hours was.
CREATE TRIGGER daily_total_due_added AFTER INSERT ON hourly_totals
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (substr(new.hour_bucket, 1, 10), 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

CREATE TRIGGER daily_total_due_changed AFTER UPDATE OF sketches ON hourly_totals
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (substr(new.hour_bucket, 1, 10), 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

-- And when its hours are gone and a roll-up wrote one of its paths.
CREATE TRIGGER purged_total_due_added AFTER INSERT ON path_stats_daily
WHEN EXISTS (SELECT 1 FROM totals_purged WHERE date = new.date)
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (new.date, 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

CREATE TRIGGER purged_total_due_changed AFTER UPDATE OF sketches ON path_stats_daily
WHEN EXISTS (SELECT 1 FROM totals_purged WHERE date = new.date)
BEGIN
  INSERT INTO totals_due (period, changed, pass) VALUES (new.date, 1, 0)
  ON CONFLICT (period) DO UPDATE SET changed = 1 WHERE changed = 0;
END;
