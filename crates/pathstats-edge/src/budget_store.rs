//! The D1 statements of the budgets of paths.

use pathstats_model::budget::report::{CatchAllFigures, CatchAllRow, HourBudget};
use pathstats_model::budget::{History, CATCH_ALLS};
use pathstats_model::HourBucket;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{Env, Error, Result};

use crate::at_once::all_at_once;
use crate::database::{count, integer};
use crate::databases::every;
use crate::metered::D1Database;

/// What budgets read and write.
#[derive(Debug)]
pub struct BudgetStore {
    /// The first database, which has what budgets came to.
    d1: D1Database,
    /// The others: the rows of an hour may stand in each.
    further: Vec<D1Database>,
}

impl BudgetStore {
    /// The databases of a Worker.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of(env: &Env) -> Result<Self> {
        let mut all = every(env)?.into_iter().map(D1Database::new);
        Ok(Self { d1: all.next().ok_or("there is no database")?, further: all.collect() })
    }

    /// Asks every database at once, and gives the rows of each.
    async fn ask<T: DeserializeOwned>(&self, sql: &str, values: &[JsValue]) -> Result<Vec<T>> {
        let all = core::iter::once(&self.d1).chain(&self.further);
        let asked = all.map(|d1| async move { d1.prepare(sql).bind(values)?.all().await?.results::<T>() });
        Ok(all_at_once(asked).await?.into_iter().flatten().collect())
    }

    /// What there is of an hour, in hourly rows or in the daily ones that they were merged into.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn history(&self, hour: HourBucket) -> Result<History> {
        #[derive(Deserialize)]
        struct Row {
            catch_alls: u8,
            paths: u8,
        }
        const SELECT: &str = "SELECT \
             EXISTS (SELECT 1 FROM path_stats_hourly WHERE hour_bucket = ?1 AND path IN (?2, ?3)) \
             OR EXISTS (SELECT 1 FROM path_stats_daily WHERE date = substr(?1, 1, 10) AND path IN (?2, ?3) \
             AND hours >> CAST(substr(?1, 12) AS INTEGER) & 1) AS catch_alls, \
             EXISTS (SELECT 1 FROM path_stats_hourly WHERE hour_bucket = ?1) \
             OR EXISTS (SELECT 1 FROM path_stats_daily WHERE date = substr(?1, 1, 10) \
             AND hours >> CAST(substr(?1, 12) AS INTEGER) & 1) AS paths";
        let [other, not_found] = CATCH_ALLS;
        let values = [hour.to_string().into(), other.into(), not_found.into()];
        let rows = self.ask::<Row>(SELECT, &values).await?;
        Ok(if rows.iter().any(|row| row.catch_alls == 1) {
            History::CatchAll
        } else if rows.iter().any(|row| row.paths == 1) {
            History::Paths
        } else {
            History::None
        })
    }

    /// Writes what an hour's budget came to.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn report(&self, budget: &HourBudget, now_ms: i64) -> Result<()> {
        const UPSERT: &str = "INSERT OR REPLACE INTO path_budgets \
             (hour_bucket, path_limit, closed, groups_not_found, admitted, refused, sample, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let values = [
            budget.hour.to_string().into(),
            budget.limit.map_or(JsValue::NULL, |limit| count(u64::from(limit))),
            count(u64::from(budget.closed)),
            count(u64::from(budget.groups_not_found)),
            count(budget.admitted),
            count(budget.refused),
            serde_json::to_string(&budget.sample)?.into(),
            integer(now_ms),
        ];
        self.d1.prepare(UPSERT).bind(&values)?.run().await?;
        Ok(())
    }

    /// Whether every row of the hour is sealed, or gone: then none of its objects is left.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn all_sealed(&self, hour: HourBucket) -> Result<bool> {
        #[derive(Deserialize)]
        struct Row {
            live: u8,
        }
        const SELECT: &str = "SELECT EXISTS \
             (SELECT 1 FROM path_stats_hourly WHERE hour_bucket = ?1 AND sealed_at IS NULL) AS live";
        Ok(self.ask::<Row>(SELECT, &[hour.to_string().into()]).await?.iter().all(|row| row.live == 0))
    }

    /// Removes what an hour's budget came to.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn forget(&self, hour: HourBucket) -> Result<()> {
        const DELETE: &str = "DELETE FROM path_budgets WHERE hour_bucket = ?1";
        self.d1.prepare(DELETE).bind(&[hour.to_string().into()])?.run().await?;
        Ok(())
    }

    /// The budgets from an hour on, newest first, `hours` at most.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn budgets(&self, from: HourBucket, hours: u32) -> Result<Vec<HourBudget>> {
        #[derive(Deserialize)]
        struct Row {
            hour: HourBucket,
            path_limit: Option<u32>,
            closed: u8,
            groups_not_found: u8,
            admitted: u64,
            refused: u64,
            sample: String,
        }
        const SELECT: &str = "SELECT hour_bucket AS hour, path_limit, closed, groups_not_found, admitted, \
             refused, sample FROM path_budgets WHERE hour_bucket >= ?1 ORDER BY hour_bucket DESC LIMIT ?2";
        let statement = self.d1.prepare(SELECT).bind(&[from.to_string().into(), count(u64::from(hours))])?;
        let budget = |row: Row| {
            let sample = serde_json::from_str(&row.sample)
                .map_err(|error| Error::RustError(format!("the sample of {}: {error}", row.hour)))?;
            Ok(HourBudget {
                hour: row.hour,
                limit: row.path_limit,
                closed: row.closed == 1,
                groups_not_found: row.groups_not_found == 1,
                admitted: row.admitted,
                refused: row.refused,
                sample,
            })
        };
        statement.all().await?.results::<Row>()?.into_iter().map(budget).collect()
    }

    /// The catch-all rows of these hours: two keys an hour are looked up.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn catch_alls(&self, hours: &[HourBucket]) -> Result<Vec<CatchAllRow>> {
        #[derive(Deserialize)]
        struct Row {
            hour: HourBucket,
            name: String,
            requests: u64,
            errors: u64,
        }
        const SELECT: &str = "SELECT h.hour_bucket AS hour, h.path AS name, h.requests, h.errors \
             FROM json_each(?1) k CROSS JOIN path_stats_hourly h \
             ON h.hour_bucket = k.value AND h.path IN (?2, ?3)";
        let [other, not_found] = CATCH_ALLS;
        let hours = serde_json::to_string(hours)?;
        let rows = self.ask::<Row>(SELECT, &[hours.into(), other.into(), not_found.into()]).await?;
        let row = |row: Row| CatchAllRow {
            hour: row.hour,
            name: row.name,
            figures: CatchAllFigures { requests: row.requests, errors: row.errors },
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
