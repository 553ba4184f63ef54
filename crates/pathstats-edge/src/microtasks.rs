//! How work in Rust goes on after it waited.

use js_sys::{global, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// Has it go on as the reaction of a promise, for the rest of this instance. For `#[event(start)]`, before anything
/// is spawned: `wasm-bindgen-futures` looks once.
///
/// It would take `queueMicrotask`, which in workerd wraps the function anew at each call, as an object that survives
/// quick collections of garbage: an answer from KV goes on six times, and that was a quarter of what survived
/// (`docs/measurements.md`, "What an answer takes"). Without that function it falls back to a promise, which costs
/// nothing that stays. Nothing else here calls it.
pub fn by_promises() {
    // Refused, all works as before, only slower.
    if Reflect::set(&global(), &JsValue::from_str("queueMicrotask"), &JsValue::UNDEFINED).is_ok() {
        // Looks now: the promise that all reactions are of is to belong to no request.
        spawn_local(async {});
    }
}
