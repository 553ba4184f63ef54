//! The api: answers from cache, KV or D1.
//!
//! What it answers to stands in [`pathstats_model::api::operations`], one row an operation, with who
//! may and what comes; the OpenAPI document is made from the same rows. Here each goes to its module:
//!
//! | operations | go to |
//! | --- | --- |
//! | `/paths` | [`paths`], and its three tiers in [`tiers`] |
//! | `/paths/stats` | [`stats`] |
//! | `/paths/metrics`, `/paths/search` | [`metrics`] |
//! | the archive, retention, capacity, export | [`archiver`], and on to that Worker |
//! | `/admin/dead-letters…` | [`dead_letters`], and to the consumer what changes them |
//! | `/admin/health`, `/admin/metrics` | [`admin_health`] |
//! | `/admin/alerts…`, and the cron of every minute | [`alerts`] |
//! | `/admin/cost` | [`cost`] |
//! | `/admin/ledger` | [`ledger`] |
//! | `/admin/sharding…` | [`sharding`]: over how many databases paths are spread |
//! | `/health` | [`health`] |
//! | whatever changes something | [`gate`] first: who may, and the audit |
//! | `/admin/audit` | [`audit`] |
//! | `/admin/cardinality` | [`cardinality`] |
//! | `/openapi.json` | [`openapi`] |

mod admin_health;
mod alerts;
mod archiver;
mod audit;
mod cardinality;
mod cost;
mod dead_letters;
mod gate;
mod health;
mod ledger;
mod metrics;
mod openapi;
mod paths;
mod settings;
mod sharding;
mod stats;
mod tiers;

use pathstats_edge::bindings::counted_as;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Exchange, Response};
use pathstats_edge::{microtasks, telemetry, usage};
use pathstats_model::access::Identity;
use pathstats_model::api::given::Given;
use pathstats_model::api::operations::{find, Access, Found, Operation, OperationId, RETIRED_SOURCE};
use pathstats_model::api::session::Session;
use pathstats_model::config::{ApiConfig, ConfigError};
use pathstats_model::cost::Operation as Billed;
use pathstats_model::event::cut;
use pathstats_model::http::cors::Cors;
use pathstats_model::problem::Problem;
use worker::{event, Context, Env, Request, Result, ScheduleContext, ScheduledEvent, Url};

/// An instance begins.
#[event(start)]
fn start() {
    microtasks::by_promises();
    http::intern_often(&tiers::WORDS);
}

/// Any request. What every answer carries is put on here.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    telemetry::start(&env);
    usage::count(Billed::WorkerRequests, 1);
    let exchange = match Exchange::of(&request) {
        Ok(exchange) => exchange,
        Err(error) => {
            tracing::warn!(%error, "a request cannot be read");
            let detail = "the address or a header cannot be read: expected as RFC 9110 has them";
            return http::problem(&Problem::new(
                400,
                "unreadable_request",
                "The request cannot be read",
                detail,
            ));
        }
    };
    let (path, began) = (request.path(), now_ms());
    let work = async {
        let config = settings::config(&env);
        let response = answer(&exchange, request, &env, &context, &config).await.or_else(|error| {
            tracing::error!(%error, "a request failed");
            http::problem(&Problem::new(500, "internal", "Something went wrong here", "try again later"))
        })?;
        let (status, milliseconds) = (response.status(), now_ms() - began);
        tracing::debug!(
            method = exchange.method(),
            path = cut(&path, 200),
            status,
            milliseconds,
            "a request was answered"
        );
        match &*config {
            Ok(config) => exchange.finish(response, &config.cors),
            Err(_) => exchange.finish(response, &Cors::default()),
        }
    };
    let response = telemetry::in_request(exchange.id(), work).await;
    usage::settle_behind(&context, &env, counted_as::THE_API);
    response
}

/// The cron of every minute.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    // A time in milliseconds is far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    let scheduled_ms = event.schedule() as i64;
    telemetry::start(&env);
    usage::count(Billed::WorkerRequests, 1);
    alerts::run(&env, scheduled_ms).await;
    usage::settle(&env, counted_as::THE_API).await;
}

