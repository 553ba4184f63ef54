//! `GET /admin/cost?from=&to=`: what ran, and what a month of it costs.

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http;
use pathstats_edge::usage_store::UsageStore;
use pathstats_model::api::given::Given;
use pathstats_model::api::period::Period;
use pathstats_model::cost::report::CostReport;
use pathstats_model::problem::Problem;
use worker::{Env, Response, Result};

/// Of the last 24 hours, unless asked otherwise.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let now = now_ms();
    let hours = match Period::read(given, now) {
        Ok(period) => period.hours,
        Err(problem) => return http::problem(&problem),
    };
    match UsageStore::new(env.d1(D1)?).metered(hours.from, hours.to.plus(-1)).await {
        Ok(metered) => http::json(200, &CostReport::new(hours, &metered, now)),
        Err(error) => {
            tracing::error!(%error, "counts of operations cannot be read");
            http::problem(&Problem::database_unreadable())
        }
    }
}
