use super::{database, event};
use pathstats_edge::snapshot_build::build;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::hour::{HourBucket, PathHour};
use pathstats_model::packed::PackedEvent;
use pathstats_model::PathHourStats;
use wasm_bindgen_test::wasm_bindgen_test;

/// A time of its own, so that rows of other tests are not of its 24 hours.
const NOW: i64 = 1_577_880_000_000;

async fn write(path: &str, hour: HourBucket, events: core::ops::Range<u32>) -> PathHourStats {
    let mut stats = PathHourStats::default();
    for n in events {
        stats.add(&PackedEvent::new(&event(path, hour.start_ms() + i64::from(n), n)));
    }
    let key = PathHour { path: path.to_owned(), hour };
    let row = FlushRow { key, stats: stats.clone(), revision: 1, asks_for_snapshot: false };
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
    let snapshot = build(&database(), 9, NOW).await.unwrap();
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
