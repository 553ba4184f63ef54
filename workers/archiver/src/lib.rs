//! The archiver: moves closed days from the database into the bucket, and tells what is where.
//!
//! | what comes | where it goes |
//! | --- | --- |
//! | `GET /admin/archive/status` | [`status`]: the days and how far each is; with `?date=`, all of one |
//! | `POST /admin/archive/trigger`, `/admin/archive/convert`, `/admin/cleanup/trigger`, `/admin/reconcile` | [`orders`]: one day, now |
//! | `GET /admin/archive/query`, `/admin/archive/download`, `/paths/events/export` | [`reading`]: what was recorded |
//! | the cron of every night, and that of every ten minutes | [`nightly`]: what is due, what is unfinished |
//!
//! It is reached by the api's service binding alone: it has no route.

mod nightly;
mod orders;
mod reading;
mod settings;
mod status;

use pathstats_edge::{http, telemetry};
use pathstats_model::problem::Problem;
use worker::{event, Context, Env, Method, Request, Response, Result, ScheduleContext, ScheduledEvent};

/// A call from the api.
#[event(fetch)]
async fn fetch(mut request: Request, env: Env, context: Context) -> Result<Response> {
    let path = request.path();
    let accepted = match path.as_str() {
        "/admin/archive/status"
        | "/admin/archive/query"
        | "/admin/archive/download"
        | "/paths/events/export" => Method::Get,
        "/admin/archive/trigger"
        | "/admin/archive/convert"
        | "/admin/cleanup/trigger"
        | "/admin/reconcile" => Method::Post,
        _ => return http::problem(&Problem::not_found(&path)),
    };
    if request.method() != accepted {
        return http::problem(&Problem::method(request.method().as_ref(), accepted.as_ref()));
    }
    let config = match settings::config(&env) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    match path.as_str() {
        "/admin/archive/status" => status::answer(&request, &env, &config).await,
        "/admin/archive/query" | "/admin/archive/download" | "/paths/events/export" => {
            reading::answer(&request, &path, &env).await
        }
        _ => orders::take(&mut request, &path, env, context, config).await,
    }
}

/// What is due, and what is unfinished.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    match settings::config(&env) {
        Ok(config) => nightly::run(&env, &config).await,
        Err(error) => telemetry::error("the archiver is not configured, so nothing is archived", &error),
    }
}
