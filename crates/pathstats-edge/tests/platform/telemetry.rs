//! Log lines of work that goes on in turns.

use std::cell::RefCell;
use std::time::Duration;

use pathstats_edge::telemetry::{behind_request, in_request, in_request_of, Console};
use serde_json::{json, Value};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Level};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Delay;

thread_local! {
    static LINES: RefCell<Vec<(Level, Value)>> = const { RefCell::new(Vec::new()) };
}

fn keep(level: Level, line: &str) {
    assert!(!line.contains('\n'));
    LINES.with_borrow_mut(|lines| lines.push((level, serde_json::from_str(line).unwrap())));
}

/// What was written since.
fn lines() -> Vec<Value> {
    LINES.take().into_iter().map(|(_, line)| line).collect()
}

async fn pause() {
    Delay::from(Duration::from_millis(1)).await;
}

// One test: a collector is of the whole instance, and so of all tests that would run at once.
#[wasm_bindgen_test]
async fn a_line_holds_the_spans_around_it_however_work_takes_turns() {
    tracing::subscriber::set_global_default(Console::new(LevelFilter::INFO, keep)).unwrap();

    tracing::info!(count = 3_u64, share = 0.5, below = -1_i64, yes = true, text = "a \"b\"\n", shown = ?Some(1), "done");
    tracing::debug!("not told");
    assert_eq!(
        lines(),
        [json!({ "level": "info", "message": "done", "count": 3, "share": 0.5, "below": -1, "yes": true,
            "text": "a \"b\"\n", "shown": "Some(1)" })]
    );

    let work = |id: &'static str| {
        in_request(id, async move {
            for turn in 0..3_u64 {
                tracing::warn!(turn, "at work");
                pause().await;
            }
            // Handed out unpolled, as to `waitUntil`.
            Some(behind_request(async move {
                pause().await;
                tracing::error!("behind");
            }))
        })
    };
    let (first, second) = futures_util::future::join(work("first-one"), work("second-one")).await;
    futures_util::future::join(first.unwrap(), second.unwrap()).await;
    tracing::info!("outside");
    let told = lines();
    assert_eq!(told.len(), 9);
    for id in ["first-one", "second-one"] {
        let of: Vec<&Value> = told.iter().filter(|line| line["requestId"] == id).collect();
        let turns: Vec<&Value> = of.iter().map(|line| &line["turn"]).collect();
        assert_eq!(turns, [&json!(0), &json!(1), &json!(2), &Value::Null]);
        assert_eq!(of.last().unwrap()["message"], "behind");
    }
    assert_eq!(*told.last().unwrap(), json!({ "level": "info", "message": "outside" }));

    // A batch within a request, a field that is known later, and an id that is no id.
    let inner = async {
        tracing::Span::current().record("size", 7_u64);
        tracing::warn!(batchId = "its own", "within");
        tracing::warn!("within");
    };
    let outer = async {
        let batch = tracing::error_span!("batch", batchId = "m-1", size = tracing::field::Empty);
        inner.instrument(batch).await;
    };
    in_request("outer", outer).await;
    in_request_of(Some("not an\nid".to_owned()), async { tracing::warn!("of nobody") }).await;
    assert_eq!(
        lines(),
        [
            json!({ "level": "warn", "message": "within", "requestId": "outer", "batchId": "its own", "size": 7 }),
            json!({ "level": "warn", "message": "within", "requestId": "outer", "batchId": "m-1", "size": 7 }),
            json!({ "level": "warn", "message": "of nobody" }),
        ]
    );

    // A text has an end.
    tracing::warn!(error = %"x".repeat(1_000_000), "long");
    assert_eq!(lines().first().unwrap()["error"].as_str().unwrap().len(), 2_000);
}
