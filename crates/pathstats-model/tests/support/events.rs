//! Events and messages as text.

use pathstats_model::TrafficEvent;
use serde_json::{Map, Value};

/// An event of `path` at this time; `hash` tells it from others, and its figures follow from it.
pub fn event(timestamp_ms: i64, hash: u32, path: &str) -> TrafficEvent {
    TrafficEvent::from_json(&json(timestamp_ms, hash, path)).unwrap()
}

/// The same as JSON.
pub fn json(timestamp_ms: i64, hash: u32, path: &str) -> String {
    let status = [200, 200, 204, 301, 404, 503][hash as usize % 6];
    let client = u64::from(hash % 37).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut fields = Map::new();
    fields.insert("id".to_owned(), format!("{timestamp_ms}-{hash:08x}").into());
    fields.insert("timestamp".to_owned(), timestamp_ms.into());
    fields.insert("path".to_owned(), path.into());
    fields.insert("method".to_owned(), "GET".into());
    fields.insert("status".to_owned(), status.into());
    if !hash.is_multiple_of(7) {
        fields.insert("responseTime".to_owned(), (f64::from(hash % 5_003) / 8.0).into());
    }
    if !hash.is_multiple_of(5) {
        fields.insert("clientIpHash".to_owned(), format!("{client:016x}").into());
    }
    if hash.is_multiple_of(11) {
        fields.insert("sampleRatio".to_owned(), 0.25.into());
    }
    Value::Object(fields).to_string()
}

/// A valid event with one field replaced by a piece of JSON, or removed.
pub fn json_with(timestamp_ms: i64, hash: u32, field: &str, value: Option<&str>) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(&json(timestamp_ms, hash, "/odd")).unwrap();
    match value {
        Some(value) => fields.insert(field.to_owned(), serde_json::from_str(value).unwrap()),
        None => fields.remove(field),
    };
    Value::Object(fields).to_string()
}

/// A message of several items.
pub fn packed_message(items: &[String]) -> String {
    format!("{{\"version\":1,\"events\":[{}]}}", items.join(","))
}
