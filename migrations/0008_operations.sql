-- What the Workers did that is billed, added up by hour and Worker: one row a Worker and hour, so that adding up
-- is one row written however many operations there are. Kept 400 days.
CREATE TABLE operations_hourly (
  hour_bucket TEXT NOT NULL,           -- '2025-10-15T14', UTC: when it was added up
  worker TEXT NOT NULL,                -- 'producer', 'consumer' (with its objects), 'api', 'archiver'
  events INTEGER NOT NULL,             -- counted for the first time
  worker_requests INTEGER NOT NULL,
  worker_cpu_ms INTEGER NOT NULL,      -- always 0: no Worker can measure its own
  queue_writes INTEGER NOT NULL,       -- in units of 64 KB, as the next two
  queue_reads INTEGER NOT NULL,
  queue_deletes INTEGER NOT NULL,
  d1_queries INTEGER NOT NULL,
  d1_rows_read INTEGER NOT NULL,
  d1_rows_written INTEGER NOT NULL,
  object_requests INTEGER NOT NULL,    -- calls and alarms
  object_ms INTEGER NOT NULL,          -- that calls and alarms took
  object_rows_read INTEGER NOT NULL,
  object_rows_written INTEGER NOT NULL,
  kv_reads INTEGER NOT NULL,
  kv_writes INTEGER NOT NULL,
  r2_class_a INTEGER NOT NULL,
  r2_class_b INTEGER NOT NULL,
  PRIMARY KEY (hour_bucket, worker)
) WITHOUT ROWID;
