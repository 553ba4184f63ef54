use super::{env, event};
use pathstats_edge::http::{self, post};
use pathstats_edge::object_log::ObjectLog;
use pathstats_model::aggregator::{Aggregator, AlarmPlan, Log, Stored};
use pathstats_model::cadence::Cadence;
use pathstats_model::calls::{CountCall, CountReply, RowState, COUNT_PATH, REPLY_HEADER};
use pathstats_model::hour::PathHour;
use pathstats_model::packed::PackedEvent;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::{durable_object, DurableObject, Env, Request, Response, Result, State};

const CADENCE: Cadence = Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 };

/// Counts as the product's object does, loading its log anew at every call, as after an eviction.
#[durable_object(fetch)]
pub struct ForgetfulDO {
    state: State,
}

impl DurableObject for ForgetfulDO {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        let mut log = ObjectLog::new(self.state.storage().sql());
        let mut aggregator = Aggregator::new(CADENCE);
        match request.path().as_str() {
            COUNT_PATH => {
                let counted = aggregator.count(&mut log, &body, 1_000).map_err(|e| e.to_string())?;
                http::with_header(REPLY_HEADER, &counted.reply.to_header())
            }
            "/flush" => {
                let now_ms = String::from_utf8_lossy(&body).parse().unwrap();
                let plan = aggregator.alarm(&log, now_ms).map_err(|e| e.to_string())?;
                let AlarmPlan::Flush(row) = plan else { return Response::error("nothing to flush", 409) };
                aggregator
                    .flushed(&mut log, row.revision, row.duplicates, now_ms)
                    .map_err(|e| e.to_string())?;
                Response::from_json(&(row.revision, row.stats.counters.requests))
            }
            _ => {
                let Stored { checkpoint, rows, duplicates } = log.load()?;
                let told = (duplicates.counted, duplicates.told);
                Response::from_json(&(checkpoint.is_some(), rows.len(), told))
            }
        }
    }
}

struct Object(worker::durable::Stub);

impl Object {
    fn named(name: &str) -> Self {
        Self(env().durable_object("FORGETFUL_DO").unwrap().get_by_name(name).unwrap())
    }

    async fn call(&self, path: &str, body: &[u8]) -> Response {
        self.0.fetch_with_request(post(path, body).unwrap()).await.unwrap()
    }

    async fn count(&self, key: &PathHour, row: RowState, numbers: core::ops::Range<u32>) -> CountReply {
        let events: Vec<PackedEvent> =
            numbers.map(|n| PackedEvent::new(&event(&key.path, key.hour.start_ms() + 5, n))).collect();
        let response = self.call(COUNT_PATH, &CountCall::encode(key, row, &events)).await;
        CountReply::from_header(&response.headers().get(REPLY_HEADER).unwrap().unwrap()).unwrap()
    }

    async fn stored(&self) -> (bool, usize) {
        let (checkpoint, rows, _) = self.all_stored().await;
        (checkpoint, rows)
    }

    /// Whether there is a checkpoint, rows, and duplicates with those that were told.
    async fn all_stored(&self) -> (bool, usize, (u64, u64)) {
        self.call("/stored", b"").await.json().await.unwrap()
    }
}

const fn counted(counted: u32, duplicates: u32) -> CountReply {
    CountReply::Counted { counted, duplicates }
}

#[wasm_bindgen_test]
async fn an_evicted_object_knows_every_id_and_a_call_writes_one_row() {
    let key: PathHour = "/object/🦀:x:2025-10-15T14".parse().unwrap();
    let object = Object::named(&key.to_string());
    assert_eq!(object.count(&key, RowState::Young, 0..10).await, counted(10, 0));
    assert_eq!(object.count(&key, RowState::Young, 0..10).await, counted(0, 10));
    assert_eq!(object.count(&key, RowState::Young, 5..12).await, counted(2, 5));
    assert_eq!(object.stored().await, (false, 2), "a call that brings nothing new writes no row");
    assert_eq!(object.all_stored().await.2, (15, 0), "but what came again is counted");
}

#[wasm_bindgen_test]
async fn a_flush_leaves_a_checkpoint_that_loads_to_the_same_counts() {
    let key: PathHour = "/object/flush:2025-10-15T14".parse().unwrap();
    let object = Object::named(&key.to_string());
    object.count(&key, RowState::Absent, 0..10).await;
    let flushed: (u64, u64) = object.call("/flush", b"100000").await.json().await.unwrap();
    assert_eq!(flushed, (1, 10));
    assert_eq!(object.stored().await, (true, 1));
    assert_eq!(object.count(&key, RowState::Absent, 5..15).await, counted(5, 5));
    let flushed: (u64, u64) = object.call("/flush", b"200000").await.json().await.unwrap();
    assert_eq!(flushed, (2, 15));
    assert_eq!(object.all_stored().await.2, (5, 5), "told with the flush");
}

#[wasm_bindgen_test]
async fn an_empty_object_whose_row_lives_counts_nothing_and_stores_nothing() {
    let key: PathHour = "/object/not-now:2020-10-15T14".parse().unwrap();
    let object = Object::named(&key.to_string());
    assert_eq!(object.count(&key, RowState::Live, 0..10).await, CountReply::NotNow);
    assert_eq!(object.stored().await, (false, 0));
}
