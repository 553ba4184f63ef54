//! The D1 statements of the archive: records, pages and leases, which stand in the first database, and the
//! hourly rows. Those of the raw events are in `raw`.

use std::cell::Cell;

use base16ct::lower::encode_string;
use pathstats_archive::name::ArchiveName;
use pathstats_archive::page::Page;
use pathstats_archive::record::DayRecord;
use pathstats_archive::store::{Held, Lease, Usage};
use pathstats_archive::tally::{Figures, HourlyRow};
use pathstats_model::cadence::may_be_sealed;
use pathstats_model::hour::EventDate;
use pathstats_model::sharding::by_shard;
use pathstats_model::{EventId, HourBucket, PathHourStats};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Result, Error, Result};

use crate::at_once::all_at_once;
use crate::database::{count, from_hex, hour_columns, integer};
use crate::databases::Databases;
use crate::metered::D1Database;

mod raw;

/// Most days that are listed: a year and more, so that an import shows whole.
pub const MAX_DAYS: usize = 400;
/// Hourly rows that are read at once.
const HOURLY_ROWS: usize = 5_000;

/// The tables of the archive, and the raw events.
#[derive(Debug)]
pub struct ArchiveRows {
    /// The first database.
    d1: D1Database,
    /// The others, in order: they hold raw events and statistics.
    further: Vec<D1Database>,
    databases: Databases,
    used: Cell<Usage>,
}

/// A day's row, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DayRow {
    /// The day.
    pub date: EventDate,
    /// `archiving`, `cleaning` or `archived`.
    pub status: String,
    /// The record, as JSON.
    pub record: String,
}

