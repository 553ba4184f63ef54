//! Who may: a bearer token, and a limit on tries without a valid one.

use pathstats_model::access::Token;
use pathstats_model::problem::Problem;
use worker::{Env, Request, Result};

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
    let address = request.headers().get("CF-Connecting-IP")?.unwrap_or_default();
    // A limiter that is missing or does not answer: the try is refused anyway.
    let too_many = match env.rate_limiter(limiter) {
        Ok(limit) => limit.limit(address).await.is_ok_and(|outcome| !outcome.success),
        Err(_) => false,
    };
    Ok(Err(if too_many {
        let detail = "too many tries without a valid token: wait a minute";
        Problem::new(429, "too_many_tries", "Too many tries", detail).retry_after(60)
    } else {
        Problem::unauthorized(refused)
    }))
}
