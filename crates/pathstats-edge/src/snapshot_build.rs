//! Builds a snapshot from D1.

use core::cell::RefCell;

use pathstats_model::hour::HourBucket;
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::snapshot::{hours, PathHours, PathSummary, Snapshot, Sort};
use pathstats_model::snapshot_memo::{
    busiest, busiest_of_all, settled_and_open, AllPaths, BusyPath, Passes, SnapshotMemo, PATHS_AN_HOUR,
};
use pathstats_model::snapshot_passing::{InPassing, HOURS_PER_READ};
use pathstats_model::stats::StatsError;
use worker::{Error, Result};

use crate::at_once::all_at_once;
use crate::database::Database;
use crate::databases::Databases;
use crate::snapshot_rows::tell_broken;

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

    /// A path's statistics of all hours before any is read.
    fn nothing(&self) -> PathHours {
        PathHours::new(self.from, self.settled.len() + self.open.len())
    }
}

/// Paths of a database, and the statistics that came with their counters.
#[derive(Default)]
struct FoundPaths {
    busiest: Vec<BusyPath>,
    settled: InPassing,
    open: InPassing,
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
    let found = busiest_of_each(&stores, &mut memos, &span, paths_move).await?;
    let each = stores.iter().zip(&mut memos).zip(found);
    let merged = all_at_once(each.map(|((store, memo), found)| merge(store, memo, found, &span))).await?;
    MEMOS.set(memos);
    let mut paths = summaries(merged).map_err(|error| refused(&error))?;
    Sort::Requests.apply(&mut paths);
    Ok(Snapshot { version, updated_at: now_ms, from: span.from, to: span.to, paths })
}

/// The busiest paths of all databases together, for each those that it has.
async fn busiest_of_each(
    stores: &[Database],
    memos: &mut [SnapshotMemo],
    span: &Span,
    paths_move: bool,
) -> Result<Vec<FoundPaths>> {
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
        let lacking = |of_one: &FoundPaths| {
            let all = found.iter().flat_map(|found| &found.busiest).map(|busy| busy.path.as_str());
            let known = AllPaths::of(&of_one.busiest);
            all.filter(|path| !known.has(path)).collect::<Vec<_>>()
        };
        let missing: Vec<Vec<&str>> = found.iter().map(lacking).collect();
        let others = stores.iter().zip(&missing).map(|(store, paths)| async move {
            store.busiest_among(paths, span.from, span.to, span.open_from).await
        });
        let others = all_at_once(others).await?;
        drop(missing);
        for (found, others) in found.iter_mut().zip(others) {
            for other in others {
                // It was read later: rows may have come that passed nobody.
                found.settled.lacks(&other.path);
                found.open.lacks(&other.path);
                found.busiest.push(other);
            }
        }
    }
    let all = found.iter_mut().map(|found| core::mem::take(&mut found.busiest)).collect();
    let chosen = busiest_of_all(all, SNAPSHOT_PATHS);
    found.iter_mut().zip(chosen).for_each(|(found, chosen)| found.busiest = chosen);
    Ok(found)
}

/// The hours of the busiest paths, merged, as one database has them. What did not come in passing is looked up.
async fn merge(
    database: &Database,
    memo: &mut SnapshotMemo,
    found: FoundPaths,
    span: &Span,
) -> Result<Vec<(String, PathHours)>> {
    let FoundPaths { busiest, settled: mut settled_hours, open: mut open_hours } = found;
    let (settled, open) = (&span.settled, &span.open);
    memo.keep_paths(busiest.iter().map(|busy| busy.path.as_str()));
    for busy in &busiest {
        if let Some(hours) = settled_hours.take(&busy.path) {
            memo.insert(&busy.path, busy.settled, hours);
        }
    }
    let unknown: Vec<&BusyPath> =
        busiest.iter().filter(|busy| memo.get(&busy.path, busy.settled).is_none()).collect();
    for some in parts(&unknown, settled.len()) {
        let nothing = some.iter().map(|_| span.nothing());
        let merged = add(database, some, settled, nothing.collect()).await?;
        for (busy, hours) in some.iter().zip(merged) {
            memo.insert(&busy.path, busy.settled, hours);
        }
    }
    let mut paths = Vec::with_capacity(busiest.len());
    let mut others = Vec::new();
    for busy in &busiest {
        let known = memo.get(&busy.path, busy.settled).cloned();
        match (known, open_hours.take(&busy.path)) {
            (Some(mut hours), Some(open)) => {
                hours.merge(&open).map_err(|error| refused(&error))?;
                paths.push((busy.path.clone(), hours));
            }
            _ => others.push(busy),
        }
    }
    for some in parts(&others, open.len()) {
        let known = some.iter().filter_map(|busy| memo.get(&busy.path, busy.settled)).cloned().collect();
        let merged = add(database, some, open, known).await?;
        paths.extend(some.iter().zip(merged).map(|(busy, hours)| (busy.path.clone(), hours)));
    }
    Ok(paths)
}

