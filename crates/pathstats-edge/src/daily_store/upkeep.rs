//! What a run does, statement by statement.

use core::fmt::Display;

use base16ct::lower::encode_string;
use pathstats_model::hour::{EventDate, HourBucket};
use pathstats_model::retention::Horizons;
use pathstats_model::rollup::{DailyRow, DailyStore, DayHours, Fingerprint, Lacking, Part, WaitingDay};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::Result;

use super::{day, D1DailyStore};
use crate::clock::now_ms;
use crate::database::{count, from_hex, integer};

/// The fingerprint of the hourly rows `h` of a group, as `Fingerprint` is written.
macro_rules! fingerprint {
    () => {
        "printf('%d/%d/%d', count(*), sum(h.revision), sum(h.updated_at))"
    };
}

/// Whether the hourly rows of path `d.path` and of the hours `?3` may go: all are sealed, since an
/// object that is still there would write its row whole again, and `d` has their fingerprint.
macro_rules! may_go {
    () => {
        concat!(
            "d.fingerprint <> '' AND d.fingerprint = \
             (SELECT CASE WHEN count(*) = count(h.sealed_at) THEN ",
            fingerprint!(),
            " END FROM path_stats_hourly h \
             WHERE h.hour_bucket IN (SELECT value FROM json_each(?3)) AND h.path = d.path)"
        )
    };
}

impl DailyStore for D1DailyStore {
    type Error = worker::Error;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn report(&self, what: &str, error: &dyn Display) {
        tracing::error!(%error, "{what}");
    }

    async fn begin(&self, horizons: Horizons) -> Result<()> {
        const BEGIN: &str = "UPDATE daily_rollups SET changed = 0, pass_begun = max(pass_begun + 1, ?3) \
             WHERE date >= ?1 AND date < ?2 AND changed = 1";
        const MARK: &str = "UPDATE daily_rollups SET purge_due = date < ?1 WHERE purge_due <> (date < ?1)";
        let (from, until) = (day(horizons.daily_from), day(horizons.open_from));
        self.transaction(&[(BEGIN, &[from, until, integer(now_ms())]), (MARK, &[day(horizons.hourly_from)])])
            .await?;
        Ok(())
    }

    async fn waiting(&self) -> Result<Vec<WaitingDay>> {
        #[derive(Deserialize)]
        struct Row {
            date: EventDate,
            pass: Option<f64>,
            purge: u8,
        }
        const SELECT: &str = "SELECT date, CASE WHEN pass_begun > pass_ended THEN pass_begun END AS pass, \
             purge_due AS purge FROM daily_rollups WHERE pass_begun > pass_ended OR purge_due = 1 ORDER BY date";
        let rows = self.run(SELECT, &[]).await?.results::<Row>()?;
        Ok(rows
            .into_iter()
            .map(|row| WaitingDay { date: row.date, pass: time(row.pass), purge: row.purge == 1 })
            .collect())
    }

    async fn lacking(&self, date: EventDate, after: &str, limit: usize) -> Result<Vec<Lacking>> {
        #[derive(Deserialize)]
        struct Row {
            path: String,
            hours: u32,
            bytes: usize,
            purged_at: Option<f64>,
            needs_base: u8,
        }
        // Materialized, so that the sketches' lengths are taken as the rows are read: the sorter
        // would carry the sketches themselves. A length is in the row's header.
        const SELECT: &str = concat!(
            "WITH day AS MATERIALIZED (SELECT path, revision, updated_at, length(sketches) AS bytes, \
             1 << CAST(substr(hour_bucket, 12) AS INTEGER) AS hour FROM path_stats_hourly \
             WHERE hour_bucket BETWEEN ?1 AND ?2 AND path > ?3), \
             paths AS (SELECT path, sum(hour) AS hours, sum(bytes) AS bytes, ",
            fingerprint!(),
            " AS fingerprint FROM day h GROUP BY path) \
             SELECT p.path, p.hours, p.bytes, d.purged_at, coalesce(d.fingerprint = '', 0) AS needs_base \
             FROM paths p LEFT JOIN path_stats_daily d ON d.date = ?4 AND d.path = p.path \
             WHERE d.path IS NULL OR d.fingerprint <> p.fingerprint ORDER BY p.path LIMIT ?5"
        );
        let first = date.first_hour();
        let values = [hour(first), hour(first.plus(23)), after.into(), day(date), count(limit as u64)];
        Ok(self
            .run(SELECT, &values)
            .await?
            .results::<Row>()?
            .into_iter()
            .map(|row| Lacking {
                path: row.path,
                hours: DayHours::from_bits(row.hours),
                bytes: row.bytes,
                purged_at: time(row.purged_at),
                needs_base: row.needs_base == 1,
            })
            .collect())
    }

