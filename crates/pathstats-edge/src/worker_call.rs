//! Calls to another Worker of the product that answers with a type of ours.

use core::future::Future;
use core::time::Duration;

use pathstats_model::problem::Problem;
use serde::de::DeserializeOwned;
use worker::{Response, Result};

use crate::clock::within;

/// What the `worker` answers, body and all, within a time. A problem of its own is handed on; the others
/// are 502 when it cannot be reached or says what cannot be read, and 504 when it is late. Given up
/// waiting for, what it does may still go on.
///
/// # Errors
///
/// What to answer instead.
pub async fn answered<T: DeserializeOwned>(
    worker: &str,
    limit: Duration,
    call: impl Future<Output = Result<Response>>,
) -> core::result::Result<T, Problem> {
    let read = async {
        let mut response = call.await?;
        Ok::<_, worker::Error>((response.status_code(), response.bytes().await?))
    };
    let (status, body) = match within(limit, read).await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => {
            tracing::error!(%error, "the {worker} does not answer");
            return Err(Problem::unreachable(worker));
        }
        None => {
            tracing::error!(error = %format_args!("{} s", limit.as_secs()), "the {worker} is late");
            return Err(Problem::late(worker, limit.as_secs()));
        }
    };
    let unreadable = |error: serde_json::Error| {
        tracing::error!(%error, "the {worker} answered {status} with what does not read");
        Problem::unreachable(worker)
    };
    if status == 200 {
        serde_json::from_slice(&body).map_err(unreadable)
    } else {
        Err(serde_json::from_slice(&body).unwrap_or_else(unreadable))
    }
}
