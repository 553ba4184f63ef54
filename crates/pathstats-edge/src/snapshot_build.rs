//! Builds a snapshot from D1.

use core::cell::RefCell;

use pathstats_model::hour::HourBucket;
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::snapshot::{hours, PathHours, Snapshot, Sort};
use pathstats_model::snapshot_memo::{busiest, settled_and_open, BusyPath, SnapshotMemo, PATHS_AN_HOUR};
use worker::Result;

use crate::database::Database;

/// Bytes of statistics read at once; as text they are twice as many. Mostly all of a hundred paths
/// come together: a query costs more than most of what it reads.
const BYTES_PER_READ: u64 = 4_000_000;

thread_local! {
    /// What this instance merged before. Fingerprints from D1 tell whether it still holds.
    static MEMO: RefCell<SnapshotMemo> = RefCell::default();
}

/// The busiest paths of the last 24 hours, their hours merged. Reads only; may be repeated.
///
/// # Errors
///
/// When D1 cannot be read.
pub async fn build(database: &Database, version: u64, now_ms: i64) -> Result<Snapshot> {
    let (from, to) = hours(now_ms);
    let (settled, open) = settled_and_open(from);
    let open_from = open.first().copied().unwrap_or(to);
    // Taken while D1 is read, so that another build at the same time begins with nothing rather than
    // with half of it. Dying here, it is gone: the next build reads all hours.
    let mut memo = MEMO.take();
    memo.keep(from);
    let busiest = find_busiest(database, &mut memo, (&settled, &open), (from, open_from, to)).await?;
    memo.keep_paths(busiest.iter().map(|busy| busy.path.as_str()));
    let unknown: Vec<&BusyPath> =
        busiest.iter().filter(|busy| memo.get(&busy.path, busy.settled).is_none()).collect();
    for some in parts(&unknown, settled.len()) {
        let nothing = some.iter().map(|_| PathHours::new(from, settled.len() + open.len()));
        let merged = add(database, some, &settled, nothing.collect()).await?;
        for (busy, hours) in some.iter().zip(merged) {
            memo.insert(&busy.path, busy.settled, hours);
        }
    }
    let all: Vec<&BusyPath> = busiest.iter().collect();
    let mut paths = Vec::with_capacity(all.len());
    for some in parts(&all, open.len()) {
        let known = some.iter().filter_map(|busy| memo.get(&busy.path, busy.settled)).cloned().collect();
        let merged = add(database, some, &open, known).await?;
        paths.extend(some.iter().zip(merged).map(|(busy, hours)| hours.summary(busy.path.clone())));
    }
    MEMO.set(memo);
    Sort::Requests.apply(&mut paths);
    Ok(Snapshot { version, updated_at: now_ms, from, to, paths })
}

/// The busiest paths of all hours. Of settled hours nothing is read that is known.
async fn find_busiest(
    database: &Database,
    memo: &mut SnapshotMemo,
    (settled, open): (&[HourBucket], &[HourBucket]),
    (from, open_from, to): (HourBucket, HourBucket, HourBucket),
) -> Result<Vec<BusyPath>> {
    let passes = database.settled_passes(from, open_from).await?;
    let are_known = passes.as_ref().is_some_and(|passes| memo.knows(passes));
    if memo.has_room() {
        let hours = if are_known { open.to_vec() } else { [settled, open].concat() };
        let all = database.all_paths(&hours, open_from, PATHS_AN_HOUR).await.unwrap_or_else(|failed| {
            // Paths of hundreds of letters may be more than a string holds.
            tracing::warn!(error = %failed, "the counters of all paths cannot be read at once");
            None
        });
        if let Some(all) = all {
            if are_known {
                return Ok(busiest(memo.complete(all), SNAPSHOT_PATHS));
            }
            if let Some(passes) = passes {
                memo.remember(passes, &all);
            }
            return Ok(busiest(all, SNAPSHOT_PATHS));
        }
        memo.give_up();
    }
    database.busiest_paths(from, to, open_from, SNAPSHOT_PATHS).await
}

/// Adds the rows of these hours to what was merged of each path.
async fn add(
    database: &Database,
    paths: &[&BusyPath],
    hours: &[HourBucket],
    mut merged: Vec<PathHours>,
) -> Result<Vec<PathHours>> {
    let names: Vec<&str> = paths.iter().map(|busy| busy.path.as_str()).collect();
    for row in database.sketches(&names, hours).await? {
        let (Some(merged), Some(hour)) = (merged.get_mut(row.path), hours.get(row.hour)) else { continue };
        if let Err(broken) = merged.add(*hour, &row.sketches) {
            // One broken row must not take the dashboard away; it is told and left out.
            let path = names.get(row.path).copied().unwrap_or_default();
            tracing::error!(error = %broken, path, %hour, "statistics do not decode");
        }
    }
    Ok(merged)
}

/// Paths in parts whose statistics of so many hours are read at once.
fn parts<'a>(paths: &'a [&'a BusyPath], hours: usize) -> Vec<&'a [&'a BusyPath]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, busy) in paths.iter().enumerate() {
        let more = most_bytes(busy, hours as u64);
        if at > start && bytes + more > BYTES_PER_READ {
            parts.extend(paths.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    parts.extend(paths.get(start..).filter(|part| !part.is_empty()));
    parts
}

/// How large a path's statistics are at most: 200 bytes an hour and 12 a request, until the sketches
/// are full.
fn most_bytes(busy: &BusyPath, hours: u64) -> u64 {
    const FULL_HOUR: u64 = 16_000;
    hours * FULL_HOUR.min(200 + busy.requests() * 12)
}