    async fn keep_bases(&self, date: EventDate, paths: &[&str]) -> Result<()> {
        const INSERT: &str = "INSERT OR IGNORE INTO path_stats_daily_bases (path, date, hours, sketches) \
             SELECT d.path, d.date, d.hours, d.sketches FROM json_each(?2) p \
             CROSS JOIN path_stats_daily d ON d.date = ?1 AND d.path = p.value WHERE d.fingerprint = ''";
        self.run(INSERT, &[day(date), json(&paths)?]).await?;
        Ok(())
    }

    async fn parts(&self, date: EventDate, listed: &[Lacking]) -> Result<Vec<Part>> {
        #[derive(Deserialize)]
        struct Row {
            path: String,
            hours: u32,
            revision: Option<u64>,
            updated_at: Option<f64>,
            sketches: String,
        }
        // As hexadecimal text: a BLOB would cross as an array of numbers.
        const SELECT: &str =
            "SELECT h.path AS path, 1 << CAST(substr(h.hour_bucket, 12) AS INTEGER) AS hours, \
             h.revision AS revision, h.updated_at AS updated_at, hex(h.sketches) AS sketches FROM json_each(?1) k \
             CROSS JOIN path_stats_hourly h ON h.hour_bucket = k.value ->> 0 AND h.path = k.value ->> 1 \
             UNION ALL SELECT b.path, b.hours, NULL, NULL, hex(b.sketches) FROM json_each(?3) p \
             CROSS JOIN path_stats_daily_bases b ON b.date = ?2 AND b.path = p.value";
        let keys: Vec<(HourBucket, &str)> = listed
            .iter()
            .flat_map(|path| path.hours.of_date(date).map(move |hour| (hour, path.path.as_str())))
            .collect();
        let paths: Vec<&str> = listed.iter().map(|path| path.path.as_str()).collect();
        self.run(SELECT, &[json(&keys)?, day(date), json(&paths)?])
            .await?
            .results::<Row>()?
            .into_iter()
            .map(|row| {
                Ok(Part {
                    sketches: from_hex(&row.sketches)?,
                    path: row.path,
                    hours: DayHours::from_bits(row.hours),
                    fingerprint: row
                        .revision
                        .map(|revision| Fingerprint::of(revision, time(row.updated_at).unwrap_or_default())),
                })
            })
            .collect()
    }

    async fn write(&self, date: EventDate, rows: &[DailyRow]) -> Result<()> {
        const UPSERT: &str = concat!(
            "INSERT INTO path_stats_daily (path, date, requests, errors, sum_response_time, \
             count_response_time, unique_ips, estimated_requests, p50, p95, p99, hours, purged_at, \
             fingerprint, updated_at, sketches) SELECT value ->> 0, ?2, value ->> 1, value ->> 2, value ->> 3, \
             value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, \
             value ->> 11, value ->> 12, ?4, unhex(value ->> 14) FROM json_each(?1) AS j WHERE j.value ->> 13 = \
             (SELECT ",
            fingerprint!(),
            " FROM path_stats_hourly h WHERE h.hour_bucket IN (SELECT value FROM json_each(?3)) \
             AND h.path = j.value ->> 0) \
             ON CONFLICT (date, path) DO UPDATE SET requests = excluded.requests, errors = excluded.errors, \
             sum_response_time = excluded.sum_response_time, \
             count_response_time = excluded.count_response_time, unique_ips = excluded.unique_ips, \
             estimated_requests = excluded.estimated_requests, p50 = excluded.p50, p95 = excluded.p95, \
             p99 = excluded.p99, hours = excluded.hours, fingerprint = excluded.fingerprint, \
             updated_at = excluded.updated_at, sketches = excluded.sketches \
             WHERE excluded.purged_at IS path_stats_daily.purged_at"
        );
        let values: Vec<_> = rows.iter().map(columns).collect();
        self.run(UPSERT, &[json(&values)?, day(date), hours(date)?, integer(now_ms())]).await?;
        Ok(())
    }

