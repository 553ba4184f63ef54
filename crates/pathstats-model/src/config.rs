//! Configuration that cannot be wrong: variables become typed values once, and an error names the
//! variable, what it was, and what it may be.

use crate::access::{AccessConfig, Token, MIN_TOKEN_CHARS};
use crate::budget::BudgetSettings;
use crate::cadence::Cadence;
use crate::client_ip::IpHasher;
use crate::http::cors::Cors;
use crate::path_policy::templates::PathTemplates;
use crate::path_policy::PathPolicy;
use crate::sampling::Sampling;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that must be set is not.
    #[error("variable {name} is not set: expected {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A variable has a value that it may not have.
    #[error("variable {name} is {found:?}: expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it was.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A secret has a value that it may not have. The value is not told.
    #[error("secret {name} is too short: expected {expected}")]
    Secret {
        /// The secret.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A secret cannot be what it is for. The value is not told.
    #[error("secret {name} cannot be used: expected {expected}")]
    Unusable {
        /// The secret.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// Two secrets have the same value.
    #[error("secrets {names} are equal: expected two different ones")]
    Equal {
        /// Both.
        names: &'static str,
    },
}

/// Looks a variable up by name.
pub trait Variables {
    /// Its value, if set.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// What is recorded of a request, and how.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// `IP_HASH_SECRET`; `None` when `RECORD_CLIENT_IP` is `off`.
    pub ip_hasher: Option<IpHasher>,
    /// `RECORD_USER_AGENT`, `on` (default) or `off`.
    pub user_agent: bool,
    /// `RECORD_COUNTRY`, `on` (default) or `off`.
    pub country: bool,
    /// `PATH_IDS`, default `number,uuid,hash`.
    pub path_policy: PathPolicy,
    /// `PATH_TEMPLATES`, default none.
    pub path_templates: PathTemplates,
    /// `SAMPLE_RATIO`, default 1, and `SAMPLE_ROUTES`, default none.
    pub sampling: Sampling,
}

impl RecorderConfig {
    /// Reads the recorder's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let ip_hasher = if switch(variables, "RECORD_CLIENT_IP")? {
            let secret = variables.get("IP_HASH_SECRET").ok_or(ConfigError::Missing {
                name: "IP_HASH_SECRET",
                expected: "a secret of 16 bytes or more, or RECORD_CLIENT_IP to be \"off\"",
            })?;
            Some(IpHasher::new(&secret).map_err(|_| ConfigError::Secret {
                name: "IP_HASH_SECRET",
                expected: "16 bytes at least, as from `openssl rand -hex 32`",
            })?)
        } else {
            None
        };
        let path_ids = variables.get("PATH_IDS").unwrap_or_else(|| "number,uuid,hash".to_owned());
        let templates = variables.get("PATH_TEMPLATES").unwrap_or_default();
        let ratio = variables.get("SAMPLE_RATIO").unwrap_or_else(|| "1".to_owned());
        let routes = variables.get("SAMPLE_ROUTES").unwrap_or_else(|| "[]".to_owned());
        Ok(Self {
            ip_hasher,
            user_agent: switch(variables, "RECORD_USER_AGENT")?,
            country: switch(variables, "RECORD_COUNTRY")?,
            path_policy: path_ids.parse().map_err(|error| invalid("PATH_IDS", &path_ids, &error))?,
            path_templates: templates
                .parse()
                .map_err(|error| invalid("PATH_TEMPLATES", &templates, &error))?,
            sampling: Sampling::parse(&ratio, &routes).map_err(|error| {
                let wrong_ratio =
                    ratio.parse::<f64>().map_or(true, |r| Sampling::parse(&r.to_string(), "[]").is_err());
                if wrong_ratio {
                    invalid("SAMPLE_RATIO", &ratio, &error)
                } else {
                    invalid("SAMPLE_ROUTES", &routes, &error)
                }
            })?,
        })
    }
}

impl RecorderConfig {
    /// The path that a request's target counts under. Applying it twice changes nothing.
    #[must_use]
    pub fn path_of(&self, target: &str) -> String {
        self.path_templates.apply(self.path_policy.apply(target))
    }
}

