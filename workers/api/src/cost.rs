//! `GET /admin/cost?from=&to=`: what ran, and what a month of it costs.

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::every;
use pathstats_edge::http::{self, Response};
use pathstats_edge::layout_store::LayoutStore;
use pathstats_edge::usage_store::UsageStore;
use pathstats_model::api::given::Given;
use pathstats_model::api::period::{Hours, Period};
use pathstats_model::cost::report::{CostReport, MeteredHours};
use pathstats_model::problem::Problem;
use worker::{Env, Result};

/// What was counted, in the first database, and what all of them hold.
async fn metered(hours: Hours, env: &Env) -> Result<MeteredHours> {
    let mut metered = UsageStore::new(env.d1(D1)?).metered(hours.from, hours.to.plus(-1)).await?;
    for d1 in every(env)?.into_iter().skip(1) {
        metered.storage.d1_bytes += LayoutStore::new(d1).size().await?;
    }
    Ok(metered)
}

/// Of the last 24 hours, unless asked otherwise.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let now = now_ms();
    let hours = match Period::read(given, now) {
        Ok(period) => period.hours,
        Err(problem) => return http::problem(&problem),
    };
    match metered(hours, env).await {
        Ok(metered) => http::json(200, &CostReport::new(hours, &metered, now)),
        Err(error) => {
            tracing::error!(%error, "counts of operations cannot be read");
            http::problem(&Problem::database_unreadable())
        }
    }
}
