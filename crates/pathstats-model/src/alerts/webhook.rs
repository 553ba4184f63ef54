//! Where notifications go, in which form, how they are signed, and what is told of the answer.

use core::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::engine::{Level, News};
use super::notification::Notification;
use crate::event::cut;

/// How long a receiver may take, in milliseconds.
pub const TIMEOUT_MS: u32 = 5_000;

/// Most bytes that are read of its answer.
pub const MAX_ANSWER_BYTES: usize = 2_000;

/// Most characters that are told of it.
const TOLD_CHARS: usize = 200;

/// Header with the notification's id.
pub const ID_HEADER: &str = "X-Pathstats-Notification";
/// Header with the time of sending, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "X-Pathstats-Timestamp";
/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "X-Pathstats-Signature";

/// What a receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [`Notification`] as it is.
    Json,
    /// An incoming webhook of Slack, or of what takes the same.
    Slack,
}

/// A receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    /// What it understands.
    pub format: Format,
    secret: Option<String>,
}

/// Neither the address nor the secret shows.
impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host())
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A receiver at an address, if it can be one: `https`, or `http` on this machine.
    #[must_use]
    pub fn new(url: &str, format: Format, secret: Option<String>) -> Option<Self> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
        let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        let fits = url.len() <= 2_000
            && url.bytes().all(|byte| byte.is_ascii_graphic())
            && !name.is_empty()
            && !authority.contains('@')
            && (scheme == "https" || (scheme == "http" && is_here));
        fits.then(|| Self { url: url.to_owned(), format, secret })
    }

    /// The whole address. It is a secret.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its host, which may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// Whether what goes there is signed.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.secret.is_some()
    }

    /// A notification as the receiver gets it.
    #[must_use]
    pub fn body(&self, notification: &Notification) -> String {
        match self.format {
            Format::Json => serde_json::to_string(notification).unwrap_or_default(),
            Format::Slack => slack(notification),
        }
    }

    /// The signature of a body that is sent at this second: `v1=` and HMAC-SHA256, in hexadecimal
    /// digits, of the timestamp, a full stop and the body. `None` without a secret.
    #[must_use]
    pub fn signature(&self, timestamp: i64, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_ref()?.as_bytes()).ok()?;
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        Some(format!("v1={}", base16ct::lower::encode_string(&mac.finalize().into_bytes())))
    }

    /// What may be told of an answer: its status and how its text begins, without anything that the
    /// address or the secret has.
    #[must_use]
    pub fn told(&self, status: u16, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body.get(..MAX_ANSWER_BYTES).unwrap_or(body));
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let secrets = self.url.split(['/', '?', '&', '=', '#']).skip(3).chain(self.secret.as_deref());
        let hidden =
            secrets.filter(|part| part.len() >= 4).fold(plain, |text, part| text.replace(part, "(hidden)"));
        let told = cut(hidden.trim(), TOLD_CHARS);
        if told.is_empty() {
            format!("status {status}")
        } else {
            format!("status {status}: {told}")
        }
    }
}

/// A message of Slack. `text` is what shows in a notification of a phone.
fn slack(notification: &Notification) -> String {
    let head = match (notification.state, notification.level) {
        (News::Resolved, _) => ":large_green_circle: Resolved",
        (News::Test, _) => ":large_blue_circle: Test",
        (_, Level::Critical) => ":red_circle: Critical",
        (_, Level::Warning) => ":large_yellow_circle: Warning",
    };
    let summary = escaped(&notification.summary);
    let place = escaped(&notification.environment);
    let mut text = format!("*{head}* · `{}` · {place}\n{summary}", escaped(&notification.rule));
    if let Some(detail) = &notification.detail {
        let _ = write!(text, "\n{}", escaped(detail));
    }
    if notification.state != News::Resolved {
        let _ = write!(text, "\n*First:* {}", escaped(&notification.first_step));
    }
    let mut links = format!("<{}|Runbook>", escaped(&notification.runbook));
    if let Some(dashboard) = &notification.dashboard {
        let _ = write!(links, " · <{}|Dashboard>", escaped(dashboard));
    }
    let _ = write!(links, " · {}", escaped(&notification.id));
    json!({
        "text": format!("{head}: {summary}"),
        "blocks": [
            // Slack takes 3,000 characters.
            { "type": "section", "text": { "type": "mrkdwn", "text": cut(&text, 2_900) } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": cut(&links, 2_900) }] },
        ],
    })
    .to_string()
}

/// As Slack asks for: these three characters mean something there.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
