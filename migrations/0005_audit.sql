-- Changes that were asked for, each written before it is made. Kept 400 days.
CREATE TABLE audit_log (
  id TEXT PRIMARY KEY,                 -- '1730956800000-00c0ffee00c0ffee': the time, then chance
  at INTEGER NOT NULL,                 -- milliseconds
  actor TEXT NOT NULL,                 -- 'token:admin', 'alice@example.com'
  via TEXT NOT NULL,                   -- 'token', 'access'
  action TEXT NOT NULL,                -- 'POST /admin/archive/trigger'
  target TEXT,                         -- what was asked, JSON of 500 characters at most
  request_id TEXT NOT NULL,            -- as in the logs
  status INTEGER                       -- of the answer; NULL: not known to have ended
) WITHOUT ROWID;
