//! Operations of the archiver. It has no address of its own: it is reached through here.

use std::time::Duration;

use pathstats_edge::bindings::ARCHIVER;
use pathstats_edge::clock::within;
use pathstats_edge::http::{self, read_body, Body, Response};
use pathstats_edge::telemetry;
use pathstats_model::api::operations::{Operation, Verb};
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::problem::{Problem, PROBLEM_JSON};
use wasm_bindgen::JsValue;
use worker::{Env, Error, Headers, Method, Request, RequestInit, Result};

/// Most bytes of an order.
const MAX_BODY_BYTES: usize = 1_000;

/// How long the archiver may take until an answer begins. A file or an export may then take as long
/// as it is.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// The same for an order: with `"wait":true` the archiver works for up to five minutes.
const ORDER_LIMIT: Duration = Duration::from_secs(330);

/// Hands a request on: its address, its body, and which bytes of a file are wanted. Its token stays
/// here. Given up waiting for, an order goes on all the same, and its record tells how far it came.
pub async fn forward(mut request: Request, env: &Env, operation: &Operation) -> Result<Response> {
    let mut init = RequestInit::new();
    let headers = Headers::new();
    for name in ["Range", "If-Range", "If-None-Match"] {
        if let Some(value) = request.headers().get(name)? {
            headers.set(name, &value)?;
        }
    }
    if let Some(id) = telemetry::request_id() {
        headers.set(REQUEST_ID, &id)?;
    }
    // A `HEAD` is a `GET` there: its answer's headers are what is asked for.
    init.with_method(Method::from(operation.method.name().to_owned())).with_headers(headers);
    if operation.method == Verb::Post {
        let Body::Bytes(body) = read_body(&mut request, MAX_BODY_BYTES).await? else {
            return http::problem(&Problem::too_large("the body of an order", MAX_BODY_BYTES));
        };
        init.with_body(Some(JsValue::from(js_sys::Uint8Array::from(body.as_slice()))));
    }
    let limit = if operation.method == Verb::Post { ORDER_LIMIT } else { READ_LIMIT };
    let request = Request::new_with_init(request.url()?.as_str(), &init)?;
    let asked =
        async { Ok::<_, Error>(Response::from(env.service(ARCHIVER)?.fetch_request(request).await?)) };
    match within(limit, asked).await {
        Some(Ok(response)) if is_its_own(&response) => Ok(response),
        Some(Ok(response)) => {
            let status = response.status();
            tracing::error!(status, "what answers for the archiver is not it");
            http::problem(&Problem::unreachable("archiver"))
        }
        Some(Err(error)) => {
            tracing::error!(%error, "the archiver does not answer");
            http::problem(&Problem::unreachable("archiver"))
        }
        None => http::problem(&Problem::late("archiver", limit.as_secs())),
    }
}

/// Whether an answer is the archiver's: it has none of status 500 and above that is no problem of its own.
fn is_its_own(response: &Response) -> bool {
    response.status() < 500
        || response.header("Content-Type").is_some_and(|media_type| media_type.starts_with(PROBLEM_JSON))
}
