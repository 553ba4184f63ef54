//! [`identify`]: who asks, or why that one is refused; and what each may do.

use serde::Serialize;

use super::jwt::{Jwt, JwtError, KeysUnavailable, LoginName, Verifier};
use super::login::LoginConfig;
use super::token::{AccessError, PresentedToken, Token};
use crate::config::{token, ConfigError, Variables};
use crate::problem::Problem;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything.
    Read,
    /// Change things too.
    Admin,
}

/// How somebody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// By `READ_TOKEN` or `ADMIN_TOKEN`.
    Token,
    /// By a login at Cloudflare Access.
    Access,
}

impl Via {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Access => "access",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What that one may do.
    pub role: Role,
    /// How that one was recognised.
    pub via: Via,
    /// `token:read`, `token:admin`, an e-mail address, or the common name of a service token.
    pub name: String,
    /// When the login ends, in milliseconds. A token does not end.
    pub expires_at_ms: Option<i64>,
}

/// Tokens and logins that are accepted.
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// `READ_TOKEN`.
    read: Token,
    /// `ADMIN_TOKEN`.
    admin: Token,
    /// `ACCESS_TEAM_DOMAIN`, `ACCESS_AUD` and `ACCESS_ADMINS`.
    login: Option<LoginConfig>,
}

impl AccessConfig {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// The first one that is wrong, or both tokens when they are the same: who holds the one would
    /// hold the other.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let read = token(variables, "READ_TOKEN")?;
        let admin = token(variables, "ADMIN_TOKEN")?;
        if read.is_same_as(&admin) {
            return Err(ConfigError::Equal { names: "READ_TOKEN and ADMIN_TOKEN" });
        }
        Ok(Self { read, admin, login: LoginConfig::from_variables(variables)? })
    }

    /// Logins, when they are configured.
    #[must_use]
    pub const fn login(&self) -> Option<&LoginConfig> {
        self.login.as_ref()
    }
}

/// What a request presents. The cookie `CF_Authorization` is no part of it: a browser sends it along
/// with whatever another site has it send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'a> {
    /// Header `Authorization`.
    pub authorization: Option<&'a str>,
    /// Header `Cf-Access-Jwt-Assertion`.
    pub access_jwt: Option<&'a str>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or a wrong one.
    Token(AccessError),
    /// A login that is not accepted.
    Login(JwtError),
    /// A login that cannot be checked.
    KeysUnavailable(KeysUnavailable),
}

/// Who asks.
///
/// An `Authorization` header decides alone, valid or not, whatever login comes with it: whoever sends
/// a token means to act by it. Were a wrong one passed over, a script with a mistyped or withdrawn
/// token would work under the name of the person whose browser or tunnel it runs behind, and the audit
/// would name somebody who asked for nothing. It would also let everybody with a login try tokens
/// without ever being refused.
///
/// Without a configured login that header is ignored: anybody could have written it.
///
/// # Errors
///
/// See [`Refusal`].
pub async fn identify(
    config: &AccessConfig,
    presented: Presented<'_>,
    verifier: &impl Verifier,
    now_ms: i64,
) -> Result<Identity, Refusal> {
    match (presented.authorization, presented.access_jwt, &config.login) {
        (None, Some(jwt), Some(login)) => by_login(login, jwt, verifier, now_ms).await,
        (authorization, ..) => by_token(config, authorization).map_err(Refusal::Token),
    }
}

/// Every configured token is compared before any outcome is looked at, so the time tells neither
/// which one came near nor which one it was.
fn by_token(config: &AccessConfig, authorization: Option<&str>) -> Result<Identity, AccessError> {
    let presented = PresentedToken::read(authorization)?;
    let (is_read, is_admin) = (presented.is(&config.read), presented.is(&config.admin));
    let (role, name) = match (bool::from(is_admin), bool::from(is_read)) {
        (true, _) => (Role::Admin, "token:admin"),
        (false, true) => (Role::Read, "token:read"),
        (false, false) => return Err(AccessError::Wrong),
    };
    Ok(Identity { role, via: Via::Token, name: name.to_owned(), expires_at_ms: None })
}

async fn by_login(
    config: &LoginConfig,
    jwt: &str,
    verifier: &impl Verifier,
    now_ms: i64,
) -> Result<Identity, Refusal> {
    let jwt = Jwt::parse(jwt).map_err(Refusal::Login)?;
    let signed = jwt.verify(verifier).await.map_err(Refusal::KeysUnavailable)?;
    let login = signed.and_then(|signed| signed.login(config, now_ms)).map_err(Refusal::Login)?;
    let role = config.role_of(&login.name);
    let (LoginName::Email(name) | LoginName::Service(name)) = login.name;
    Ok(Identity { role, via: Via::Access, name, expires_at_ms: Some(login.expires_at_ms) })
}

impl Refusal {
    /// What to answer.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Token(error) => Problem::unauthorized(error),
            Self::Login(error) => Problem::unauthorized(error),
            Self::KeysUnavailable(error) => {
                let detail = format!("{error}, so no login can be checked: try again, or use a token");
                Problem::new(503, "access_keys_unavailable", "Logins cannot be checked now", detail)
                    .retry_after(10)
            }
        }
    }

    /// Whether it counts as a failed try of the address that it came from.
    #[must_use]
    pub const fn is_failed_try(&self) -> bool {
        !matches!(self, Self::KeysUnavailable(_))
    }
}

/// What a browser tells about the page that a request comes from (Fetch Standard, "Origin header";
/// Fetch Metadata Request Headers).
#[derive(Debug, Clone, Copy, Default)]
pub struct Page<'a> {
    /// The origin that was asked, as `https://host`.
    pub asked: &'a str,
    /// Header `Origin`.
    pub origin: Option<&'a str>,
    /// Header `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
}

impl Identity {
    /// Whether this one may change things, from this page.
    ///
    /// A login comes with a request by itself: Cloudflare makes its header from a cookie, which a
    /// browser also sends for a form on any other site. So a change by login is taken from
    /// our own page or from a program that is no browser. A token is put into the request by whoever
    /// holds it, so it is taken from any page.
    ///
    /// # Errors
    ///
    /// The problem to answer, 403.
    pub fn may_change(&self, page: Page<'_>) -> Result<(), Problem> {
        if self.role < Role::Admin {
            let detail = match self.via {
                Via::Token => "this token may read only: use ADMIN_TOKEN".to_owned(),
                Via::Access => {
                    format!("{} may read only: ACCESS_ADMINS says who may change things", self.name)
                }
            };
            return Err(Problem::insufficient_scope(detail));
        }
        let is_ours = page.origin.map_or_else(
            || page.fetch_site.is_none_or(|site| matches!(site, "same-origin" | "none")),
            |origin| origin == page.asked,
        );
        if self.via == Via::Access && !is_ours {
            let detail =
                "a page of another site asked for this with your login: use the dashboard, or a token";
            return Err(Problem::new(403, "cross_site", "Another site asked for a change", detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
