//! The D1 statements of the completeness ledger.

use pathstats_model::completeness::answers::LedgerQuery;
use pathstats_model::completeness::booking::{bookings, Booking, EventKey};
use pathstats_model::completeness::check::{Archived, Finding, Noted, Seen};
use pathstats_model::completeness::figures::Entry;
use pathstats_model::completeness::settled::Checked;
use pathstats_model::completeness::{KEPT_MS, LETTERS_PER_CHECK, MAX_HOURS, NOTED_PER_RUN, RECENT_HOURS};
use pathstats_model::ingest::DeadLetter;
use pathstats_model::HourBucket;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{Error, Result};

use crate::database::{count, integer, json_parameters};
use crate::metered::D1Database;

/// Hours that differ and that are told at once: from there on it is plainly too many.
const MAX_DIFFERING: usize = 500;

/// The columns of a [`Checked`] hour.
const CHECKED: &str = "hour_bucket, received, counted, duplicates, dead_lettered, refused_late, checked_at, \
     differs_since, waiting_until, changed <> 0 AS changed";

/// The ledger in D1.
#[derive(Debug)]
pub struct LedgerStore {
    d1: D1Database,
}

#[derive(Clone, Copy, Deserialize)]
struct CheckedRow {
    hour_bucket: HourBucket,
    received: u64,
    counted: u64,
    duplicates: u64,
    dead_lettered: u64,
    refused_late: u64,
    checked_at: Option<f64>,
    differs_since: Option<f64>,
    waiting_until: f64,
    changed: u8,
}

#[derive(Deserialize)]
struct SeenRow {
    raw: u64,
    counted: u64,
    duplicates: u64,
    dead: u64,
    late: u64,
    purged: u8,
    status: Option<String>,
    archived: Option<u64>,
    difference: i64,
    differs_since: Option<f64>,
}

