//! Who may: bearer tokens and logins, and a limit on tries without a valid one.

mod keys;

use pathstats_model::access::identity::Page;
use pathstats_model::access::{
    identify as decide, AccessConfig, AccessError, Identity, Presented, Refusal, Token,
};
use pathstats_model::event::cut;
use pathstats_model::problem::Problem;
use worker::{Env, Request, Result};

use crate::bindings::SIGN_IN_LIMIT;
use crate::clock::now_ms;

pub use keys::TeamKeys;

/// Checks the bearer token of a request. Failed tries of one address are limited by the binding
/// `limiter`; a valid token never waits for it. `Err` within holds what to answer.
///
/// # Errors
///
/// When the platform does not give the headers.
pub async fn check(
    request: &Request,
    env: &Env,
    token: &Token,
    limiter: &str,
) -> Result<core::result::Result<(), Problem>> {
    let Err(refused) = token.check(request.headers().get("Authorization")?.as_deref()) else {
        return Ok(Ok(()));
    };
    let is_one_too_many = failed_once_too_often(request, env, limiter).await?;
    Ok(Err(if is_one_too_many { too_many_tries() } else { Problem::unauthorized(&refused) }))
}

/// Who asks, by token or by login. Failed tries of one address are limited, of either kind; who is
/// recognised never waits. `Err` within holds what to answer.
///
/// # Errors
///
/// When the platform does not give the headers.
pub async fn identify(
    request: &Request,
    env: &Env,
    config: &AccessConfig,
) -> Result<core::result::Result<Identity, Problem>> {
    let headers = request.headers();
    let (authorization, access_jwt) =
        (headers.get("Authorization")?, headers.get("Cf-Access-Jwt-Assertion")?);
    let presented = Presented { authorization: authorization.as_deref(), access_jwt: access_jwt.as_deref() };
    let keys = TeamKeys::new(config.login().map_or("", |login| login.team()));
    let refusal = match decide(config, presented, &keys, now_ms()).await {
        Ok(identity) => return Ok(Ok(identity)),
        Err(refusal) => refusal,
    };
    // Dying here, or asking twice: nothing was done for the request.
    if refusal.is_failed_try() && failed_once_too_often(request, env, SIGN_IN_LIMIT).await? {
        return Ok(Err(too_many_tries()));
    }
    let problem = refusal.problem();
    // A request without anything is a browser's first one; there is nothing to tell about it.
    if refusal != Refusal::Token(AccessError::Missing) {
        let path = request.path();
        let (status, path, reason) = (problem.status, cut(&path, 200), problem.detail.as_str());
        tracing::warn!(status, path, reason, "a request was refused");
    }
    Ok(Err(problem))
}

/// Whether this one may change things by this request: `Err` within holds what to answer.
///
/// # Errors
///
/// When the platform does not give the headers.
pub fn may_change(request: &Request, identity: &Identity) -> Result<core::result::Result<(), Problem>> {
    let asked = request.url()?.origin().ascii_serialization();
    let (origin, fetch_site) = (request.headers().get("Origin")?, request.headers().get("Sec-Fetch-Site")?);
    let page = Page { asked: &asked, origin: origin.as_deref(), fetch_site: fetch_site.as_deref() };
    Ok(identity.may_change(page))
}

/// Counts a failed try of the address that a request comes from.
async fn failed_once_too_often(request: &Request, env: &Env, limiter: &str) -> Result<bool> {
    let address = request.headers().get("CF-Connecting-IP")?.unwrap_or_default();
    Ok(is_over(env, limiter, address).await)
}

/// Counts a change that somebody who is known may not make. A change that is refused is audited, and a
/// reader must not be able to fill the database by asking.
pub async fn refused_once_too_often(env: &Env, identity: &Identity) -> bool {
    is_over(env, SIGN_IN_LIMIT, format!("change:{}", identity.name)).await
}

/// A limiter that is missing or does not answer limits nothing: what it counts is refused anyway.
async fn is_over(env: &Env, limiter: &str, key: String) -> bool {
    match env.rate_limiter(limiter) {
        Ok(limit) => limit.limit(key).await.is_ok_and(|outcome| !outcome.success),
        Err(_) => false,
    }
}

/// 429 for who tries to sign in.
#[must_use]
pub fn too_many_tries() -> Problem {
    limited("too many tries without a valid token: wait a minute")
}

/// 429 for who is known, and tries to change what is not theirs to change.
#[must_use]
pub fn too_many_changes() -> Problem {
    limited("too many tries of changes that this token or login may not make: wait a minute; reading goes on")
}

fn limited(detail: &str) -> Problem {
    Problem::new(429, "too_many_tries", "Too many tries", detail).retry_after(60)
}
