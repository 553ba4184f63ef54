//! `GET /admin/cardinality?hours=`: how many distinct paths each hour had room for.

use pathstats_edge::budget_store::BudgetStore;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Response};
use pathstats_model::api::given::Given;
use pathstats_model::budget::report::{CardinalityReport, MAX_HOURS};
use pathstats_model::problem::Problem;
use pathstats_model::HourBucket;
use worker::{Env, Result};

/// The hours, newest first.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let hours = match given.number("hours", 24, 1..=MAX_HOURS) {
        Ok(hours) => hours,
        Err(problem) => return http::problem(&problem),
    };
    match report(hours, env).await {
        Ok(report) => http::json(200, &report),
        Err(error) => {
            tracing::error!(%error, "the budgets of paths cannot be read");
            http::problem(&Problem::database_unreadable())
        }
    }
}

async fn report(hours: u32, env: &Env) -> Result<CardinalityReport> {
    let store = BudgetStore::of(env)?;
    let from = HourBucket::from_ms(now_ms()).plus(1 - i64::from(hours));
    // An event may lie five minutes ahead, so that the next hour may have begun.
    let budgets = store.budgets(from, hours + 1).await?;
    let named: Vec<HourBucket> = budgets.iter().map(|budget| budget.hour).collect();
    Ok(CardinalityReport::new(budgets, &store.catch_alls(&named).await?))
}
