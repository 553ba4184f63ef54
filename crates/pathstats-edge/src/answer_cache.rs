//! Answers that are dear to make, kept for some seconds: in the data centre's cache, and in memory.

use std::cell::RefCell;

use pathstats_model::freshness::{cache_use, CacheUse};
use pathstats_model::recent::Recent;
use worker::ResponseBody;

use crate::cache;
use crate::clock::now_ms;
use crate::http::{packed_json, Response};

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

    /// The answer, while it is fresh, told to be from the cache. Its bytes go from the cache to the client
    /// as they are. A cache that does not answer has none.
    pub async fn get(&self) -> Option<Response> {
        let found = cache::find(&self.key).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache cannot be read");
            None
        });
        let copy = found?;
        let at = copy.header(CACHED_AT).and_then(|at| at.parse().ok());
        let tag = copy.header("ETag")?;
        let is_fresh = cache_use(at, now_ms(), self.fresh_for_ms) == CacheUse::Fresh;
        is_fresh.then(|| packed_json(copy.into_body(), tag))
    }

    /// Keeps an answer, a file of gzip that says to be from the cache. A cache that refuses is told to the log: the
    /// answer stands all the same.
    pub async fn put(&self, packed: Vec<u8>, tag: &str) {
        // Without `Content-Encoding`: the bytes are kept as they are, whatever the cache makes of that.
        let copy = Response::new(200, ResponseBody::Body(packed))
            .with_header("ETag", tag.to_owned())
            .with_header("Cache-Control", format!("public, max-age={}", self.fresh_for_ms / 1000))
            .with_header(CACHED_AT, now_ms().to_string());
        if let Err(error) = cache::keep(&self.key, copy).await {
            tracing::warn!(%error, "the cache was not written");
        }
    }
}

/// Answers that this isolate remembers.
const MOST_REMEMBERED: usize = 8;

thread_local! {
    static REMEMBERED: RefCell<Recent<String, Remembered, MOST_REMEMBERED>> =
        const { RefCell::new(Recent::new()) };
}

struct Remembered {
    until_ms: i64,
    tag: String,
    packed: Vec<u8>,
}

/// An answer that was given to the same question a moment ago.
#[must_use]
pub fn recall(asked: &str) -> Option<Response> {
    let now = now_ms();
    REMEMBERED.with_borrow(|all| {
        let found = all.find(|known| known == asked).filter(|one| now < one.until_ms);
        found.map(|one| packed_json(ResponseBody::Body(one.packed.clone()), one.tag.clone()))
    })
}

/// Remembers an answer, a file of gzip, until then, so that many readers at once cost little more than one.
pub fn remember(asked: &str, packed: &[u8], tag: &str, until_ms: i64) {
    let one = Remembered { until_ms, tag: tag.to_owned(), packed: packed.to_vec() };
    REMEMBERED.with_borrow_mut(|all| all.put(asked.to_owned(), one));
}
