use super::{database, env, event, one_database};
use pathstats_edge::bindings::D1;
use pathstats_edge::daily_store::D1DailyStore;
use pathstats_edge::series_store::{Of, SeriesStore};
use pathstats_edge::totals::Detail;
use pathstats_edge::totals_store::D1TotalsStore;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::api::answers::Filters;
use pathstats_model::api::period::{Granularity, Hours, Period as Asked, Zone};
use pathstats_model::hour::{HourBucket, PathHour};
use pathstats_model::packed::PackedEvent;
use pathstats_model::retention::{Budget, Horizons};
use pathstats_model::rollup::nightly;
use pathstats_model::totals::{keep_up, Done, Page, Part, Period, Source, SourceRow, Total, TotalsStore};
use pathstats_model::{EventDate, PathHourStats};
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

// The rows of these tests lie before 2016, as those of `daily`; what is to be made is to be empty.
const EMPTY: [&str; 9] = [
    "DELETE FROM path_stats_hourly WHERE hour_bucket < '2016'",
    "DELETE FROM path_stats_daily WHERE date < '2016'",
    "DELETE FROM path_stats_daily_bases WHERE date < '2016'",
    "DELETE FROM daily_rollups WHERE date < '2016'",
    "DELETE FROM hourly_totals",
    "DELETE FROM daily_totals",
    "DELETE FROM totals_due",
    "DELETE FROM totals_parts",
    "DELETE FROM totals_purged",
];

async fn empty() {
    let d1 = env().d1(D1).unwrap();
    d1.batch(EMPTY.iter().map(|sql| d1.prepare(*sql)).collect()).await.unwrap();
}

fn store() -> D1TotalsStore {
    D1TotalsStore::new(env().d1(D1).unwrap())
}

fn budget() -> Budget {
    Budget { queries: 900, until_ms: i64::MAX }
}

/// Makes totals however young the ones before are.
async fn run(store: &D1TotalsStore, budget: Budget) -> Done {
    let done = keep_up(store, -1_000_000_000, budget).await;
    assert_eq!((done.failures, done.broken), (0, 0), "{done:?}");
    done
}

fn hour(text: &str) -> HourBucket {
    text.parse().unwrap()
}

fn source_row(path: &str, stats: &PathHourStats) -> SourceRow {
    SourceRow { key: path.to_owned(), sketches: stats.to_bytes(), paths: None }
}

/// What an object flushes: events of these numbers.
async fn flush(path: &str, hour: HourBucket, events: core::ops::Range<u32>, revision: u64) -> SourceRow {
    let mut stats = PathHourStats::default();
    for n in events {
        stats.add(&PackedEvent::new(&event(path, hour.start_ms() + i64::from(n), n)));
    }
    let row = source_row(path, &stats);
    let key = PathHour { path: path.to_owned(), hour };
    database()
        .write_hour(&FlushRow { key, stats, revision, asks_for_snapshot: false, duplicates: 0 }, 7)
        .await
        .unwrap();
    row
}

async fn seal_all() {
    let seal = "UPDATE path_stats_hourly SET sealed_at = 9 WHERE hour_bucket < '2016'";
    env().d1(D1).unwrap().prepare(seal).run().await.unwrap();
}

fn total_of<'a>(rows: impl IntoIterator<Item = &'a SourceRow>) -> Total {
    let mut total = Total::default();
    for row in rows {
        total.add(row).unwrap();
    }
    total
}

async fn hour_requests(hour: HourBucket) -> Option<u64> {
    let rows = database().hourly_totals(hour, hour, Detail::Columns).await.unwrap();
    assert!(rows.len() < 2);
    rows.first().map(|row| row.requests)
}

async fn day_requests(date: EventDate) -> Option<u64> {
    let rows = database().daily_totals(date, date, Detail::Columns).await.unwrap();
    rows.first().map(|row| row.requests)
}

async fn numbers(sql: &str) -> Vec<(String, f64)> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
        number: f64,
    }
    let rows: Vec<Row> = env().d1(D1).unwrap().prepare(sql).all().await.unwrap().results().unwrap();
    rows.into_iter().map(|row| (row.name, row.number)).collect()
}

async fn due() -> Vec<(String, f64)> {
    numbers("SELECT period AS name, changed AS number FROM totals_due ORDER BY period").await
}

