-- One row a day that was archived, or is being. The columns are for people; `record` is all that is
-- known of the day, and what an interrupted run goes on from.
CREATE TABLE archive_metadata (
  date TEXT PRIMARY KEY,               -- '2025-10-15', UTC
  r2_path TEXT,                        -- the day's file; supplements are in `record`
  record_count INTEGER NOT NULL,       -- events archived and verified, supplements among them
  file_size_bytes INTEGER NOT NULL,    -- of all its files
  archived_at INTEGER,                 -- milliseconds; when the last file was verified
  status TEXT NOT NULL,                -- 'archiving', 'cleaning', 'archived'
  d1_cleaned INTEGER NOT NULL,         -- 1: traffic_events held none of the day's events any more
  record TEXT NOT NULL,                -- JSON
  carry BLOB NOT NULL                  -- bytes of the file under way that are in no part yet
) WITHOUT ROWID;

-- Where the pages of each file lie, and the ids that they hold: what is verified, deleted and
-- queried is found by it.
CREATE TABLE archive_pages (
  r2_path TEXT NOT NULL,
  number INTEGER NOT NULL,             -- from 0
  offset INTEGER NOT NULL,             -- bytes
  length INTEGER NOT NULL,             -- bytes
  records INTEGER NOT NULL,
  first_id TEXT NOT NULL,
  last_id TEXT NOT NULL,
  crc32 INTEGER NOT NULL,              -- of the page's bytes
  metadata BLOB NOT NULL,              -- of a Parquet row group
  PRIMARY KEY (r2_path, number)
) WITHOUT ROWID;

-- Which run has which day. A run that died holds it until then.
CREATE TABLE archive_leases (
  date TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL               -- milliseconds
) WITHOUT ROWID;
