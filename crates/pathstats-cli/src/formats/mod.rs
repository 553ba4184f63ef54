//! Log formats: from a line to a request. Nothing here reads files or knows where a line goes.

pub mod access_log;
pub mod detect;
pub mod logpush;
pub mod timestamps;

use std::borrow::Cow;

use pathstats_model::{EventError, TrafficEvent};

/// A format that lines can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Common Log Format
    Common,
    /// Combined Log Format: Common with referer and user agent
    Combined,
    /// nginx: Combined, then `$request_time`
    Nginx,
    /// Cloudflare Logpush `http_requests`, one JSON object a line
    Logpush,
    /// Our own events, one JSON object a line
    Jsonl,
}

impl Format {
    /// The name, as in `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Combined => "combined",
            Self::Nginx => "nginx",
            Self::Logpush => "logpush",
            Self::Jsonl => "jsonl",
        }
    }

    /// Reads one line, without its line break.
    pub fn parse(self, line: &str) -> Result<Line<'_>, LineError> {
        match self {
            Self::Common | Self::Combined | Self::Nginx => access_log::parse(line, self).map(Line::Request),
            Self::Logpush => logpush::parse(line).map(Line::Request),
            Self::Jsonl => Ok(TrafficEvent::from_json(line).map(Line::Event)?),
        }
    }
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// A request that a server logged: it becomes an event.
    Request(Request<'a>),
    /// An event already, with its id.
    Event(TrafficEvent),
}

impl Line<'_> {
    /// Time of the request as logged, milliseconds since the epoch.
    pub const fn timestamp_ms(&self) -> i64 {
        match self {
            Self::Request(request) => request.timestamp_ms,
            Self::Event(event) => event.id.timestamp_ms(),
        }
    }
}

/// A request as a server logged it. Texts are unescaped, values not yet validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Whether the log gives no more than the second.
    pub whole_second: bool,
    /// The client's address, or its host name.
    pub client: Cow<'a, str>,
    /// The HTTP method.
    pub method: Cow<'a, str>,
    /// The request's target: a path, perhaps with a query.
    pub target: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// Response time in microseconds.
    pub response_time_us: Option<u32>,
    /// The user agent.
    pub user_agent: Option<Cow<'a, str>>,
    /// Two upper-case letters or digits.
    pub country: Option<[u8; 2]>,
    /// The id that the server gave the request.
    pub own_id: Option<Cow<'a, str>>,
}

/// Why a line is no request: a stable word to count by, and the particulars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct LineError {
    /// A short, stable word, as in the summary.
    pub code: &'static str,
    /// What was found and what was expected.
    pub detail: String,
}

impl LineError {
    /// An error of this kind.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<EventError> for LineError {
    fn from(error: EventError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The text, or `None` where servers write a dash for what they do not know.
fn known(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!text.is_empty() && text != "-").then_some(text)
}
