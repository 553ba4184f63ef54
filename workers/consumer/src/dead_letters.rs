//! Calls of the api that change dead letters.

use pathstats_edge::bindings::D1;
use pathstats_edge::http::{self, Response};
use pathstats_edge::letter_store::D1LetterStore;
use pathstats_model::dead_letters::{self, DiscardOrder, OrderError, ReplayOrder};
use pathstats_model::problem::Problem;
use worker::{Env, Error, Result};

use crate::intake::Platform;

/// Replays letters. Dying anywhere, or again: see [`dead_letters::replay`].
pub async fn replay(body: &[u8], env: &Env) -> Result<Response> {
    let order = match ReplayOrder::from_json(body) {
        Ok(order) => order,
        Err(error) => return refuse(&error),
    };
    let store = D1LetterStore::new(env.d1(D1)?);
    let platform = match Platform::new(env).await {
        Ok(platform) => platform,
        Err(error) => return unreadable(&error),
    };
    match dead_letters::replay(&platform, &store, &order).await {
        Ok(replayed) => {
            tracing::info!(
                selected = replayed.selected,
                replayed = replayed.replayed,
                stillDead = replayed.still_dead,
                failed = replayed.failed,
                counted = replayed.counted,
                duplicates = replayed.duplicates,
                remaining = replayed.remaining,
                "dead letters were replayed"
            );
            http::json(200, &replayed)
        }
        Err(error) => unreadable(&error),
    }
}

/// Throws letters away. Again: those that went are no longer there.
pub async fn discard(body: &[u8], env: &Env) -> Result<Response> {
    let order = match DiscardOrder::from_json(body) {
        Ok(order) => order,
        Err(error) => return refuse(&error),
    };
    match D1LetterStore::new(env.d1(D1)?).discard(&order).await {
        Ok(discarded) => {
            let (discarded_now, remaining) = (discarded.discarded, discarded.remaining);
            tracing::info!(discarded = discarded_now, remaining, "dead letters were discarded");
            http::json(200, &discarded)
        }
        Err(error) => unreadable(&error),
    }
}

fn refuse(error: &OrderError) -> Result<Response> {
    http::problem(&error.problem())
}

fn unreadable(error: &Error) -> Result<Response> {
    tracing::error!(%error, "dead letters cannot be read");
    http::problem(&Problem::database_unreadable())
}
