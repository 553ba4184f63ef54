//! Answers that are dear to make, kept in the data centre's cache for some seconds.

use pathstats_model::freshness::{cache_use, CacheUse, FROM_CACHE, FROM_D1};
use worker::{Cache, Response};

use crate::clock::now_ms;
use crate::telemetry;

/// Header of a copy: when it was put there, milliseconds since the epoch.
const CACHED_AT: &str = "X-Pathstats-Cached-At";

/// A place in the cache.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    key: String,
    fresh_for_ms: i64,
}

impl KeptAnswer {
    /// The place of an operation's answer to this query. Never fetched: a name of ours.
    #[must_use]
    pub fn new(operation: &str, query: &str, fresh_for_ms: i64) -> Self {
        Self { key: format!("https://pathstats.internal/answers{operation}?{query}"), fresh_for_ms }
    }

    /// The answer, while it is fresh, told to be from the cache. A cache that does not answer has none.
    pub async fn get(&self) -> Option<String> {
        let read = async {
            let Some(mut response) = Cache::default().get(self.key.as_str(), true).await? else {
                return Ok(None);
            };
            let at = response.headers().get(CACHED_AT)?.and_then(|at| at.parse().ok());
            if cache_use(at, now_ms(), self.fresh_for_ms) != CacheUse::Fresh {
                return Ok(None);
            }
            let text = String::from_utf8(response.bytes().await?).map_err(|error| error.to_string())?;
            Ok::<_, worker::Error>(text.strip_prefix(FROM_D1).map(|rest| format!("{FROM_CACHE}{rest}")))
        };
        read.await.unwrap_or_else(|error| {
            telemetry::warn("the cache cannot be read", &error);
            None
        })
    }

    /// Keeps an answer that begins with where it came from. A cache that refuses is told to the log:
    /// the answer stands all the same.
    pub async fn put(&self, answer: &str) {
        let written = async {
            let response = Response::from_bytes(answer.as_bytes().to_vec())?;
            let seconds = self.fresh_for_ms / 1000;
            response.headers().set("Cache-Control", &format!("public, max-age={seconds}"))?;
            response.headers().set(CACHED_AT, &now_ms().to_string())?;
            Cache::default().put(self.key.as_str(), response).await
        };
        if let Err(error) = written.await {
            telemetry::warn("the cache was not written", &error);
        }
    }
}
