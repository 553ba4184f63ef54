//! The proxy: the origin's answer as it is, and an event behind it.

use pathstats_collector::{count_drops, DropReason, Recorder};
use pathstats_edge::bindings::ORIGIN;
use pathstats_edge::http;
use pathstats_model::problem::Problem;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Context, Env, Result};

/// Answers with what the origin answers, untouched: streams, websockets, redirects and errors pass
/// through. Whatever is wrong with the recording never reaches the client.
pub async fn forward(request: web_sys::Request, env: Env, context: &Context) -> Result<web_sys::Response> {
    let recorder = Recorder::from_env(&env);
    let started = recorder.as_ref().ok().map(|recorder| recorder.start(&request));
    let response = match ask_origin(&request, &env).await {
        Ok(response) => response,
        Err(problem) => http::problem(&problem)?.into_web()?,
    };
    match (recorder, started) {
        (Ok(recorder), Some(started)) => recorder.record(context, started, response.status()),
        (Err(wrong), _) => {
            tracing::error!(error = %wrong, "requests are not recorded");
            context.wait_until(async move { count_drops(&env, DropReason::Configuration, 1).await });
        }
        (Ok(_), None) => {}
    }
    Ok(response)
}

/// Asks the origin: the Worker bound as `ORIGIN`, or the address in `ORIGIN_URL`.
async fn ask_origin(
    request: &web_sys::Request,
    env: &Env,
) -> core::result::Result<web_sys::Response, Problem> {
    let promise = match origin(request, env)? {
        Origin::Binding(fetcher) => fetch_of(&fetcher, request),
        Origin::Address(forwarded) => fetch_of(&js_sys::global(), &forwarded),
    };
    let unreachable = |error: JsValue| {
        tracing::warn!(error = %describe(&error), "the origin did not answer");
        Problem::new(
            502,
            "origin_unreachable",
            "The origin did not answer",
            "the origin could not be reached: try again later",
        )
    };
    let answer = JsFuture::from(promise.map_err(unreachable)?).await.map_err(unreachable)?;
    answer.dyn_into().map_err(unreachable)
}

enum Origin {
    Binding(JsValue),
    Address(web_sys::Request),
}

fn origin(request: &web_sys::Request, env: &Env) -> core::result::Result<Origin, Problem> {
    if let Ok(binding) = js_sys::Reflect::get(env, &JsValue::from_str(ORIGIN)) {
        if binding.is_object() {
            return Ok(Origin::Binding(binding));
        }
    }
    let wrong = |detail: String| {
        tracing::error!(error = %detail, "the origin is not configured");
        Problem::new(500, "configuration", "The Worker is not configured", detail)
    };
    let base = env.var("ORIGIN_URL").map(|url| url.to_string()).map_err(|_| {
        wrong("neither the service binding ORIGIN nor the variable ORIGIN_URL is set: one of them names the origin".to_owned())
    })?;
    let malformed = || {
        // Without its value, which may hold a password and would go to any client.
        wrong(
            "variable ORIGIN_URL is no address: expected one such as \"https://origin.example.com\""
                .to_owned(),
        )
    };
    let target = web_sys::Url::new(&request.url()).map_err(|_| malformed())?;
    let base_url = web_sys::Url::new(&base).map_err(|_| malformed())?;
    if !matches!(base_url.protocol().as_str(), "http:" | "https:") {
        return Err(malformed());
    }
    target.set_protocol(&base_url.protocol());
    target.set_hostname(&base_url.hostname());
    // On its own: with the host, a port that the base does not name would stay the client's.
    target.set_port(&base_url.port());
    let prefix = base_url.pathname();
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() {
        target.set_pathname(&format!("{prefix}{}", target.pathname()));
    }
    // As a proxy: redirects go to the client, not after.
    let init = web_sys::RequestInit::new();
    init.set_redirect(web_sys::RequestRedirect::Manual);
    let forwarded = web_sys::Request::new_with_str_and_init(&target.href(), &as_init(request))
        .and_then(|copy| web_sys::Request::new_with_request_and_init(&copy, &init))
        .map_err(|error| wrong(describe(&error)))?;
    Ok(Origin::Address(forwarded))
}

/// A request as the second argument of `new Request(url, request)`, which takes its method,
/// headers and body over.
fn as_init(request: &web_sys::Request) -> web_sys::RequestInit {
    JsValue::from(request).unchecked_into()
}

/// Calls `target.fetch(request)`.
fn fetch_of(target: &JsValue, request: &web_sys::Request) -> core::result::Result<js_sys::Promise, JsValue> {
    let fetch: js_sys::Function = js_sys::Reflect::get(target, &JsValue::from_str("fetch"))?.dyn_into()?;
    fetch.call1(target, request)?.dyn_into()
}

fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