    async fn end_pass(&self, date: EventDate, pass: i64) -> Result<()> {
        // The day may have been forgotten and named anew meanwhile: then this pass is none of its.
        const UPDATE: &str = "UPDATE daily_rollups SET pass_ended = ?2 \
             WHERE date = ?1 AND pass_begun >= ?2 AND pass_ended < ?2";
        self.run(UPDATE, &[day(date), integer(pass)]).await?;
        Ok(())
    }

    async fn end_hourly_totals(&self, date: EventDate) -> Result<()> {
        // The pass gets a number of its own, so that no part of a pass over the hours is gone on with.
        const NOTE: &str = "INSERT INTO totals_due (period, changed, pass) SELECT ?1, 1, 0 \
             WHERE NOT EXISTS (SELECT 1 FROM totals_purged WHERE date = ?1) \
             ON CONFLICT (period) DO UPDATE SET changed = 1, pass = pass + 1";
        const MARK: &str = "INSERT OR IGNORE INTO totals_purged (date) VALUES (?1)";
        const DROP: &str = "DELETE FROM hourly_totals WHERE hour_bucket BETWEEN ?1 AND ?2";
        const FORGET: &str = "DELETE FROM totals_due WHERE period BETWEEN ?1 AND ?2";
        const DROP_PARTS: &str = "DELETE FROM totals_parts WHERE period BETWEEN ?1 AND ?2";
        let first = date.first_hour();
        let (date, hours) = ([day(date)], [hour(first), hour(first.plus(23))]);
        self.transaction(&[
            (NOTE, &date),
            (MARK, &date),
            (DROP, &hours),
            (FORGET, &hours),
            (DROP_PARTS, &hours),
        ])
        .await?;
        Ok(())
    }

