//! The producer: proxies the origin and records each request behind the answer; takes events at
//! `POST /collect` from services that are not proxied.
//!
//! | request | goes to |
//! | --- | --- |
//! | `/collect` | [`collect`] |
//! | everything else | [`proxy`] |

mod collect;
mod proxy;

use pathstats_edge::bindings::counted_as;
use pathstats_edge::{http, microtasks, telemetry, usage};
use pathstats_model::cost::Operation;
use pathstats_model::problem::Problem;
use worker::{event, Context, Env};

/// An instance begins.
#[event(start)]
fn start() {
    microtasks::by_promises();
}

/// Any request.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    telemetry::start(&env);
    usage::count(Operation::WorkerRequests, 1);
    if is_collect(&request.url()) {
        let answer = collect::answer(request.into(), &env).await.or_else(|error| {
            tracing::error!(%error, "/collect failed");
            http::problem(&Problem::new(500, "internal", "Something went wrong here", "try again later"))
        })?;
        usage::settle_behind(&context, &env, counted_as::THE_PRODUCER);
        return answer.into_web();
    }
    proxy::forward(request, env, &context).await
}

/// Whether the URL's path is `/collect`.
fn is_collect(url: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split_once('/').is_some_and(|(_, path)| path == "collect")
}
