//! `POST /collect`: events from services that are not proxied.

use std::cell::OnceCell;

use pathstats_collector::{deliver_events, Delivered, Recorder};
use pathstats_edge::access;
use pathstats_edge::bindings::{EnvVariables, COLLECT_LIMIT};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Body, Response};
use pathstats_model::access::Token;
use pathstats_model::config::{token, ConfigError};
use pathstats_model::event::check_path;
use pathstats_model::limits::MAX_COLLECT_BYTES;
use pathstats_model::message::{decode_body, Items};
use pathstats_model::problem::Problem;
use pathstats_model::TrafficEvent;
use serde::Serialize;
use worker::{Env, Method, Request, Result};

/// What became of the events of a body.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Events that are durable in the queue or the outbox.
    accepted: usize,
    /// Items that are no events.
    rejected: usize,
    /// Why, for each of them.
    errors: Vec<ItemError>,
}

#[derive(Debug, Serialize)]
struct ItemError {
    /// Position within the body, from 0.
    index: usize,
    /// What is wrong.
    reason: String,
}

thread_local! {
    static TOKEN: OnceCell<core::result::Result<Token, ConfigError>> = const { OnceCell::new() };
}

/// Answers 202 when all events were accepted, 207 when some were, 400 when none was.
pub async fn answer(mut request: Request, env: &Env) -> Result<Response> {
    if request.method() != Method::Post {
        let problem = Problem::method(request.method().as_ref(), "POST");
        return Ok(http::problem(&problem)?.with_header("Allow", "POST"));
    }
    if let Err(problem) = authorize(&request, env).await? {
        return http::problem(&problem);
    }
    let body = match http::read_body(&mut request, MAX_COLLECT_BYTES).await? {
        Body::Bytes(bytes) => bytes,
        Body::TooLarge => {
            let detail = format!("the body is larger than {MAX_COLLECT_BYTES} bytes: send several");
            return http::problem(&Problem::new(413, "body_too_large", "The body is too large", detail));
        }
    };
    let Ok(text) = core::str::from_utf8(&body) else {
        return http::problem(&Problem::new(
            400,
            "not_utf8",
            "The body cannot be read",
            "the body is not UTF-8",
        ));
    };
    let items = match decode_body(text, now_ms()) {
        Ok(items) => items,
        Err(error) => {
            return http::problem(&Problem::new(
                400,
                error.code(),
                "The body cannot be read",
                error.to_string(),
            ));
        }
    };
    let recorder = match Recorder::from_env(env) {
        Ok(recorder) => recorder,
        Err(error) => return http::problem(&Problem::configuration(&error.0)),
    };
    store(env, &recorder, items).await
}

async fn store(env: &Env, recorder: &Recorder, items: Items) -> Result<Response> {
    let config = recorder.config();
    let events: Vec<TrafficEvent> = items
        .events
        .into_iter()
        .map(|(_, event)| {
            let path = config.path_of(&event.path);
            debug_assert!(check_path(&path).is_ok(), "the policy makes valid paths");
            TrafficEvent { path, ..event }
        })
        .collect();
    // Again, after an answer that was lost: the client sends the same ids, which count once.
    if deliver_events(env, &events).await? == Delivered::Refused {
        let problem = Problem::new(
            503,
            "not_durable",
            "The events could not be stored",
            "neither the queue nor the outbox takes events: send the whole body again",
        );
        return http::problem(&problem.retry_after(10));
    }
    let errors: Vec<ItemError> = items
        .refused
        .into_iter()
        .map(|item| ItemError { index: item.index, reason: item.error.to_string() })
        .collect();
    let status = match (events.len(), errors.len()) {
        (_, 0) => 202,
        (0, _) => 400,
        _ => 207,
    };
    http::json(status, &Outcome { accepted: events.len(), rejected: errors.len(), errors })
}

async fn authorize(request: &Request, env: &Env) -> Result<core::result::Result<(), Problem>> {
    let configured =
        TOKEN.with(|cell| cell.get_or_init(|| token(&EnvVariables(env), "INGEST_TOKEN")).clone());
    let token = match configured {
        Ok(token) => token,
        Err(error) => return Ok(Err(Problem::configuration(&error))),
    };
    access::check(request, env, &token, COLLECT_LIMIT).await
}
