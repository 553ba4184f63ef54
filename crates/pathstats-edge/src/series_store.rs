//! The D1 statements behind series: rows of hours and days of a path, or of the whole system.

use pathstats_model::api::answers::Filters;
use pathstats_model::api::figures::Columns;
use pathstats_model::api::period::Period;
use pathstats_model::api::series::{needed_hours, needs_columns, DayStats, HourRow, HourStats, Rows};
use pathstats_model::hour::{EventDate, HourBucket};
use pathstats_model::PathHourStats;
use serde::Serialize;
use wasm_bindgen::JsValue;
use worker::{D1Result, Error, Result};

use crate::at_once::all_at_once;
use crate::database::from_hex;
use crate::databases::Databases;
use crate::metered::{D1Database, D1PreparedStatement};
use crate::text_rows::{broken, field, texts};

/// Hours whose figures are merged at once: in each database some 20 KB an hour.
const HOURS_MERGED_AT_ONCE: usize = 48;

/// The rows of hours and days.
#[derive(Debug)]
pub struct SeriesStore {
    databases: Databases,
}

/// Those of one database.
struct OneDatabase {
    d1: D1Database,
}

/// Whose series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// One path's.
    Path(&'a str),
    /// The whole system's, of its totals.
    System,
}

impl Of<'_> {
    /// The rows of days `d` whose date is `k.value`, with what tells whether they are up to date.
    const fn days(self) -> &'static str {
        match self {
            // Without a roll-up, a day has no hourly rows: its daily row is all there is.
            Self::Path(_) => {
                "SELECT k.key, d.date, d.hours, d.updated_at, d.sketches, \
                 coalesce(r.changed = 0 AND r.pass_begun = r.pass_ended, 1) AS is_current, \
                 d.purged_at IS NOT NULL AS is_purged \
                 FROM json_each(?1) k CROSS JOIN path_stats_daily d ON d.date = k.value AND d.path = ?2 \
                 LEFT JOIN daily_rollups r ON r.date = d.date"
            }
            // Which hours a day had is not told: of those that are gone, all may have been.
            Self::System => {
                "SELECT k.key, d.date, CASE WHEN p.date IS NULL THEN 0 ELSE 0xffffff END AS hours, \
                 d.updated_at, d.sketches, r.period IS NULL AS is_current, p.date IS NOT NULL AS is_purged \
                 FROM json_each(?1) k CROSS JOIN daily_totals d ON d.date = k.value \
                 LEFT JOIN totals_due r ON r.period = d.date LEFT JOIN totals_purged p ON p.date = d.date"
            }
        }
    }

    /// The rows of hours `h` whose hour is `k.value`.
    const fn hours(self) -> &'static str {
        match self {
            Self::Path(_) => {
                "json_each(?1) k CROSS JOIN path_stats_hourly h ON h.hour_bucket = k.value AND h.path = ?2"
            }
            Self::System => "json_each(?1) k CROSS JOIN hourly_totals h ON h.hour_bucket = k.value",
        }
    }

    fn values(self, keys: &impl Serialize) -> Result<Vec<JsValue>> {
        let keys = JsValue::from(serde_json::to_string(keys)?);
        Ok(match self {
            Self::Path(path) => vec![keys, path.into()],
            Self::System => vec![keys],
        })
    }
}

impl SeriesStore {
    /// The rows in these databases.
    #[must_use]
    pub const fn new(databases: Databases) -> Self {
        Self { databases }
    }

    /// All that a series of a period is made from, by database. Reads only; may be repeated.
    ///
    /// # Errors
    ///
    /// When a database cannot be read, or a row is broken.
    pub async fn rows(&self, of: Of<'_>, period: &Period, filters: Filters) -> Result<Vec<Rows>> {
        let (from, to) = (period.hours.from.date(), period.hours.to.plus(-1).date());
        let databases = match of {
            Of::Path(path) => self.databases.of_path(path, from, to)?,
            Of::System => self.databases.of_days(from, to)?,
        };
        let each: Vec<OneDatabase> =
            databases.into_iter().map(|d1| OneDatabase { d1: D1Database::new(d1) }).collect();
        let mut rows = all_at_once(each.iter().map(|one| one.rows(of, period, filters))).await?;
        // A path and hour has one row, wherever it stands. The whole system has one in each database.
        if of == Of::System && each.len() > 1 {
            merge_hours(period, &each, &mut rows).await?;
        }
        Ok(rows)
    }
}

/// Merges the figures of hours that several databases have: from their sketches, some hours at a time, so that
/// memory is bounded however long the period is.
async fn merge_hours(period: &Period, each: &[OneDatabase], rows: &mut [Rows]) -> Result<()> {
    let holders = |hour: &HourBucket| {
        let has = |rows: &&Rows| rows.hours.binary_search_by_key(hour, |row| row.hour).is_ok();
        rows.iter().filter(has).count()
    };
    let shared: Vec<HourBucket> = period.hours.each().filter(|hour| holders(hour) > 1).collect();
    for rows in rows.iter_mut() {
        rows.hours.retain(|row| shared.binary_search(&row.hour).is_err());
    }
    for hours in shared.chunks(HOURS_MERGED_AT_ONCE) {
        let read = each.iter().map(|one| one.sketches(Of::System, hours, Filters::default()));
        let read = all_at_once(read).await?;
        for hour in hours {
            let of_hour = read.iter().flatten().filter(|row| row.hour == *hour);
            let merged = HourRow::merged(of_hour).map_err(|error| error.to_string())?;
            if let Some(rows) = rows.first_mut() {
                rows.hours.extend(merged);
            }
        }
    }
    Ok(())
}

