//! Where `/paths` answers from.

use serde::{Deserialize, Serialize};

/// The tier that an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DataSource {
    /// The data centre's cache.
    Cache,
    /// KV.
    Kv,
    /// D1, aggregated for this answer.
    D1,
}

/// How an answer begins that was made from D1.
pub const FROM_D1: &str = r#"{"dataSource":"d1","#;

/// How the same begins when it is answered again from the cache.
pub const FROM_CACHE: &str = r#"{"dataSource":"cache","#;

/// What to do with what the cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// Fresh: answer from it.
    Fresh,
    /// Expired: answer from it as stale, and refresh it behind the answer.
    Stale,
    /// Nothing there: go to KV.
    Miss,
}

/// Decides by the time since the cached copy was put there. A copy from the future, by a clock
/// that went back, has expired.
#[must_use]
pub fn cache_use(cached_at_ms: Option<i64>, now_ms: i64, fresh_for_ms: i64) -> CacheUse {
    match cached_at_ms {
        None => CacheUse::Miss,
        Some(at) if (0..fresh_for_ms).contains(&(now_ms - at)) => CacheUse::Fresh,
        Some(_) => CacheUse::Stale,
    }
}

/// Until when an answer from the cache may be given again from memory: for `memory_ms`, and never longer
/// than the cache's copy is fresh. `None` when nothing is to be remembered.
#[must_use]
pub fn remembered_until(fresh_until_ms: i64, now_ms: i64, memory_ms: i64) -> Option<i64> {
    (memory_ms > 0).then(|| fresh_until_ms.min(now_ms + memory_ms))
}

/// Whole seconds since the snapshot was made.
#[must_use]
pub fn staleness_seconds(updated_at_ms: i64, now_ms: i64) -> i64 {
    (now_ms - updated_at_ms).max(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_ends_with_its_time_and_with_the_freshness_of_the_copy() {
        assert_eq!(remembered_until(30_000, 10_000, 1_000), Some(11_000));
        assert_eq!(remembered_until(30_000, 29_500, 1_000), Some(30_000));
        assert_eq!(remembered_until(30_000, 10_000, 0), None);
    }

    #[test]
    fn the_table_of_freshness() {
        assert_eq!(cache_use(None, 100, 30), CacheUse::Miss);
        assert_eq!(cache_use(Some(100), 100, 30), CacheUse::Fresh);
        assert_eq!(cache_use(Some(100), 129, 30), CacheUse::Fresh);
        assert_eq!(cache_use(Some(100), 130, 30), CacheUse::Stale);
        assert_eq!(cache_use(Some(200), 100, 30), CacheUse::Stale);
    }

    #[test]
    fn staleness_is_never_negative() {
        assert_eq!(staleness_seconds(1_000, 3_999), 2);
        assert_eq!(staleness_seconds(5_000, 1_000), 0);
    }
}
