use super::{database, env, event, one_database};
use pathstats_edge::bindings::D1;
use pathstats_edge::snapshot_build::build;
use pathstats_edge::usage;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::cost::Operation;
use pathstats_model::hour::{HourBucket, PathHour, HOUR_MS};
use pathstats_model::packed::PackedEvent;
use pathstats_model::PathHourStats;
use wasm_bindgen_test::wasm_bindgen_test;

/// A time of its own, so that rows of other tests are not of its 24 hours.
const NOW: i64 = 1_577_880_000_000;

async fn write(path: &str, hour: HourBucket, events: core::ops::Range<u32>) -> PathHourStats {
    write_again(path, hour, events, 1).await
}

async fn write_again(
    path: &str,
    hour: HourBucket,
    events: core::ops::Range<u32>,
    revision: u64,
) -> PathHourStats {
    let mut stats = PathHourStats::default();
    for n in events {
        stats.add(&PackedEvent::new(&event(path, hour.start_ms() + i64::from(n), n)));
    }
    let key = PathHour { path: path.to_owned(), hour };
    let row = FlushRow { key, stats: stats.clone(), revision, asks_for_snapshot: false, duplicates: 0 };
    database().write_hour(&row, NOW).await.unwrap();
    stats
}

#[wasm_bindgen_test]
async fn a_snapshot_merges_the_hours_of_a_day_and_puts_the_busiest_first() {
    let now = HourBucket::from_ms(NOW);
    let mut merged = write("/snapshot/busy", now, 0..30).await;
    merged.merge(&write("/snapshot/busy", now.plus(-23), 30..50).await).unwrap();
    write("/snapshot/busy", now.plus(-24), 50..90).await;
    write("/snapshot/quiet", now.plus(-1), 0..3).await;
    let snapshot = build(&one_database(), 9, NOW).await.unwrap();
    assert_eq!((snapshot.version, snapshot.updated_at, snapshot.to), (9, NOW, now));
    let paths: Vec<(&str, u64)> = snapshot.paths.iter().map(|p| (p.path.as_str(), p.requests)).collect();
    assert_eq!(paths, [("/snapshot/busy", 50), ("/snapshot/quiet", 3)]);
    let busy = snapshot.paths.first().unwrap();
    assert_eq!((busy.errors, busy.unique_ips), (13, 7));
    let p95 = merged.latency.percentile_ms(0.95).unwrap();
    assert!((busy.p95.unwrap() - p95).abs() < 0.001);
    assert_eq!(busy.estimated_requests, None);
    assert_eq!((busy.trend.len(), busy.trend.first(), busy.trend.last()), (24, Some(&20), Some(&30)));
    assert_eq!((busy.error_trend.first(), busy.error_trend.last()), (Some(&5), Some(&8)));
    assert_eq!(busy.bounds.unique_ips, Some([7, 7]));
    let [low, high] = busy.bounds.p95.unwrap();
    assert!(low <= p95 && p95 <= high && high - low < 0.011 * p95, "{low} {p95} {high}");
}

async fn run(sql: &str) {
    env().d1(D1).unwrap().prepare(sql).run().await.unwrap();
}

/// As if a pass had made the totals of all hours.
async fn totals_made(pass: u64) {
    run("DELETE FROM hourly_totals WHERE hour_bucket LIKE '2021-%'").await;
    run(&format!(
        "INSERT INTO hourly_totals (hour_bucket, requests, errors, sum_response_time, count_response_time, unique_ips, \
         estimated_requests, paths, pass, updated_at, path_sketch, sketches) \
         SELECT DISTINCT hour_bucket, 0, 0, 0, 0, 0, 0, 0, {pass}, 0, x'', x'' FROM path_stats_hourly WHERE hour_bucket LIKE '2021-%'"
    ))
    .await;
    run("DELETE FROM totals_due WHERE period LIKE '2021-%'").await;
}

