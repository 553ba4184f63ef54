//! The D1 statements of the layouts, and what is cheap to tell of a database.

use pathstats_model::hour::EventDate;
use pathstats_model::sharding::{DatabaseReport, Layout, Layouts, MAX_LAYOUTS};
use serde::Deserialize;
use worker::{Error, Result};

use crate::database::{count, integer};
use crate::metered::D1Database;

/// The layouts, in the first database, and the state of any.
#[derive(Debug)]
pub struct LayoutStore {
    d1: D1Database,
}

impl LayoutStore {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// All layouts: few rows, all of them read.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or what is stored cannot be true.
    pub async fn read(&self) -> Result<Layouts> {
        #[derive(Deserialize)]
        struct Row {
            from_date: EventDate,
            shards: u8,
        }
        // One more than is allowed shows that there are too many.
        const SELECT: &str = "SELECT from_date, shards FROM shard_layouts ORDER BY from_date LIMIT ?1";
        let rows = self.d1.prepare(SELECT).bind(&[count(MAX_LAYOUTS as u64 + 1)])?.all().await?;
        let layout = |row: Row| Layout { from: row.from_date, shards: row.shards };
        Layouts::new(rows.results::<Row>()?.into_iter().map(layout).collect())
            .map_err(|error| Error::RustError(error.to_string()))
    }

    /// Adds a layout; `false`, and nothing is written, when one of the same day or a later one is there.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The layout may still have been written: published again, it is refused.
    pub async fn publish(&self, layout: Layout, by: &str, now_ms: i64) -> Result<bool> {
        const INSERT: &str = "INSERT INTO shard_layouts (from_date, shards, published_at, published_by) \
             SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM shard_layouts WHERE from_date >= ?1)";
        let values =
            [layout.from.to_string().into(), count(layout.shards.into()), integer(now_ms), by.into()];
        let result = self.d1.prepare(INSERT).bind(&values)?.run().await?;
        Ok(result.meta()?.and_then(|meta| meta.changes) == Some(1))
    }

    /// What there is in the database: four rows are looked up.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn report(&self, binding: String) -> Result<DatabaseReport> {
        #[derive(Deserialize)]
        struct Row {
            oldest_event: Option<f64>,
            newest_event: Option<f64>,
            oldest_hour: Option<String>,
            newest_hour: Option<String>,
        }
        const SELECT: &str = "SELECT (SELECT min(id) FROM traffic_events) + 0 AS oldest_event, \
             (SELECT max(id) FROM traffic_events) + 0 AS newest_event, \
             (SELECT min(hour_bucket) FROM path_stats_hourly) AS oldest_hour, \
             (SELECT max(hour_bucket) FROM path_stats_hourly) AS newest_hour";
        let result = self.d1.prepare(SELECT).all().await?;
        let size_bytes = size(&result)?;
        let row = result.results::<Row>()?.into_iter().next().ok_or("D1 answered no row")?;
        // A time in milliseconds is far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        let day = |ms: Option<f64>| ms.map(|ms| EventDate::from_ms(ms as i64));
        Ok(DatabaseReport {
            binding,
            size_bytes,
            oldest_event: day(row.oldest_event),
            newest_event: day(row.newest_event),
            oldest_hour: row.oldest_hour,
            newest_hour: row.newest_hour,
        })
    }

    /// The size of the database, in bytes. It is told with the answer to any statement.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or tells no size.
    pub async fn size(&self) -> Result<u64> {
        size(&self.d1.prepare("SELECT 1 AS one").all().await?)
    }
}

/// The size of the database that answered.
pub(crate) fn size(result: &worker::D1Result) -> Result<u64> {
    Ok(result.meta()?.and_then(|meta| meta.size_after).ok_or("D1 tells no size")? as u64)
}