#[wasm_bindgen_test]
async fn hours_and_days_come_to_what_their_paths_come_to() {
    empty().await;
    let (first, last) = (hour("2005-05-03T22"), hour("2005-05-04T00"));
    let paths = ["/totals/a", "/totals/🦀 \"x\":%", "/totals/b"];
    let mut by_hour = vec![Vec::new(); 3];
    for (n, path) in (0u32..).zip(paths) {
        for (offset, rows) in (0..).zip(&mut by_hour).skip(usize::from(n == 2)) {
            let at = n * 100 + u32::try_from(offset).unwrap() * 20;
            rows.push(flush(path, first.plus(offset), at..at + 15, 1).await);
        }
    }
    let hours = Hours { from: first.plus(-1), to: last };
    let asked = Asked { hours, granularity: Granularity::Hour, zone: Zone::named("UTC").unwrap() };
    let series = SeriesStore::new(one_database());
    let waiting =
        async || series.rows(Of::System, &asked, Filters::default()).await.unwrap().remove(0).waiting;
    assert_eq!(waiting().await, [first, first.plus(1)], "the hours of the period that have no total yet");
    let store = store();
    let done = run(&store, budget()).await;
    assert_eq!((done.hours, done.days, done.rows, done.next_ms), (3, 2, 8 + 3, None), "{done:?}");
    assert!(due().await.is_empty());
    assert!(waiting().await.is_empty());

    let read = database().hourly_totals(first, last, Detail::Sketches).await.unwrap();
    assert_eq!(read.iter().map(|row| row.period).collect::<Vec<_>>(), [first, first.plus(1), last]);
    for (row, rows) in read.iter().zip(&by_hour) {
        let expected = total_of(rows);
        let (stats, counters) = (&expected.stats, &expected.stats.counters);
        assert_eq!(
            (row.requests, row.errors, row.count_response_time, row.unique_ips, row.paths),
            (
                counters.requests,
                counters.errors,
                counters.count_response_time,
                stats.clients.estimate(),
                rows.len() as u64
            )
        );
        assert!((row.sum_response_time - counters.sum_response_time_ms()).abs() < 1e-6);
        assert!((row.estimated_requests - counters.estimated_requests()).abs() < 1e-6);
        for (stored, quantile) in [(row.p50, 0.50), (row.p95, 0.95), (row.p99, 0.99)] {
            assert!((stored.unwrap() - stats.latency.percentile_ms(quantile).unwrap()).abs() < 1e-9);
        }
        assert_eq!(row.sketches, Some(stats.to_bytes()));
        assert!(row.updated_at > 1_700_000_000_000);
    }
    let days = database().daily_totals(first.date(), last.date(), Detail::Head).await.unwrap();
    let expected = [total_of(by_hour.iter().take(2).flatten()), total_of(by_hour.last().unwrap())];
    for (day, expected) in days.iter().zip(&expected) {
        assert_eq!((day.requests, day.paths), (expected.stats.counters.requests, 3));
        let head = PathHourStats::head(day.sketches.as_ref().unwrap()).unwrap();
        assert_eq!((&head.cells, head.counters), (expected.stats.cells(), expected.stats.counters));
    }
    let bare = database().daily_totals(first.date(), last.date(), Detail::Columns).await.unwrap();
    assert_eq!(bare.len(), 2);
    assert!(bare.iter().all(|day| day.sketches.is_none()));
    flush("/totals/a", first, 0..16, 2).await;
    assert!(waiting().await.is_empty(), "an hour that has a total is shown, though it is made anew");
}

