//! The D1 statements that roll days up and delete what is old; here, what tells beforehand. What does
//! it is in `upkeep`.

use core::cell::Cell;

use pathstats_model::hour::EventDate;
use pathstats_model::retention::{GoingRows, Horizons, RowsUsed};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Result, Result};

use crate::metered::D1Database;

mod upkeep;

/// The tables of hours, days and roll-ups.
#[derive(Debug)]
pub struct D1DailyStore {
    d1: D1Database,
    used: Cell<RowsUsed>,
}

/// Adds what a statement read and wrote; tells how many rows it changed.
pub(crate) fn add(used: &mut RowsUsed, result: &D1Result) -> Result<u64> {
    let Some(meta) = result.meta()? else { return Ok(0) };
    used.rows_read += meta.rows_read.unwrap_or(0) as u64;
    used.rows_written += meta.rows_written.unwrap_or(0) as u64;
    Ok(meta.changes.unwrap_or(0) as u64)
}

impl D1DailyStore {
    /// The tables behind this binding.
    #[must_use]
    pub fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1), used: Cell::default() }
    }

    /// Rows that the statements of this store read and wrote.
    #[must_use]
    pub fn used(&self) -> RowsUsed {
        self.used.get()
    }

    /// Days that a run would roll up: they have ended, and changed since they were rolled up last.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn days_to_roll_up(&self, horizons: Horizons) -> Result<Vec<EventDate>> {
        #[derive(Deserialize)]
        struct Row {
            date: EventDate,
        }
        const SELECT: &str = "SELECT date FROM daily_rollups \
             WHERE date >= ?1 AND date < ?2 AND (changed = 1 OR pass_begun > pass_ended) ORDER BY date";
        let rows = self.run(SELECT, &[day(horizons.daily_from), day(horizons.open_from)]).await?;
        Ok(rows.results::<Row>()?.into_iter().map(|row| row.date).collect())
    }

    /// Hourly rows that a run would delete, once it has rolled up what changed. Reads every hourly
    /// row that is old enough, and no other.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn going_hours(&self, horizons: Horizons) -> Result<GoingRows> {
        // A day's hours sort after the day itself, and before the next one. Beyond the daily horizon
        // each sealed row goes by itself; before it, all rows of a path and day go together.
        const SELECT: &str = "WITH days AS (SELECT substr(hour_bucket, 1, 10) AS date, count(*) AS n, \
             count(sealed_at) AS sealed FROM path_stats_hourly WHERE hour_bucket < ?1 \
             GROUP BY substr(hour_bucket, 1, 10), path), \
             going AS (SELECT date, n, CASE WHEN date < ?2 OR n = sealed THEN sealed ELSE 0 END AS go FROM days) \
             SELECT coalesce(sum(go), 0) AS rows, coalesce(sum(n - go), 0) AS waiting_for_seal, \
             min(CASE WHEN go > 0 THEN date END) AS oldest, max(CASE WHEN go > 0 THEN date END) AS newest FROM going";
        self.going(SELECT, &[day(horizons.hourly_from), day(horizons.daily_from)]).await
    }

    /// Daily rows that a run would delete. Reads those and no other.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn going_days(&self, horizons: Horizons) -> Result<GoingRows> {
        const SELECT: &str = "SELECT count(*) AS rows, 0 AS waiting_for_seal, min(date) AS oldest, \
             max(date) AS newest FROM path_stats_daily WHERE date < ?1";
        self.going(SELECT, &[day(horizons.daily_from)]).await
    }

    async fn going(&self, sql: &str, values: &[JsValue]) -> Result<GoingRows> {
        #[derive(Deserialize)]
        struct Row {
            rows: u64,
            waiting_for_seal: u64,
            oldest: Option<EventDate>,
            newest: Option<EventDate>,
        }
        let row = self.run(sql, values).await?.results::<Row>()?.into_iter().next();
        Ok(row.map_or_else(GoingRows::default, |row| GoingRows {
            rows: row.rows,
            waiting_for_seal: row.waiting_for_seal,
            oldest: row.oldest,
            newest: row.newest,
        }))
    }

    async fn run(&self, sql: &str, values: &[JsValue]) -> Result<D1Result> {
        let result = self.d1.prepare(sql).bind(values)?.all().await?;
        self.meter(&result)?;
        Ok(result)
    }

    /// Runs statements in one transaction, and tells the rows that each changed.
    async fn transaction(&self, statements: &[(&str, &[JsValue])]) -> Result<Vec<u64>> {
        let statements = statements.iter().map(|(sql, values)| self.d1.prepare(*sql).bind(values));
        let results = self.d1.batch(statements.collect::<Result<_>>()?).await?;
        results.iter().map(|result| self.meter(result)).collect()
    }

    fn meter(&self, result: &D1Result) -> Result<u64> {
        let mut used = self.used.get();
        let changed = add(&mut used, result)?;
        self.used.set(used);
        Ok(changed)
    }
}

fn day(date: EventDate) -> JsValue {
    date.to_string().into()
}
