//! [`Problem`]: what an HTTP error says, as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The call that took the place of one that is gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub successor: Option<String>,
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
            successor: None,
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
    pub fn unauthorized(error: &impl core::fmt::Display) -> Self {
        Self::new(401, "unauthorized", "A valid token is needed", error.to_string())
    }

    /// 410, with what took its place.
    #[must_use]
    pub fn gone(retired: &crate::api::operations::Retired) -> Self {
        let detail = format!("this call is gone: {}. Use {}", retired.about, retired.successor);
        Self {
            successor: Some(retired.successor.to_owned()),
            ..Self::new(410, "gone", "The call is gone", detail)
        }
    }

    /// 413, with what may be `bytes` long at most.
    #[must_use]
    pub fn too_large(what: &str, bytes: usize) -> Self {
        Self::new(413, "too_large", "The body is too large", format!("{what} has {bytes} bytes at most"))
    }

    /// 502: another Worker of the product cannot be reached.
    #[must_use]
    pub fn unreachable(worker: &str) -> Self {
        let detail = format!("the {worker} does not answer: try again later");
        Self::new(502, &format!("{worker}_unreachable"), "Another Worker does not answer", detail)
            .retry_after(10)
    }

    /// 504: another Worker of the product takes too long.
    #[must_use]
    pub fn late(worker: &str, seconds: u64) -> Self {
        let detail = format!("the {worker} did not answer within {seconds} s; what it does may still go on");
        Self::new(504, &format!("{worker}_late"), "Another Worker takes too long", detail).retry_after(30)
    }

    /// 503: D1 does not answer.
    #[must_use]
    pub fn database_unreadable() -> Self {
        Self::new(503, "d1_unreadable", "D1 cannot be read", "the database does not answer: try again later")
            .retry_after(10)
    }

    /// 403: a known caller that may read only.
    #[must_use]
    pub fn insufficient_scope(detail: impl Into<String>) -> Self {
        Self::new(403, "insufficient_scope", "This needs an administrator", detail)
    }

    /// What `WWW-Authenticate` says, for a 401 and for a caller that may too little (RFC 6750 section 3).
    #[must_use]
    pub fn challenge(&self) -> Option<&'static str> {
        match (self.status, self.kind.as_str()) {
            (401, _) => Some("Bearer"),
            (403, "about:blank#insufficient_scope") => {
                Some(r#"Bearer error="insufficient_scope", scope="admin""#)
            }
            _ => None,
        }
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

    #[test]
    fn a_problem_of_access_comes_with_its_challenge() {
        assert_eq!(Problem::unauthorized(&"no token").challenge(), Some("Bearer"));
        assert!(Problem::insufficient_scope("read only").challenge().unwrap().contains("insufficient_scope"));
        assert_eq!(Problem::new(403, "cross_site", "t", "d").challenge(), None);
        assert_eq!(Problem::not_found("/x").challenge(), None);
    }
}
