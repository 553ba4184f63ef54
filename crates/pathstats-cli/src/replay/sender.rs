//! Sends bodies to the destination, again and again where that may help.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use ureq::Agent;

use super::answer::{verdict, ItemError, Verdict};
use super::backoff;
use super::batch::Batch;
use super::stop::Stop;

/// Longest answer read.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// The destination and how to reach it.
pub struct Destination {
    agent: Agent,
    url: String,
    token: Option<String>,
    retries: u32,
}

/// What became of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events accepted.
    pub accepted: u64,
    /// Events refused, as listed.
    pub rejected: Vec<ItemError>,
    /// Events neither accepted nor listed.
    pub unlisted: u64,
}

/// Why a body was not sent.
#[derive(Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The run was stopped first.
    Stopped,
    /// The destination does not take it.
    Refused(String),
}

impl Destination {
    /// A destination at this URL.
    pub fn new(url: String, token: Option<String>, timeout: Duration, retries: u32) -> Self {
        let config = Agent::config_builder()
            // Answers of every status are read: they say what is wrong.
            .http_status_as_error(false)
            // A redirected POST would arrive as a GET, or the token elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .user_agent(concat!("pathstats/", env!("CARGO_PKG_VERSION")));
        // A proxy named in the environment is not for this machine itself.
        let config = if is_local(&url) { config.proxy(None) } else { config };
        Self { agent: config.build().into(), url, token, retries }
    }

    /// Sends a body. `waiting` hears what went wrong before each further attempt.
    pub fn send(&self, batch: &Batch, stop: &Stop, waiting: impl Fn(String)) -> Result<Taken, NotSent> {
        let mut attempt = 0;
        loop {
            if stop.is_requested() {
                return Err(NotSent::Stopped);
            }
            let (reason, retry_after) = match self.post(batch) {
                (Verdict::Taken { accepted, rejected, unlisted }, _) => {
                    return Ok(Taken { accepted, rejected, unlisted })
                }
                (Verdict::Final(message), _) => return Err(NotSent::Refused(message)),
                (Verdict::Again(reason), retry_after) => (reason, retry_after),
            };
            attempt += 1;
            if attempt > self.retries {
                return Err(NotSent::Refused(format!("gave up after {attempt} attempts: {reason}")));
            }
            let delay = backoff::delay(attempt, retry_after, random());
            waiting(format!(
                "{reason}: attempt {} of {} in {:.1} s",
                attempt + 1,
                self.retries + 1,
                delay.as_secs_f64()
            ));
            stop.wait(delay);
        }
    }

    /// One attempt.
    fn post(&self, batch: &Batch) -> (Verdict, Option<Duration>) {
        let mut request = self.agent.post(&self.url).header("content-type", "application/x-ndjson");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(batch.body.as_slice()) {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let retry_after = backoff::retry_after(retry_after);
                match response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string() {
                    Ok(text) => (verdict(status, &text, batch.origins.len() as u64), retry_after),
                    Err(error) => (unreachable(&self.url, &error), None),
                }
            }
            Err(error) => (unreachable(&self.url, &error), None),
        }
    }
}

/// Which errors of the connection may pass. An attempt that was cut off may have counted: ids see
/// to it that the next one does not count again.
fn unreachable(url: &str, error: &ureq::Error) -> Verdict {
    use ureq::Error;
    let message = format!("cannot reach {url}: {error}");
    match error {
        Error::BadUri(_)
        | Error::Http(_)
        | Error::Tls(_)
        | Error::Rustls(_)
        | Error::InvalidProxyUrl
        | Error::RequireHttpsOnly(_) => Verdict::Final(message),
        // A certificate that does not hold comes as an error of reading.
        Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => Verdict::Final(message),
        _ => Verdict::Again(message),
    }
}

/// Whether the URL names this machine.
pub fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() };
    matches!(name.unwrap_or_default(), "localhost" | "[::1")
        || name.is_some_and(|name| name.starts_with("127."))
}

/// Random bits for spreading waits: the standard library seeds each of these hashers anew.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        for url in [
            "http://127.0.0.1:8787/collect",
            "http://localhost/collect",
            "http://[::1]:1/x",
            "https://127.0.0.53",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in ["https://example.com/127.0.0.1", "http://10.0.0.1/", "http://localhost.example.com/"] {
            assert!(!is_local(url), "{url}");
        }
    }
}
