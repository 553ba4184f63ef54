//! Builds a snapshot from D1.

use core::cell::RefCell;

use pathstats_model::hour::HourBucket;
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::snapshot::{hours, PathHours, PathSummary, Snapshot, Sort};
use pathstats_model::snapshot_memo::{
    busiest, busiest_of_all, settled_and_open, AllPaths, BusyPath, SnapshotMemo, PATHS_AN_HOUR,
};
use worker::Result;

use crate::at_once::all_at_once;
use crate::database::Database;
use crate::databases::Databases;

/// Bytes of statistics read at once; as text they are twice as many. Mostly all of a hundred paths
/// come together: a query costs more than most of what it reads.
const BYTES_PER_READ: u64 = 4_000_000;

/// Paths of each database that are looked at when one that stands in two may be busier than it is in either, and
/// not all can be: as many times more than are shown.
const MORE_WHILE_PATHS_MOVE: usize = 10;

thread_local! {
    /// What this instance merged before, for each database. Fingerprints from D1 tell whether it still holds.
    static MEMOS: RefCell<Vec<SnapshotMemo>> = RefCell::default();
}

/// The hours of a snapshot.
struct Span {
    from: HourBucket,
    open_from: HourBucket,
    to: HourBucket,
    settled: Vec<HourBucket>,
    open: Vec<HourBucket>,
}

impl Span {
    fn new(now_ms: i64) -> Self {
        let (from, to) = hours(now_ms);
        let (settled, open) = settled_and_open(from);
        Self { from, open_from: open.first().copied().unwrap_or(to), to, settled, open }
    }
}

/// The busiest paths of the last 24 hours, their hours merged. Reads only; may be repeated.
///
/// # Errors
///
/// When a database cannot be read.
pub async fn build(databases: &Databases, version: u64, now_ms: i64) -> Result<Snapshot> {
    let span = Span::new(now_ms);
    let (first, last) = (span.from.date(), span.to.date());
    let stores: Vec<Database> = databases.of_days(first, last)?.into_iter().map(Database::new).collect();
    // Taken while D1 is read, so that another build at the same time begins with nothing rather than
    // with half of it. Dying here, it is gone: the next build reads all hours.
    let mut memos = MEMOS.take();
    memos.resize_with(stores.len(), SnapshotMemo::default);
    for memo in &mut memos {
        memo.keep(span.from);
    }
    let paths_move = databases.layouts().change_within(first, last);
    let chosen = busiest_of_each(&stores, &mut memos, &span, paths_move).await?;
    let each = stores.iter().zip(&mut memos).zip(chosen);
    let merged = all_at_once(each.map(|((store, memo), busy)| merge(store, memo, busy, &span))).await?;
    MEMOS.set(memos);
    let mut paths = summaries(merged)?;
    Sort::Requests.apply(&mut paths);
    Ok(Snapshot { version, updated_at: now_ms, from: span.from, to: span.to, paths })
}

/// The busiest paths of all databases together, for each those that it has.
async fn busiest_of_each(
    stores: &[Database],
    memos: &mut [SnapshotMemo],
    span: &Span,
    paths_move: bool,
) -> Result<Vec<Vec<BusyPath>>> {
    let wanted = match (stores.len(), paths_move) {
        (1, _) | (_, false) => Wanted::Busiest,
        (_, true) => Wanted::AllOrMore,
    };
    let each = stores.iter().zip(memos);
    let mut found = all_at_once(each.map(|(store, memo)| find_busiest(store, memo, span, wanted))).await?;
    if stores.len() == 1 {
        return Ok(found);
    }
    if paths_move {
        // What one of them shows may stand in another, and be few there.
        let lacking = |known: &Vec<BusyPath>| {
            let all = found.iter().flatten().map(|busy| busy.path.as_str());
            let known = AllPaths::of(known);
            all.filter(|path| !known.has(path)).collect::<Vec<_>>()
        };
        let missing: Vec<Vec<&str>> = found.iter().map(lacking).collect();
        let others = stores.iter().zip(&missing).map(|(store, paths)| async move {
            store.busiest_among(paths, span.from, span.to, span.open_from).await
        });
        let others = all_at_once(others).await?;
        drop(missing);
        found.iter_mut().zip(others).for_each(|(known, others)| known.extend(others));
    }
    Ok(busiest_of_all(found, SNAPSHOT_PATHS))
}