#[wasm_bindgen_test]
async fn a_late_event_changes_exactly_its_hour_and_its_day_and_is_not_made_before_its_time() {
    empty().await;
    let first = hour("2004-05-03T00");
    for offset in [0, 5, 24, 29] {
        flush("/totals/late", first.plus(offset), 0..5, 1).await;
    }
    let passes = "SELECT hour_bucket AS name, pass AS number FROM hourly_totals \
         UNION ALL SELECT date, pass FROM daily_totals ORDER BY 1";
    run(&store(), budget()).await;
    let before = numbers(passes).await;
    flush("/totals/late", first.plus(5), 0..6, 2).await;
    // The same revision again, and a seal: no change.
    flush("/totals/late", first.plus(24), 0..5, 1).await;
    database().seal_hour(&PathHour { path: "/totals/late".into(), hour: first }, 1, 9).await.unwrap();
    assert_eq!(due().await, [("2004-05-03T05".to_owned(), 1.0)]);
    let done = keep_up(&store(), 60_000, budget()).await;
    let made = before.iter().find(|(name, _)| name == "2004-05-03T05").unwrap().1;
    #[allow(clippy::cast_precision_loss)]
    let next = done.next_ms.unwrap() as f64;
    assert_eq!((done.hours, next - made), (0, 60_000.0));
    let done = run(&store(), budget()).await;
    assert_eq!((done.hours, done.days), (1, 1));
    let after = numbers(passes).await;
    let changed: Vec<&str> =
        before.iter().zip(&after).filter(|(b, a)| b != a).map(|(b, _)| b.0.as_str()).collect();
    assert_eq!(changed, ["2004-05-03", "2004-05-03T05"]);
    assert_eq!((hour_requests(first.plus(5)).await, day_requests(first.date()).await), (Some(6), Some(11)));
}

#[wasm_bindgen_test]
async fn passes_that_meet_leave_the_newest_and_what_changed_meanwhile_to_be_made() {
    empty().await;
    let (path, at) = ("/totals/meet", hour("2004-06-03T10"));
    let (period, source) = (Period::Hour(at), Source::PathsOfHour(at));
    let store = store();
    let old = total_of([&flush(path, at, 0..1, 1).await]);
    let older = store.begin(period).await.unwrap().unwrap();
    let new = total_of([&flush(path, at, 0..2, 2).await]);
    let newer = store.begin(period).await.unwrap().unwrap();
    assert!(newer > older);
    flush(path, at, 0..3, 3).await;
    store.finish(source, newer, &new).await.unwrap();
    store.finish(source, older, &old).await.unwrap();
    assert_eq!(hour_requests(at).await, Some(2));
    assert_eq!(due().await.len(), 2, "the hour, since it changed, and its day");
    run(&store, budget()).await;
    assert_eq!((hour_requests(at).await, day_requests(at.date()).await), (Some(3), Some(3)));
    // A pass that has ended comes again: it is known no more.
    store.finish(source, newer, &new).await.unwrap();
    assert_eq!(hour_requests(at).await, Some(3));
    assert_eq!(store.begin(period).await.unwrap(), None, "there is nothing to be made");
}

#[wasm_bindgen_test]
async fn a_pass_that_one_run_cannot_end_is_gone_on_with() {
    empty().await;
    let at = hour("2003-05-03T10");
    let mut rows = Vec::new();
    for n in 0..12 {
        rows.push(flush(&format!("/totals/part/{n:02}"), at, n..n + 3, 1).await);
    }
    let store = store();
    let period = Period::Hour(at);
    let pass = store.begin(period).await.unwrap().unwrap();
    let Page { rows: first, is_last } = store.rows(Source::PathsOfHour(at), "", 5).await.unwrap();
    assert_eq!((first.len(), is_last), (5, false));
    let part = Part { after: first.last().unwrap().key.clone(), total: total_of(&first) };
    store.keep_part(period, pass, &part).await.unwrap();
    // Of a pass that is not the last one begun nothing is kept.
    store.keep_part(period, pass - 1, &Part { after: String::new(), total: Total::default() }).await.unwrap();
    let waiting = store.waiting(60_000, 9).await.unwrap();
    assert_eq!((waiting.len(), waiting.first().unwrap().part_of), (1, Some(pass)));
    assert!(store.part(period, pass - 1).await.unwrap().is_none());
    let kept = store.part(period, pass).await.unwrap().unwrap();
    assert_eq!((kept.after, kept.total.stats.to_bytes()), (part.after, part.total.stats.to_bytes()));
    let rest = store.rows(Source::PathsOfHour(at), "/totals/part/04", 100).await.unwrap();
    assert_eq!((rest.rows.len(), rest.is_last), (7, true));
    let done = run(&store, budget()).await;
    assert_eq!((done.hours, done.rows), (1, 7 + 1), "five rows were read before");
    let total = database().hourly_totals(at, at, Detail::Sketches).await.unwrap().remove(0);
    assert_eq!((total.paths, total.sketches), (12, Some(total_of(&rows).stats.to_bytes())));
    let parts = numbers("SELECT period AS name, pass AS number FROM totals_parts").await;
    assert!(parts.is_empty());
}

