//! What a day has beside its load: nights, crons, and what each further database adds.

use super::operations::{Operation, Operations};
use super::simulation::draw::Paths;
use super::simulation::measured::{self, Cron, CRONS};
use super::workload::{Settings, Workload};
use crate::completeness::CHECKS_PER_RUN;

/// Instances of a Worker that run at once. An estimate: each reads layouts, and adds up what it counted, by itself.
const INSTANCES: f64 = 4.0;

/// Most rows of an hour: the paths that its budget admits, and `(other)`.
fn most_rows(settings: &Settings) -> f64 {
    match settings.paths_per_hour {
        0 => f64::INFINITY,
        paths => f64::from(paths) + 1.0,
    }
}

/// Rows of path and hour that an hour of the mean load makes, late events among them.
#[must_use]
pub fn rows_an_hour(load: &Workload, settings: &Settings) -> f64 {
    let paths = Paths::new(load.paths, load.popularity);
    let an_hour = load.events_per_day / 24.0;
    // Most of the rows that late events belong to are there already.
    let late = if load.late_share > 0.0 { load.late_share } else { 0.0 };
    paths.distinct(an_hour * (1.0 + late)).min(most_rows(settings))
}

/// Distinct paths of a day that have rows of their own.
#[must_use]
pub fn distinct_paths(load: &Workload, settings: &Settings) -> f64 {
    Paths::new(load.paths, load.popularity).distinct(load.events_per_day).min(24.0 * most_rows(settings))
}

/// How often the ledger checks an hour: as it ended and once a day; and by each cron that finds it changed by events
/// that came late.
#[must_use]
pub fn ledger_checks(load: &Workload) -> f64 {
    if load.late_share <= 0.0 {
        return measured::LEDGER_CHECKS;
    }
    let hours = f64::from(load.late_hours);
    let late_in_five_minutes = load.events_per_day * load.late_share / hours / 288.0;
    #[allow(clippy::cast_precision_loss, reason = "10")]
    let in_a_run = hours.min(CHECKS_PER_RUN as f64);
    measured::LEDGER_CHECKS + 12.0 * in_a_run * (1.0 - (-late_in_five_minutes).exp())
}

/// What follows days later: raw events are archived and deleted, objects sealed, hours rolled up and deleted.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn at_night(load: &Workload, settings: &Settings, objects: f64, updates: f64) -> Operations {
    let events = load.events_per_day;
    let shards = f64::from(settings.shards);
    let paths = distinct_paths(load, settings);
    let archive = events * measured::ARCHIVE_BYTES_PER_EVENT;
    let parts =
        if archive < measured::PART_BYTES { 1.0 } else { (archive / measured::PART_BYTES).ceil() + 2.0 };
    let checks = ledger_checks(load);
    // The first note of an hour is played with its first flush.
    let ledger = 24.0 * shards * (checks * measured::LEDGER_WRITTEN_A_CHECK - measured::NOTED);
    day_of([
        // A seal: an alarm that reads its log and marks its row.
        (Operation::ObjectRequests, objects),
        (Operation::ObjectMs, objects * measured::FLUSH_MS as f64),
        (Operation::ObjectRowsRead, updates + 2.0 * objects),
        (Operation::D1Queries, objects),
        (Operation::D1RowsRead, objects),
        (Operation::D1RowsWritten, objects),
        // The end of an hour's budget: whether all its rows are sealed is asked of each database, then its report goes.
        (Operation::ObjectRequests, 24.0),
        (Operation::ObjectRowsRead, 24.0 * (3.0 + measured::BUDGET_LOG_ROWS)),
        (Operation::D1Queries, 24.0 * (shards + 1.0)),
        (Operation::D1RowsRead, objects),
        (Operation::D1RowsWritten, 24.0),
        // The archive.
        (Operation::D1RowsRead, events * measured::ARCHIVE_READ_PER_EVENT),
        (Operation::D1RowsWritten, events * measured::ARCHIVE_WRITTEN_PER_EVENT),
        (Operation::R2ClassA, parts),
        (Operation::R2ClassB, 1.0 + (archive / measured::ARCHIVE_READ_BYTES).ceil()),
        // The ledger: each check reads the hour's raw rows and hourly rows.
        (Operation::D1Queries, 24.0 * checks * 4.0 * shards),
        (Operation::D1RowsRead, checks * (events + objects)),
        (Operation::D1RowsWritten, ledger),
        // Each hourly row is read to be compared, read to be rolled up, and deleted in the end, as a daily row is.
        (Operation::D1RowsRead, 4.0 * objects + 2.0 * paths),
        (Operation::D1RowsWritten, objects + 2.0 * paths),
    ])
}

