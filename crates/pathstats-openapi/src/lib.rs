//! The OpenAPI document of the API, and its reference for readers.
//!
//! Nothing is written twice: operations, parameters and statuses come from the table that the Worker
//! routes by ([`pathstats_model::api::operations`]), schemas from the types that are answered.
//!
//! | | in |
//! | --- | --- |
//! | the document | [`document()`] |
//! | values of parameters as JSON Schema | [`parameters`] |
//! | which types are answered | [`schemas`] |
//! | which problems an operation may answer | [`problems`] |
//! | the reference, made of the document | [`reference()`] |

// What is indexed here are JSON objects made a few lines above. It runs on the machine, not in a Worker.
#![allow(clippy::indexing_slicing)]

mod document;
pub mod parameters;
pub mod problems;
mod reference;
pub mod schemas;

pub use document::document;
pub use reference::reference;

/// Where the document lies, from the root of the repository. The Worker answers with this file.
pub const DOCUMENT_FILE: &str = "workers/api/openapi.json";
/// Where the reference lies.
pub const REFERENCE_FILE: &str = "docs/api.md";

/// The document as it lies in its file.
///
/// # Errors
///
/// When it does not serialise.
pub fn document_text() -> serde_json::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&document())?))
}
