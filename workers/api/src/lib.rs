//! The api: answers from cache, KV or D1.
//!
//! | request | goes to | token |
//! | --- | --- | --- |
//! | `GET /health` | [`health`] | none |
//! | `GET /paths` | [`paths`] | `READ_TOKEN` |
//! | `GET /paths/events/export` | [`archive`], and on to the archiver | `READ_TOKEN` |
//! | `/admin/archive/…`, `/admin/cleanup/trigger`, `/admin/reconcile`, `/admin/retention…`, `/admin/capacity` | the same | `ADMIN_TOKEN` |

mod archive;
mod health;
mod paths;
mod tiers;

use pathstats_edge::bindings::{EnvVariables, SIGN_IN_LIMIT};
use pathstats_edge::{access, http, telemetry};
use pathstats_model::config::{token, ApiConfig};
use pathstats_model::problem::Problem;
use worker::{event, Context, Env, Method, Request, Response, Result};

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
    let known = matches!(path.as_str(), "/health" | "/paths");
    if known && !matches!(request.method(), Method::Get | Method::Head) {
        let response = http::problem(&Problem::method(request.method().as_ref(), "GET"))?;
        response.headers().set("Allow", "GET, HEAD")?;
        return Ok(response);
    }
    let config = match ApiConfig::from_variables(&EnvVariables(env)) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    if path == "/health" {
        return health::answer(env).await;
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
    match path.as_str() {
        "/paths" => paths::answer(&request, env, context, &config).await,
        path if archive::is_ours(path) => archive::forward(request, env).await,
        _ => http::problem(&Problem::not_found(&path)),
    }
}
