//! Calling the admin API of a running system.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;

use crate::failure::Failure;
use crate::replay::sender::is_local;
use crate::secrets;

/// Longest answer: the longest is a day of samples of alerts.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A caller of one api Worker.
pub struct ApiClient {
    agent: Agent,
    base: String,
    token: Option<String>,
    /// Where the token comes from, for those who lack it.
    variable: &'static str,
}

impl ApiClient {
    /// Of the api at `url`, with the token of `token_file` or of `$READ_TOKEN`.
    pub fn open(url: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        Self::open_as(secrets::READ_TOKEN, url, token_file)
    }

    /// The same with the token of `$ADMIN_TOKEN`: it may change things, and read them.
    pub fn open_to_change(url: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        Self::open_as(secrets::ADMIN_TOKEN, url, token_file)
    }

    fn open_as(variable: &'static str, url: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        let token = secrets::read(variable, token_file)?;
        let local = is_local(url);
        if token.is_some() && url.starts_with("http://") && !local {
            eprintln!("warning: the token goes to {url} unencrypted");
        }
        // A redirect is an answer to be told: followed, it would carry the token elsewhere.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("pathstats/", env!("CARGO_PKG_VERSION")));
        // A proxy named in the environment is not for this machine itself.
        let config = if local { config.proxy(None) } else { config };
        Ok(Self { agent: config.build().into(), base: url.trim_end_matches('/').to_owned(), token, variable })
    }

    /// The text that `path` answers with, which begins with `/`. What is `None` is left out of the query.
    ///
    /// # Errors
    /// Tells the address and why there is no answer: the network's reason, or the status and the problem's detail.
    pub fn get(&self, path: &str, query: &[(&str, Option<&str>)]) -> Result<String, Failure> {
        let address = format!("{}{path}", self.base);
        let mut request = self.agent.get(&address);
        for (name, value) in query {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.text(&format!("read {address}"), request.call())
    }

    /// The text that `path` answers to this JSON.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<String, Failure> {
        let address = format!("{}{path}", self.base);
        let mut request = self.agent.post(&address).content_type("application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let text = serde_json::to_string(body)
            .map_err(|error| Failure::cannot(format_args!("write to {address}"), error))?;
        self.text(&format!("change anything at {address}"), request.send(text))
    }

    fn text(
        &self,
        what: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, Failure> {
        let cannot = |cause: &dyn std::fmt::Display| Failure::cannot(what, cause);
        let mut response = answer.map_err(|error| cannot(&error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = body.map_err(|error| cannot(&error))?;
        if status == 200 {
            return Ok(text);
        }
        if matches!(status, 401 | 403) && self.token.is_none() {
            return Err(cannot(&format_args!(
                "the answer is {status}: it asks for a token; set ${} or give --token-file",
                self.variable
            )));
        }
        let told: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let detail =
            told.as_ref().and_then(|problem| problem.get("detail")?.as_str()).unwrap_or("no reason given");
        Err(cannot(&format_args!("the answer is {status}: {detail}")))
    }
}
