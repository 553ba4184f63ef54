//! Rows of D1 as text, some dozens to a string: a row of its own costs more in crossing from
//! JavaScript than in being read.
//!
//! A statement names its one column `rows`. A string stays far below the 2 MB that D1 allows.

use serde::Deserialize;
use worker::{D1Result, Error, Result};

#[derive(Deserialize)]
struct Text {
    rows: Option<String>,
}

/// The strings of a result.
pub(crate) fn texts(result: &D1Result) -> Result<Vec<String>> {
    Ok(result.results::<Text>()?.into_iter().filter_map(|row| row.rows).collect())
}

/// A field of a row.
pub(crate) fn field<T: core::str::FromStr>(text: Option<&str>) -> Result<T> {
    text.and_then(|text| text.parse().ok()).ok_or_else(broken)
}

/// What a row is that holds something else than its statement wrote.
pub(crate) fn broken() -> Error {
    Error::RustError("a row of statistics is broken".to_owned())
}