/// What the paths come to, wherever their hours stand. They are few.
fn summaries(
    mut databases: Vec<Vec<(String, PathHours)>>,
) -> core::result::Result<Vec<PathSummary>, StatsError> {
    let mut all = databases.pop().unwrap_or_default();
    for (path, hours) in databases.into_iter().flatten() {
        match all.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.merge(&hours)?,
            None => all.push((path, hours)),
        }
    }
    Ok(all.into_iter().map(|(path, hours)| hours.summary(path)).collect())
}

fn refused(error: &StatsError) -> Error {
    Error::RustError(error.to_string())
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
) -> Result<FoundPaths> {
    let (most, limit) = match wanted {
        Wanted::Busiest => (SNAPSHOT_PATHS, SNAPSHOT_PATHS),
        Wanted::AllOrMore => (usize::MAX, SNAPSHOT_PATHS * MORE_WHILE_PATHS_MOVE),
    };
    let passes = database.settled_passes(span.from, span.open_from).await?;
    if memo.has_room() {
        let found = match find_all(database, memo, span, (passes.clone(), true)).await {
            // Paths of hundreds of letters may be more than a string holds, with statistics sooner than without.
            Err(_) => find_all(database, memo, span, (passes, false)).await.unwrap_or_else(|failed| {
                tracing::warn!(error = %failed, "the counters of all paths cannot be read at once");
                None
            }),
            Ok(found) => found,
        };
        if let Some(found) = found {
            return Ok(FoundPaths { busiest: busiest(found.busiest, most), ..found });
        }
        memo.give_up();
    }
    let busiest = database.busiest_paths(span.from, span.to, span.open_from, limit).await?;
    Ok(FoundPaths { busiest, ..FoundPaths::default() })
}

/// All paths, in no order, or None when an hour has too many. `passes` was read before; `along` is whether statistics
/// come with the counters.
async fn find_all(
    database: &Database,
    memo: &mut SnapshotMemo,
    span: &Span,
    (passes, along): (Option<Passes>, bool),
) -> Result<Option<FoundPaths>> {
    let most = if along { SNAPSHOT_PATHS } else { 0 };
    let mut all = AllPaths::default();
    let expected = memo.probably_busiest(&all);
    let mut open = InPassing::expecting(expected.iter().map(String::as_str).take(most), &span.nothing());
    if !database.add_all_paths(&span.open, span.open_from, PATHS_AN_HOUR, &mut all, &mut open).await? {
        return Ok(None);
    }
    if passes.as_ref().is_some_and(|passes| memo.knows(passes)) {
        let busiest = memo.complete(all.into_paths());
        return Ok(Some(FoundPaths { busiest, open, settled: InPassing::default() }));
    }
    let expected = memo.probably_busiest(&all);
    // After an event that came late most of what was merged holds: which does, the counters tell.
    let unmerged = expected.iter().map(String::as_str).filter(|path| !memo.has_merged(path)).take(most);
    let mut settled = InPassing::expecting(unmerged, &span.nothing());
    for hours in span.settled.chunks(HOURS_PER_READ) {
        if !database.add_all_paths(hours, span.open_from, PATHS_AN_HOUR, &mut all, &mut settled).await? {
            return Ok(None);
        }
    }
    let busiest = all.into_paths();
    if let Some(passes) = passes {
        memo.remember(passes, &busiest);
    }
    Ok(Some(FoundPaths { busiest, settled, open }))
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
            tell_broken(names.get(row.path).copied().unwrap_or_default(), *hour, &broken);
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
