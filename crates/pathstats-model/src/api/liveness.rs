//! What `GET /health` answers.

use serde::Serialize;

/// That the api answers, and how old what it would answer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    status: &'static str,
    version: &'static str,
    /// Seconds since the consumer last took a batch in; `null` before the first.
    heartbeat_age_seconds: Option<i64>,
    /// Seconds since the snapshot was made; `null` before the first.
    snapshot_age_seconds: Option<i64>,
}

impl Health {
    /// Of a Worker of this version, and what KV told.
    #[must_use]
    pub const fn new(
        version: &'static str,
        heartbeat_age_seconds: Option<i64>,
        snapshot_age_seconds: Option<i64>,
    ) -> Self {
        Self { status: "ok", version, heartbeat_age_seconds, snapshot_age_seconds }
    }
}
