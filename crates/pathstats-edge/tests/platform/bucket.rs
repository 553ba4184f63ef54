use super::env;
use pathstats_edge::bindings::R2_ARCHIVE;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Conditional;

/// What the archive rests on: an object that is there is never overwritten by a second run.
#[wasm_bindgen_test]
async fn an_object_is_created_once() {
    let bucket = env().bucket(R2_ARCHIVE).unwrap();
    let create = |bytes: &[u8]| {
        let absent = Conditional {
            etag_matches: None,
            etag_does_not_match: Some("*".to_owned()),
            uploaded_before: None,
            uploaded_after: None,
        };
        bucket.put("events-archive/2025/10/2025-10-15.jsonl.gz", bytes.to_vec()).only_if(absent).execute()
    };
    assert!(create(b"first").await.unwrap().is_some());
    assert!(create(b"second").await.unwrap().is_none());
    let object = bucket.get("events-archive/2025/10/2025-10-15.jsonl.gz").execute().await.unwrap().unwrap();
    assert_eq!(object.body().unwrap().bytes().await.unwrap(), b"first");
}
