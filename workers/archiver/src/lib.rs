//! The archiver: moves closed days from the database into the bucket, and tells what is where.
//!
//! | what comes | where it goes |
//! | --- | --- |
//! | `GET /admin/archive/status` | [`status`]: the days and how far each is; with `?date=`, all of one |
//! | `POST /admin/archive/trigger`, `/admin/archive/convert`, `/admin/cleanup/trigger`, `/admin/reconcile` | [`orders`]: one day, now |
//! | `GET /admin/archive/query`, `/admin/archive/download`, `/paths/events/export` | [`reading`]: what was recorded |
//! | `GET /admin/retention`, `POST /admin/retention/run` | [`retention`]: roll-up and deletion of old statistics |
//! | `GET /admin/capacity`, the cron of every six hours | [`capacity`]: how full the database is |
//! | `POST /sharding/bound` | how many databases there are for it |
//! | `GET /state` | [`state`]: what the api's health asks for |
//! | the cron of every night, and that of every ten minutes | [`nightly`]: what is due, what is unfinished |
//!
//! It is reached by the api's service binding alone: it has no route.

mod capacity;
mod nightly;
mod orders;
mod reading;
mod retention;
mod settings;
mod state;
mod status;

use pathstats_edge::bindings::{counted_as, EnvVariables};
use pathstats_edge::databases::bound;
use pathstats_edge::http::{self, Response};
use pathstats_edge::{microtasks, telemetry, usage};
use pathstats_model::capacity::CapacityDecision;
use pathstats_model::cost::Operation;
use pathstats_model::health::ARCHIVER_STATE_PATH;
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::problem::Problem;
use pathstats_model::retention::RetentionConfig;
use pathstats_model::sharding::{Bound, BOUND_PATH};
use worker::{event, Context, Env, Method, Request, Result, ScheduleContext, ScheduledEvent};

/// The cron of every night.
const NIGHTLY_CRON: &str = "0 2 * * *";
/// The cron that looks at the size of the database.
const CAPACITY_CRON: &str = "0 */6 * * *";
/// How long days are rolled up and old rows deleted in one firing, after the archive's eight minutes.
const RETENTION_MS: i64 = 120_000;
/// Queries that are left for that when the archive used up its own.
const RETENTION_RESERVE: u32 = 60;

/// An instance begins.
#[event(start)]
fn start() {
    microtasks::by_promises();
}

/// A call from the api.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    telemetry::start(&env);
    let id = request.headers().get(REQUEST_ID)?;
    let response = telemetry::in_request_of(id, answer(request, env.clone(), context)).await;
    usage::settle(&env, counted_as::THE_ARCHIVER).await;
    response
}

async fn answer(mut request: Request, env: Env, context: Context) -> Result<Response> {
    let path = request.path();
    let accepted = match path.as_str() {
        "/admin/archive/status"
        | "/admin/archive/query"
        | "/admin/archive/download"
        | "/paths/events/export"
        | "/admin/retention"
        | "/admin/capacity"
        | ARCHIVER_STATE_PATH => Method::Get,
        "/admin/archive/trigger"
        | "/admin/archive/convert"
        | "/admin/cleanup/trigger"
        | "/admin/reconcile"
        | "/admin/retention/run"
        | BOUND_PATH => Method::Post,
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
        "/admin/retention" => retention::plan(&env).await,
        "/admin/retention/run" => retention::run(&env).await,
        "/admin/capacity" => capacity::report(&env).await,
        BOUND_PATH => http::json(200, &Bound { databases: bound(&env) }),
        ARCHIVER_STATE_PATH => state::answer(&env, &config).await,
        "/admin/archive/status" => status::answer(&request, &env, &config).await,
        "/admin/archive/query" | "/admin/archive/download" | "/paths/events/export" => {
            reading::answer(&request, &path, &env).await
        }
        _ => orders::take(&mut request, &path, env, context, config).await,
    }
}

/// What is due, and what is unfinished; every six hours how full the database is.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    telemetry::start(&env);
    usage::count(Operation::WorkerRequests, 1);
    fire(&event, &env).await;
    usage::settle(&env, counted_as::THE_ARCHIVER).await;
}

async fn fire(event: &ScheduledEvent, env: &Env) {
    let config = match settings::config(env) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the archiver is not configured, so nothing is archived");
            return;
        }
    };
    if event.cron() == CAPACITY_CRON {
        match capacity::sample(env).await {
            Ok(CapacityDecision::ArchiveNow(date)) => nightly::one(env, &config, date).await,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the size of the database is not known"),
        }
        return;
    }
    let left = nightly::run(env, &config).await;
    let done = match RetentionConfig::from_variables(&EnvVariables(env)) {
        Ok(mut config) => {
            config.queries = config.queries.min(left + RETENTION_RESERVE);
            if event.cron() == NIGHTLY_CRON {
                retention::nightly(env, &config, RETENTION_MS).await
            } else {
                retention::go_on(env, &config, RETENTION_MS).await
            }
        }
        Err(error) => Err(error.to_string().into()),
    };
    if let Err(error) = done {
        tracing::error!(%error, "no day is rolled up, and nothing old is deleted");
    }
}
