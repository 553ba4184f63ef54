//! `GET /admin/ledger`: whether all that was received is accounted for.

use pathstats_edge::clock::now_ms;
use pathstats_edge::health_sources;
use pathstats_edge::http::{self, Response};
use pathstats_edge::ledger::Ledger;
use pathstats_model::api::given::Given;
use pathstats_model::completeness::answers::{LedgerAnswer, LedgerQuery};
use pathstats_model::completeness::settled::watermark;
use pathstats_model::problem::Problem;
use worker::{Env, Result};

/// The hours of a range. What waits is asked first: what comes behind that is past the watermark.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let now = now_ms();
    let query = match LedgerQuery::read(given, now) {
        Ok(query) => query,
        Err(problem) => return http::problem(&problem),
    };
    let (queue, outbox) = health_sources::under_way(env).await;
    match Ledger::of(env)?.hours(query).await {
        Ok(hours) => http::json(200, &LedgerAnswer::new(query, &hours, watermark(&queue, &outbox, now), now)),
        Err(error) => {
            tracing::error!(%error, "the ledger cannot be read");
            http::problem(&Problem::database_unreadable())
        }
    }
}
