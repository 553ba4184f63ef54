//! Builds a snapshot from D1.

use std::collections::HashMap;

use pathstats_model::hour::HourBucket;
use pathstats_model::limits::{SNAPSHOT_HOURS, SNAPSHOT_PATHS};
use pathstats_model::snapshot::{hours, PathHours, Snapshot, Sort};
use worker::Result;

use crate::database::Database;
use crate::telemetry::error;

/// Paths whose statistics are read at once: ten paths over 24 hours are at most 3 MB as text.
const PATHS_PER_READ: usize = 10;

/// The busiest paths of the last 24 hours, their hours merged. Reads only; may be repeated.
///
/// # Errors
///
/// When D1 cannot be read.
pub async fn build(database: &Database, version: u64, now_ms: i64) -> Result<Snapshot> {
    let (from, to) = hours(now_ms);
    let busiest = database.busiest_paths(from, to, SNAPSHOT_PATHS).await?;
    let covered: Vec<HourBucket> = (0..SNAPSHOT_HOURS).map(|hour| from.plus(hour)).collect();
    let mut paths = Vec::with_capacity(busiest.len());
    for some in busiest.chunks(PATHS_PER_READ) {
        let mut merged: HashMap<String, PathHours> = HashMap::new();
        for row in database.sketches(some, &covered).await? {
            let hours = merged.entry(row.path.clone());
            let hours = hours.or_insert_with(|| PathHours::new(from, covered.len()));
            if let Err(broken) = hours.add(row.hour, &row.sketches) {
                // One broken row must not take the dashboard away; it is told and left out.
                error(&format!("the statistics of {} in {} are broken", row.path, row.hour), &broken);
            }
        }
        paths.extend(merged.into_iter().map(|(path, hours)| hours.summary(path)));
    }
    Sort::Requests.apply(&mut paths);
    Ok(Snapshot { version, updated_at: now_ms, from, to, paths })
}
