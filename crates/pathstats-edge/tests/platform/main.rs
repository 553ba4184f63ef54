//! The adapters against the real platform: these tests run inside workerd, with real D1, KV, R2 and
//! Durable Objects, by `just test-wasm`.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the test attribute and the object's macro expand to wasm exports")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs, reason = "a test's name is its documentation")]

mod access;
mod answers;
mod audit;
mod bucket;
mod capacity;
mod daily;
mod database;
mod exchange;
mod health;
mod hours;
mod kv;
mod ledger;
mod letters;
mod object;
mod sharding;
mod snapshot;
mod telemetry;
mod totals;
mod usage;

use pathstats_model::event::TrafficEvent;
use wasm_bindgen::JsCast;
use worker::Env;

/// The bindings that the runner gives.
fn env() -> Env {
    js_sys::Reflect::get(&js_sys::global(), &"__pathstats_env".into()).unwrap().unchecked_into()
}

fn database() -> pathstats_edge::database::Database {
    pathstats_edge::database::Database::new(env().d1(pathstats_edge::bindings::D1).unwrap())
}

/// All paths in the first database.
fn one_database() -> pathstats_edge::databases::Databases {
    pathstats_edge::databases::Databases::by(&env(), pathstats_model::sharding::Layouts::default())
}

/// A valid event of a path at a time; `n` makes its id its own.
fn event(path: &str, timestamp_ms: i64, n: u32) -> TrafficEvent {
    let text = serde_json::json!({
        "id": format!("{timestamp_ms}-{n:08x}"), "timestamp": timestamp_ms, "path": path, "method": "GET",
        "status": if n.is_multiple_of(4) { 500 } else { 200 }, "responseTime": 1.5 * f64::from(n + 1),
        "clientIpHash": format!("{:016x}", n % 7), "userAgent": "a \"quoted\" agent 🦀", "country": "NZ",
    });
    TrafficEvent::from_json(&text.to_string()).unwrap()
}