#[wasm_bindgen_test]
async fn what_is_remembered_of_settled_hours_never_hides_a_change() {
    const LATER: i64 = 1_610_000_000_000;
    let requests = async || {
        let snapshot = build(&one_database(), 1, LATER).await.unwrap();
        let paths = snapshot
            .paths
            .into_iter()
            .map(|path| (path.path, path.requests, path.trend.get(3).copied().unwrap()));
        paths.collect::<Vec<_>>()
    };
    let row = |path: &str, requests, fourth| (path.to_owned(), requests, fourth);
    let now = HourBucket::from_ms(LATER);
    write("/memo/a", now.plus(-20), 0..10).await;
    write("/memo/a", now, 10..12).await;
    write("/memo/b", now.plus(-20), 0..5).await;
    let first = [row("/memo/a", 12, 10), row("/memo/b", 5, 5)];
    // Nothing is known, then nothing may be remembered since totals wait, then it is remembered.
    assert_eq!(requests().await, first);
    totals_made(1).await;
    assert_eq!(requests().await, first);
    // Rows that change without a trace show that what is remembered is used.
    let rename = async |from, to| {
        run(&format!(
            "UPDATE path_stats_hourly SET path = '{to}' WHERE path = '{from}' AND hour_bucket LIKE '2021-%'"
        ))
        .await;
    };
    rename("/memo/b", "/memo/hidden").await;
    assert_eq!(requests().await, first);
    rename("/memo/hidden", "/memo/b").await;
    // Open hours are read each time: a path known, one that was quiet, and a new one.
    write_again("/memo/a", now, 10..13, 2).await;
    write("/memo/b", now.plus(-1), 0..50).await;
    write("/memo/c", now, 0..4).await;
    assert_eq!(requests().await, [row("/memo/b", 55, 5), row("/memo/a", 13, 10), row("/memo/c", 4, 0)]);
    // A late event: while the total waits, and when it was made by a later pass.
    write_again("/memo/a", now.plus(-20), 0..100, 2).await;
    let late = [row("/memo/a", 103, 100), row("/memo/b", 55, 5), row("/memo/c", 4, 0)];
    assert_eq!(requests().await, late);
    totals_made(2).await;
    assert_eq!(requests().await, late);
    assert_eq!(requests().await, late);
}

/// As many rows as that, of 834 paths and 24 hours.
const PATH_HOURS: u64 = 834 * 24;

/// Copies of one row: for each path and hour. The first paths are the busiest, but not in each hour.
async fn copy_row(from: &str, first: HourBucket, hours: u32) {
    run(&format!(
        "WITH RECURSIVE p(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM p WHERE n < 833), \
         h(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM h WHERE n + 1 < {hours}) \
         INSERT INTO path_stats_hourly SELECT printf('/rows/%03d', p.n), \
         strftime('%Y-%m-%dT%H', {} + h.n * 3600, 'unixepoch'), 2000 / (p.n + 1) + p.n * 31 % (h.n + 7), \
         errors, sum_response_time, count_response_time, unique_ips, estimated_requests, p50, p95, p99, revision, \
         sealed_at, updated_at, sketches FROM p, h, path_stats_hourly o WHERE o.path = '{from}'",
        first.start_ms() / 1_000
    ))
    .await;
}

#[wasm_bindgen_test]
async fn a_snapshot_reads_hardly_more_than_each_row_once_and_the_next_one_hardly_any() {
    const THEN: i64 = 1_550_000_000_000;
    let read = async |now| {
        let before = usage::counted().get(Operation::D1RowsRead);
        let snapshot = build(&one_database(), 1, now).await.unwrap();
        (usage::counted().get(Operation::D1RowsRead) - before, snapshot)
    };
    // An instance that knows nothing: what other tests left is forgotten.
    let empty = read(THEN - 1_000 * HOUR_MS).await.1;
    assert_eq!(empty.paths, []);
    let last = HourBucket::from_ms(THEN);
    write("/rows/original", last.plus(-100), 0..30).await;
    copy_row("/rows/original", last.plus(-23), 24).await;
    let at_most = PATH_HOURS * 11 / 10;
    let (rows, first) = read(THEN).await;
    assert!(rows <= at_most, "the first of an instance: {rows} rows");
    assert_eq!(first.paths.len(), 100);
    assert!(first.paths.iter().all(|path| path.trend.iter().all(|requests| *requests == 30)), "{first:?}");
    let made = |pass: u64| async move {
        run(&format!(
            "INSERT OR REPLACE INTO hourly_totals (hour_bucket, requests, errors, sum_response_time, count_response_time, \
             unique_ips, estimated_requests, paths, pass, updated_at, path_sketch, sketches) SELECT DISTINCT hour_bucket, \
             0, 0, 0, 0, 0, 0, 0, {pass}, 0, x'', x'' FROM path_stats_hourly WHERE path = '/rows/000'"
        ))
        .await;
        run("DELETE FROM totals_due WHERE period LIKE '2019-02-%'").await;
    };
    made(1).await;
    assert!(read(THEN).await.0 <= at_most);
    let (rows, next) = read(THEN).await;
    assert!(rows < PATH_HOURS / 10, "when all is known: {rows} rows");
    assert_eq!(next.paths, first.paths);
    // An hour later: all hours but the newest are other ones.
    copy_row("/rows/original", last.plus(1), 1).await;
    made(2).await;
    let (rows, later) = read(THEN + HOUR_MS).await;
    assert!(rows <= at_most, "the first of an hour: {rows} rows");
    assert!(later.paths.iter().all(|path| path.requests == 24 * 30), "{later:?}");
    run("DELETE FROM path_stats_hourly WHERE path LIKE '/rows/%'").await;
}
