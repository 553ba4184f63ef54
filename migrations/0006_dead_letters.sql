-- The letters of one reason, oldest first: a list of one reason, and the oldest of each, without reading the
-- letters of all others. The letter's id is in the index by itself.
CREATE INDEX dead_letters_by_reason ON dead_letters (reason, first_seen);

-- How many letters there are of each reason. A wrong deployment can leave millions, and health is asked for
-- every minute: counting would read them all.
CREATE TABLE dead_letter_counts (
  reason TEXT PRIMARY KEY,
  letters INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO dead_letter_counts (reason, letters) SELECT reason, count(*) FROM dead_letters GROUP BY reason;

-- Counts change with the letters themselves, in the same transaction.
CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letters
BEGIN
  INSERT INTO dead_letter_counts (reason, letters) VALUES (new.reason, 1)
  ON CONFLICT (reason) DO UPDATE SET letters = letters + 1;
END;

CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letters
BEGIN
  UPDATE dead_letter_counts SET letters = letters - 1 WHERE reason = old.reason;
  DELETE FROM dead_letter_counts WHERE reason = old.reason AND letters = 0;
END;

CREATE TRIGGER dead_letter_changed AFTER UPDATE OF reason ON dead_letters WHEN old.reason <> new.reason
BEGIN
  UPDATE dead_letter_counts SET letters = letters - 1 WHERE reason = old.reason;
  DELETE FROM dead_letter_counts WHERE reason = old.reason AND letters = 0;
  INSERT INTO dead_letter_counts (reason, letters) VALUES (new.reason, 1)
  ON CONFLICT (reason) DO UPDATE SET letters = letters + 1;
END;
