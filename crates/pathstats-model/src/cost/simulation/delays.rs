//! What a simulation is told of a run that it is held against: when batches were taken in, and how long calls took.

use serde::Deserialize;

use super::measured;

/// How long what is waited for takes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delays {
    /// From an object's alarm until the database has its row, in milliseconds, when nothing else is being written.
    pub flush_ms: i64,
    /// How long the database takes for one of many rows that are written at once, in milliseconds.
    pub query_ms: f64,
    /// How late the snapshot object's alarm rings, in milliseconds.
    pub ring_ms: i64,
    /// From asking for a snapshot until the answer, in milliseconds.
    pub ask_ms: i64,
    /// From a rebuild's beginning until its snapshot is in KV, in milliseconds.
    pub rebuild_ms: i64,
}

impl Default for Delays {
    #[allow(clippy::cast_possible_wrap, reason = "some milliseconds")]
    fn default() -> Self {
        Self {
            flush_ms: measured::FLUSH_MS as i64,
            query_ms: measured::D1_QUERY_SECONDS * 1_000.0,
            ring_ms: 0,
            ask_ms: measured::CALL_MS as i64,
            rebuild_ms: measured::REBUILD_MS as i64,
        }
    }
}

/// A run as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observed {
    /// Of each batch when it began to be taken in, in milliseconds since the load began, how long that took, and its
    /// messages. In order.
    pub batches: Vec<(i64, i64, u32)>,
    /// How long calls took.
    pub delays: Delays,
}