/// What happens however many events come: crons, the heartbeat's instances, dashboards, the meter itself, and what
/// each database beyond the first adds.
#[must_use]
pub fn by_clock(load: &Workload, settings: &Settings) -> Operations {
    let views = load.views_per_day;
    let further = f64::from(settings.shards) - 1.0;
    // The cache answers but for one request in half a minute.
    let misses = views.min(2_880.0);
    let crons = |of: fn(&Cron) -> f64| -> f64 { CRONS.iter().map(|cron| cron.runs * of(cron)).sum() };
    // With one database no layout is ever read. The consumer's instances and the api's read them once a minute, the
    // archiver once a run.
    let layouts = if settings.shards > 1 { 2.0 * INSTANCES * 1_440.0 + 148.0 } else { 0.0 };
    day_of([
        (Operation::WorkerRequests, views + crons(|_| 1.0)),
        (Operation::KvReads, 2.0 * misses + crons(|cron| cron.kv_reads)),
        (Operation::D1Queries, crons(|cron| cron.d1_queries)),
        (Operation::D1RowsRead, crons(|cron| cron.d1_rows_read)),
        (Operation::D1RowsWritten, crons(|cron| cron.d1_rows_written)),
        (Operation::ObjectRequests, crons(|cron| cron.object_requests)),
        (Operation::D1Queries, layouts + further * crons(|cron| cron.d1_queries_further)),
        (
            Operation::D1RowsRead,
            layouts * measured::LAYOUTS + further * crons(|cron| cron.d1_rows_read_further),
        ),
        // The hour's budget asks each what it knows of an hour that begins.
        (Operation::D1Queries, 24.0 * further),
        // Four Workers, each instance once in five minutes.
        (Operation::D1RowsWritten, 4.0 * 288.0 * INSTANCES),
    ])
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day's counts")]
fn day_of<const N: usize>(counts: [(Operation, f64); N]) -> Operations {
    counts.into_iter().map(|(operation, count)| (operation, count.round() as u64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_database_no_layout_is_read_and_each_further_one_adds_as_much() {
        let load = Workload::default();
        let of = |shards| by_clock(&load, &Settings { shards, ..Settings::default() });
        let read = |shards| of(shards).get(Operation::D1RowsRead);
        let layouts = 2 * 4 * 1_440 + 148;
        assert!(of(2).get(Operation::D1Queries) - of(1).get(Operation::D1Queries) > layouts);
        let further = read(3) - read(2);
        assert_eq!(read(4) - read(3), further);
        assert_eq!(read(2) - read(1), further + 2 * layouts);
        // Each of three days is looked for every five minutes, in each of them.
        assert!(further >= 288 * 100, "{further}");
    }

    #[test]
    fn the_ledger_scans_an_hour_thrice_and_once_more_for_each_cron_that_brings_late_events() {
        let calm = Workload::default();
        assert!((ledger_checks(&calm) - measured::LEDGER_CHECKS).abs() < 1e-9);
        let late = Workload { late_share: 0.1, late_hours: 2, ..calm };
        assert!((ledger_checks(&late) - measured::LEDGER_CHECKS - 24.0).abs() < 0.01);
        let seldom = Workload { events_per_day: 2_880.0, ..late };
        assert!(ledger_checks(&seldom) < ledger_checks(&late));
        // A run checks ten hours at most.
        let long = Workload { late_hours: 72, ..late };
        assert!((ledger_checks(&long) - measured::LEDGER_CHECKS - 120.0).abs() < 2.0);
        let night = |load: &Workload| at_night(load, &Settings::default(), 1_000.0, 1_000.0);
        let more = night(&late).get(Operation::D1RowsRead) - night(&calm).get(Operation::D1RowsRead);
        assert!(more > 22 * 1_000_000, "{more}");
    }

    #[test]
    fn an_hour_has_no_more_rows_than_its_budget_and_one() {
        let load = Workload { paths: 100_000, ..Workload::default() };
        let with = |paths_per_hour| Settings { paths_per_hour, ..Settings::default() };
        assert!((rows_an_hour(&load, &with(1_000)) - 1_001.0).abs() < 1e-9);
        assert!(rows_an_hour(&load, &with(0)) > 5_000.0);
        assert!(distinct_paths(&load, &with(1_000)) <= 24.0 * 1_001.0);
    }
}
