use core::fmt::Write;

use super::{database, env, event};
use pathstats_edge::bindings::D1;
use pathstats_edge::daily_store::D1DailyStore;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::hour::{HourBucket, PathHour};
use pathstats_model::packed::PackedEvent;
use pathstats_model::retention::{Budget, Horizons};
use pathstats_model::rollup::{merge, nightly, DailyStore, DayHours, Done};
use pathstats_model::{EventDate, PathHourStats};
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

// A run takes in all old days, so each test begins without those of the others: they lie before 2016,
// where no test of another file writes to.
const EMPTY: [&str; 4] = [
    "DELETE FROM path_stats_hourly WHERE hour_bucket < '2016'",
    "DELETE FROM path_stats_daily WHERE date < '2016'",
    "DELETE FROM path_stats_daily_bases WHERE date < '2016'",
    "DELETE FROM daily_rollups WHERE date < '2016'",
];

async fn empty() {
    let d1 = env().d1(D1).unwrap();
    d1.batch(EMPTY.iter().map(|sql| d1.prepare(*sql)).collect()).await.unwrap();
}

fn store() -> D1DailyStore {
    D1DailyStore::new(env().d1(D1).unwrap())
}

fn date(text: &str) -> EventDate {
    text.parse().unwrap()
}

/// Rolls up days from `from` on, deletes the hours of days before `hourly`, closes days before `open`.
fn horizons(from: &str, hourly: &str, open: &str) -> Horizons {
    Horizons { daily_from: date(from), hourly_from: date(hourly), open_from: date(open) }
}

async fn night(horizons: Horizons) -> Done {
    let done = nightly(&store(), horizons, Budget { queries: 900, until_ms: i64::MAX }).await;
    assert!(done.complete, "{done:?}");
    done
}

/// What an object flushes: events of these numbers.
async fn flush(path: &str, hour: HourBucket, events: core::ops::Range<u32>, revision: u64) -> PathHourStats {
    let mut stats = PathHourStats::default();
    for n in events {
        stats.add(&PackedEvent::new(&event(path, hour.start_ms() + i64::from(n), n)));
    }
    let key = PathHour { path: path.to_owned(), hour };
    let row = FlushRow { key, stats: stats.clone(), revision, asks_for_snapshot: false, duplicates: 0 };
    database().write_hour(&row, 7).await.unwrap();
    stats
}

async fn seal(path: &str, hour: HourBucket, revision: u64) {
    let key = PathHour { path: path.to_owned(), hour };
    assert!(database().seal_hour(&key, revision, 9).await.unwrap());
}

fn hour(text: &str) -> HourBucket {
    text.parse().unwrap()
}

#[derive(Debug, Deserialize)]
struct DayRow {
    requests: u64,
    errors: u64,
    sum_response_time: f64,
    count_response_time: u64,
    unique_ips: u64,
    estimated_requests: f64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    hours: u32,
    fingerprint: String,
    purged_at: Option<f64>,
    sketches: String,
}

async fn read<T: for<'a> Deserialize<'a>>(sql: &str, path: &str) -> Vec<T> {
    let statement = env().d1(D1).unwrap().prepare(sql).bind(&[path.into()]).unwrap();
    statement.all().await.unwrap().results().unwrap()
}

async fn day_row(path: &str) -> Option<DayRow> {
    let sql = "SELECT *, lower(hex(sketches)) AS sketches FROM path_stats_daily WHERE path = ?1";
    let rows: Vec<DayRow> = read(sql, path).await;
    assert!(rows.len() < 2);
    rows.into_iter().next()
}

