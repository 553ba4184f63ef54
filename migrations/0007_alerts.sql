-- How each alert rule stands: one row a rule that ever left its limits, written when it changes. Two runs
-- that overlap have read one revision, and one of them writes.
CREATE TABLE alert_states (
  rule TEXT PRIMARY KEY,
  state TEXT NOT NULL,                 -- JSON
  revision INTEGER NOT NULL,           -- grows with every change
  writer TEXT NOT NULL                 -- the run that wrote it
) WITHOUT ROWID;

-- What holds notifications back, one a rule, or 'all'.
CREATE TABLE alert_silences (
  rule TEXT PRIMARY KEY,
  until INTEGER NOT NULL,              -- milliseconds
  reason TEXT NOT NULL,
  by TEXT NOT NULL,                    -- 'token:admin', 'alice@example.com'
  created_at INTEGER NOT NULL          -- milliseconds
) WITHOUT ROWID;

-- What is to be told, written together with the state that asks for it, and what became of it. A rule has
-- one a minute at most.
CREATE TABLE alert_notifications (
  at INTEGER NOT NULL,                 -- milliseconds; the minute of the decision
  rule TEXT NOT NULL,
  body TEXT NOT NULL,                  -- JSON, as a receiver of JSON gets it
  status TEXT NOT NULL,                -- 'pending', 'sent', 'failed', 'unsent': there is no receiver
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,            -- milliseconds; the minute that tries it next
  leased_until INTEGER NOT NULL,       -- milliseconds by the clock; an attempt is under way
  answer TEXT,                         -- of the last attempt
  PRIMARY KEY (at, rule)
) WITHOUT ROWID;

-- What was measured, a row a minute. The rows run round: a slot is a minute of two weeks, and is written
-- anew when they have passed, so that a sample is one row written and none deleted.
CREATE TABLE alert_samples (
  slot INTEGER PRIMARY KEY,            -- 0 to 20159
  at INTEGER NOT NULL,                 -- milliseconds; the minute
  sample TEXT NOT NULL                 -- JSON array, null for what was not known
);
