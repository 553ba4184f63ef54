//! [`Problem`]: what an HTTP error says, as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Names the kind: `about:blank#` and a short, stable word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this request, and what may be done.
    pub detail: String,
    /// Seconds after which to try again; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none", default, rename = "retryAfter")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this status. `code` is a short, stable word such as `invalid_parameter`.
    #[must_use]
    pub fn new(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("about:blank#{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 400: a parameter, what came, and what may come.
    #[must_use]
    pub fn parameter(name: &str, found: &str, expected: &str) -> Self {
        let found = crate::event::cut(found, 80);
        let detail = format!("parameter `{name}` is {found:?}: expected {expected}");
        Self::new(400, "invalid_parameter", "A parameter is wrong", detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(path: &str) -> Self {
        let detail = format!("there is nothing at {:?}", crate::event::cut(path, 80));
        Self::new(404, "not_found", "Nothing is here", detail)
    }

    /// 405, with the methods that are accepted.
    #[must_use]
    pub fn method(method: &str, accepted: &str) -> Self {
        let detail = format!("method {} is not accepted here: use {accepted}", crate::event::cut(method, 20));
        Self::new(405, "method_not_allowed", "The method is not accepted", detail)
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(error: crate::access::AccessError) -> Self {
        Self::new(401, "unauthorized", "A valid token is needed", error.to_string())
    }

    /// 500 because of a wrong configuration. The detail names the variable, never a secret's value.
    #[must_use]
    pub fn configuration(error: &crate::config::ConfigError) -> Self {
        Self::new(500, "configuration", "The Worker is not configured", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_the_standard_says() {
        let problem = Problem::parameter("limit", "x", "a number from 1 to 100").retry_after(3);
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"about:blank#invalid_parameter","title":"A parameter is wrong","status":400,"detail":"parameter `limit` is \"x\": expected a number from 1 to 100","retryAfter":3}"#
        );
    }
}
