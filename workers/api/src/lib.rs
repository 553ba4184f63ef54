//! The api: answers from cache, KV or D1.
//!
//! What it answers to stands in [`pathstats_model::api::operations`], one row an operation, with who
//! may and what comes; the OpenAPI document is made from the same rows. Here each goes to its module:
//!
//! | operations | go to |
//! | --- | --- |
//! | `/paths` | [`paths`], and its three tiers in [`tiers`] |
//! | `/paths/stats` | [`stats`] |
//! | the archive, retention, capacity, export | [`archiver`], and on to that Worker |
//! | `/admin/dead-letters…` | [`dead_letters`], and to the consumer what changes them |
//! | `/admin/health` | [`admin_health`] |
//! | `/health` | [`health`] |

mod admin_health;
mod archiver;
mod dead_letters;
mod health;
mod paths;
mod stats;
mod tiers;

use pathstats_edge::bindings::{EnvVariables, SIGN_IN_LIMIT};
use pathstats_edge::{access, http, telemetry};
use pathstats_model::api::given::Given;
use pathstats_model::api::operations::{find, Found, Operation, OperationId, RETIRED_SOURCE};
use pathstats_model::config::{token, ApiConfig};
use pathstats_model::problem::Problem;
use worker::{event, Context, Env, Request, Response, Result};

/// Any request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    answer(request, &env, &context).await.or_else(|error| {
        telemetry::error("a request failed", &error);
        http::problem(&Problem::new(500, "internal", "Something went wrong here", "try again later"))
    })
}

async fn answer(request: Request, env: &Env, context: &Context) -> Result<Response> {
    let path = request.path();
    let found = find(request.method().as_ref(), &path);
    let config = match ApiConfig::from_variables(&EnvVariables(env)) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    if let Found::Operation(Operation { id: OperationId::Health, .. }) = found {
        return health::answer(env).await;
    }
    if let Found::OtherMethod(allowed) = found {
        let response = http::problem(&Problem::method(request.method().as_ref(), allowed))?;
        response.headers().set("Allow", allowed)?;
        return Ok(response);
    }
    // Everything else needs a token, also what is not there: a stranger learns nothing.
    let token = if path.starts_with("/admin/") {
        match token(&EnvVariables(env), "ADMIN_TOKEN") {
            Ok(token) => token,
            Err(error) => return http::problem(&Problem::configuration(&error)),
        }
    } else {
        config.read_token.clone()
    };
    if let Err(problem) = access::check(&request, env, &token, SIGN_IN_LIMIT).await? {
        return http::problem(&problem);
    }
    match found {
        Found::Operation(operation) => operate(operation, request, env, context, &config).await,
        Found::Retired(retired) => http::problem(&Problem::gone(retired)),
        Found::OtherMethod(_) | Found::Nothing => http::problem(&Problem::not_found(&path)),
    }
}

async fn operate(
    operation: &Operation,
    mut request: Request,
    env: &Env,
    context: &Context,
    config: &ApiConfig,
) -> Result<Response> {
    if operation.is_archivers() {
        return archiver::forward(request, env, operation).await;
    }
    let url = request.url()?;
    if url.query_pairs().any(|(name, value)| RETIRED_SOURCE.is(&name, &value)) {
        return http::problem(&Problem::gone(&RETIRED_SOURCE.call));
    }
    let given = match Given::read(url.query_pairs(), operation.parameters) {
        Ok(given) => given,
        Err(problem) => return http::problem(&problem),
    };
    match operation.id {
        OperationId::Health => health::answer(env).await,
        OperationId::Paths => paths::answer(&given, env, context, config).await,
        OperationId::PathStats => stats::answer(&given, env).await,
        OperationId::AdminHealth => admin_health::answer(env).await,
        OperationId::DeadLetters => dead_letters::list(&given, env).await,
        OperationId::DeadLetter => dead_letters::show(&given, env).await,
        OperationId::ReplayDeadLetters => dead_letters::replay(&mut request, env).await,
        OperationId::DiscardDeadLetters => dead_letters::discard(&mut request, env).await,
        _ => http::problem(&Problem::not_found(operation.path)),
    }
}