impl LedgerStore {
    /// The ledger behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// The hours before one that are known to have changed or to differ, all from `recent` on, and of those
    /// that the ledger does not know the ones that have raw events. Reads a few rows an hour.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn noted(&self, before: HourBucket, recent: HourBucket) -> Result<Vec<Noted>> {
        #[derive(Deserialize)]
        struct Row {
            hour_bucket: HourBucket,
            changed: u8,
            differs: u8,
            tried_at: f64,
            checked_at: Option<f64>,
        }
        const SELECT: &str = "SELECT hour_bucket, changed <> 0 AS changed, difference <> 0 AS differs, tried_at, \
             checked_at FROM ledger_hours WHERE hour_bucket < ?1 AND hour_bucket >= ?2 \
             UNION ALL SELECT * FROM (SELECT hour_bucket, changed <> 0, difference <> 0, tried_at, checked_at \
             FROM ledger_hours WHERE (changed <> 0 OR difference <> 0) AND hour_bucket < ?2 LIMIT ?3) \
             UNION ALL SELECT k.value ->> 0, 1, 0, 0, NULL FROM json_each(?4) k \
             WHERE NOT EXISTS (SELECT 1 FROM ledger_hours WHERE hour_bucket = k.value ->> 0) \
             AND EXISTS (SELECT 1 FROM traffic_events WHERE id >= k.value ->> 1 AND id < k.value ->> 2)";
        let hours: Vec<(HourBucket, String, String)> = (0..RECENT_HOURS)
            .map(|n| recent.plus(n))
            .filter(|hour| *hour < before)
            .map(|hour| (hour, id_from(hour.start_ms()), id_from(hour.end_ms())))
            .collect();
        let hours = serde_json::to_string(&hours)?;
        let values = [text(before), text(recent), count(NOTED_PER_RUN as u64), hours.into()];
        let rows = self.d1.prepare(SELECT).bind(&values)?.all().await?.results::<Row>()?;
        let noted = |row: Row| Noted {
            hour: row.hour_bucket,
            changed: row.changed == 1,
            differs: row.differs == 1,
            tried_ms: time_ms(row.tried_at),
            checked_ms: row.checked_at.map(time_ms),
        };
        Ok(rows.into_iter().map(noted).collect())
    }

    /// Notes that a check begins and reads what is to be seen, in one transaction: a row written, and as
    /// many read as the hour has events, paths and letters.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The note may still be there: the hour is checked again then.
    pub async fn look(&self, hour: HourBucket, tried_ms: i64) -> Result<Seen> {
        #[derive(Deserialize)]
        struct Letter {
            keys: String,
        }
        const BEGIN: &str = "INSERT INTO ledger_hours (hour_bucket, changed, tried_at) VALUES (?1, 2, ?2) \
             ON CONFLICT (hour_bucket) DO UPDATE SET changed = 2, tried_at = excluded.tried_at";
        const SELECT: &str = "SELECT \
             (SELECT count(*) FROM traffic_events WHERE id >= ?2 AND id < ?3) AS raw, \
             (SELECT coalesce(sum(requests), 0) FROM path_stats_hourly WHERE hour_bucket = ?1) AS counted, \
             (SELECT coalesce(sum(duplicates), 0) FROM ledger_duplicates WHERE hour_bucket = ?1) AS duplicates, \
             (SELECT coalesce(sum(events), 0) FROM ledger_letters WHERE hour_bucket = ?1 AND kind = 'dead') AS dead, \
             (SELECT coalesce(sum(events), 0) FROM ledger_letters WHERE hour_bucket = ?1 AND kind = 'late') AS late, \
             EXISTS (SELECT 1 FROM totals_purged WHERE date = substr(?1, 1, 10)) AS purged, \
             (SELECT status FROM archive_metadata WHERE date = substr(?1, 1, 10)) AS status, \
             (SELECT sum(f.value -> 'hours' ->> ?1) FROM archive_metadata m, json_each(m.record, '$.files') f \
             WHERE m.date = substr(?1, 1, 10) AND f.value ->> 'source' = 'database') AS archived, \
             difference, differs_since FROM ledger_hours WHERE hour_bucket = ?1";
        const LETTERS: &str =
            "SELECT keys FROM ledger_letters WHERE hour_bucket = ?1 AND kind = 'exhausted' \
             ORDER BY letter LIMIT ?2";
        let [first, end] = [hour.start_ms(), hour.end_ms()].map(|ms| JsValue::from(id_from(ms)));
        let statements = vec![
            self.d1.prepare(BEGIN).bind(&[text(hour), integer(tried_ms)])?,
            self.d1.prepare(SELECT).bind(&[text(hour), first, end])?,
            self.d1.prepare(LETTERS).bind(&[text(hour), count(LETTERS_PER_CHECK as u64 + 1)])?,
        ];
        let results = self.d1.batch(statements).await?;
        let [_, seen, letters] = results.as_slice() else {
            return Err(Error::RustError("D1 answered another number of statements".to_owned()));
        };
        let row = seen.results::<SeenRow>()?.into_iter().next().ok_or("D1 answered no row")?;
        let exhausted = letters
            .results::<Letter>()?
            .into_iter()
            .map(|letter| keys_of(&letter.keys))
            .collect::<Result<Vec<_>>>()?;
        let archived = match row.status.as_deref() {
            None => Archived::No,
            Some("archived") => Archived::Yes(row.archived.unwrap_or(0)),
            Some(_) => Archived::UnderWay,
        };
        Ok(Seen {
            raw: row.raw,
            archived,
            counted: row.counted,
            duplicates: row.duplicates,
            dead: row.dead,
            late: row.late,
            exhausted,
            purged: row.purged == 1,
            difference_before: row.difference,
            differs_since_ms: row.differs_since.map(time_ms),
        })
    }

    /// How many of these ids have a raw row.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn raw_rows_among(&self, ids: &[String]) -> Result<u64> {
        #[derive(Deserialize)]
        struct Row {
            n: u64,
        }
        const SELECT: &str =
            "SELECT count(*) AS n FROM json_each(?1) k JOIN traffic_events t ON t.id = k.value";
        let mut found = 0;
        for parameter in json_parameters(ids.iter())? {
            let rows = self.d1.prepare(SELECT).bind(&[parameter.into()])?.all().await?.results::<Row>()?;
            found += rows.first().map_or(0, |row| row.n);
        }
        Ok(found)
    }

    /// Enters what the check that began at `tried_ms` found, unless another began since.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn enter(&self, hour: HourBucket, tried_ms: i64, finding: Option<Finding>) -> Result<()> {
        const CLOSE: &str = "UPDATE ledger_hours SET changed = CASE changed WHEN 2 THEN 0 ELSE changed END, \
             checked_at = coalesce(checked_at, ?2) WHERE hour_bucket = ?1 AND tried_at = ?2";
        const ENTER: &str = "UPDATE ledger_hours SET changed = CASE changed WHEN 2 THEN 0 ELSE changed END, \
             checked_at = ?2, received = ?3, counted = ?4, duplicates = ?5, dead_lettered = ?6, \
             refused_late = ?7, difference = ?8, differs_since = ?9 WHERE hour_bucket = ?1 AND tried_at = ?2";
        let mut values = vec![text(hour), integer(tried_ms)];
        let statement = match finding {
            None => CLOSE,
            Some(Finding { entry, differs_since_ms }) => {
                values.extend(
                    [
                        entry.received,
                        entry.counted,
                        entry.duplicates,
                        entry.dead_lettered,
                        entry.refused_late,
                    ]
                    .map(count),
                );
                values.extend([integer(entry.difference()), differs_since_ms.map_or(JsValue::NULL, integer)]);
                ENTER
            }
        };
        self.d1.prepare(statement).bind(&values)?.run().await?;
        Ok(())
    }

    /// Notes until when messages with events of these hours may come again.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn note_waiting(&self, hours: &[(HourBucket, i64)]) -> Result<()> {
        const UPSERT: &str = "INSERT INTO ledger_hours (hour_bucket, changed, waiting_until) \
             SELECT value ->> 0, 1, value ->> 1 FROM json_each(?1) WHERE true \
             ON CONFLICT (hour_bucket) DO UPDATE SET changed = 1, \
             waiting_until = max(waiting_until, excluded.waiting_until)";
        self.d1.prepare(UPSERT).bind(&[serde_json::to_string(hours)?.into()])?.run().await?;
        Ok(())
    }

    /// The hours of a range, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn hours(&self, query: LedgerQuery) -> Result<Vec<Checked>> {
        let select = format!(
            "SELECT {CHECKED} FROM ledger_hours WHERE hour_bucket >= ?1 AND hour_bucket < ?2 \
             ORDER BY hour_bucket LIMIT ?3"
        );
        // A range has 744 hours at most.
        let values = [text(query.from), text(query.to), count(MAX_HOURS.unsigned_abs())];
        let rows = self.d1.prepare(select).bind(&values)?.all().await?.results::<CheckedRow>()?;
        Ok(rows.into_iter().map(checked).collect())
    }

    /// The hours that differ, whatever is under way. Reads those rows alone.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn differing(&self) -> Result<Vec<Checked>> {
        // The first condition is the index's own.
        let select = format!(
            "SELECT {CHECKED} FROM ledger_hours WHERE (changed <> 0 OR difference <> 0) AND difference <> 0 \
             ORDER BY hour_bucket LIMIT ?1"
        );
        let statement = self.d1.prepare(select).bind(&[count(MAX_DIFFERING as u64)])?;
        Ok(statement.all().await?.results::<CheckedRow>()?.into_iter().map(checked).collect())
    }

    /// Removes hours that are older than the ledger is kept.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn forget(&self, now_ms: i64) -> Result<()> {
        let oldest = text(HourBucket::from_ms(now_ms - KEPT_MS));
        let statements = ["ledger_duplicates", "ledger_letters", "ledger_hours"]
            .into_iter()
            .map(|table| {
                // What belongs to a letter that is there goes with it.
                let those = if table == "ledger_letters" { " AND discarded_at IS NOT NULL" } else { "" };
                let delete = format!("DELETE FROM {table} WHERE hour_bucket < ?1{those}");
                self.d1.prepare(delete).bind(core::slice::from_ref(&oldest))
            })
            .collect::<Result<Vec<_>>>()?;
        self.d1.batch(statements).await?;
        Ok(())
    }
}