async fn night(from: &str, hourly: &str, open: &str) {
    let date = |text: &str| text.parse().unwrap();
    let horizons = Horizons { daily_from: date(from), hourly_from: date(hourly), open_from: date(open) };
    let done = nightly(&D1DailyStore::new(env().d1(D1).unwrap()), horizons, budget()).await;
    assert!(done.complete, "{done:?}");
}

#[wasm_bindgen_test]
async fn when_the_rows_of_a_day_go_its_hours_have_no_totals_and_its_own_follows_the_roll_up() {
    empty().await;
    let at = hour("2003-06-03T10");
    let (date, period, source) = (at.date(), Period::Day(at.date()), Source::HoursOfDay(at.date()));
    let (a, b) = ("/totals/old/a", "/totals/old/b");
    let mut rows = vec![flush(a, at, 0..10, 1).await, flush(a, at.plus(1), 10..20, 1).await];
    rows.push(flush(b, at, 20..25, 1).await);
    run(&store(), budget()).await;
    seal_all().await;
    flush(b, at, 20..26, 2).await;
    rows.pop();
    rows.push(source_row(b, &{
        let mut stats = PathHourStats::default();
        for n in 20..26 {
            stats.add(&PackedEvent::new(&event(b, at.start_ms() + i64::from(n), n)));
        }
        stats
    }));
    // A pass over the hours is under way, and a part of it is kept, as the night deletes.
    let store = store();
    env().d1(D1).unwrap().prepare("INSERT INTO totals_due VALUES ('2003-06-03', 1, 0)").run().await.unwrap();
    let pass = store.begin(period).await.unwrap().unwrap();
    let part = Part { after: "2003-06-03T10".to_owned(), total: Total::default() };
    store.keep_part(period, pass, &part).await.unwrap();
    night("2003-01-01", "2003-06-04", "2003-06-05").await;
    assert_eq!(hour_requests(at).await, None);
    assert_eq!(database().days_without_hourly_totals(date, date).await.unwrap(), [date]);
    store.finish(source, pass, &Total::default()).await.unwrap();
    assert_eq!(day_requests(date).await, Some(25), "what a pass over the hours read too late is not written");
    run(&store, budget()).await;
    let day = database().daily_totals(date, date, Detail::Sketches).await.unwrap().remove(0);
    assert_eq!((day.requests, day.paths), (26, 2));
    assert_eq!(day.sketches, Some(total_of(&rows).stats.to_bytes()));
    // Late events: no total is made of what is left of their hours, and the day's waits for the night.
    rows.push(flush("/totals/old/c", at, 30..34, 1).await);
    flush(a, at.plus(2), 40..42, 1).await;
    let done = run(&store, budget()).await;
    assert_eq!((done.hours, done.days, done.next_ms), (0, 0, None));
    assert_eq!((hour_requests(at).await, day_requests(date).await), (None, Some(26)));
    assert!(due().await.is_empty());
    night("2003-01-01", "2003-06-04", "2003-06-05").await;
    run(&store, budget()).await;
    assert_eq!((hour_requests(at).await, day_requests(date).await), (None, Some(32)));
    // The night again changes nothing.
    night("2003-01-01", "2003-06-04", "2003-06-05").await;
    assert_eq!(run(&store, budget()).await, Done::default());
    // Beyond the daily horizon the total goes with the rows.
    seal_all().await;
    night("2003-07-01", "2003-07-01", "2003-07-05").await;
    assert_eq!(day_requests(date).await, None);
    night("2003-07-01", "2003-07-01", "2003-07-05").await;
    assert!(database().days_without_hourly_totals(date, date).await.unwrap().is_empty());
}

