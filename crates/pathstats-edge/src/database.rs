//! Every D1 statement, behind typed calls.

use base16ct::mixed::decode_vec;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::calls::RowState;
use pathstats_model::hour::{HourBucket, PathHour};
use pathstats_model::ingest::DeadLetter;
use pathstats_model::limits::MAX_PARAMETER_BYTES;
use pathstats_model::{PathHourStats, TrafficEvent};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::{Error, Result};

use crate::metered::{D1Database, D1PreparedStatement};

use crate::ledger_store::{booking_rows, INSERT_BOOKINGS};

/// The database of events, statistics, dead letters and the outbox.
#[derive(Debug)]
pub struct Database {
    d1: D1Database,
}

/// A message that the queue refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutboxRow {
    /// Names the message.
    pub id: String,
    /// The message.
    pub body: String,
}

impl Database {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// For statements that stand in files of their own.
    pub(crate) const fn d1(&self) -> &D1Database {
        &self.d1
    }

    /// Stores raw events through one parameter, or as many as 2 MB each require, in one
    /// transaction. Events that are there stay.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The rows may still have been written.
    pub async fn store_events(&self, events: &[&TrafficEvent]) -> Result<()> {
        const INSERT: &str = "INSERT OR IGNORE INTO traffic_events \
             (id, path, method, status, response_time, client_ip_hash, user_agent, country, sample_ratio) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
             value ->> 6, value ->> 7, value ->> 8 FROM json_each(?1)";
        let rows = json_parameters(events.iter().map(|event| {
            (
                event.id.to_string(),
                &event.path,
                &event.method,
                event.status,
                event.response_time_ms(),
                event.client_ip_hash_text(),
                &event.user_agent,
                event.country_text(),
                event.sample_ratio,
            )
        }))?;
        self.run_for_each(INSERT, &rows, &[]).await
    }

