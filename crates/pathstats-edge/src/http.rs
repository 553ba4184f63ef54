//! Responses, requests between Workers, and bodies with a limit.

mod exchange;
pub mod gzip;
mod often;

use futures_util::StreamExt;
use pathstats_model::http::etag;
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::problem::{Problem, PROBLEM_JSON};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{EncodeBody, Error, Request, Response, ResponseBody, Result, Stub};

pub use exchange::Exchange;
pub use often::intern_often;

use crate::telemetry::request_id;

const JSON: &str = "application/json; charset=utf-8";

/// JSON with a status.
///
/// # Errors
///
/// When the body does not serialise.
pub fn json(status: u16, body: &impl Serialize) -> Result<Response> {
    let text = serde_json::to_string(body)?;
    with_type(status, text.into_bytes(), JSON)
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
    if let Some(challenge) = problem.challenge() {
        response.headers().set("WWW-Authenticate", challenge)?;
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
    text_with_tag(serde_json::to_string(body)?)
}

/// As [`json_with_tag`], of JSON that is written already.
///
/// # Errors
///
/// When the platform refuses the response.
pub fn text_with_tag(json: String) -> Result<Response> {
    let tag = etag::of_body(json.as_bytes());
    tagged(with_type(200, json.into_bytes(), JSON)?, &tag)
}

/// An answer with a tag of its own, as of [`etag::of_version`]. The client may keep it, for itself, and must
/// ask before it is used again.
///
/// # Errors
///
/// When the platform refuses a header.
pub fn tagged(response: Response, tag: &str) -> Result<Response> {
    response.headers().set("ETag", tag)?;
    response.headers().set("Cache-Control", "private, no-cache")?;
    Ok(response)
}

/// JSON as a file of gzip, and the tag that it has unpacked. [`Exchange::finish`] unpacks it for a client that
/// does not take it.
///
/// # Errors
///
/// When the platform refuses the response.
pub fn packed_json(body: ResponseBody, tag: &str) -> Result<Response> {
    let response = Response::from_body(body)?.with_encode_body(EncodeBody::Manual);
    let headers = response.headers();
    headers.set("Content-Type", JSON)?;
    headers.set("Content-Encoding", "gzip")?;
    headers.set("Vary", "Accept-Encoding")?;
    tagged(response, tag)
}

/// Text of this media type, of this moment.
///
/// # Errors
///
/// When the platform refuses the response.
pub fn text(text: String, media_type: &str) -> Result<Response> {
    with_type(200, text.into_bytes(), media_type)
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