async fn hourly_rows(path: &str) -> usize {
    let rows: Vec<serde_json::Value> =
        read("SELECT revision FROM path_stats_hourly WHERE path = ?1", path).await;
    rows.len()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Holds a daily row against statistics.
fn assert_row(row: &DayRow, stats: &PathHourStats) {
    let counters = &stats.counters;
    assert_eq!(
        (row.requests, row.errors, row.count_response_time, row.unique_ips),
        (counters.requests, counters.errors, counters.count_response_time, stats.clients.estimate())
    );
    assert!((row.sum_response_time - counters.sum_response_time_ms()).abs() < 1e-6);
    assert!((row.estimated_requests - counters.estimated_requests()).abs() < 1e-6);
    for (stored, quantile) in [(row.p50, 0.50), (row.p95, 0.95), (row.p99, 0.99)] {
        assert!((stored.unwrap() - stats.latency.percentile_ms(quantile).unwrap()).abs() < 1e-9);
    }
    assert_eq!(row.sketches, hex(&stats.to_bytes()));
}

#[wasm_bindgen_test]
async fn a_day_is_rolled_up_from_its_hours_and_again_only_when_it_changed() {
    empty().await;
    let first = hour("2011-05-03T00");
    let path = "/daily/🦀 \"x\":%";
    let mut whole = flush(path, first, 0..30, 1).await;
    whole.merge(&flush(path, first.plus(23), 30..60, 4).await).unwrap();
    flush(path, first.plus(24), 60..70, 1).await;
    let horizons = horizons("2011-01-01", "2011-01-01", "2011-05-04");
    assert_eq!(store().days_to_roll_up(horizons).await.unwrap(), [date("2011-05-03")]);
    let done = night(horizons).await;
    assert_eq!((done.days_rolled_up, done.daily_rows_written), (1, 1));
    let row = day_row(path).await.unwrap();
    assert_row(&row, &whole);
    assert_eq!((row.hours, row.fingerprint.as_str(), row.purged_at), (0x80_0001, "2/5/14", None));
    assert!(store().days_to_roll_up(horizons).await.unwrap().is_empty());
    assert_eq!(night(horizons).await, Done { complete: true, ..Done::default() });
    // An older flush that comes again changes nothing, a seal neither; a newer flush does.
    flush(path, first.plus(23), 30..60, 4).await;
    seal(path, first.plus(23), 4).await;
    assert_eq!(night(horizons).await.days_rolled_up, 0);
    flush(path, first.plus(23), 30..61, 5).await;
    whole.add(&PackedEvent::new(&event(path, first.plus(23).start_ms() + 60, 60)));
    assert_eq!(night(horizons).await.daily_rows_written, 1);
    assert_row(&day_row(path).await.unwrap(), &whole);
}

#[wasm_bindgen_test]
async fn a_pass_that_never_ended_is_gone_on_with() {
    empty().await;
    let path = "/daily/pass";
    flush(path, hour("2012-05-03T01"), 0..3, 1).await;
    let horizons = horizons("2012-01-01", "2012-01-01", "2012-05-04");
    let store = store();
    store.begin(horizons).await.unwrap();
    let of_2012 = |days: Vec<pathstats_model::rollup::WaitingDay>| {
        days.into_iter().find(|day| day.date == date("2012-05-03")).and_then(|day| day.pass)
    };
    let first = of_2012(store.waiting().await.unwrap()).unwrap();
    // It changes, and another run begins a pass: the end of the first one is not the end.
    flush(path, hour("2012-05-03T02"), 0..3, 1).await;
    store.begin(horizons).await.unwrap();
    store.end_pass(date("2012-05-03"), first).await.unwrap();
    let second = of_2012(store.waiting().await.unwrap()).unwrap();
    assert!(second > first);
    store.end_pass(date("2012-05-03"), second).await.unwrap();
    store.end_pass(date("2012-05-03"), first).await.unwrap();
    assert_eq!(of_2012(store.waiting().await.unwrap()), None);
}

#[wasm_bindgen_test]
async fn sealed_hours_of_old_days_go_and_what_comes_later_is_added() {
    empty().await;
    let (path, first) = ("/daily/old", hour("2013-05-03T10"));
    let mut whole = flush(path, first, 0..20, 1).await;
    whole.merge(&flush(path, first.plus(1), 20..40, 2).await).unwrap();
    seal(path, first, 1).await;
    let horizons = horizons("2013-01-01", "2013-05-04", "2013-05-05");
    let done = night(horizons).await;
    assert_eq!((done.daily_rows_written, done.hourly_rows_deleted), (1, 0), "an object may still be there");
    let going = store().going_hours(horizons).await.unwrap();
    assert_eq!((going.rows, going.oldest), (0, None));
    assert!(going.waiting_for_seal >= 2, "{going:?}");
    seal(path, first.plus(1), 2).await;
    let going = store().going_hours(horizons).await.unwrap();
    assert_eq!(
        (going.rows, going.oldest, going.newest),
        (2, Some(date("2013-05-03")), Some(date("2013-05-03")))
    );
    assert_eq!(night(horizons).await.hourly_rows_deleted, 2);
    let row = day_row(path).await.unwrap();
    assert_row(&row, &whole);
    assert_eq!((hourly_rows(path).await, row.fingerprint.as_str(), row.purged_at.is_some()), (0, "", true));
    // The same hour again, and another one: added to what is there, and again when they change.
    whole.merge(&flush(path, first, 40..50, 1).await).unwrap();
    night(horizons).await;
    assert_row(&day_row(path).await.unwrap(), &whole);
    whole.merge(&flush(path, first.plus(5), 50..60, 1).await).unwrap();
    assert_eq!(night(horizons).await.hourly_rows_deleted, 0);
    assert_row(&day_row(path).await.unwrap(), &whole);
    seal(path, first, 1).await;
    seal(path, first.plus(5), 1).await;
    assert_eq!(night(horizons).await.hourly_rows_deleted, 2);
    let row = day_row(path).await.unwrap();
    assert_row(&row, &whole);
    assert_eq!(DayHours::from_bits(row.hours).count(), 3);
    let bases: Vec<serde_json::Value> =
        read("SELECT hours FROM path_stats_daily_bases WHERE path = ?1", path).await;
    let days: Vec<serde_json::Value> =
        read("SELECT date FROM daily_rollups WHERE date = '2013-05-03' AND ?1 <> ''", path).await;
    assert_eq!((bases.len(), days.len()), (0, 0), "nothing is left of the day but its row");
}

#[wasm_bindgen_test]
async fn an_hour_that_changed_since_its_day_was_rolled_up_stays() {
    empty().await;
    let (path, first) = ("/daily/changed", hour("2014-05-03T10"));
    let store = store();
    flush(path, first, 0..5, 1).await;
    seal(path, first, 1).await;
    // Rolled up by a night that deletes nothing yet.
    night(horizons("2014-01-01", "2014-01-01", "2014-05-05")).await;
    let paths = [path.to_owned()];
    assert_eq!(store.purgeable(date("2014-05-03"), "", 9).await.unwrap(), paths);
    flush(path, first, 0..6, 2).await;
    seal(path, first, 2).await;
    assert_eq!(store.purge(date("2014-05-03"), &paths).await.unwrap(), 0);
    assert_eq!((hourly_rows(path).await, day_row(path).await.unwrap().requests), (1, 5));
    assert!(store.purgeable(date("2014-05-03"), "", 9).await.unwrap().is_empty());
    assert_eq!(night(horizons("2014-01-01", "2014-05-04", "2014-05-05")).await.hourly_rows_deleted, 1);
    assert_eq!(store.purge(date("2014-05-03"), &paths).await.unwrap(), 0, "again, there is nothing to do");
    let row = day_row(path).await.unwrap();
    assert_eq!((row.requests, row.fingerprint.as_str()), (6, ""));
}

#[wasm_bindgen_test]
async fn a_row_merged_from_hours_that_changed_since_is_not_written() {
    empty().await;
    let (path, first, day) = ("/daily/stale", hour("2010-05-03T10"), date("2010-05-03"));
    let store = store();
    flush(path, first, 0..5, 1).await;
    let listed = store.lacking(day, "", 9).await.unwrap();
    let (rows, broken) = merge(&store.parts(day, &listed).await.unwrap(), &listed);
    assert_eq!((listed.len(), rows.len(), broken.len()), (1, 1, 0));
    flush(path, first.plus(1), 5..6, 1).await;
    store.write(day, &rows).await.unwrap();
    assert!(day_row(path).await.is_none());
    night(horizons("2010-01-01", "2010-01-01", "2010-05-05")).await;
    assert_eq!(day_row(path).await.unwrap().requests, 6);
}

#[wasm_bindgen_test]
async fn an_hour_that_is_made_anew_without_a_new_revision_is_a_change() {
    empty().await;
    let (path, first) = ("/daily/repaired", hour("2010-05-03T10"));
    flush(path, first, 0..5, 1).await;
    let horizons = horizons("2010-01-01", "2010-01-01", "2010-05-05");
    assert_eq!(night(horizons).await.daily_rows_written, 1);
    let repair = "UPDATE path_stats_hourly SET sketches = sketches, updated_at = 8 WHERE path = ?1";
    env().d1(D1).unwrap().prepare(repair).bind(&[path.into()]).unwrap().run().await.unwrap();
    assert_eq!(night(horizons).await.daily_rows_written, 1);
    assert_eq!(day_row(path).await.unwrap().fingerprint, "1/1/8");
}

#[wasm_bindgen_test]
async fn days_beyond_the_daily_horizon_go_whole() {
    empty().await;
    let (old, unkept) = ("/daily/grows-old", "/daily/unkept");
    flush(old, hour("2006-05-03T10"), 0..5, 1).await;
    seal(old, hour("2006-05-03T10"), 1).await;
    night(horizons("2006-01-01", "2006-05-04", "2006-05-05")).await;
    assert!(day_row(old).await.is_some());
    flush(unkept, hour("2006-05-03T10"), 0..5, 1).await;
    seal(unkept, hour("2006-05-03T10"), 1).await;
    let later = horizons("2006-06-01", "2006-06-01", "2006-06-02");
    let going = store().going_days(later).await.unwrap();
    assert_eq!((going.rows, going.oldest), (1, Some(date("2006-05-03"))));
    let done = night(later).await;
    assert_eq!((done.daily_rows_deleted, done.hourly_rows_deleted, done.daily_rows_written), (1, 1, 0));
    assert!(day_row(old).await.is_none() && day_row(unkept).await.is_none());
}

#[wasm_bindgen_test]
async fn a_day_of_many_paths_is_rolled_up_in_pages_and_costs_what_is_documented() {
    const PATHS: u32 = 300;
    empty().await;
    let first = hour("2015-05-03T00");
    // Large rows, so that a page holds few paths.
    let filler = "INSERT INTO path_stats_hourly SELECT '/daily/many/' || printf('%04d', j.value), h.hour_bucket, \
         h.requests, h.errors, h.sum_response_time, h.count_response_time, h.unique_ips, h.estimated_requests, \
         h.p50, h.p95, h.p99, h.revision, h.sealed_at, h.updated_at, h.sketches \
         FROM json_each(?1) j CROSS JOIN path_stats_hourly h ON h.path = '/daily/many'";
    for at in [0, 7, 23] {
        flush("/daily/many", first.plus(at), 0..900, 1).await;
        seal("/daily/many", first.plus(at), 1).await;
    }
    let numbers = serde_json::to_string(&(0..PATHS).collect::<Vec<_>>()).unwrap();
    env().d1(D1).unwrap().prepare(filler).bind(&[numbers.into()]).unwrap().run().await.unwrap();
    let store = store();
    let budget = Budget { queries: 900, until_ms: i64::MAX };
    let done = nightly(&store, horizons("2015-01-01", "2015-01-01", "2015-05-05"), budget).await;
    assert_eq!((done.daily_rows_written, done.complete), (u64::from(PATHS) + 1, true), "{done:?}");
    let used = store.used();
    let hours = u64::from(PATHS + 1) * 3;
    worker::console_log!("rolled up: {hours} hourly rows, {used:?}");
    assert!(used.rows_read < 7 * hours + 30 * (hours / 3), "{used:?}");
    assert!(used.rows_written < hours / 3 + 20, "{used:?}");
    let store = self::store();
    let done = nightly(&store, horizons("2015-01-01", "2015-05-04", "2015-05-05"), budget).await;
    assert_eq!((done.hourly_rows_deleted, done.complete), (hours, true), "{done:?}");
    let used = store.used();
    worker::console_log!("purged: {hours} hourly rows, {used:?}");
    assert!(used.rows_written < hours + hours / 3 + 20, "{used:?}");
}
