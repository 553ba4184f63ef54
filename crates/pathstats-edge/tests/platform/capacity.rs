use super::env;
use pathstats_edge::bindings::D1;
use pathstats_edge::capacity_store::CapacityStore;
use pathstats_model::capacity::{Sample, SAMPLES_KEPT_MS};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn samples_are_kept_once_an_hour_and_for_ninety_days_and_the_size_is_told() {
    let store = CapacityStore::new(env().d1(D1).unwrap());
    let sample = |at_ms, size_bytes| Sample { at_ms, size_bytes };
    let start = 1_760_536_800_000;
    for kept in [sample(start, 5_000_000_000), sample(start + 6, 7), sample(start, 9_000_000_000)] {
        store.keep(kept).await.unwrap();
    }
    let (samples, size) = store.read().await.unwrap();
    assert_eq!(samples, [sample(start, 9_000_000_000), sample(start + 6, 7)]);
    assert!(size > 4_096, "{size}");
    store.keep(sample(start + SAMPLES_KEPT_MS + 6, 8)).await.unwrap();
    let (samples, _) = store.read().await.unwrap();
    assert_eq!(samples, [sample(start + 6, 7), sample(start + SAMPLES_KEPT_MS + 6, 8)]);
}

#[wasm_bindgen_test]
async fn the_size_shrinks_when_rows_are_deleted() {
    let store = CapacityStore::new(env().d1(D1).unwrap());
    let run = |sql: &'static str| async move { env().d1(D1).unwrap().prepare(sql).run().await.unwrap() };
    let (_, before) = store.read().await.unwrap();
    run("INSERT INTO outbox SELECT 'capacity-' || value, hex(zeroblob(50000)), 0 \
         FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]')")
    .await;
    let (_, full) = store.read().await.unwrap();
    run("DELETE FROM outbox WHERE id LIKE 'capacity-%'").await;
    let (_, after) = store.read().await.unwrap();
    assert!(full > before + 1_900_000, "{before} {full}");
    assert!(after < full - 1_900_000, "{full} {after}");
}
