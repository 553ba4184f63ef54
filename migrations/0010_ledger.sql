-- The completeness ledger: for each hour, what was received and what became of it. Written by a check, and
-- noted here by triggers when something of the hour changed since.
CREATE TABLE ledger_hours (
  hour_bucket TEXT PRIMARY KEY,        -- '2025-10-15T14', UTC
  changed INTEGER NOT NULL,            -- 1: since the last check began; 2: a check is under way, or died; 0: neither
  tried_at INTEGER NOT NULL DEFAULT 0, -- milliseconds; when the last check began
  checked_at INTEGER,                  -- milliseconds; when the check of these figures began
  received INTEGER NOT NULL DEFAULT 0,
  counted INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  dead_lettered INTEGER NOT NULL DEFAULT 0,
  refused_late INTEGER NOT NULL DEFAULT 0,
  difference INTEGER NOT NULL DEFAULT 0, -- received less the four others
  differs_since INTEGER,               -- milliseconds; since when it has differed by as much
  waiting_until INTEGER NOT NULL DEFAULT 0 -- milliseconds; until then messages with events of it may come again
) WITHOUT ROWID;

-- What is to be checked and what is wrong, without reading the hours of a year.
CREATE INDEX ledger_hours_open ON ledger_hours (hour_bucket) WHERE changed <> 0 OR difference <> 0;

-- Events that came to an object that had them. A row only where there were any.
CREATE TABLE ledger_duplicates (
  hour_bucket TEXT NOT NULL,
  path TEXT NOT NULL,
  duplicates INTEGER NOT NULL,         -- all there ever were
  PRIMARY KEY (hour_bucket, path)
) WITHOUT ROWID;

-- What each dead letter stands for, by hour. It goes with the letter, unless that was discarded.
CREATE TABLE ledger_letters (
  letter TEXT NOT NULL,
  hour_bucket TEXT NOT NULL,
  kind TEXT NOT NULL,                  -- 'dead', 'late'; 'exhausted': its events may be stored and counted
  events INTEGER NOT NULL,
  keys TEXT,                           -- of exhausted ones: JSON [[id, path], …]
  discarded_at INTEGER,                -- milliseconds; the letter is gone, and what it stands for was given up
  PRIMARY KEY (letter, hour_bucket)
) WITHOUT ROWID;

CREATE INDEX ledger_letters_by_hour ON ledger_letters (hour_bucket, kind);

-- Letters from before the ledger. Of messages that ran out of attempts those whose days may still have
-- their raw rows; older hours are not checked.
INSERT INTO ledger_letters (letter, hour_bucket, kind, events)
SELECT id, strftime('%Y-%m-%dT%H', first_seen / 1000, 'unixepoch'), CASE reason WHEN 'sealed' THEN 'late' ELSE 'dead' END, 1
FROM dead_letters WHERE reason <> 'retries_exhausted';

INSERT OR IGNORE INTO ledger_letters (letter, hour_bucket, kind, events, keys)
SELECT l.id, strftime('%Y-%m-%dT%H', CAST(substr(coalesce(e.value ->> 'id', e.value ->> 'idempotentId'), 1, 10) AS INTEGER), 'unixepoch') AS hour,
  'exhausted', count(*),
  json_group_array(json_array(coalesce(e.value ->> 'id', e.value ->> 'idempotentId'), e.value ->> 'path'))
FROM dead_letters l, json_each(CASE WHEN NOT json_valid(l.body) THEN '[]'
  WHEN json_type(l.body, '$.events') = 'array' THEN l.body -> '$.events' ELSE json_array(json(l.body)) END) e
WHERE l.reason = 'retries_exhausted' AND l.first_seen > (unixepoch() - 4 * 86400) * 1000
  AND e.type = 'object'
  -- 13 digits, a hyphen, 8 more. A pattern of D1 has 50 bytes at most.
  AND length(coalesce(e.value ->> 'id', e.value ->> 'idempotentId')) = 22
  AND substr(coalesce(e.value ->> 'id', e.value ->> 'idempotentId'), 1, 13) NOT GLOB '*[^0-9]*'
  AND substr(coalesce(e.value ->> 'id', e.value ->> 'idempotentId'), 14, 1) = '-'
  AND e.value ->> 'path' IS NOT NULL
GROUP BY l.id, hour;

-- Notes the change with the flush itself: one row looked up, and written only for the first one after a
-- check.
CREATE TRIGGER ledger_hour_added AFTER INSERT ON path_stats_hourly
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (new.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

CREATE TRIGGER ledger_hour_changed AFTER UPDATE OF sketches ON path_stats_hourly
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (new.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

CREATE TRIGGER ledger_duplicates_added AFTER INSERT ON ledger_duplicates
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (new.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

CREATE TRIGGER ledger_duplicates_changed AFTER UPDATE ON ledger_duplicates
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (new.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

CREATE TRIGGER ledger_letter_added AFTER INSERT ON ledger_letters
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (new.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

CREATE TRIGGER ledger_letter_removed AFTER DELETE ON ledger_letters
BEGIN
  INSERT INTO ledger_hours (hour_bucket, changed) VALUES (old.hour_bucket, 1)
  ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1 WHERE changed <> 1;
END;

-- A letter that was replayed takes its bookings along; those that were discarded are marked before.
CREATE TRIGGER ledger_letter_gone AFTER DELETE ON dead_letters
BEGIN
  DELETE FROM ledger_letters WHERE letter = old.id AND discarded_at IS NULL;
END;