/// Copies the row of a path to others below it, until there are so many.
async fn fill(path: &str, rows: u32) {
    let filler = "INSERT INTO path_stats_hourly SELECT h.path || printf('/%04d', j.value), h.hour_bucket, \
         h.requests, h.errors, h.sum_response_time, h.count_response_time, h.unique_ips, h.estimated_requests, \
         h.p50, h.p95, h.p99, h.revision, h.sealed_at, h.updated_at, h.sketches \
         FROM json_each(?1) j CROSS JOIN path_stats_hourly h ON h.path = ?2";
    let numbers = serde_json::to_string(&(1..rows).collect::<Vec<_>>()).unwrap();
    let d1 = env().d1(D1).unwrap();
    d1.prepare(filler).bind(&[numbers.into(), path.into()]).unwrap().run().await.unwrap();
}

#[wasm_bindgen_test]
async fn rows_that_are_large_are_read_in_smaller_pages() {
    const PATHS: u32 = 200;
    empty().await;
    let (path, at) = ("/totals/large", hour("2002-06-03T10"));
    let mut stats = PathHourStats::default();
    for n in 0..6_000 {
        let client = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let event = PackedEvent::new(&event(path, at.start_ms() + i64::from(n), n));
        stats.add(&PackedEvent { client_ip_hash: Some(client), ..event });
    }
    let key = PathHour { path: path.to_owned(), hour: at };
    let row = FlushRow { key, stats: stats.clone(), revision: 1, asks_for_snapshot: false, duplicates: 0 };
    database().write_hour(&row, 7).await.unwrap();
    fill(path, PATHS).await;
    let bytes = stats.to_bytes().len();
    let store = store();
    let Page { rows, is_last } = store.rows(Source::PathsOfHour(at), "", 500).await.unwrap();
    assert_eq!((rows.len(), is_last), (600_000 / bytes, false), "{bytes} bytes a row");
    let started = pathstats_edge::clock::now_ms();
    let done = run(&store, budget()).await;
    let took = pathstats_edge::clock::now_ms() - started;
    worker::console_log!("an hour of {PATHS} paths, {bytes} bytes each, and its day: {took} ms");
    assert_eq!((done.hours, done.rows), (1, u64::from(PATHS) + 1));
    let total = database().hourly_totals(at, at, Detail::Columns).await.unwrap().remove(0);
    assert_eq!(
        (total.requests, total.unique_ips, total.paths),
        (6_000 * u64::from(PATHS), stats.clients.estimate(), u64::from(PATHS))
    );
}

#[wasm_bindgen_test]
async fn an_hour_of_a_thousand_paths_costs_what_is_documented() {
    const PATHS: u32 = 1_000;
    empty().await;
    let at = hour("2002-05-03T10");
    let row = flush("/totals/many", at, 0..300, 1).await;
    fill("/totals/many", PATHS).await;

    let store = store();
    let started = pathstats_edge::clock::now_ms();
    let done = run(&store, budget()).await;
    let took = pathstats_edge::clock::now_ms() - started;
    let used = store.used();
    worker::console_log!(
        "an hour of {PATHS} paths, {} bytes each, and its day: {took} ms, {used:?}",
        row.sketches.len()
    );
    assert_eq!((done.hours, done.days, done.rows), (1, 1, u64::from(PATHS) + 1));
    assert!(used.rows_read < 2 * u64::from(PATHS) + 50, "{used:?}");
    assert!(used.rows_written <= 8, "{used:?}");
    let total = database().hourly_totals(at, at, Detail::Columns).await.unwrap().remove(0);
    assert_eq!((total.requests, total.unique_ips), (300 * u64::from(PATHS), 7));
    assert!(total.paths.abs_diff(u64::from(PATHS)) <= 10, "{}", total.paths);

    // A flush, with the note for the day's roll-up there already: the first after a pass, and another.
    let write = "UPDATE path_stats_hourly SET revision = revision + 1, sketches = sketches \
         WHERE hour_bucket = '2002-05-03T10' AND path = '/totals/many'";
    let (d1, mut written) = (env().d1(D1).unwrap(), Vec::new());
    for _ in 0..2 {
        let meta = d1.prepare(write).run().await.unwrap().meta().unwrap().unwrap();
        written.push((meta.rows_read.unwrap(), meta.rows_written.unwrap()));
    }
    worker::console_log!("a flush, rows read and written: {written:?}");
    let [(_, first), (_, second)] = written.try_into().unwrap();
    assert_eq!((first, second), (2, 1), "the note is written once");

    let idle = self::store();
    keep_up(&idle, 60_000, budget()).await;
    worker::console_log!("looking for something to do: {:?}", idle.used());
}