async fn answer(
    exchange: &Exchange,
    request: Request,
    env: &Env,
    context: &Context,
    config: &core::result::Result<ApiConfig, ConfigError>,
) -> Result<Response> {
    if let Some(problem) = exchange.refuse_address() {
        return http::problem(&problem);
    }
    let config = match config {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(error)),
    };
    if let Some(response) = exchange.preflight(&config.cors)? {
        return Ok(response);
    }
    let (method, url, path) = (exchange.method(), exchange.url(), request.path());
    let found = find(method, &path);
    if let Found::OtherMethod(allowed) = found {
        return Ok(http::problem(&Problem::method(method, allowed))?.with_header("Allow", allowed));
    }
    if let Found::Operation(operation @ Operation { access: Access::Open, .. }) = found {
        return operate(operation, url, request, None, env, context, config).await;
    }
    // Everything else needs to know who asks, also what is not there: a stranger learns nothing.
    let identity = match pathstats_edge::access::identify(&request, env, &config.access).await? {
        Ok(identity) => identity,
        Err(problem) => return http::problem(&problem),
    };
    match found {
        Found::Operation(operation) if operation.access == Access::Change => {
            let act = |request| operate(operation, url, request, Some(&identity), env, context, config);
            gate::change(operation, request, env, &identity, exchange.id(), act).await
        }
        Found::Operation(operation) => {
            operate(operation, url, request, Some(&identity), env, context, config).await
        }
        Found::Retired(retired) => http::problem(&Problem::gone(retired)),
        Found::OtherMethod(_) | Found::Nothing => http::problem(&Problem::not_found(&path)),
    }
}

async fn operate(
    operation: &Operation,
    url: &Url,
    mut request: Request,
    identity: Option<&Identity>,
    env: &Env,
    context: &Context,
    config: &ApiConfig,
) -> Result<Response> {
    if url.query_pairs().any(|(name, value)| RETIRED_SOURCE.is(&name, &value)) {
        return http::problem(&Problem::gone(&RETIRED_SOURCE.call));
    }
    let given = match Given::read(url.query_pairs(), operation.parameters) {
        Ok(given) => given,
        Err(problem) => return http::problem(&problem),
    };
    if operation.is_archivers() {
        return archiver::forward(request, env, operation).await;
    }
    match operation.id {
        OperationId::Health => health::answer(env).await,
        OperationId::Session => match identity {
            Some(identity) => http::json_with_tag(&Session::new(identity, config, env!("CARGO_PKG_VERSION"))),
            None => http::problem(&Problem::not_found(operation.path)),
        },
        OperationId::OpenApi => Ok(openapi::answer()),
        OperationId::Paths => paths::answer(&given, env, context, config).await,
        OperationId::PathStats => {
            stats::answer(&given, url.query().unwrap_or_default(), env, context, config).await
        }
        OperationId::Metrics => {
            metrics::answer(&given, url.query().unwrap_or_default(), env, context, config).await
        }
        OperationId::SearchPaths => metrics::search(&given, env).await,
        OperationId::Audit => audit::answer(&given, env).await,
        OperationId::Cost => cost::answer(&given, env).await,
        OperationId::Cardinality => cardinality::answer(&given, env).await,
        OperationId::Sharding => sharding::show(env).await,
        OperationId::Reshard => sharding::reshard(&mut request, identity, env).await,
        OperationId::AdminHealth => admin_health::answer(env).await,
        OperationId::AdminMetrics => {
            let accept = request.headers().get("Accept")?.unwrap_or_default();
            admin_health::metrics(&accept, env).await
        }
        OperationId::Ledger => ledger::answer(&given, env).await,
        OperationId::Alerts => alerts::list(env).await,
        OperationId::AlertHistory => alerts::history(&given, env).await,
        OperationId::SilenceAlerts => alerts::silence(&mut request, identity, env).await,
        OperationId::UnsilenceAlerts => alerts::unsilence(&mut request, env).await,
        OperationId::TestAlerts => alerts::test(identity, env).await,
        OperationId::DeadLetters => dead_letters::list(&given, env).await,
        OperationId::DeadLetter => dead_letters::show(&given, env).await,
        OperationId::ReplayDeadLetters => dead_letters::replay(&mut request, env).await,
        OperationId::DiscardDeadLetters => dead_letters::discard(&mut request, env).await,
        _ => http::problem(&Problem::not_found(operation.path)),
    }
}