/// The consumer's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// `FLUSH_SECONDS` (default 30) and `SNAPSHOT_SECONDS` (default 10).
    pub cadence: Cadence,
    /// `SNAPSHOT_SECONDS` in milliseconds.
    pub snapshot_every_ms: i64,
    /// `TOTALS_SECONDS` (default 60) in milliseconds: an hour's or a day's total is made anew at most
    /// once in this time.
    pub totals_every_ms: i64,
    /// `RETRY_BASE_SECONDS`, default 60.
    pub retry_base_seconds: u32,
    /// `PATHS_PER_HOUR` (default 5000) and `GROUP_NOT_FOUND` (default `off`).
    pub budget: BudgetSettings,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            cadence: Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 },
            snapshot_every_ms: 10_000,
            totals_every_ms: 60_000,
            retry_base_seconds: 60,
            budget: BudgetSettings::default(),
        }
    }
}

impl ConsumerConfig {
    /// Reads the consumer's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let flush = number(variables, "FLUSH_SECONDS", 30, 1, 3_600)?;
        let snapshot = number(variables, "SNAPSHOT_SECONDS", 10, 1, 3_600)?;
        Ok(Self {
            cadence: Cadence {
                flush_after_ms: i64::from(flush) * 1000,
                forward_after_ms: i64::from(snapshot) * 1000,
            },
            snapshot_every_ms: i64::from(snapshot) * 1000,
            totals_every_ms: i64::from(number(variables, "TOTALS_SECONDS", 60, 1, 3_600)?) * 1000,
            retry_base_seconds: number(variables, "RETRY_BASE_SECONDS", 60, 1, 3_600)?,
            budget: BudgetSettings::from_variables(variables)?,
        })
    }
}

/// The api's configuration.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// `CACHE_SECONDS`, default 30: how long a cached answer is fresh, in milliseconds.
    pub fresh_for_ms: i64,
    /// `CACHE_MEMORY_MS`, default 1000, 0 for not at all: how long an answer from the cache is given again
    /// from memory, in milliseconds.
    pub memory_ms: i64,
    /// `READ_TOKEN`, `ADMIN_TOKEN`, and logins by Cloudflare Access.
    pub access: AccessConfig,
    /// `CORS_ORIGINS`, default none.
    pub cors: Cors,
    /// `ERROR_OBJECTIVE`, default 0.999: the share of requests that are to be answered without a server error.
    pub error_objective: f64,
    /// `ENVIRONMENT`, default `dev`: where this runs, to be shown.
    pub environment: String,
}

impl ApiConfig {
    /// Reads the api's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        Ok(Self {
            fresh_for_ms: i64::from(number(variables, "CACHE_SECONDS", 30, 1, 3_600)?) * 1000,
            memory_ms: i64::from(number(variables, "CACHE_MEMORY_MS", 1_000, 0, 10_000)?),
            access: AccessConfig::from_variables(variables)?,
            cors: Cors::from_variables(variables)?,
            error_objective: share(variables, "ERROR_OBJECTIVE", 0.999)?,
            environment: word(variables, "ENVIRONMENT", "dev")?,
        })
    }
}

/// Reads a token.
///
/// # Errors
///
/// When it is not set or shorter than 16 characters.
pub fn token(variables: &impl Variables, name: &'static str) -> Result<Token, ConfigError> {
    const { assert!(MIN_TOKEN_CHARS == 16, "the messages below say 16") };
    let text = variables
        .get(name)
        .ok_or(ConfigError::Missing { name, expected: "a secret of 16 characters or more" })?;
    Token::new(&text).ok_or(ConfigError::Secret { name, expected: "16 characters at least" })
}

/// Reads a whole number in a range.
///
/// # Errors
///
/// When it is none or out of range.
pub fn number(
    variables: &impl Variables,
    name: &'static str,
    default: u32,
    least: u32,
    most: u32,
) -> Result<u32, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(default) };
    text.trim()
        .parse()
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| invalid(name, &text, &format!("a whole number from {least} to {most}")))
}

/// Reads a share between 0 and 1, neither of them.
fn share(variables: &impl Variables, name: &'static str, default: f64) -> Result<f64, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(default) };
    text.trim()
        .parse()
        .ok()
        .filter(|share: &f64| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| invalid(name, &text, &"a number between 0 and 1, such as 0.999"))
}

/// Reads a word of letters, digits and hyphens.
pub(crate) fn word(
    variables: &impl Variables,
    name: &'static str,
    default: &str,
) -> Result<String, ConfigError> {
    let text = variables.get(name).unwrap_or_else(|| default.to_owned());
    let is_word = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_word {
        Ok(text)
    } else {
        Err(invalid(name, &text, &"1 to 40 letters, digits, - and _"))
    }
}

fn switch(variables: &impl Variables, name: &'static str) -> Result<bool, ConfigError> {
    switch_or(variables, name, true)
}

