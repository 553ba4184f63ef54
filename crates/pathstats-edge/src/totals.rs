//! The totals of the whole system, read: a row an hour, a row a day. What makes them is in
//! [`totals_store`](crate::totals_store).

use core::fmt::Display;

use pathstats_model::hour::{EventDate, HourBucket};
use pathstats_model::PathHourStats;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use worker::Result;

use crate::database::{count, from_hex, Database};

/// Rows read in one query. With sketches a total has some 20 KB, twice as many as hexadecimal text.
const ROWS_PER_READ: usize = 100;

/// Rows read in one query without sketches: more than a year of hours.
const BARE_ROWS_PER_READ: usize = 10_000;

/// How much of a total is read beside its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: the BLOBs are not touched.
    Columns,
    /// The first bytes of the statistics, for [`PathHourStats::head`]: counts by method and class.
    Head,
    /// All of the statistics, to be merged.
    Sketches,
}

/// What all paths of an hour or a day come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Total<P> {
    /// The hour or the day.
    pub period: P,
    /// Events counted.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
    /// Sum of the response times in milliseconds.
    pub sum_response_time: f64,
    /// Events that had a response time.
    pub count_response_time: u64,
    /// Distinct clients.
    pub unique_ips: u64,
    /// Requests that the events stand for.
    pub estimated_requests: f64,
    /// Milliseconds, within 0.5 %; `None` when no event had a response time.
    pub p50: Option<f64>,
    /// As `p50`.
    pub p95: Option<f64>,
    /// As `p50`.
    pub p99: Option<f64>,
    /// Distinct paths: exact below a thousand or so, then with a standard error of 0.8 %.
    pub paths: u64,
    /// When the total was made, milliseconds since the epoch.
    pub updated_at: i64,
    /// As [`Detail`] says: none, the first [`PathHourStats::HEAD_BYTES`] or all bytes of the
    /// [`PathHourStats`].
    pub sketches: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Row<P> {
    period: P,
    requests: u64,
    errors: u64,
    sum_response_time: f64,
    count_response_time: u64,
    unique_ips: u64,
    estimated_requests: f64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    paths: u64,
    updated_at: f64,
    sketches: Option<String>,
}

impl Database {
    /// The totals of the hours from `from` to `to`, both included, oldest first. An hour without
    /// requests has none, nor has one that was removed.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn hourly_totals(
        &self,
        from: HourBucket,
        to: HourBucket,
        detail: Detail,
    ) -> Result<Vec<Total<HourBucket>>> {
        self.totals("hourly_totals", "hour_bucket", from, to, detail).await
    }

    /// The totals of the days from `from` to `to`, both included, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn daily_totals(
        &self,
        from: EventDate,
        to: EventDate,
        detail: Detail,
    ) -> Result<Vec<Total<EventDate>>> {
        self.totals("daily_totals", "date", from, to, detail).await
    }

    /// Days from `from` to `to` whose hours have no totals any more, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn days_without_hourly_totals(&self, from: EventDate, to: EventDate) -> Result<Vec<EventDate>> {
        #[derive(Deserialize)]
        struct Row {
            date: EventDate,
        }
        const SELECT: &str = "SELECT date FROM totals_purged WHERE date BETWEEN ?1 AND ?2 ORDER BY date";
        let statement = self.d1().prepare(SELECT).bind(&[from.to_string().into(), to.to_string().into()])?;
        Ok(statement.all().await?.results::<Row>()?.into_iter().map(|row| row.date).collect())
    }

    async fn totals<P: DeserializeOwned + Display + Copy>(
        &self,
        table: &str,
        key: &str,
        from: P,
        to: P,
        detail: Detail,
    ) -> Result<Vec<Total<P>>> {
        // As hexadecimal text: a BLOB would cross as an array of numbers.
        let sketches = match detail {
            Detail::Columns => "NULL".to_owned(),
            Detail::Head => format!("hex(substr(sketches, 1, {}))", PathHourStats::HEAD_BYTES),
            Detail::Sketches => "hex(sketches)".to_owned(),
        };
        let select = format!(
            "SELECT {key} AS period, requests, errors, sum_response_time, count_response_time, unique_ips, \
             estimated_requests, p50, p95, p99, paths, updated_at, {sketches} AS sketches FROM {table} \
             WHERE {key} BETWEEN ?1 AND ?2 AND {key} > ?3 ORDER BY {key} LIMIT ?4"
        );
        let limit = if detail == Detail::Columns { BARE_ROWS_PER_READ } else { ROWS_PER_READ };
        let mut all: Vec<Total<P>> = Vec::new();
        loop {
            let after = all.last().map(|total| total.period.to_string()).unwrap_or_default();
            let values = [from.to_string().into(), to.to_string().into(), after.into(), count(limit as u64)];
            let rows = self.d1().prepare(&select).bind(&values)?.all().await?.results::<Row<P>>()?;
            let is_last = rows.len() < limit;
            for row in rows {
                all.push(row.total()?);
            }
            if is_last {
                return Ok(all);
            }
        }
    }
}

impl<P> Row<P> {
    fn total(self) -> Result<Total<P>> {
        let bytes = |text: String| from_hex(&text);
        // Milliseconds, far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        let updated_at = self.updated_at as i64;
        Ok(Total {
            sketches: self.sketches.map(bytes).transpose()?,
            period: self.period,
            requests: self.requests,
            errors: self.errors,
            sum_response_time: self.sum_response_time,
            count_response_time: self.count_response_time,
            unique_ips: self.unique_ips,
            estimated_requests: self.estimated_requests,
            p50: self.p50,
            p95: self.p95,
            p99: self.p99,
            paths: self.paths,
            updated_at,
        })
    }
}
