use core::fmt::Write;

use super::{database, env, event};
use pathstats_edge::bindings::D1;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::calls::RowState;
use pathstats_model::hour::PathHour;
use pathstats_model::packed::PackedEvent;
use pathstats_model::PathHourStats;
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

fn row(key: &str, events: u32, revision: u64) -> FlushRow {
    let key: PathHour = key.parse().unwrap();
    let mut stats = PathHourStats::default();
    for n in 0..events {
        stats.add(&PackedEvent::new(&event(&key.path, key.hour.start_ms() + i64::from(n), n)));
    }
    FlushRow { key, stats, revision, asks_for_snapshot: false, duplicates: 0 }
}

#[derive(Debug, Deserialize)]
struct HourRow {
    requests: u32,
    errors: u32,
    sum_response_time: f64,
    count_response_time: u32,
    unique_ips: u32,
    p95: Option<f64>,
    revision: u32,
    sealed_at: Option<f64>,
    sketches: String,
}

async fn read(key: &PathHour) -> Option<HourRow> {
    let rows: Vec<HourRow> = env()
        .d1(D1)
        .unwrap()
        .prepare(
            "SELECT requests, errors, sum_response_time, count_response_time, unique_ips, p95, revision, \
             sealed_at, hex(sketches) AS sketches FROM path_stats_hourly WHERE hour_bucket = ?1 AND path = ?2",
        )
        .bind(&[key.hour.to_string().into(), key.path.as_str().into()])
        .unwrap()
        .all()
        .await
        .unwrap()
        .results()
        .unwrap();
    rows.into_iter().next()
}

#[wasm_bindgen_test]
async fn a_row_is_written_whole_with_its_sketches() {
    let row = row("/hours/whole:2025-10-15T14", 20, 3);
    database().write_hour(&row, 7).await.unwrap();
    let stored = read(&row.key).await.unwrap();
    assert_eq!(
        (stored.requests, stored.errors, stored.count_response_time, stored.unique_ips),
        (20, 5, 20, 7)
    );
    assert!((stored.sum_response_time - 315.0).abs() < 1e-9);
    assert!(stored.p95.unwrap() > 28.0);
    let mut hex = String::new();
    for byte in row.stats.to_bytes() {
        write!(hex, "{byte:02X}").unwrap();
    }
    assert_eq!(stored.sketches, hex);
}

#[wasm_bindgen_test]
async fn an_old_flush_never_overwrites_a_newer_one() {
    let newer = row("/hours/revision:2025-10-15T14", 10, 5);
    let older = row("/hours/revision:2025-10-15T14", 4, 4);
    let database = database();
    for row in [&newer, &older, &newer] {
        database.write_hour(row, 7).await.unwrap();
    }
    let stored = read(&newer.key).await.unwrap();
    assert_eq!((stored.requests, stored.revision), (10, 5));
}

#[wasm_bindgen_test]
async fn a_seal_needs_the_revision_and_a_newer_flush_takes_it_off() {
    let database = database();
    let first = row("/hours/seal:2025-10-15T14", 2, 1);
    database.write_hour(&first, 7).await.unwrap();
    assert!(!database.seal_hour(&first.key, 2, 99).await.unwrap());
    assert!(database.seal_hour(&first.key, 1, 99).await.unwrap());
    assert!(database.seal_hour(&first.key, 1, 99).await.unwrap(), "sealing again finds the same row");
    assert_eq!(read(&first.key).await.unwrap().sealed_at, Some(99.0));
    database.write_hour(&row("/hours/seal:2025-10-15T14", 3, 2), 8).await.unwrap();
    assert_eq!(read(&first.key).await.unwrap().sealed_at, None);
}

#[wasm_bindgen_test]
async fn row_states_come_in_the_order_asked_for() {
    let database = database();
    let live = row("/hours/state:a:2025-10-15T13", 1, 1);
    let sealed = row("/hours/state:a:2025-10-15T14", 1, 1);
    for row in [&live, &sealed] {
        database.write_hour(row, 7).await.unwrap();
    }
    database.seal_hour(&sealed.key, 1, 9).await.unwrap();
    let absent: PathHour = "/hours/state:a:2025-10-15T15".parse().unwrap();
    let states = database.row_states(&[&absent, &sealed.key, &live.key, &absent]).await.unwrap();
    assert_eq!(states, [RowState::Absent, RowState::Sealed, RowState::Live, RowState::Absent]);
}
