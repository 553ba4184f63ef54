//! Responses, requests between Workers, and bodies with a limit.

mod exchange;
pub mod gzip;
mod often;
mod response;

use futures_util::StreamExt;
use pathstats_model::http::etag;
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::problem::{Problem, PROBLEM_JSON};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Error, Request, ResponseBody, Result, Stub};

pub use exchange::Exchange;
pub use often::intern_often;
pub use response::Response;

use crate::telemetry::request_id;

const JSON: &str = "application/json; charset=utf-8";

/// JSON with a status.
///
/// # Errors
///
/// When the body does not serialise.
pub fn json(status: u16, body: &impl Serialize) -> Result<Response> {
    let text = serde_json::to_string(body)?;
    Ok(with_type(status, text.into_bytes(), JSON))
}

/// An error as `application/problem+json`.
///
/// # Errors
///
/// When it does not serialise.
pub fn problem(problem: &Problem) -> Result<Response> {
    let text = serde_json::to_string(problem)?;
    let mut response = with_type(problem.status, text.into_bytes(), PROBLEM_JSON);
    if let Some(seconds) = problem.retry_after {
        response = response.with_header("Retry-After", seconds.to_string());
    }
    if let Some(challenge) = problem.challenge() {
        response = response.with_header("WWW-Authenticate", challenge);
    }
    Ok(response)
}

/// JSON that a client may keep and ask for anew: its tag is that of its bytes. [`Exchange::finish`]
/// answers 304 to a client that has it.
///
/// # Errors
///
/// When the body does not serialise.
pub fn json_with_tag(body: &impl Serialize) -> Result<Response> {
    Ok(text_with_tag(serde_json::to_string(body)?))
}

/// As [`json_with_tag`], of JSON that is written already.
#[must_use]
pub fn text_with_tag(json: String) -> Response {
    let tag = etag::of_body(json.as_bytes());
    tagged(with_type(200, json.into_bytes(), JSON), tag)
}

/// An answer with a tag of its own, as of [`etag::of_version`]. The client may keep it, for itself, and must
/// ask before it is used again.
#[must_use]
pub fn tagged(response: Response, tag: String) -> Response {
    response.with_header("ETag", tag).with_header("Cache-Control", "private, no-cache")
}

/// JSON as a file of gzip, and the tag that it has unpacked. [`Exchange::finish`] unpacks it for a client that
/// does not take it.
#[must_use]
pub fn packed_json(body: ResponseBody, tag: String) -> Response {
    let response = Response::new(200, body)
        .packed()
        .with_header("Content-Type", JSON)
        .with_header("Content-Encoding", "gzip")
        .with_header("Vary", "Accept-Encoding");
    tagged(response, tag)
}

/// Text of this media type, of this moment.
#[must_use]
pub fn text(text: String, media_type: &'static str) -> Response {
    with_type(200, text.into_bytes(), media_type)
}

/// Bytes that a Worker of ours reads.
#[must_use]
pub fn bytes(bytes: Vec<u8>) -> Response {
    Response::new(200, ResponseBody::Body(bytes)).with_header("Content-Type", "application/octet-stream")
}

fn with_type(status: u16, body: Vec<u8>, content_type: &'static str) -> Response {
    Response::new(status, ResponseBody::Body(body))
        .with_header("Content-Type", content_type)
        .with_header("Cache-Control", "no-store")
        .with_header("X-Content-Type-Options", "nosniff")
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

/// What an object answers whose answer is a header.
///
/// # Errors
///
/// When the platform refuses the header.
pub fn with_header(name: &str, value: &str) -> Result<worker::Response> {
    let response = worker::Response::empty()?;
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
    web_sys::Request::new_with_str_and_init(&format!("https://pathstats.internal{path}"), &post_init(body)?)
        .map(Request::from)
        .map_err(Error::from)
}

fn post_init(body: &[u8]) -> Result<web_sys::RequestInit> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from(js_sys::Uint8Array::from(body)));
    if let Some(id) = request_id() {
        let headers = web_sys::Headers::new()?;
        headers.set(REQUEST_ID, &id)?;
        init.set_headers(&headers);
    }
    Ok(init)
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
    let answer = stub.fetch(&format!("https://pathstats.internal{path}"), &post_init(body)?)?;
    Ok(JsFuture::from(answer).await?.unchecked_into())
}
