-- Raw events, kept three days. The id begins with the time, so a day is a range of keys and an
-- insert writes one row: there is no secondary index. What follows from other columns is computed
-- when read and takes no room.
CREATE TABLE traffic_events (
  id TEXT PRIMARY KEY,                 -- '1730956800000-a1b2c3d4'
  path TEXT NOT NULL,
  method TEXT NOT NULL,
  status INTEGER NOT NULL,
  response_time REAL,                  -- milliseconds
  client_ip_hash TEXT,                 -- 16 hexadecimal digits, under a key of the day
  user_agent TEXT,
  country TEXT,
  sample_ratio REAL NOT NULL DEFAULT 1,
  timestamp INTEGER GENERATED ALWAYS AS (CAST(substr(id, 1, 13) AS INTEGER)) VIRTUAL,
  event_date TEXT GENERATED ALWAYS AS (date(CAST(substr(id, 1, 10) AS INTEGER), 'unixepoch')) VIRTUAL,
  is_error INTEGER GENERATED ALWAYS AS (status >= 400) VIRTUAL
) WITHOUT ROWID;

-- One row a path and hour, written whole by the object that counts it. Clustered by hour: a
-- snapshot reads its 24 hours and nothing else, a path's series is one look-up an hour, and a new
-- row is one row written. `sketches` is last, so that a scan of counters does not read it.
CREATE TABLE path_stats_hourly (
  path TEXT NOT NULL,
  hour_bucket TEXT NOT NULL,           -- '2025-10-15T14', UTC
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  sum_response_time REAL NOT NULL,     -- milliseconds
  count_response_time INTEGER NOT NULL,
  unique_ips INTEGER NOT NULL,
  estimated_requests REAL NOT NULL,    -- requests divided by their sampling ratios
  p50 REAL,                            -- milliseconds, within 0.5 %
  p95 REAL,
  p99 REAL,
  revision INTEGER NOT NULL,           -- grows with every update of the object
  sealed_at INTEGER,                   -- milliseconds; the object is gone, nothing can be added
  updated_at INTEGER NOT NULL,         -- milliseconds
  sketches BLOB NOT NULL,              -- PathHourStats, with a version byte and a checksum
  PRIMARY KEY (hour_bucket, path)
) WITHOUT ROWID;

-- What could not be counted, with the reason.
CREATE TABLE dead_letters (
  id TEXT PRIMARY KEY,
  reason TEXT NOT NULL,                -- a short, stable word
  detail TEXT NOT NULL,
  body TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  first_seen INTEGER NOT NULL          -- milliseconds
) WITHOUT ROWID;

-- Messages that the queue refused. A cron drains it.
CREATE TABLE outbox (
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL,                  -- a queue message
  created_at INTEGER NOT NULL          -- milliseconds
) WITHOUT ROWID;

-- Requests that were not recorded, by hour and reason: sampled out, rate limited, lost.
CREATE TABLE recording_drops (
  hour_bucket TEXT NOT NULL,
  reason TEXT NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (hour_bucket, reason)
) WITHOUT ROWID;
