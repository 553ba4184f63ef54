//! Calls about the archive, handed to the archiver. It has no address of its own.

use pathstats_edge::bindings::ARCHIVER;
use pathstats_edge::http::{self, read_body, Body};
use pathstats_edge::telemetry;
use pathstats_model::problem::Problem;
use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response, Result};

/// Most bytes of an order.
const MAX_BODY_BYTES: usize = 1_000;

/// Whether the archiver answers this path. What begins with `/admin/` needs the token of
/// administrators.
pub fn is_ours(path: &str) -> bool {
    matches!(
        path,
        "/admin/archive/status"
            | "/admin/archive/query"
            | "/admin/archive/download"
            | "/paths/events/export"
            | "/admin/archive/trigger"
            | "/admin/archive/convert"
            | "/admin/cleanup/trigger"
            | "/admin/reconcile"
            | "/admin/retention"
            | "/admin/retention/run"
            | "/admin/capacity"
    )
}

/// Hands a request on: its address, its body, and which bytes of a file are wanted. Its token stays
/// here.
pub async fn forward(mut request: Request, env: &Env) -> Result<Response> {
    let mut init = RequestInit::new();
    let headers = Headers::new();
    for name in ["Range", "If-Range", "If-None-Match"] {
        if let Some(value) = request.headers().get(name)? {
            headers.set(name, &value)?;
        }
    }
    init.with_method(request.method()).with_headers(headers);
    if request.method() == Method::Post {
        let Body::Bytes(body) = read_body(&mut request, MAX_BODY_BYTES).await? else {
            let detail = "the body of an order has 1,000 bytes at most";
            return http::problem(&Problem::new(413, "too_large", "The body is too large", detail));
        };
        init.with_body(Some(JsValue::from(js_sys::Uint8Array::from(body.as_slice()))));
    }
    let answer = async {
        env.service(ARCHIVER)?.fetch_request(Request::new_with_init(request.url()?.as_str(), &init)?).await
    };
    match answer.await {
        Ok(response) => Ok(response),
        Err(error) => {
            telemetry::error("the archiver does not answer", &error);
            let detail = "the archiver does not answer: try again later";
            http::problem(
                &Problem::new(502, "archiver_unreachable", "The archiver does not answer", detail)
                    .retry_after(10),
            )
        }
    }
}
