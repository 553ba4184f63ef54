//! Log lines: one JSON object a line, nothing personal. Never a token, a header of access, or an
//! address with its query.
//!
//! Lines of work that runs within [`in_request`] hold the request's id. One instance works on many
//! requests at once, so the id is put in place each time that the work goes on, and taken away each
//! time that it waits.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::rc::Rc;

use pathstats_model::http::request_id::is_acceptable;
use serde_json::{json, Map, Value};
use worker::Delay;

thread_local! {
    static REQUEST_ID: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
}

/// Work for a request. See [`in_request`].
#[derive(Debug)]
pub struct InRequest<F> {
    id: Option<Rc<str>>,
    work: Pin<Box<F>>,
}

/// Work whose log lines hold this id.
pub fn in_request<F: Future>(id: &str, work: F) -> InRequest<F> {
    InRequest { id: Some(Rc::from(id)), work: Box::pin(work) }
}

/// Work for a request that another Worker of ours hands on, under the id that it has there. `id` is the
/// header `X-Request-Id`.
pub fn in_request_of<F: Future>(id: Option<String>, work: F) -> InRequest<F> {
    InRequest { id: id.filter(|id| is_acceptable(id)).map(Rc::from), work: Box::pin(work) }
}

/// Work that goes on behind the answer, for the request that is being worked on now. It begins once the
/// answer is on its way: what it computes would hold the answer back.
pub fn behind_request<F: Future>(work: F) -> InRequest<impl Future<Output = F::Output>> {
    let begun_later = async {
        Delay::from(Duration::ZERO).await;
        work.await
    };
    InRequest { id: request_id(), work: Box::pin(begun_later) }
}

/// The id of the request that is being worked on.
#[must_use]
pub fn request_id() -> Option<Rc<str>> {
    REQUEST_ID.with_borrow(Clone::clone)
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = REQUEST_ID.replace(self.id.clone());
        let polled = self.work.as_mut().poll(context);
        REQUEST_ID.set(before);
        polled
    }
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Work was done.
    Info,
    /// Something failed and will be tried again.
    Warn,
    /// Something failed and a person should look.
    Error,
}

/// Writes a line: `level`, `message`, `requestId` within a request, and the fields of `details` (a JSON
/// object).
pub fn log(level: Level, message: &str, details: Value) {
    let mut line = Map::new();
    let name = match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    line.insert("level".to_owned(), json!(name));
    line.insert("message".to_owned(), json!(message));
    if let Some(id) = request_id() {
        line.insert("requestId".to_owned(), json!(*id));
    }
    if let Value::Object(details) = details {
        line.extend(details);
    }
    let line = Value::Object(line).to_string();
    match level {
        Level::Info => worker::console_log!("{line}"),
        Level::Warn => worker::console_warn!("{line}"),
        Level::Error => worker::console_error!("{line}"),
    }
}

/// Writes a warning with an error.
pub fn warn(message: &str, error: &impl core::fmt::Display) {
    log(Level::Warn, message, json!({ "error": error.to_string() }));
}

/// Writes an error.
pub fn error(message: &str, error: &impl core::fmt::Display) {
    log(Level::Error, message, json!({ "error": error.to_string() }));
}