impl OneDatabase {
    async fn rows(&self, of: Of<'_>, period: &Period, filters: Filters) -> Result<Rows> {
        let mut statements = vec![self.days(of, period, filters)?];
        if needs_columns(period, filters) {
            statements.push(self.hours(of, period)?);
        }
        let waiting = statements.len();
        if of == Of::System {
            statements.push(self.waiting(period)?);
        }
        let mut results = self.d1.batch(statements).await?;
        let waiting = results.drain(waiting..).next().map(|result| hours_of(&result)).transpose()?;
        let mut found = results.into_iter();
        let days = found.next().map(|result| days(&result, filters)).transpose()?.unwrap_or_default();
        let hours = found.next().map(|result| hours(&result, period)).transpose()?;
        // Where the columns tell that nothing was counted, there is no sketch either.
        let mut needed = needed_hours(period, filters, &days);
        if let Some(hours) = &hours {
            needed.retain(|hour| hours.binary_search_by_key(hour, |row| row.hour).is_ok());
        }
        let sketches =
            if needed.is_empty() { Vec::new() } else { self.sketches(of, &needed, filters).await? };
        let (hours, waiting) = (hours.unwrap_or_default(), waiting.unwrap_or_default());
        Ok(Rows { hours, days, sketches, waiting })
    }

    fn days(&self, of: Of<'_>, period: &Period, filters: Filters) -> Result<D1PreparedStatement> {
        let select = format!(
            "SELECT group_concat(date || ',' || hours || ',' || updated_at || ',' || is_current || ',' || \
             is_purged || ',' || {}, ' ') AS rows FROM ({}) GROUP BY key / 32",
            sketches(filters),
            of.days()
        );
        // Also of days that lie within in part: they tell which hours are gone.
        let dates: Vec<EventDate> = period.hours.days().collect();
        self.d1.prepare(select).bind(&of.values(&dates)?)
    }

    /// Hours that have rows of paths, and no total yet. Days wait in the same table, under a shorter name.
    fn waiting(&self, period: &Period) -> Result<D1PreparedStatement> {
        const SELECT: &str = "SELECT json_group_array(period) AS rows FROM totals_due \
             WHERE period >= ?1 AND period < ?2 AND length(period) = 13 \
             AND NOT EXISTS (SELECT 1 FROM hourly_totals WHERE hour_bucket = period)";
        let bounds = [period.hours.from, period.hours.to].map(|hour| hour.to_string().into());
        self.d1.prepare(SELECT).bind(&bounds)
    }

    fn hours(&self, of: Of<'_>, period: &Period) -> Result<D1PreparedStatement> {
        let select = format!(
            "SELECT json_group_array(json_array(k.key, h.updated_at, h.requests, h.errors, \
             h.sum_response_time, h.count_response_time, h.unique_ips, h.estimated_requests, h.p50, h.p95, h.p99)) \
             AS rows FROM {}",
            of.hours()
        );
        let hours: Vec<HourBucket> = period.hours.each().collect();
        self.d1.prepare(select).bind(&of.values(&hours)?)
    }

    async fn sketches(&self, of: Of<'_>, hours: &[HourBucket], filters: Filters) -> Result<Vec<HourStats>> {
        let select = format!(
            "SELECT group_concat(k.key || ',' || updated_at || ',' || {}, ' ') AS rows FROM {} GROUP BY k.key / 32",
            sketches(filters),
            of.hours()
        );
        let result = self.d1.prepare(select).bind(&of.values(&hours)?)?.all().await?;
        let mut found = Vec::new();
        for text in texts(&result)? {
            for row in text.split(' ') {
                let mut fields = row.split(',');
                let at: usize = field(fields.next())?;
                let updated_at = field(fields.next())?;
                let hour = hours.get(at).copied().ok_or_else(broken)?;
                found.push(HourStats { hour, updated_at, stats: stats(fields.next(), filters)? });
            }
        }
        Ok(found)
    }
}

fn days(result: &D1Result, filters: Filters) -> Result<Vec<DayStats>> {
    let mut found = Vec::new();
    for text in texts(result)? {
        for row in text.split(' ') {
            let mut fields = row.split(',');
            found.push(DayStats {
                date: field(fields.next())?,
                hours: field(fields.next())?,
                updated_at: field(fields.next())?,
                is_current: field::<u8>(fields.next())? == 1,
                is_purged: field::<u8>(fields.next())? == 1,
                stats: stats(fields.next(), filters)?,
            });
        }
    }
    found.sort_by_key(|day| day.date);
    Ok(found)
}

fn hours_of(result: &D1Result) -> Result<Vec<HourBucket>> {
    let mut hours: Vec<HourBucket> = serde_json::from_str(&texts(result)?.pop().unwrap_or_default())?;
    hours.sort_unstable();
    Ok(hours)
}

fn hours(result: &D1Result, period: &Period) -> Result<Vec<HourRow>> {
    type Row = (i64, i64, u64, u64, f64, u64, u64, f64, Option<f64>, Option<f64>, Option<f64>);
    let text = texts(result)?.pop().unwrap_or_default();
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

/// Statistics: whole, or of their head alone.
fn stats(text: Option<&str>, filters: Filters) -> Result<PathHourStats> {
    let bytes = from_hex(text.ok_or_else(broken)?)?;
    let read = if filters.is_empty() {
        PathHourStats::from_bytes(&bytes)
    } else {
        PathHourStats::head(&bytes).map(PathHourStats::of_head)
    };
    read.map_err(|error| Error::RustError(error.to_string()))
}

/// The column of statistics, as much of it as is needed.
fn sketches(filters: Filters) -> String {
    if filters.is_empty() {
        "hex(sketches)".to_owned()
    } else {
        format!("hex(substr(sketches, 1, {}))", PathHourStats::HEAD_BYTES)
    }
}
