//! Log lines by [`tracing`]: one JSON object a line, nothing personal. Never a token, a header of access, or an
//! address with its query.
//!
//! A Worker begins with [`start`], and says what happened with `tracing`'s macros. Lines of work that runs within
//! [`in_request`] or another span hold the span's fields: the request's id, the batch's. One instance works on many
//! requests at once, so a span is entered each time that the work goes on, and left each time that it waits.

mod console;

pub use console::Console;

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::rc::Rc;

use pathstats_model::http::request_id::is_acceptable;
use pathstats_model::log_level::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};
use worker::{Delay, Env};

use crate::bindings::EnvVariables;

thread_local! {
    static REQUEST_ID: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
    static STARTED: Cell<bool> = const { Cell::new(false) };
}

/// Has this instance write its lines to the console, from `LOG_LEVEL` on. Cheap when it does already. A wrong level
/// is told, and counts as `info`: a log is no reason not to work.
///
/// For Workers alone: a library leaves to its Worker where lines go.
pub fn start(env: &Env) {
    if STARTED.replace(true) {
        return;
    }
    let level = LogLevel::from_variables(&EnvVariables(env));
    let filter = match level.as_ref().copied().unwrap_or_default() {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    };
    // Another is in place already: the Worker's own, which is kept.
    if tracing::subscriber::set_global_default(Console::new(filter, write)).is_err() {
        return;
    }
    if let Err(wrong) = level {
        tracing::warn!(error = %wrong, "the level of the log is info");
    }
}

fn write(level: Level, line: &str) {
    if level == Level::ERROR {
        worker::console_error!("{line}");
    } else if level == Level::WARN {
        worker::console_warn!("{line}");
    } else {
        worker::console_log!("{line}");
    }
}

/// Work for a request. See [`in_request`].
#[derive(Debug)]
pub struct InRequest<F> {
    id: Option<Rc<str>>,
    span: Span,
    work: Pin<Box<F>>,
}

/// Work whose log lines hold this id.
pub fn in_request<F: Future>(id: &str, work: F) -> InRequest<F> {
    InRequest::new(Some(Rc::from(id)), work)
}

/// Work for a request that another Worker of ours hands on, under the id that it has there. `id` is the
/// header `X-Request-Id`.
pub fn in_request_of<F: Future>(id: Option<String>, work: F) -> InRequest<F> {
    InRequest::new(id.filter(|id| is_acceptable(id)).map(Rc::from), work)
}

/// Work that goes on behind the answer, for the request that is being worked on now. It begins once the
/// answer is on its way: what it computes would hold the answer back.
pub fn behind_request<F: Future>(work: F) -> InRequest<impl Future<Output = F::Output>> {
    let begun_later = async {
        Delay::from(Duration::ZERO).await;
        work.await
    };
    InRequest { id: request_id(), span: Span::current(), work: Box::pin(begun_later) }
}

/// The id of the request that is being worked on.
#[must_use]
pub fn request_id() -> Option<Rc<str>> {
    REQUEST_ID.with_borrow(Clone::clone)
}

impl<F: Future> InRequest<F> {
    fn new(id: Option<Rc<str>>, work: F) -> Self {
        let span = match &id {
            Some(id) => tracing::error_span!("request", requestId = %id),
            None => Span::current(),
        };
        Self { id, span, work: Box::pin(work) }
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = REQUEST_ID.replace(self.id.clone());
        let span = self.span.clone();
        let polled = span.in_scope(|| self.work.as_mut().poll(context));
        REQUEST_ID.set(before);
        polled
    }
}
