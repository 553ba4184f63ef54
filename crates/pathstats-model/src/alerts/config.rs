//! The configuration of alerts.

use super::notification::Place;
use super::rules::{RuleSet, MAX_MINUTES, REMIND_MINUTES};
use super::webhook::{Endpoint, Format};
use crate::config::{invalid, number, word, ConfigError, Variables};

/// Where runbooks are read when nobody says otherwise.
const RUNBOOK_BASE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// Shortest secret of signatures, in characters.
const MIN_SECRET_CHARS: usize = 16;

/// What alerts go by.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertConfig {
    /// `ALERT_WEBHOOK_URL`, a secret; `ALERT_WEBHOOK_FORMAT`, `json` (default) or `slack`;
    /// `ALERT_WEBHOOK_SECRET`, a secret. `None`: nobody is told.
    pub endpoint: Option<Endpoint>,
    /// `ENVIRONMENT`, `RUNBOOK_BASE_URL`, `DASHBOARD_URL`.
    pub place: Place,
    /// The built-in rules, with those of `ALERT_RULES` over them; `ALERT_REMIND_MINUTES`, default 240.
    pub rules: RuleSet,
}

impl AlertConfig {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong. No secret is told.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        // A variable that the configs have, and nobody filled in.
        let get = |name: &str| variables.get(name).filter(|value| !value.trim().is_empty());
        let remind = number(&get, "ALERT_REMIND_MINUTES", REMIND_MINUTES, 5, MAX_MINUTES)?;
        let rules = RuleSet::built_in().reminding_every(remind);
        let rules = match get("ALERT_RULES") {
            None => rules,
            Some(text) => RuleSet::from_json(&text)
                .and_then(|own| rules.overlaid(own).map_err(|error| error.to_string()))
                .map_err(|error| invalid("ALERT_RULES", &text, &format!("a file of rules: {error}")))?,
        };
        Ok(Self { endpoint: endpoint(&get)?, place: Place::from_variables(variables)?, rules })
    }
}

impl Place {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        // As above.
        let get = |name: &str| variables.get(name).filter(|value| !value.trim().is_empty());
        let base = address(&get, "RUNBOOK_BASE_URL")?.unwrap_or_else(|| RUNBOOK_BASE.to_owned());
        Ok(Self {
            environment: word(&get, "ENVIRONMENT", "dev")?,
            runbook_base: if base.ends_with('/') { base } else { format!("{base}/") },
            dashboard: address(&get, "DASHBOARD_URL")?,
        })
    }
}

fn endpoint(variables: &impl Variables) -> Result<Option<Endpoint>, ConfigError> {
    const FORMAT: &str = "ALERT_WEBHOOK_FORMAT";
    let format = match variables.get(FORMAT).as_deref().map(str::trim) {
        None | Some("json") => Format::Json,
        Some("slack") => Format::Slack,
        Some(other) => return Err(invalid(FORMAT, other, &"\"json\" or \"slack\"")),
    };
    let secret = variables.get("ALERT_WEBHOOK_SECRET");
    if secret.as_ref().is_some_and(|secret| secret.chars().count() < MIN_SECRET_CHARS) {
        let expected = "16 characters at least, as from `openssl rand -hex 32`";
        return Err(ConfigError::Secret { name: "ALERT_WEBHOOK_SECRET", expected });
    }
    let Some(url) = variables.get("ALERT_WEBHOOK_URL") else { return Ok(None) };
    let expected = "an https address of 2000 characters at most, or an http address of this machine";
    let wrong = ConfigError::Unusable { name: "ALERT_WEBHOOK_URL", expected };
    Endpoint::new(&url, format, secret).map(Some).ok_or(wrong)
}

/// An address that a person opens.
fn address(variables: &impl Variables, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(None) };
    let trimmed = text.trim();
    let fits = (trimmed.starts_with("https://") || trimmed.starts_with("http://"))
        && trimmed.len() <= 500
        && trimmed.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'|' | b'"'));
    if fits {
        Ok(Some(trimmed.to_owned()))
    } else {
        Err(invalid(name, &text, &"an http or https address of 500 characters at most"))
    }
}