/// Reads a switch.
pub(crate) fn switch_or(
    variables: &impl Variables,
    name: &'static str,
    default: bool,
) -> Result<bool, ConfigError> {
    match variables.get(name).as_deref() {
        None => Ok(default),
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(invalid(name, other, &"\"on\" or \"off\"")),
    }
}

pub(crate) fn invalid(name: &'static str, found: &str, expected: &impl ToString) -> ConfigError {
    ConfigError::Invalid {
        name,
        found: crate::event::cut(found, 200).to_owned(),
        expected: expected.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&'static str, &'static str)]) -> impl Variables {
        move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn defaults_are_as_documented() {
        let consumer = ConsumerConfig::from_variables(&with(&[])).unwrap();
        assert_eq!(consumer.cadence, Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 });
        assert_eq!((consumer.snapshot_every_ms, consumer.retry_base_seconds), (10_000, 60));
        assert_eq!(consumer, ConsumerConfig::default());
        let recorder = RecorderConfig::from_variables(&with(&[("RECORD_CLIENT_IP", "off")])).unwrap();
        assert!(recorder.user_agent && recorder.country && recorder.ip_hasher.is_none());
        assert_eq!(recorder.path_policy, PathPolicy::default());
        assert_eq!(recorder.sampling, Sampling::all());
    }

    #[test]
    fn a_wrong_recorder_names_its_variable() {
        for (pairs, says) in [
            (&[][..], "variable IP_HASH_SECRET is not set"),
            (&[("IP_HASH_SECRET", "short")][..], "secret IP_HASH_SECRET is too short"),
            (
                &[("RECORD_CLIENT_IP", "no")][..],
                "variable RECORD_CLIENT_IP is \"no\": expected \"on\" or \"off\"",
            ),
            (&[("RECORD_CLIENT_IP", "off"), ("PATH_IDS", "all")][..], "variable PATH_IDS is \"all\""),
            (&[("RECORD_CLIENT_IP", "off"), ("SAMPLE_RATIO", "2")][..], "variable SAMPLE_RATIO is \"2\""),
            (&[("RECORD_CLIENT_IP", "off"), ("SAMPLE_ROUTES", "x")][..], "variable SAMPLE_ROUTES is \"x\""),
        ] {
            let error = RecorderConfig::from_variables(&with(pairs)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn wrong_numbers_and_tokens_name_their_variable_and_never_the_secret() {
        let error = ConsumerConfig::from_variables(&with(&[("FLUSH_SECONDS", "0")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "variable FLUSH_SECONDS is \"0\": expected a whole number from 1 to 3600"
        );
        let error = ApiConfig::from_variables(&with(&[("READ_TOKEN", "hunter2")])).unwrap_err();
        assert_eq!(error.to_string(), "secret READ_TOKEN is too short: expected 16 characters at least");
        assert!(ApiConfig::from_variables(&with(&[]))
            .unwrap_err()
            .to_string()
            .contains("READ_TOKEN is not set"));
    }

    #[test]
    fn the_apis_variables_are_checked() {
        let api = |name: &'static str, value: &'static str| {
            ApiConfig::from_variables(&move |asked: &str| match asked {
                asked if asked == name => Some(value.to_owned()),
                "READ_TOKEN" => Some("a-token-that-reads".to_owned()),
                "ADMIN_TOKEN" => Some("a-token-that-changes".to_owned()),
                _ => None,
            })
        };
        let defaults = api("", "").unwrap();
        assert_eq!(
            (defaults.fresh_for_ms, defaults.memory_ms, defaults.environment.as_str()),
            (30_000, 1_000, "dev")
        );
        assert!((defaults.error_objective - 0.999).abs() < f64::EPSILON);
        assert!(defaults.cors.is_none() && defaults.access.login().is_none());
        for (name, value) in [
            ("ERROR_OBJECTIVE", "1"),
            ("ERROR_OBJECTIVE", "0"),
            ("ERROR_OBJECTIVE", "NaN"),
            ("ERROR_OBJECTIVE", "99.9%"),
            ("ENVIRONMENT", ""),
            ("ENVIRONMENT", "<script>"),
            ("CORS_ORIGINS", "*"),
            ("ACCESS_TEAM_DOMAIN", "example.com"),
        ] {
            let error = api(name, value).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("variable {name} ")) || error.contains("ACCESS_AUD"),
                "{error}"
            );
        }
        assert!(api("ADMIN_TOKEN", "a-token-that-reads").unwrap_err().to_string().contains("are equal"));
    }
}