    /// Stores dead letters, and books what they stand for, in one transaction. Letters that are there stay,
    /// with the time they were first seen.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn store_dead_letters<'a>(
        &self,
        letters: impl IntoIterator<Item = &'a DeadLetter>,
        now_ms: i64,
    ) -> Result<()> {
        const INSERT: &str =
            "INSERT OR IGNORE INTO dead_letters (id, reason, detail, body, attempts, first_seen) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ?2 FROM json_each(?1)";
        let letters: Vec<&DeadLetter> = letters.into_iter().collect();
        let rows = letters.iter().map(|l| (&l.id, l.reason, &l.detail, &l.body, l.attempts));
        // What each stands for first: it is booked with its letter, once.
        let bookings = booking_rows(letters.iter().copied(), now_ms)?.into_iter();
        let mut statements = bookings
            .map(|rows| self.d1.prepare(INSERT_BOOKINGS).bind(&[rows.into()]))
            .collect::<Result<Vec<_>>>()?;
        for rows in json_parameters(rows)? {
            statements.push(self.d1.prepare(INSERT).bind(&[rows.into(), integer(now_ms)])?);
        }
        if !statements.is_empty() {
            self.d1.batch(statements).await?;
        }
        Ok(())
    }

    /// The state of the rows of these path-hours, in order.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn row_states(&self, keys: &[&PathHour]) -> Result<Vec<RowState>> {
        #[derive(Deserialize)]
        struct Row {
            at: usize,
            sealed: u8,
        }
        // An hour whose row is gone, but which its daily row holds, counts no more either.
        const SELECT: &str = "SELECT k.key AS at, h.path IS NULL OR h.sealed_at IS NOT NULL AS sealed \
             FROM json_each(?1) k \
             LEFT JOIN path_stats_hourly h ON h.hour_bucket = k.value ->> 0 AND h.path = k.value ->> 1 \
             LEFT JOIN path_stats_daily d ON h.path IS NULL AND d.date = substr(k.value ->> 0, 1, 10) \
             AND d.path = k.value ->> 1 AND d.hours >> CAST(substr(k.value ->> 0, 12) AS INTEGER) & 1 \
             WHERE h.path IS NOT NULL OR d.path IS NOT NULL";
        let pairs: Vec<(HourBucket, &str)> = keys.iter().map(|key| (key.hour, key.path.as_str())).collect();
        let statement = self.d1.prepare(SELECT).bind(&[serde_json::to_string(&pairs)?.into()])?;
        let mut states = vec![RowState::Absent; keys.len()];
        for row in statement.all().await?.results::<Row>()? {
            if let Some(state) = states.get_mut(row.at) {
                *state = if row.sealed == 1 { RowState::Sealed } else { RowState::Live };
            }
        }
        Ok(states)
    }

    /// Writes a row of `path_stats_hourly` whole, unless one of the same or a newer revision is
    /// there. A seal is taken off: something was counted after it. Duplicates are told in the same
    /// transaction, and never fewer than before.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn write_hour(&self, row: &FlushRow, now_ms: i64) -> Result<()> {
        const UPSERT: &str = "INSERT INTO path_stats_hourly (path, hour_bucket, requests, errors, \
             sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, \
             revision, sealed_at, updated_at, sketches) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, NULL, ?13, ?14) \
             ON CONFLICT (hour_bucket, path) DO UPDATE SET requests = excluded.requests, \
             errors = excluded.errors, sum_response_time = excluded.sum_response_time, \
             count_response_time = excluded.count_response_time, unique_ips = excluded.unique_ips, \
             estimated_requests = excluded.estimated_requests, p50 = excluded.p50, p95 = excluded.p95, \
             p99 = excluded.p99, revision = excluded.revision, sealed_at = NULL, \
             updated_at = excluded.updated_at, sketches = excluded.sketches \
             WHERE excluded.revision > path_stats_hourly.revision";
        const DUPLICATES: &str = "INSERT INTO ledger_duplicates (hour_bucket, path, duplicates) \
             VALUES (?1, ?2, ?3) ON CONFLICT (hour_bucket, path) DO UPDATE SET duplicates = excluded.duplicates \
             WHERE excluded.duplicates > ledger_duplicates.duplicates";
        let sketches = js_sys::Uint8Array::from(row.stats.to_bytes().as_slice());
        let mut values = hour_columns(&row.key.path, row.key.hour, &row.stats).to_vec();
        values.extend([count(row.revision), integer(now_ms), sketches.into()]);
        let write = self.d1.prepare(UPSERT).bind(&values)?;
        if row.duplicates == 0 {
            write.run().await?;
            return Ok(());
        }
        let values = [row.key.hour.to_string().into(), row.key.path.as_str().into(), count(row.duplicates)];
        let duplicates = self.d1.prepare(DUPLICATES).bind(&values)?;
        self.d1.batch(vec![write, duplicates]).await?;
        Ok(())
    }

    /// Marks a row sealed if it has at least this revision (more, should an object have been restored
    /// from an older state); `false` when there is none such.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn seal_hour(&self, key: &PathHour, revision: u64, now_ms: i64) -> Result<bool> {
        const UPDATE: &str =
            "UPDATE path_stats_hourly SET sealed_at = ?4 WHERE hour_bucket = ?1 AND path = ?2 AND revision >= ?3";
        let result = self
            .d1
            .prepare(UPDATE)
            .bind(&[key.hour.to_string().into(), key.path.as_str().into(), count(revision), integer(now_ms)])?
            .run()
            .await?;
        Ok(result.meta()?.and_then(|meta| meta.changes).unwrap_or(0) == 1)
    }

    /// Keeps messages that the queue refused. Messages that are there stay.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn keep_in_outbox(&self, messages: &[(String, &str)], now_ms: i64) -> Result<()> {
        const INSERT: &str = "INSERT OR IGNORE INTO outbox (id, body, created_at) \
             SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1)";
        let rows = json_parameters(messages.iter())?;
        self.run_for_each(INSERT, &rows, &[integer(now_ms)]).await
    }

    /// Messages of the outbox whose ids come after `after`, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn outbox(&self, after: &str, limit: usize) -> Result<Vec<OutboxRow>> {
        const SELECT: &str = "SELECT id, body FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
        let statement = self.d1.prepare(SELECT).bind(&[after.into(), count(limit as u64)])?;
        statement.all().await?.results()
    }

    /// Removes messages from the outbox.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn remove_from_outbox(&self, ids: &[&str]) -> Result<()> {
        self.d1
            .prepare("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(&[serde_json::to_string(ids)?.into()])?
            .run()
            .await?;
        Ok(())
    }

    /// Adds to the counts of requests that were not recorded.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The counts may still have been added: they are told to be estimates.
    pub async fn add_drops(&self, hour: HourBucket, drops: &[(&str, u64)]) -> Result<()> {
        const UPSERT: &str = "INSERT INTO recording_drops (hour_bucket, reason, requests) \
             SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2) WHERE true \
             ON CONFLICT (hour_bucket, reason) DO UPDATE SET requests = requests + excluded.requests";
        self.d1
            .prepare(UPSERT)
            .bind(&[hour.to_string().into(), serde_json::to_string(drops)?.into()])?
            .run()
            .await?;
        Ok(())
    }

    /// Runs a statement once for each JSON parameter, in one transaction.
    async fn run_for_each(&self, sql: &str, parameters: &[String], others: &[JsValue]) -> Result<()> {
        let statements: Vec<D1PreparedStatement> = parameters
            .iter()
            .map(|parameter| {
                let mut values: Vec<JsValue> = vec![parameter.as_str().into()];
                values.extend_from_slice(others);
                self.d1.prepare(sql).bind(&values)
            })
            .collect::<Result<_>>()?;
        match statements.as_slice() {
            [] => {}
            [one] => drop(one.run().await?),
            _ => drop(self.d1.batch(statements).await?),
        }
        Ok(())
    }
}

