-- From which day on paths are spread over how many databases. Read in the first database only; none: one
-- database, for ever. Rows are added and never changed: where an event of a day stands follows from them.
CREATE TABLE shard_layouts (
  from_date TEXT PRIMARY KEY,          -- '2026-03-01', UTC
  shards INTEGER NOT NULL,             -- 1 to 16
  published_at INTEGER NOT NULL,       -- milliseconds
  published_by TEXT NOT NULL           -- 'token:admin', 'alice@example.com'
) WITHOUT ROWID;
