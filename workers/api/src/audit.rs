//! `GET /admin/audit?limit=&cursor=`: who changed what.

use pathstats_edge::audit_store::AuditStore;
use pathstats_edge::bindings::D1;
use pathstats_edge::http::{self, Response};
use pathstats_model::api::given::Given;
use pathstats_model::audit::{AuditList, AuditQuery};
use pathstats_model::problem::Problem;
use worker::{Env, Result};

/// Newest first.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let query = match AuditQuery::read(given) {
        Ok(query) => query,
        Err(problem) => return http::problem(&problem),
    };
    // One more than wanted tells whether there is more.
    match AuditStore::new(env.d1(D1)?).page(query.before.as_ref(), query.limit + 1).await {
        Ok(entries) => http::json(200, &AuditList::new(entries, query.limit)),
        Err(error) => {
            tracing::error!(%error, "the audit cannot be read");
            http::problem(&Problem::database_unreadable())
        }
    }
}
