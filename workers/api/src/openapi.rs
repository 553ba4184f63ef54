//! `GET /openapi.json`: the document of this API. It lies in the tree, and a test holds it against the
//! table that the Worker routes by.

use pathstats_edge::http::{self, Response};

/// Made by `just openapi`.
const DOCUMENT: &str = include_str!("../openapi.json");

/// The document, with a tag.
pub fn answer() -> Response {
    http::text_with_tag(DOCUMENT.to_owned())
}