impl ArchiveRows {
    /// The tables in these databases.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn new(databases: Databases) -> Result<Self> {
        let mut every = databases.every()?.into_iter().map(D1Database::new);
        let d1 = every.next().ok_or("there is no database")?;
        Ok(Self { d1, further: every.collect(), databases, used: Cell::default() })
    }

    /// Databases that a day may be in.
    #[must_use]
    pub fn spread(&self) -> u32 {
        u32::try_from(self.further.len()).map_or(1, |further| further + 1)
    }

    /// Every database, in order.
    fn every(&self) -> impl Iterator<Item = &D1Database> {
        core::iter::once(&self.d1).chain(&self.further)
    }

    /// Rows that these statements read and wrote.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.used.get()
    }

    /// Runs a statement with these values, in the first database.
    async fn query(&self, sql: impl Into<String>, values: &[JsValue]) -> Result<D1Result> {
        self.query_in(&self.d1, sql, values).await
    }

    /// Runs a statement with these values.
    async fn query_in(
        &self,
        d1: &D1Database,
        sql: impl Into<String>,
        values: &[JsValue],
    ) -> Result<D1Result> {
        let result = d1.prepare(sql).bind(values)?.all().await?;
        self.meter(&result)?;
        Ok(result)
    }

    /// Runs a statement in every database at once, and gives the answers in order.
    async fn query_every(&self, sql: &str, values: &[JsValue]) -> Result<Vec<D1Result>> {
        all_at_once(self.every().map(|d1| self.query_in(d1, sql, values))).await
    }

    /// Runs statements with their values, in one transaction of the first database.
    async fn transaction(&self, statements: &[(&str, &[JsValue])]) -> Result<Vec<D1Result>> {
        self.transaction_in(&self.d1, statements).await
    }

    /// Runs statements with their values, in one transaction.
    async fn transaction_in(
        &self,
        d1: &D1Database,
        statements: &[(&str, &[JsValue])],
    ) -> Result<Vec<D1Result>> {
        let statements = statements.iter().map(|(sql, values)| d1.prepare(*sql).bind(values));
        let results = d1.batch(statements.collect::<Result<_>>()?).await?;
        for result in &results {
            self.meter(result)?;
        }
        Ok(results)
    }

    fn meter(&self, result: &D1Result) -> Result<()> {
        let mut used = self.used.get();
        if let Some(meta) = result.meta()? {
            used.rows_read += meta.rows_read.unwrap_or(0) as u64;
            used.rows_written += meta.rows_written.unwrap_or(0) as u64;
        }
        self.used.set(used);
        Ok(())
    }

    /// See [`Store::lease`](pathstats_archive::store::Store::lease).
    ///
    /// # Errors
    ///
    /// When D1 refuses, or the record does not read.
    pub async fn lease(&self, date: EventDate, owner: &str, until_ms: i64, now_ms: i64) -> Result<Lease> {
        #[derive(Deserialize)]
        struct Holder {
            owner: String,
            until: i64,
        }
        #[derive(Deserialize)]
        struct Row {
            record: String,
            carry: String,
        }
        const TAKE: &str = "INSERT INTO archive_leases (date, owner, until) VALUES (?1, ?2, ?3) \
             ON CONFLICT (date) DO UPDATE SET owner = excluded.owner, until = excluded.until \
             WHERE until <= ?4 OR owner = excluded.owner";
        const HOLDER: &str = "SELECT owner, until FROM archive_leases WHERE date = ?1";
        const RECORD: &str = "SELECT record, hex(carry) AS carry FROM archive_metadata WHERE date = ?1";
        let date_text = JsValue::from(date.to_string());
        let take = [date_text.clone(), owner.into(), integer(until_ms), integer(now_ms)];
        let this = [date_text];
        let results = self.transaction(&[(TAKE, &take), (HOLDER, &this), (RECORD, &this)]).await?;
        let missing = || Error::RustError("the lease was not written".to_owned());
        let [_, holder, row] = results.as_slice() else { return Err(missing()) };
        let holder = holder.results::<Holder>()?.into_iter().next().ok_or_else(missing)?;
        if holder.owner != owner {
            return Ok(Lease::Busy(holder.until));
        }
        // Who has the day stands in each database, for what is deleted there is deleted by its owner alone.
        // Dying between: this run deletes nothing yet, and the next one writes its own name.
        self.tell_owner(date, owner, until_ms).await?;
        let held = match row.results::<Row>()?.into_iter().next() {
            Some(row) => Held { record: serde_json::from_str(&row.record)?, carry: from_hex(&row.carry)? },
            None => Held { record: DayRecord::new(date), carry: Vec::new() },
        };
        Ok(Lease::Granted(Box::new(held)))
    }

    /// See [`Store::save`](pathstats_archive::store::Store::save).
    ///
    /// # Errors
    ///
    /// When D1 refuses. The record may still have been written.
    pub async fn save(
        &self,
        owner: &str,
        until_ms: i64,
        record: &DayRecord,
        carry: &[u8],
        (file, pages): (ArchiveName, &[Page]),
    ) -> Result<bool> {
        const HOLD: &str = "UPDATE archive_leases SET until = ?3 WHERE date = ?1 AND owner = ?2";
        const RECORD: &str = "INSERT OR REPLACE INTO archive_metadata (date, r2_path, record_count, \
             file_size_bytes, archived_at, status, d1_cleaned, record, carry) \
             SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 \
             WHERE EXISTS (SELECT 1 FROM archive_leases WHERE date = ?1 AND owner = ?2)";
        const PAGES: &str = "INSERT OR REPLACE INTO archive_pages (r2_path, number, offset, length, \
             records, first_id, last_id, crc32, metadata) \
             SELECT ?3, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
             value ->> 6, unhex(value ->> 7) FROM json_each(?4) \
             WHERE EXISTS (SELECT 1 FROM archive_leases WHERE date = ?1 AND owner = ?2)";
        let [date, owner] = [JsValue::from(record.date.to_string()), owner.into()];
        let path = record.originals().next().map(|first| first.path.to_string());
        let size = record.files.iter().map(|file| file.bytes).sum();
        let archived_at = record.files.iter().filter_map(|file| file.archived_at).max();
        let hold = [date.clone(), owner.clone(), integer(until_ms)];
        let row = [
            date.clone(),
            owner.clone(),
            path.map_or(JsValue::NULL, JsValue::from),
            count(record.records()),
            count(size),
            archived_at.map_or(JsValue::NULL, integer),
            record.status().name().into(),
            count(u64::from(record.cleaned)),
            serde_json::to_string(record)?.into(),
            js_sys::Uint8Array::from(carry).into(),
        ];
        let rows: Vec<_> = pages
            .iter()
            .map(|page| {
                let (first, last) = (page.first_id.to_string(), page.last_id.to_string());
                let metadata = encode_string(&page.metadata);
                (page.number, page.offset, page.length, page.records, first, last, page.crc32, metadata)
            })
            .collect();
        let index = [date, owner, file.to_string().into(), serde_json::to_string(&rows)?.into()];
        let results = if pages.is_empty() {
            self.transaction(&[(HOLD, &hold), (RECORD, &row)]).await?
        } else {
            self.transaction(&[(HOLD, &hold), (RECORD, &row), (PAGES, &index)]).await?
        };
        let changes =
            results.first().and_then(|hold| hold.meta().ok().flatten()).and_then(|meta| meta.changes);
        Ok(changes == Some(1))
    }

    /// Gives a day back.
    ///
    /// # Errors
    ///
    /// When D1 refuses; the lease then ends by itself.
    pub async fn release(&self, date: EventDate, owner: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM archive_leases WHERE date = ?1 AND owner = ?2";
        self.query_every(DELETE, &[date.to_string().into(), owner.into()]).await?;
        Ok(())
    }

    /// See [`Store::hourly`](pathstats_archive::store::Store::hourly).
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or a row's sum is no time.
    pub async fn hourly(&self, hour: HourBucket) -> Result<Vec<HourlyRow>> {
        let mut everywhere: Vec<HourlyRow> = Vec::new();
        for d1 in self.every() {
            everywhere.extend(self.hourly_in(d1, hour).await?);
        }
        everywhere.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(everywhere)
    }

    async fn hourly_in(&self, d1: &D1Database, hour: HourBucket) -> Result<Vec<HourlyRow>> {
        #[derive(Deserialize)]
        struct Row {
            path: String,
            requests: u64,
            errors: u64,
            sum_response_time: f64,
            count_response_time: u64,
        }
        const SELECT: &str = "SELECT path, requests, errors, sum_response_time, count_response_time \
             FROM path_stats_hourly WHERE hour_bucket = ?1 AND path > ?2 ORDER BY path LIMIT ?3";
        let mut all: Vec<HourlyRow> = Vec::new();
        loop {
            let after = all.last().map(|row| row.path.clone()).unwrap_or_default();
            let values = [hour.to_string().into(), after.into(), count(HOURLY_ROWS as u64)];
            let rows: Vec<Row> = self.query_in(d1, SELECT, &values).await?.results()?;
            let is_last = rows.len() < HOURLY_ROWS;
            all.extend(rows.into_iter().map(|row| HourlyRow {
                path: row.path,
                figures: Figures {
                    requests: row.requests,
                    errors: row.errors,
                    response_time_us: microseconds(row.sum_response_time),
                    response_times: row.count_response_time,
                },
            }));
            if is_last {
                return Ok(all);
            }
        }
    }

    /// See [`Store::rewrite_hour`](pathstats_archive::store::Store::rewrite_hour).
    ///
    /// # Errors
    ///
    /// When D1 refuses. The rows may still be written, in some databases or in all.
    pub async fn rewrite_hour(
        &self,
        hour: HourBucket,
        statistics: &[(String, PathHourStats)],
        now_ms: i64,
    ) -> Result<()> {
        let (layouts, date) = (self.databases.layouts(), hour.date());
        let placed = statistics.iter().map(|row| (layouts.shard_of(&row.0, date), row));
        for (shard, part) in by_shard(placed) {
            let d1 = D1Database::new(self.databases.d1(shard)?);
            self.rewrite_in(&d1, hour, &part, now_ms).await?;
        }
        Ok(())
    }

    async fn rewrite_in(
        &self,
        d1: &D1Database,
        hour: HourBucket,
        statistics: &[&(String, PathHourStats)],
        now_ms: i64,
    ) -> Result<()> {
        const WRITE: &str = "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, \
             sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, \
             revision, sealed_at, updated_at, sketches) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13, ?14) \
             ON CONFLICT (hour_bucket, path) DO UPDATE SET requests = excluded.requests, \
             errors = excluded.errors, sum_response_time = excluded.sum_response_time, \
             count_response_time = excluded.count_response_time, unique_ips = excluded.unique_ips, \
             estimated_requests = excluded.estimated_requests, p50 = excluded.p50, p95 = excluded.p95, \
             p99 = excluded.p99, updated_at = excluded.updated_at, sketches = excluded.sketches";
        const DELETE: &str = "DELETE FROM path_stats_hourly WHERE path = ?1 AND hour_bucket = ?2";
        // A row that goes is told by no trigger.
        const CHANGED: &str = "UPDATE daily_rollups SET changed = 1 WHERE date = ?1";
        const TOTAL_CHANGED: &str = "INSERT INTO totals_due (period, changed, pass) VALUES (?1, 1, 0) \
             ON CONFLICT (period) DO UPDATE SET changed = 1";
        const LEDGER_CHANGED: &str = "UPDATE ledger_hours SET changed = 1 WHERE hour_bucket = ?1";
        let sealed_at = if may_be_sealed(hour, now_ms) { integer(now_ms) } else { JsValue::NULL };
        let rows: Vec<(&str, Vec<JsValue>)> = statistics
            .iter()
            .map(|(path, stats)| {
                if stats.counters.requests == 0 {
                    return (DELETE, vec![path.into(), hour.to_string().into()]);
                }
                let sketches = js_sys::Uint8Array::from(stats.to_bytes().as_slice());
                let mut values = hour_columns(path, hour, stats).to_vec();
                values.extend([sealed_at.clone(), integer(now_ms), sketches.into()]);
                (WRITE, values)
            })
            .collect();
        let (day, hour) = ([hour.date().to_string().into()], [hour.to_string().into()]);
        let mut statements: Vec<(&str, &[JsValue])> =
            rows.iter().map(|(sql, values)| (*sql, values.as_slice())).collect();
        let marks = [(CHANGED, &day), (TOTAL_CHANGED, &hour), (LEDGER_CHANGED, &hour)];
        statements.extend(marks.map(|(sql, values)| (sql, values.as_slice())));
        self.transaction_in(d1, &statements).await?;
        Ok(())
    }

    /// See [`Store::pages`](pathstats_archive::store::Store::pages).
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>> {
        let where_ = "number >= ?2 AND number < ?3";
        let (from, to) = (u64::from(from), u64::from(from) + u64::from(limit));
        self.select_pages(where_, &[file.to_string().into(), count(from), count(to)]).await
    }

    /// See [`Store::pages_within`](pathstats_archive::store::Store::pages_within).
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn pages_within(&self, file: ArchiveName, first: EventId, last: EventId) -> Result<Vec<Page>> {
        let values = [file.to_string().into(), first.to_string().into(), last.to_string().into()];
        self.select_pages("last_id >= ?2 AND first_id <= ?3", &values).await
    }

    async fn select_pages(&self, condition: &str, values: &[JsValue]) -> Result<Vec<Page>> {
        #[derive(Deserialize)]
        struct Row {
            number: u32,
            offset: u64,
            length: u64,
            records: u32,
            first_id: String,
            last_id: String,
            crc32: u32,
            metadata: String,
        }
        let select = format!(
            "SELECT number, offset, length, records, first_id, last_id, crc32, hex(metadata) AS metadata \
             FROM archive_pages WHERE r2_path = ?1 AND {condition} ORDER BY number"
        );
        let id = |text: String| text.parse::<EventId>().map_err(|error| Error::RustError(error.to_string()));
        let rows: Vec<Row> = self.query(select, values).await?.results()?;
        rows.into_iter()
            .map(|row| {
                Ok(Page {
                    number: row.number,
                    offset: row.offset,
                    length: row.length,
                    records: row.records,
                    first_id: id(row.first_id)?,
                    last_id: id(row.last_id)?,
                    crc32: row.crc32,
                    metadata: from_hex(&row.metadata)?,
                })
            })
            .collect()
    }

    /// The record of a day.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read or the record does not read.
    pub async fn record(&self, date: EventDate) -> Result<Option<DayRecord>> {
        const SELECT: &str = "SELECT record FROM archive_metadata WHERE date = ?1";
        #[derive(Deserialize)]
        struct Row {
            record: String,
        }
        let rows = self.query(SELECT, &[date.to_string().into()]).await?.results::<Row>()?;
        Ok(rows.first().map(|row| serde_json::from_str(&row.record)).transpose()?)
    }

    /// Days with a record, newest first, before a day.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn days(&self, before: Option<EventDate>, limit: usize) -> Result<Vec<DayRow>> {
        const SELECT: &str = "SELECT date, status, record FROM archive_metadata \
             WHERE date < ?1 ORDER BY date DESC LIMIT ?2";
        let before = before.map_or("a".to_owned(), |date| date.to_string());
        self.query(SELECT, &[before.into(), count(limit as u64)]).await?.results()
    }

    /// Days of which a file was verified since this time in milliseconds, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn archived_since(&self, since_ms: i64, limit: usize) -> Result<Vec<DayRow>> {
        const SELECT: &str = "SELECT date, status, record FROM archive_metadata \
             WHERE archived_at >= ?1 ORDER BY date LIMIT ?2";
        self.query(SELECT, &[integer(since_ms), count(limit as u64)]).await?.results()
    }

    /// Days that are not archived to the end, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn unfinished(&self, limit: usize) -> Result<Vec<DayRow>> {
        const SELECT: &str = "SELECT date, status, record FROM archive_metadata \
             WHERE status <> 'archived' ORDER BY date LIMIT ?1";
        self.query(SELECT, &[count(limit as u64)]).await?.results()
    }
}

/// A sum of milliseconds in whole microseconds. Exact up to 2^53.
fn microseconds(ms: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let us = (ms * 1000.0).round().max(0.0) as u64;
    us
}
