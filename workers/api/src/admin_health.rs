//! `GET /admin/health`: every check, with its limits.

use pathstats_edge::clock::now_ms;
use pathstats_edge::{health_sources, http};
use pathstats_model::health::assess;
use worker::{Env, Response, Result};

/// Asks all sources and judges. It is 200 however it stands: the answer says.
pub async fn answer(env: &Env) -> Result<Response> {
    let seen = health_sources::look(env).await;
    http::json(200, &assess(seen, now_ms()))
}
