//! The D1 statements that watch the size of the database.

use pathstats_model::capacity::{Sample, SAMPLES_KEPT_MS};
use serde::Deserialize;
use worker::Result;

use crate::database::{count, integer};
use crate::metered::D1Database;

/// Samples that are read: four a day for 90 days, with some to spare for runs by hand.
const MOST_SAMPLES: u64 = 1_000;

/// The size of the database, and its samples.
#[derive(Debug)]
pub struct CapacityStore {
    d1: D1Database,
}

impl CapacityStore {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// The samples, oldest first, and the size of the database now, in bytes. The size is told with
    /// the answer to any statement; D1 refuses the pragma that would tell it.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or tells no size.
    pub async fn read(&self) -> Result<(Vec<Sample>, u64)> {
        #[derive(Deserialize)]
        struct Row {
            sampled_at: f64,
            size_bytes: u64,
        }
        const SELECT: &str = "SELECT sampled_at, size_bytes FROM \
             (SELECT * FROM capacity_samples ORDER BY sampled_at DESC LIMIT ?1) ORDER BY sampled_at";
        let result = self.d1.prepare(SELECT).bind(&[count(MOST_SAMPLES)])?.all().await?;
        let size = result.meta()?.and_then(|meta| meta.size_after).ok_or("D1 tells no size")?;
        // A time in milliseconds is far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        let sample = |row: Row| Sample { at_ms: row.sampled_at as i64, size_bytes: row.size_bytes };
        Ok((result.results::<Row>()?.into_iter().map(sample).collect(), size as u64))
    }

    /// Keeps a sample, in place of one of the same time, and drops those that are too old, in one
    /// transaction.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn keep(&self, sample: Sample) -> Result<()> {
        const INSERT: &str =
            "INSERT OR REPLACE INTO capacity_samples (sampled_at, size_bytes) VALUES (?1, ?2)";
        const DELETE: &str = "DELETE FROM capacity_samples WHERE sampled_at < ?1";
        let insert = self.d1.prepare(INSERT).bind(&[integer(sample.at_ms), count(sample.size_bytes)])?;
        let delete = self.d1.prepare(DELETE).bind(&[integer(sample.at_ms - SAMPLES_KEPT_MS)])?;
        self.d1.batch(vec![insert, delete]).await?;
        Ok(())
    }
}
