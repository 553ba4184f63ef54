//! Who may read.

use pathstats_edge::bindings::SIGN_IN_LIMIT;
use pathstats_model::access::Token;
use pathstats_model::problem::Problem;
use worker::{Env, Request, Result};

/// Checks the bearer token. Failed tries of one address are limited; a valid token never waits for
/// the limiter.
pub async fn check(request: &Request, env: &Env, token: &Token) -> Result<core::result::Result<(), Problem>> {
    let Err(refused) = token.check(request.headers().get("Authorization")?.as_deref()) else {
        return Ok(Ok(()));
    };
    let address = request.headers().get("CF-Connecting-IP")?.unwrap_or_default();
    let limited = match env.rate_limiter(SIGN_IN_LIMIT) {
        Ok(limiter) => !limiter.limit(address).await?.success,
        Err(_) => false,
    };
    Ok(Err(if limited {
        let detail = "too many tries without a valid token: wait a minute";
        Problem::new(429, "too_many_tries", "Too many tries", detail).retry_after(60)
    } else {
        Problem::unauthorized(refused)
    }))
}
