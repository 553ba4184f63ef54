//! Responses, requests between Workers, and bodies with a limit.

use futures_util::StreamExt;
use pathstats_model::problem::{Problem, PROBLEM_JSON};
use serde::Serialize;
use wasm_bindgen::JsValue;
use worker::{Error, Request, Response, Result};

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

/// A POST with bytes, for another Worker or an object. The host is a name of ours: such calls
/// never leave the platform.
///
/// # Errors
///
/// When the platform refuses the request.
pub fn post(path: &str, body: &[u8]) -> Result<Request> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from(js_sys::Uint8Array::from(body)));
    web_sys::Request::new_with_str_and_init(&format!("https://pathstats.internal{path}"), &init)
        .map(Request::from)
        .map_err(Error::from)
}
