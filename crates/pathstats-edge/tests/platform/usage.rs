use super::{env, event};
use pathstats_edge::bindings::D1;
use pathstats_edge::usage_store::UsageStore;
use pathstats_model::cost::{Operation, Operations};
use pathstats_model::HourBucket;
use wasm_bindgen_test::wasm_bindgen_test;

fn hour(text: &str) -> HourBucket {
    text.parse().unwrap()
}

#[wasm_bindgen_test]
async fn counts_add_up_by_hour_and_worker_and_old_ones_go() {
    let store = UsageStore::new(env().d1(D1).unwrap());
    let counts = |rows| -> Operations {
        [(Operation::D1RowsWritten, rows), (Operation::Events, 1)].into_iter().collect()
    };
    for (at, worker, rows) in [
        ("2004-01-01T00", "api", 5),
        ("2004-01-01T00", "api", 6),
        ("2004-01-01T01", "api", 7),
        ("2004-01-01T01", "consumer", 1 << 40),
    ] {
        store.add(hour(at), worker, &counts(rows)).await.unwrap();
    }
    let metered = store.metered(hour("2003-12-31T00"), hour("2004-01-01T02")).await.unwrap();
    let found: Vec<_> = metered
        .workers
        .iter()
        .map(|of| {
            (
                of.worker.as_str(),
                of.hours,
                of.counts.get(Operation::D1RowsWritten),
                of.counts.get(Operation::Events),
            )
        })
        .collect();
    assert_eq!(found, [("api", 2, 18, 3), ("consumer", 1, 1 << 40, 1)]);
    assert_eq!(metered.first, Some(hour("2004-01-01T00")));
    assert!(metered.storage.d1_bytes > 4_096);
    store.forget_before(hour("2004-01-01T01")).await.unwrap();
    let metered = store.metered(hour("2003-12-31T00"), hour("2004-01-01T02")).await.unwrap();
    assert_eq!(metered.first, Some(hour("2004-01-01T01")));
    store.forget_before(hour("2004-01-01T02")).await.unwrap();
    assert!(store.metered(hour("2003-12-31T00"), hour("2004-01-01T02")).await.unwrap().workers.is_empty());
}

/// Adding up is one row, however many operations there are: the meter must not cost what it measures.
#[wasm_bindgen_test]
async fn a_raw_event_and_a_count_are_one_row_each() {
    let d1 = pathstats_edge::metered::D1Database::new(env().d1(D1).unwrap());
    let event = event("/usage", 1_072_915_200_000, 1);
    super::database().store_events(&[&event]).await.unwrap();
    let rows = |sql: &'static str| d1.prepare(sql);
    let written = rows("UPDATE traffic_events SET status = 204 WHERE path = '/usage'").run().await.unwrap();
    assert_eq!(written.meta().unwrap().unwrap().rows_written, Some(1));
    let store = UsageStore::new(env().d1(D1).unwrap());
    store.add(hour("2004-02-01T00"), "api", &Operations::NONE).await.unwrap();
    let again = rows("UPDATE operations_hourly SET events = events + 1 WHERE hour_bucket = '2004-02-01T00'");
    assert_eq!(again.run().await.unwrap().meta().unwrap().unwrap().rows_written, Some(1));
    store.forget_before(hour("2004-02-01T01")).await.unwrap();
}
