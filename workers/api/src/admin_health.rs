//! `GET /admin/health` and `GET /admin/metrics`: every check, with its limits.

use pathstats_edge::clock::now_ms;
use pathstats_edge::health_sources;
use pathstats_edge::http::{self, Response};
use pathstats_model::exposition::{exposition, media_type};
use pathstats_model::health::assess;
use worker::{Env, Error, Result};

/// Asks all sources and judges. It is 200 however it stands: the answer says.
pub async fn answer(env: &Env) -> Result<Response> {
    let seen = health_sources::look(env).await;
    http::json(200, &assess(seen, now_ms()))
}

/// The same for Prometheus.
pub async fn metrics(accept: &str, env: &Env) -> Result<Response> {
    let report = assess(health_sources::look(env).await, now_ms());
    let text = exposition(&report).map_err(|error| Error::RustError(error.to_string()))?;
    Ok(http::text(text, media_type(accept)))
}