/// Inserts what letters stand for, those of letters that are there already left out: run before the
/// letters themselves are inserted, in the same transaction. Each parameter is of rows of [`booking_rows`].
pub(crate) const INSERT_BOOKINGS: &str =
    "INSERT OR IGNORE INTO ledger_letters (letter, hour_bucket, kind, events, keys) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) \
     WHERE NOT EXISTS (SELECT 1 FROM dead_letters WHERE id = value ->> 0)";

/// What these letters stand for, as rows.
pub(crate) fn booking_rows<'a>(
    letters: impl IntoIterator<Item = &'a DeadLetter>,
    seen_ms: i64,
) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for letter in letters {
        for Booking { hour, kind, events, keys } in bookings(letter, seen_ms) {
            let keys: Vec<(String, String)> =
                keys.into_iter().map(|(id, path)| (id.to_string(), path)).collect();
            let keys = if keys.is_empty() { None } else { Some(serde_json::to_string(&keys)?) };
            rows.push((&letter.id, hour, kind, events, keys));
        }
    }
    json_parameters(rows.iter())
}

fn keys_of(text: &str) -> Result<Vec<EventKey>> {
    let keys: Vec<(String, String)> = serde_json::from_str(text)?;
    let key = |(id, path): (String, String)| {
        let id = id.parse().map_err(|error| Error::RustError(format!("a letter's booking: {error}")))?;
        Ok((id, path))
    };
    keys.into_iter().map(key).collect()
}

fn checked(row: CheckedRow) -> Checked {
    Checked {
        hour: row.hour_bucket,
        entry: Entry {
            received: row.received,
            counted: row.counted,
            duplicates: row.duplicates,
            dead_lettered: row.dead_lettered,
            refused_late: row.refused_late,
        },
        checked_ms: row.checked_at.map(time_ms),
        differs_since_ms: row.differs_since.map(time_ms),
        waiting_until_ms: time_ms(row.waiting_until),
        changed: row.changed == 1,
    }
}

/// What the ids of events from a moment on are not below: they begin with the time, in thirteen digits.
fn id_from(ms: i64) -> String {
    format!("{ms:013}")
}

fn text(hour: HourBucket) -> JsValue {
    hour.to_string().into()
}

/// A time in milliseconds is far below 2^53.
#[allow(clippy::cast_possible_truncation)]
const fn time_ms(value: f64) -> i64 {
    value as i64
}
