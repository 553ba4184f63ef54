//! What `GET /admin/session` answers.

use serde::Serialize;

use crate::access::{Identity, Role, Via};
use crate::config::ApiConfig;
use crate::hour::iso_time;

/// Who is asking, and what a page must know of the set-up.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    role: Role,
    via: Via,
    /// `token:read`, `token:admin`, an e-mail address, or the common name of a service token.
    name: String,
    /// When the login ends, ISO 8601 in UTC; `null` for a token.
    expires_at: Option<String>,
    /// The share of requests that are to be answered without a server error.
    error_objective: f64,
    /// `dev`, `staging` or `production`.
    environment: String,
    version: &'static str,
}

impl Session {
    /// The session of this one, at a Worker of this version.
    #[must_use]
    pub fn new(identity: &Identity, config: &ApiConfig, version: &'static str) -> Self {
        Self {
            role: identity.role,
            via: identity.via,
            name: identity.name.clone(),
            expires_at: identity.expires_at_ms.map(iso_time),
            error_objective: config.error_objective,
            environment: config.environment.clone(),
            version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_tells_who_asks_and_of_what() {
        let variables = |name: &str| match name {
            "READ_TOKEN" => Some("a-token-that-reads".to_owned()),
            "ADMIN_TOKEN" => Some("a-token-that-changes".to_owned()),
            "ENVIRONMENT" => Some("staging".to_owned()),
            _ => None,
        };
        let config = ApiConfig::from_variables(&variables).unwrap();
        let alice = Identity {
            role: Role::Admin,
            via: Via::Access,
            name: "alice@example.com".to_owned(),
            expires_at_ms: Some(1_760_536_800_000),
        };
        assert_eq!(
            serde_json::to_value(Session::new(&alice, &config, "0.1.0")).unwrap(),
            serde_json::json!({"role": "admin", "via": "access", "name": "alice@example.com",
                "expiresAt": "2025-10-15T14:00:00.000Z", "errorObjective": 0.999, "environment": "staging",
                "version": "0.1.0"})
        );
    }
}
