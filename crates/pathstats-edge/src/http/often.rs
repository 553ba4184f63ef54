//! Words that nearly every request hands to the platform.

use pathstats_model::http::asked::{CONTENT_POLICY, STRICT_TRANSPORT};
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::snapshot::LATEST_KEY;
use wasm_bindgen::intern;

use super::JSON;
use crate::bindings::{D1, KV, TRAFFIC_ANALYTICS};

/// Names and values of headers, of bindings, and of what is called on these.
const OFTEN: [&str; 37] = [
    "Accept-Encoding",
    "Accept-Ranges",
    "Authorization",
    "Cache-Control",
    "Cf-Access-Jwt-Assertion",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Security-Policy",
    "Content-Type",
    "ETag",
    "If-None-Match",
    "Origin",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Vary",
    "X-Content-Type-Options",
    REQUEST_ID,
    CONTENT_POLICY,
    JSON,
    STRICT_TRANSPORT,
    "gzip",
    "no-referrer",
    "no-store",
    "nosniff",
    "private, no-cache",
    D1,
    KV,
    LATEST_KEY,
    TRAFFIC_ANALYTICS,
    "default",
    "delete",
    "get",
    "getWithMetadata",
    "list",
    "put",
    "text",
];

/// Keeps such words, and a Worker's own, as strings of JavaScript. Each word that is handed over anew costs a string and
/// a view of the memory that it is in, and whoever asks while such garbage is collected waits:
/// `docs/measurements.md`, "What an answer takes". A word that lacks here is only slower.
///
/// Without the feature `enable-interning` of wasm-bindgen it does nothing. The api has it; Workers that hand over large
/// texts do not, since each text is looked up among these.
pub fn intern_often(words: &[&str]) {
    for word in OFTEN.iter().chain(words) {
        intern(word);
    }
}
