//! Answers that are dear to make, kept for some seconds: in the data centre's cache, and in memory.

use std::cell::{Cell, RefCell};

use pathstats_model::freshness::{cache_use, CacheUse, Keeping};
use pathstats_model::recent::Recent;
use worker::{Cache, Response, ResponseBody, Result};

use crate::clock::now_ms;
use crate::http::packed_json;

/// Header of a copy: when it was put there, milliseconds since the epoch.
const CACHED_AT: &str = "X-Pathstats-Cached-At";

thread_local! {
    static KEEPING: Cell<Keeping> = const { Cell::new(Keeping::NEW) };
}

/// What this instance saw of its cache so far.
#[must_use]
pub fn keeping() -> Keeping {
    KEEPING.get()
}

/// Tells what was seen of the cache now. A copy that is found says that it keeps some, whichever it is. That one was
/// written, or is missing, is told of the snapshot's alone: each query has an answer of its own, and most were never
/// kept.
pub fn saw(tell: impl FnOnce(&mut Keeping)) {
    let mut keeping = KEEPING.get();
    tell(&mut keeping);
    KEEPING.set(keeping);
}

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
        let read = async {
            let Some(copy) = Cache::default().get(self.key.as_str(), true).await? else {
                return Ok(None);
            };
            saw(Keeping::found);
            let at = copy.headers().get(CACHED_AT)?.and_then(|at| at.parse().ok());
            let tag = copy.headers().get("ETag")?;
            match (cache_use(at, now_ms(), self.fresh_for_ms), tag) {
                (CacheUse::Fresh, Some(tag)) => {
                    let (_, body) = copy.into_parts();
                    packed_json(body, &tag).map(Some)
                }
                _ => Ok(None),
            }
        };
        read.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache cannot be read");
            None
        })
    }

    /// Keeps an answer, a file of gzip that says to be from the cache, unless that keeps nothing. A cache that refuses
    /// is told to the log: the answer stands all the same.
    pub async fn put(&self, packed: Vec<u8>, tag: &str) {
        if !keeping().is_worth_writing(now_ms()) {
            return;
        }
        let written = async {
            // Without `Content-Encoding`: the bytes are kept as they are, whatever the cache makes of that.
            let response = Response::from_bytes(packed)?;
            let seconds = self.fresh_for_ms / 1000;
            response.headers().set("Content-Type", "application/gzip")?;
            response.headers().set("ETag", tag)?;
            response.headers().set("Cache-Control", &format!("public, max-age={seconds}"))?;
            response.headers().set(CACHED_AT, &now_ms().to_string())?;
            Cache::default().put(self.key.as_str(), response).await
        };
        if let Err(error) = written.await {
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
///
/// # Errors
///
/// When the platform refuses the response.
pub fn recall(asked: &str) -> Result<Option<Response>> {
    let now = now_ms();
    REMEMBERED.with_borrow(|all| {
        let found = all.find(|known| known == asked).filter(|one| now < one.until_ms);
        found.map(|one| packed_json(ResponseBody::Body(one.packed.clone()), &one.tag)).transpose()
    })
}

/// Remembers an answer, a file of gzip, until then, so that many readers at once cost little more than one.
pub fn remember(asked: &str, packed: &[u8], tag: &str, until_ms: i64) {
    let one = Remembered { until_ms, tag: tag.to_owned(), packed: packed.to_vec() };
    REMEMBERED.with_borrow_mut(|all| all.put(asked.to_owned(), one));
}
