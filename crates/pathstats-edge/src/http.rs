//! Responses, requests between Workers, and bodies with a limit.

use futures_util::StreamExt;
use pathstats_model::problem::{Problem, PROBLEM_JSON};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Error, Request, Response, Result, Stub};

/// JSON with a status.
///
/// # Errors
///
/// When the body does not serialise.
pub fn json(status: u16, body: &impl Serialize) -> Result<Response> {
    let text = serde_json::to_string(body)?;
    with_type(status, text.into_bytes(), "application/json; charset=utf-8")
}

/// An error as `application/problem+json`.
///
/// # Errors
///
/// When the platform refuses the response.
pub fn problem(problem: &Problem) -> Result<Response> {
    let text = serde_json::to_string(problem)?;
    let response = with_type(problem.status, text.into_bytes(), PROBLEM_JSON)?;
    if let Some(seconds) = problem.retry_after {
        response.headers().set("Retry-After", &seconds.to_string())?;
    }
    if problem.status == 401 {
        response.headers().set("WWW-Authenticate", "Bearer")?;
    }
    Ok(response)
}

fn with_type(status: u16, body: Vec<u8>, content_type: &str) -> Result<Response> {
    let response = Response::from_bytes(body)?.with_status(status);
    response.headers().set("Content-Type", content_type)?;
    response.headers().set("Cache-Control", "no-store")?;
    response.headers().set("X-Content-Type-Options", "nosniff")?;
    Ok(response)
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// It is larger than the limit; reading stopped there.
    TooLarge,
}

/// Reads a request's body up to a limit, without trusting `Content-Length`.
///
/// # Errors
///
/// When the body cannot be read.
pub async fn read_body(request: &mut Request, limit: usize) -> Result<Body> {
    let declared = request.headers().get("Content-Length")?.and_then(|n| n.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Ok(Body::TooLarge);
    }
    if declared.is_some() {
        // The platform holds a body to its declared length.
        let bytes = request.bytes().await?;
        return Ok(if bytes.len() > limit { Body::TooLarge } else { Body::Bytes(bytes) });
    }
    if request.inner().body().is_none() {
        return Ok(Body::Bytes(Vec::new()));
    }
    let mut stream = request.stream()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > limit {
            return Ok(Body::TooLarge);
        }
    }
    Ok(Body::Bytes(bytes))
}

/// A response without a body, whose answer is a header.
///
/// # Errors
///
/// When the platform refuses the header.
pub fn with_header(name: &str, value: &str) -> Result<Response> {
    let response = Response::empty()?;
    response.headers().set(name, value)?;
    Ok(response)
}

/// A POST with bytes, for another Worker or an object. The host is a name of ours: such calls
/// never leave the platform.
///
/// # Errors
///
/// When the platform refuses the request.
pub fn post(path: &str, body: &[u8]) -> Result<Request> {
    web_sys::Request::new_with_str_and_init(&format!("https://pathstats.internal{path}"), &post_init(body))
        .map(Request::from)
        .map_err(Error::from)
}

fn post_init(body: &[u8]) -> web_sys::RequestInit {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from(js_sys::Uint8Array::from(body)));
    init
}

#[wasm_bindgen]
extern "C" {
    /// What `worker` calls a stub, with the form of `fetch` that takes an address and options.
    type RawStub;

    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &RawStub,
        url: &str,
        init: &web_sys::RequestInit,
    ) -> core::result::Result<js_sys::Promise, JsValue>;
}

/// Posts bytes to an object, without a `Request` of its own: making one, only for the platform to
/// copy it, costs a tenth of the call.
///
/// # Errors
///
/// When the object cannot be reached or throws.
pub async fn post_to_object(stub: Stub, path: &str, body: &[u8]) -> Result<web_sys::Response> {
    let stub: RawStub = stub.into_rpc();
    let answer = stub.fetch(&format!("https://pathstats.internal{path}"), &post_init(body))?;
    Ok(JsFuture::from(answer).await?.unchecked_into())
}
