//! Where `/paths` answers from.

use core::fmt;
use core::str::FromStr;

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

/// So many copies in a row that were gone at once mean that a cache keeps nothing.
const LOST_IN_A_ROW: u32 = 20;

/// A copy that is gone sooner than this was never kept: an eviction takes longer, mostly.
const KEPT_FOR_MS: i64 = 10_000;

/// How often a cache that keeps nothing is given a copy all the same.
const TRIED_EVERY_MS: i64 = 60_000;

/// What an instance saw of its location's cache. On `workers.dev` and behind Access the cache takes every copy and keeps
/// none, and a copy behind each answer would be work for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// When a copy was written last, milliseconds since the epoch.
    written_ms: Option<i64>,
    /// That copy was looked for already.
    looked: bool,
    /// Copies in a row that were gone at once.
    lost: u32,
}

impl Keeping {
    /// Nothing was seen yet.
    pub const NEW: Self = Self { written_ms: None, looked: false, lost: 0 };

    /// A copy was written, as of when that was done.
    pub fn written(&mut self, now_ms: i64) {
        (self.written_ms, self.looked) = (Some(now_ms), false);
    }

    /// A copy was there.
    pub fn found(&mut self) {
        self.lost = 0;
    }

    /// No copy was there when it was asked for at `asked_ms`. Asked before the last one was written, that says nothing of
    /// that.
    pub fn missed(&mut self, asked_ms: i64) {
        let age_ms = self.written_ms.map(|at| asked_ms - at);
        if !self.looked && age_ms.is_some_and(|age| 0 < age && age < KEPT_FOR_MS) {
            self.looked = true;
            self.lost = (self.lost + 1).min(LOST_IN_A_ROW);
        }
    }

    /// Whether a copy is worth writing: the cache keeps some, or it is time to try whether it does now.
    #[must_use]
    pub fn is_worth_writing(&self, now_ms: i64) -> bool {
        let keeps = self.lost < LOST_IN_A_ROW;
        keeps || self.written_ms.is_none_or(|at| !(0..TRIED_EVERY_MS).contains(&(now_ms - at)))
    }
}

/// What a cached copy of a snapshot says of it, beside its bytes: `1730956800000 7 1730956799000`. A snapshot that is
/// known by this is not read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLabel {
    /// When the copy was made, milliseconds since the epoch.
    pub cached_at_ms: i64,
    /// The snapshot's version.
    pub version: u64,
    /// When the snapshot was made, milliseconds since the epoch.
    pub updated_at_ms: i64,
}

impl fmt::Display for CopyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.cached_at_ms, self.version, self.updated_at_ms)
    }
}

/// The text is no label, as of a copy that another release made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected three numbers: when the copy was made, the version, when that was made")]
pub struct NoLabel;

impl FromStr for CopyLabel {
    type Err = NoLabel;

    fn from_str(text: &str) -> Result<Self, NoLabel> {
        let mut words = text.split(' ');
        let (Some(cached_at), Some(version), Some(updated_at), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(NoLabel);
        };
        Ok(Self {
            cached_at_ms: cached_at.parse().map_err(|_| NoLabel)?,
            version: version.parse().map_err(|_| NoLabel)?,
            updated_at_ms: updated_at.parse().map_err(|_| NoLabel)?,
        })
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

    /// As many copies as these are written and looked for 5 ms later, each 10 ms after the one before.
    fn lose(keeping: &mut Keeping, copies: u32, from_ms: i64) -> i64 {
        (0..copies).fold(from_ms, |now, _| {
            assert!(keeping.is_worth_writing(now));
            keeping.written(now);
            keeping.missed(now + 5);
            now + 10
        })
    }

    #[test]
    fn a_cache_that_keeps_nothing_is_tried_once_a_minute() {
        let mut keeping = Keeping::NEW;
        let now = lose(&mut keeping, LOST_IN_A_ROW, 1_000);
        let last = now - 10;
        assert!(!keeping.is_worth_writing(now));
        assert!(!keeping.is_worth_writing(last + TRIED_EVERY_MS - 1));
        let now = lose(&mut keeping, 1, last + TRIED_EVERY_MS);
        assert!(!keeping.is_worth_writing(now), "the try was lost too");
        assert!(keeping.is_worth_writing(0), "a clock that went back does not keep it from being tried");
        keeping.written(now + TRIED_EVERY_MS);
        keeping.found();
        lose(&mut keeping, LOST_IN_A_ROW, now + TRIED_EVERY_MS + 10);
    }

    #[test]
    fn one_copy_that_is_found_is_enough_to_go_on() {
        let mut keeping = Keeping::NEW;
        let now = lose(&mut keeping, LOST_IN_A_ROW - 1, 1_000);
        keeping.found();
        let now = lose(&mut keeping, LOST_IN_A_ROW - 1, now);
        assert!(keeping.is_worth_writing(now));
    }

    #[test]
    fn what_says_nothing_of_the_last_copy_is_no_loss() {
        let mut keeping = Keeping::NEW;
        for at in 0..100 {
            let at = at * 100_000;
            keeping.missed(at);
            keeping.written(at + 10);
            // Asked before it was written, or in the same millisecond, and long after.
            for asked in [at, at + 10, at + 10 + KEPT_FOR_MS] {
                keeping.missed(asked);
            }
        }
        assert_eq!(keeping.lost, 0);
        // Many readers who look for the same copy lose one.
        keeping.written(20_000_000);
        for reader in 1..100 {
            keeping.missed(20_000_000 + reader);
        }
        assert_eq!(keeping.lost, 1);
    }

    #[test]
    fn a_copy_is_known_by_its_label() {
        let label =
            CopyLabel { cached_at_ms: 1_730_956_800_000, version: 7, updated_at_ms: 1_730_956_799_000 };
        assert_eq!(label.to_string(), "1730956800000 7 1730956799000");
        assert_eq!(label.to_string().parse(), Ok(label));
        for other in ["", "1730956800000", "1 2", "1 2 3 4", "1 -2 3", "1 2 x", " 1 2 3"] {
            assert_eq!(other.parse::<CopyLabel>(), Err(NoLabel), "{other:?}");
        }
    }

    #[test]
    fn staleness_is_never_negative() {
        assert_eq!(staleness_seconds(1_000, 3_999), 2);
        assert_eq!(staleness_seconds(5_000, 1_000), 0);
    }
}
