//! The D1 statements behind series: rows of hours and days of one path.
//!
//! Rows cross as text, some dozens to a string: a row of its own costs more in crossing from
//! JavaScript than in being read.

use pathstats_model::api::figures::Columns;
use pathstats_model::api::period::{Granularity, Period};
use pathstats_model::api::series::{needed_hours, DayStats, HourRow, HourStats, Rows};
use pathstats_model::hour::{EventDate, HourBucket};
use pathstats_model::PathHourStats;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result, Error, Result};

use crate::database::from_hex;

/// The rows of hours and days.
#[derive(Debug)]
pub struct SeriesStore {
    d1: D1Database,
}

/// Rows in one string.
#[derive(Deserialize)]
struct Text {
    rows: Option<String>,
}

impl SeriesStore {
    /// The rows behind this binding.
    #[must_use]
    pub const fn new(d1: D1Database) -> Self {
        Self { d1 }
    }

    /// All that a path's series of a period is made from. Reads only; may be repeated.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or a row is broken.
    pub async fn path(&self, path: &str, period: &Period) -> Result<Rows> {
        let mut statements = vec![self.days(path, period)?];
        if period.granularity == Granularity::Hour {
            statements.push(self.hours(path, period)?);
        }
        let mut found = self.d1.batch(statements).await?.into_iter();
        let days = found.next().map(|result| days(&result)).transpose()?.unwrap_or_default();
        let hours = found.next().map(|result| hours(&result, period)).transpose()?;
        // Where the columns tell that nothing was counted, there is no sketch either.
        let mut needed = needed_hours(period, &days);
        if let Some(hours) = &hours {
            needed.retain(|hour| hours.binary_search_by_key(hour, |row| row.hour).is_ok());
        }
        let sketches = if needed.is_empty() { Vec::new() } else { self.sketches(path, &needed).await? };
        Ok(Rows { hours: hours.unwrap_or_default(), days, sketches })
    }

    fn days(&self, path: &str, period: &Period) -> Result<D1PreparedStatement> {
        // Without a roll-up, a day has no hourly rows: its daily row is all there is.
        const SELECT: &str = "SELECT group_concat(rows, ' ') AS rows FROM (\
             SELECT k.key / 32 AS part, d.date || ',' || d.hours || ',' || d.updated_at || ',' || \
             coalesce(r.changed = 0 AND r.pass_begun = r.pass_ended, 1) || ',' || \
             (d.purged_at IS NOT NULL) || ',' || hex(d.sketches) AS rows \
             FROM json_each(?1) k CROSS JOIN path_stats_daily d ON d.date = k.value AND d.path = ?2 \
             LEFT JOIN daily_rollups r ON r.date = d.date) GROUP BY part";
        let dates: Vec<EventDate> = period.hours.whole_days().collect();
        self.d1.prepare(SELECT).bind(&[JsValue::from(serde_json::to_string(&dates)?), path.into()])
    }

    fn hours(&self, path: &str, period: &Period) -> Result<D1PreparedStatement> {
        const SELECT: &str = "SELECT json_group_array(json_array(k.key, h.updated_at, h.requests, h.errors, \
             h.sum_response_time, h.count_response_time, h.unique_ips, h.estimated_requests, h.p50, h.p95, h.p99)) \
             AS rows FROM json_each(?1) k \
             CROSS JOIN path_stats_hourly h ON h.hour_bucket = k.value AND h.path = ?2";
        let hours: Vec<HourBucket> = period.hours.each().collect();
        self.d1.prepare(SELECT).bind(&[JsValue::from(serde_json::to_string(&hours)?), path.into()])
    }

    async fn sketches(&self, path: &str, hours: &[HourBucket]) -> Result<Vec<HourStats>> {
        const SELECT: &str = "SELECT group_concat(rows, ' ') AS rows FROM (\
             SELECT k.key / 32 AS part, k.key || ',' || h.updated_at || ',' || hex(h.sketches) AS rows \
             FROM json_each(?1) k \
             CROSS JOIN path_stats_hourly h ON h.hour_bucket = k.value AND h.path = ?2) GROUP BY part";
        let statement =
            self.d1.prepare(SELECT).bind(&[JsValue::from(serde_json::to_string(hours)?), path.into()])?;
        let mut found = Vec::new();
        for line in lines(&statement.all().await?)? {
            let mut fields = line.split(',');
            let at: usize = field(fields.next())?;
            let updated_at = field(fields.next())?;
            let hour = hours.get(at).copied().ok_or_else(broken)?;
            found.push(HourStats { hour, updated_at, stats: stats(fields.next())? });
        }
        Ok(found)
    }
}

fn days(result: &D1Result) -> Result<Vec<DayStats>> {
    let mut found = Vec::new();
    for line in lines(result)? {
        let mut fields = line.split(',');
        found.push(DayStats {
            date: field(fields.next())?,
            hours: field(fields.next())?,
            updated_at: field(fields.next())?,
            is_current: field::<u8>(fields.next())? == 1,
            is_purged: field::<u8>(fields.next())? == 1,
            stats: stats(fields.next())?,
        });
    }
    found.sort_by_key(|day| day.date);
    Ok(found)
}

fn hours(result: &D1Result, period: &Period) -> Result<Vec<HourRow>> {
    type Row = (i64, i64, u64, u64, f64, u64, u64, f64, Option<f64>, Option<f64>, Option<f64>);
    let text = result.results::<Text>()?.into_iter().find_map(|row| row.rows).unwrap_or_default();
    let mut found: Vec<HourRow> = serde_json::from_str::<Vec<Row>>(&text)?
        .into_iter()
        .map(|(at, updated_at, requests, errors, sum, count, unique_ips, estimated, p50, p95, p99)| HourRow {
            hour: period.hours.from.plus(at),
            updated_at,
            columns: Columns {
                requests,
                errors,
                sum_response_time: sum,
                count_response_time: count,
                unique_ips,
                estimated_requests: estimated,
                p50,
                p95,
                p99,
            },
        })
        .collect();
    found.sort_by_key(|row| row.hour);
    Ok(found)
}

/// The rows of a result, one after another.
fn lines(result: &D1Result) -> Result<Vec<String>> {
    let texts = result.results::<Text>()?.into_iter().filter_map(|row| row.rows);
    Ok(texts.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect())
}

fn field<T: core::str::FromStr>(text: Option<&str>) -> Result<T> {
    text.and_then(|text| text.parse().ok()).ok_or_else(broken)
}

fn stats(hex: Option<&str>) -> Result<PathHourStats> {
    let bytes = hex.and_then(from_hex).ok_or_else(broken)?;
    PathHourStats::from_bytes(&bytes).map_err(|error| Error::RustError(error.to_string()))
}

fn broken() -> Error {
    Error::RustError("a row of statistics is broken".to_owned())
}