    async fn purgeable(&self, date: EventDate, after: &str, limit: usize) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Row {
            path: String,
        }
        const SELECT: &str = concat!(
            "SELECT d.path AS path FROM path_stats_daily d WHERE d.date = ?1 AND d.path > ?2 AND ",
            may_go!(),
            " ORDER BY d.path LIMIT ?4"
        );
        let rows = self.run(SELECT, &[day(date), after.into(), hours(date)?, count(limit as u64)]).await?;
        Ok(rows.results::<Row>()?.into_iter().map(|row| row.path).collect())
    }

    async fn purge(&self, date: EventDate, paths: &[String]) -> Result<u64> {
        // The inner list is complete before the first row is deleted: it names no outer column.
        const DELETE: &str = concat!(
            "DELETE FROM path_stats_hourly WHERE hour_bucket IN (SELECT value FROM json_each(?3)) AND path IN \
             (SELECT d.path FROM json_each(?2) p CROSS JOIN path_stats_daily d ON d.date = ?1 \
             AND d.path = p.value WHERE ",
            may_go!(),
            ")"
        );
        const NOTE: &str = "UPDATE path_stats_daily AS d SET fingerprint = '', purged_at = ?4 \
             WHERE d.date = ?1 AND d.path IN (SELECT value FROM json_each(?2)) AND d.fingerprint <> '' AND NOT EXISTS \
             (SELECT 1 FROM path_stats_hourly h WHERE h.hour_bucket IN (SELECT value FROM json_each(?3)) \
             AND h.path = d.path)";
        const DROP_BASES: &str = "DELETE FROM path_stats_daily_bases AS b \
             WHERE b.date = ?1 AND b.path IN (SELECT value FROM json_each(?2)) AND NOT EXISTS \
             (SELECT 1 FROM path_stats_hourly h WHERE h.hour_bucket IN (SELECT value FROM json_each(?3)) \
             AND h.path = b.path)";
        let page = [day(date), json(&paths)?, hours(date)?];
        let mut with_time = page.to_vec();
        with_time.push(integer(now_ms()));
        let changed = self.transaction(&[(DELETE, &page), (NOTE, &with_time), (DROP_BASES, &page)]).await?;
        Ok(changed.first().copied().unwrap_or(0))
    }

    async fn purge_unkept(&self, date: EventDate, limit: usize) -> Result<u64> {
        const DELETE: &str = "DELETE FROM path_stats_hourly WHERE (hour_bucket, path) IN \
             (SELECT hour_bucket, path FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?2 \
             AND sealed_at IS NOT NULL LIMIT ?3)";
        let first = date.first_hour();
        let result = self.run(DELETE, &[hour(first), hour(first.plus(23)), count(limit as u64)]).await?;
        Ok(result.meta()?.and_then(|meta| meta.changes).unwrap_or(0) as u64)
    }

    async fn end_purge(&self, date: EventDate) -> Result<()> {
        const FORGET: &str = "DELETE FROM daily_rollups WHERE date = ?1 AND NOT EXISTS \
             (SELECT 1 FROM path_stats_hourly WHERE hour_bucket BETWEEN ?2 AND ?3)";
        const UNMARK: &str = "UPDATE daily_rollups SET purge_due = 0 WHERE date = ?1";
        let first = date.first_hour();
        self.transaction(&[
            (FORGET, &[day(date), hour(first), hour(first.plus(23))]),
            (UNMARK, &[day(date)]),
        ])
        .await?;
        Ok(())
    }

    async fn purge_daily(&self, before: EventDate, limit: usize) -> Result<u64> {
        const ROWS: &str = "DELETE FROM path_stats_daily WHERE (date, path) IN \
             (SELECT date, path FROM path_stats_daily WHERE date < ?1 ORDER BY date, path LIMIT ?2)";
        const BASES: &str = "DELETE FROM path_stats_daily_bases WHERE date < ?1";
        const TOTALS: &str = "DELETE FROM daily_totals WHERE date < ?1";
        const HOURS: &str = "DELETE FROM hourly_totals WHERE hour_bucket < ?1";
        const DUE: &str = "DELETE FROM totals_due WHERE period < ?1";
        const PARTS: &str = "DELETE FROM totals_parts WHERE period < ?1";
        // As long as hourly rows of the day are there, no total is made of them.
        const PURGED: &str = "DELETE FROM totals_purged WHERE date < ?1 \
             AND NOT EXISTS (SELECT 1 FROM daily_rollups r WHERE r.date = totals_purged.date)";
        let (values, before) = ([day(before), count(limit as u64)], [day(before)]);
        let others = [BASES, TOTALS, HOURS, DUE, PARTS, PURGED];
        let mut statements: Vec<(&str, &[JsValue])> = vec![(ROWS, &values)];
        statements.extend(others.map(|sql| (sql, before.as_slice())));
        let changed = self.transaction(&statements).await?;
        Ok(changed.first().copied().unwrap_or(0))
    }
}

/// A row's values in the order that [`D1DailyStore::write`] takes them.
fn columns(row: &DailyRow) -> serde_json::Value {
    let counters = &row.stats.counters;
    serde_json::json!([
        row.path,
        counters.requests,
        counters.errors,
        counters.sum_response_time_ms(),
        counters.count_response_time,
        row.stats.clients.estimate(),
        counters.estimated_requests(),
        row.stats.latency.percentile_ms(0.50),
        row.stats.latency.percentile_ms(0.95),
        row.stats.latency.percentile_ms(0.99),
        row.hours.bits(),
        row.purged_at,
        row.stored_fingerprint(),
        row.fingerprint.to_string(),
        encode_string(&row.sketches),
    ])
}

/// A time in milliseconds, far below 2^53.
#[allow(clippy::cast_possible_truncation)]
fn time(ms: Option<f64>) -> Option<i64> {
    ms.map(|ms| ms as i64)
}

fn hour(hour: HourBucket) -> JsValue {
    hour.to_string().into()
}

/// The 24 hours of a day, as JSON.
fn hours(date: EventDate) -> Result<JsValue> {
    json(&DayHours::from_bits(u32::MAX).of_date(date).collect::<Vec<_>>())
}

fn json(value: &impl Serialize) -> Result<JsValue> {
    Ok(serde_json::to_string(value)?.into())
}
