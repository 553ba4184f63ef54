use super::env;
use pathstats_edge::bindings::KV;
use pathstats_edge::snapshot_store::SnapshotStore;
use pathstats_model::snapshot::{snapshot_key, Snapshot, LATEST_KEY};
use wasm_bindgen_test::wasm_bindgen_test;

fn snapshot(version: u64) -> Snapshot {
    Snapshot {
        version,
        updated_at: 5,
        from: "2025-10-14T15".parse().unwrap(),
        to: "2025-10-15T14".parse().unwrap(),
        paths: Vec::new(),
    }
}

#[wasm_bindgen_test]
async fn the_newest_snapshot_is_read_and_the_one_before_when_it_is_missing() {
    let kv = env().kv(KV).unwrap();
    let store = SnapshotStore::new(kv.clone());
    store.publish(&snapshot(7).into(), None).await.unwrap();
    store.publish(&snapshot(8).into(), Some(7)).await.unwrap();
    kv.delete(&snapshot_key(8)).await.unwrap();
    assert_eq!(latest(&store).await, Some(snapshot(7)));
    store.publish(&snapshot(8).into(), Some(7)).await.unwrap();
    assert_eq!(latest(&store).await, Some(snapshot(8)));
    // What was read does not change, and is not read again.
    kv.delete(&snapshot_key(8)).await.unwrap();
    assert_eq!(latest(&store).await, Some(snapshot(8)));
    store.publish(&snapshot(9).into(), Some(8)).await.unwrap();
    for version in [7, 9] {
        kv.delete(&snapshot_key(version)).await.unwrap();
    }
    assert_eq!(latest(&store).await, None);
}

async fn latest(store: &SnapshotStore) -> Option<Snapshot> {
    store.latest().await.unwrap().map(|snapshot| (**snapshot).clone())
}

#[wasm_bindgen_test]
async fn the_heartbeat_reads_back() {
    let store = SnapshotStore::new(env().kv(KV).unwrap());
    store.beat(1_760_536_800_123).await.unwrap();
    assert_eq!(store.heartbeat().await.unwrap(), Some(1_760_536_800_123));
}

#[wasm_bindgen_test]
async fn what_does_not_read_passes_for_missing() {
    let kv = env().kv(KV).unwrap();
    let store = SnapshotStore::new(kv.clone());
    store.publish(&snapshot(20).into(), None).await.unwrap();
    store.publish(&snapshot(21).into(), Some(20)).await.unwrap();
    kv.put(&snapshot_key(21), "{").unwrap().execute().await.unwrap();
    assert_eq!(latest(&store).await, Some(snapshot(20)));
    kv.put(LATEST_KEY, "garbled").unwrap().execute().await.unwrap();
    assert_eq!(store.pointer().await.unwrap(), None);
    kv.delete(LATEST_KEY).await.unwrap();
}
