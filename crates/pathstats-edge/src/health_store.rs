//! The D1 statements that health goes by. Each reads few rows, whatever the tables hold.

use pathstats_model::health::{ArchivedDay, Drops, OutboxState};
use pathstats_model::hour::EventDate;
use pathstats_model::HourBucket;
use serde::Deserialize;
use worker::Result;

use crate::database::count;
use crate::metered::D1Database;

/// Messages of the outbox that are counted.
const MAX_OUTBOX: u64 = 10_000;

/// Rows of drops: a day has some five reasons an hour.
const MAX_DROPS: u64 = 500;

/// What health reads.
#[derive(Debug)]
pub struct HealthStore {
    d1: D1Database,
}

impl HealthStore {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// The outbox. Its ids begin with the time of their events, so that the first is the oldest.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn outbox(&self) -> Result<OutboxState> {
        #[derive(Deserialize)]
        struct Row {
            messages: u64,
            oldest: Option<f64>,
        }
        const SELECT: &str = "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?1)) AS messages, \
             (SELECT created_at FROM outbox ORDER BY id LIMIT 1) AS oldest";
        let statement = self.d1.prepare(SELECT).bind(&[count(MAX_OUTBOX)])?;
        let row = statement.all().await?.results::<Row>()?.into_iter().next().ok_or("D1 answered no row")?;
        // A time in milliseconds is far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        let oldest_ms = row.oldest.map(|at| at as i64);
        Ok(OutboxState { messages: row.messages, oldest_ms })
    }

    /// Requests that were not recorded, from this hour on, newest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn drops(&self, from: HourBucket) -> Result<Vec<Drops>> {
        const SELECT: &str = "SELECT hour_bucket AS hour, reason, requests FROM recording_drops \
             WHERE hour_bucket >= ?1 ORDER BY hour_bucket DESC, reason LIMIT ?2";
        let statement = self.d1.prepare(SELECT).bind(&[from.to_string().into(), count(MAX_DROPS)])?;
        statement.all().await?.results()
    }

    /// Days of which something is archived, newest first, without their records.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn archived_days(&self, limit: usize) -> Result<Vec<ArchivedDay>> {
        #[derive(Deserialize)]
        struct Row {
            date: EventDate,
            status: String,
            clean: Option<u8>,
            error: Option<String>,
            differs: u8,
        }
        const SELECT: &str =
            "SELECT date, status, record ->> '$.clean' AS clean, record ->> '$.error' AS error, \
             coalesce(record -> '$.reconciliation.differing', '{}') <> '{}' AS differs \
             FROM archive_metadata ORDER BY date DESC LIMIT ?1";
        let statement = self.d1.prepare(SELECT).bind(&[count(limit as u64)])?;
        let day = |row: Row| ArchivedDay {
            date: row.date,
            status: row.status,
            clean: row.clean == Some(1),
            error: row.error,
            differs: row.differs == 1,
        };
        Ok(statement.all().await?.results::<Row>()?.into_iter().map(day).collect())
    }
}
