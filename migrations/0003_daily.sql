-- One row a path and day, merged from its hourly rows before they go. Clustered by day: the oldest
-- days are deleted from the front. `sketches` is last, as in the hourly rows.
CREATE TABLE path_stats_daily (
  path TEXT NOT NULL,
  date TEXT NOT NULL,                  -- '2025-10-15', UTC
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  sum_response_time REAL NOT NULL,     -- milliseconds
  count_response_time INTEGER NOT NULL,
  unique_ips INTEGER NOT NULL,         -- of the day: an address has one hash within a UTC day
  estimated_requests REAL NOT NULL,    -- requests divided by their sampling ratios
  p50 REAL,                            -- milliseconds, within 0.5 %
  p95 REAL,
  p99 REAL,
  hours INTEGER NOT NULL,              -- which hours it holds: bit 0 is 00:00, bit 23 is 23:00
  fingerprint TEXT NOT NULL,           -- of the hourly rows in it; '': they are gone
  purged_at INTEGER,                   -- milliseconds; when hourly rows of it were last deleted
  updated_at INTEGER NOT NULL,         -- milliseconds
  sketches BLOB NOT NULL,              -- PathHourStats, with a version byte and a checksum
  PRIMARY KEY (date, path)
) WITHOUT ROWID;

-- What a daily row held when its hourly rows were deleted, kept while newer hourly rows of its day
-- are there: the daily row is this and those. Seldom more than a few rows.
CREATE TABLE path_stats_daily_bases (
  path TEXT NOT NULL,
  date TEXT NOT NULL,
  hours INTEGER NOT NULL,
  sketches BLOB NOT NULL,
  PRIMARY KEY (date, path)
) WITHOUT ROWID;

-- Every day that has hourly rows, and how far it is rolled up. A pass has a number, since two may
-- run at once and a later one may die: a day is rolled up when the last pass begun has ended and
-- nothing has changed since it began.
CREATE TABLE daily_rollups (
  date TEXT PRIMARY KEY,
  changed INTEGER NOT NULL,            -- 1: an hourly row was written after the last pass began
  pass_begun INTEGER NOT NULL,         -- number of the last pass begun; a time in milliseconds
  pass_ended INTEGER NOT NULL,         -- number of the last pass that came to its end
  purge_due INTEGER NOT NULL           -- 1: its hourly rows are old enough to go
) WITHOUT ROWID;

INSERT INTO daily_rollups (date, changed, pass_begun, pass_ended, purge_due)
SELECT DISTINCT substr(hour_bucket, 1, 10), 1, 0, 0, 0 FROM path_stats_hourly;

-- Notes the change with the flush itself, so that none is missed, however late it comes and whatever
-- clock wrote it. Looking for changes would read every hourly row every night. A flush looks one row
-- up here, and writes it only when it is the first one after a pass began.
CREATE TRIGGER path_stats_hourly_added AFTER INSERT ON path_stats_hourly
BEGIN
  INSERT INTO daily_rollups (date, changed, pass_begun, pass_ended, purge_due)
  VALUES (substr(new.hour_bucket, 1, 10), 1, 0, 0, 0)
  ON CONFLICT (date) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

-- Only for new statistics: a seal changes none.
CREATE TRIGGER path_stats_hourly_changed AFTER UPDATE OF sketches ON path_stats_hourly
BEGIN
  INSERT INTO daily_rollups (date, changed, pass_begun, pass_ended, purge_due)
  VALUES (substr(new.hour_bucket, 1, 10), 1, 0, 0, 0)
  ON CONFLICT (date) DO UPDATE SET changed = 1 WHERE changed = 0;
END;

-- Sizes of the database, four a day, kept 90 days.
CREATE TABLE capacity_samples (
  sampled_at INTEGER PRIMARY KEY,      -- milliseconds, the beginning of an hour
  size_bytes INTEGER NOT NULL
);