/// The hours of these paths, merged, as one database has them.
async fn merge(
    database: &Database,
    memo: &mut SnapshotMemo,
    busiest: Vec<BusyPath>,
    span: &Span,
) -> Result<Vec<(String, PathHours)>> {
    let (settled, open) = (&span.settled, &span.open);
    memo.keep_paths(busiest.iter().map(|busy| busy.path.as_str()));
    let unknown: Vec<&BusyPath> =
        busiest.iter().filter(|busy| memo.get(&busy.path, busy.settled).is_none()).collect();
    for some in parts(&unknown, settled.len()) {
        let nothing = some.iter().map(|_| PathHours::new(span.from, settled.len() + open.len()));
        let merged = add(database, some, settled, nothing.collect()).await?;
        for (busy, hours) in some.iter().zip(merged) {
            memo.insert(&busy.path, busy.settled, hours);
        }
    }
    let all: Vec<&BusyPath> = busiest.iter().collect();
    let mut paths = Vec::with_capacity(all.len());
    for some in parts(&all, open.len()) {
        let known = some.iter().filter_map(|busy| memo.get(&busy.path, busy.settled)).cloned().collect();
        let merged = add(database, some, open, known).await?;
        paths.extend(some.iter().zip(merged).map(|(busy, hours)| (busy.path.clone(), hours)));
    }
    Ok(paths)
}

/// What the paths come to, wherever their hours stand. They are few.
fn summaries(mut databases: Vec<Vec<(String, PathHours)>>) -> Result<Vec<PathSummary>> {
    let mut all = databases.pop().unwrap_or_default();
    for (path, hours) in databases.into_iter().flatten() {
        match all.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.merge(&hours).map_err(|error| error.to_string())?,
            None => all.push((path, hours)),
        }
    }
    Ok(all.into_iter().map(|(path, hours)| hours.summary(path)).collect())
}

/// Which paths of a database are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// As many as are shown.
    Busiest,
    /// All, or if there are too many, more than are shown.
    AllOrMore,
}

/// The busiest paths of all hours. Of settled hours nothing is read that is known.
async fn find_busiest(
    database: &Database,
    memo: &mut SnapshotMemo,
    span: &Span,
    wanted: Wanted,
) -> Result<Vec<BusyPath>> {
    let (most, limit) = match wanted {
        Wanted::Busiest => (SNAPSHOT_PATHS, SNAPSHOT_PATHS),
        Wanted::AllOrMore => (usize::MAX, SNAPSHOT_PATHS * MORE_WHILE_PATHS_MOVE),
    };
    let passes = database.settled_passes(span.from, span.open_from).await?;
    let are_known = passes.as_ref().is_some_and(|passes| memo.knows(passes));
    if memo.has_room() {
        let hours = if are_known {
            span.open.clone()
        } else {
            [span.settled.as_slice(), span.open.as_slice()].concat()
        };
        let all = database.all_paths(&hours, span.open_from, PATHS_AN_HOUR).await.unwrap_or_else(|failed| {
            // Paths of hundreds of letters may be more than a string holds.
            tracing::warn!(error = %failed, "the counters of all paths cannot be read at once");
            None
        });
        if let Some(all) = all {
            if are_known {
                return Ok(busiest(memo.complete(all), most));
            }
            if let Some(passes) = passes {
                memo.remember(passes, &all);
            }
            return Ok(busiest(all, most));
        }
        memo.give_up();
    }
    database.busiest_paths(span.from, span.to, span.open_from, limit).await
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