/// Rows as JSON arrays, as many to a parameter as its limit of bytes allows.
pub(crate) fn json_parameters<T: Serialize>(rows: impl Iterator<Item = T>) -> Result<Vec<String>> {
    let mut parameters: Vec<String> = Vec::new();
    let mut open = String::new();
    for row in rows {
        let row = serde_json::to_string(&row)?;
        if !open.is_empty() && open.len() + row.len() + 2 > MAX_PARAMETER_BYTES {
            open.push(']');
            parameters.push(core::mem::take(&mut open));
        }
        open.push(if open.is_empty() { '[' } else { ',' });
        open.push_str(&row);
    }
    if !open.is_empty() {
        open.push(']');
        parameters.push(open);
    }
    Ok(parameters)
}

/// The columns of an hourly row from `path` to `p99`, in the order of the table.
pub(crate) fn hour_columns(path: &str, hour: HourBucket, stats: &PathHourStats) -> [JsValue; 11] {
    let counters = &stats.counters;
    let percentile = |q| stats.latency.percentile_ms(q).map_or(JsValue::NULL, JsValue::from_f64);
    [
        path.into(),
        hour.to_string().into(),
        count(counters.requests),
        count(counters.errors),
        counters.sum_response_time_ms().into(),
        count(counters.count_response_time),
        count(stats.clients.estimate()),
        counters.estimated_requests().into(),
        percentile(0.50),
        percentile(0.95),
        percentile(0.99),
    ]
}

/// A count as a JavaScript number: D1 takes no larger integers than 2^53 exactly.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

/// A time as a JavaScript number.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn integer(value: i64) -> JsValue {
    JsValue::from_f64(value as f64)
}

/// Bytes that D1 gave as hexadecimal text: a BLOB would cross as an array of numbers.
pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>> {
    decode_vec(text).map_err(|_| Error::RustError("a BLOB is no hexadecimal text".to_owned()))
}
