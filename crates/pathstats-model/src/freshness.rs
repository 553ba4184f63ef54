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

/// How often an instance writes the same snapshot to the cache, milliseconds. Readers who come at once while there is no
/// copy write one, and not one each; and where the cache keeps none, as on `workers.dev` and behind Access, little is
/// written for nothing. A copy that is lost sooner is written again by who comes later.
const SAME_COPY_EVERY_MS: i64 = 1_000;

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

impl CopyLabel {
    /// Whether the copy is worth writing, after the one that this instance wrote last: it is of another snapshot, or some
    /// time has gone by. A clock that went back keeps none from being written.
    #[must_use]
    pub fn is_due_after(&self, last: Option<Self>) -> bool {
        last.is_none_or(|last| {
            (last.version, last.updated_at_ms) != (self.version, self.updated_at_ms)
                || !(0..SAME_COPY_EVERY_MS).contains(&(self.cached_at_ms - last.cached_at_ms))
        })
    }
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

    #[test]
    fn the_same_snapshot_is_written_once_a_second() {
        let of = |cached_at_ms, version, updated_at_ms| CopyLabel { cached_at_ms, version, updated_at_ms };
        let last = Some(of(10_000, 7, 9_000));
        assert!(of(10_000, 7, 9_000).is_due_after(None));
        for at in [10_000, 10_999] {
            assert!(!of(at, 7, 9_000).is_due_after(last), "{at}");
        }
        for at in [11_000, 9_999, 0] {
            assert!(of(at, 7, 9_000).is_due_after(last), "{at}");
        }
        for other in [of(10_001, 8, 9_000), of(10_001, 6, 9_000), of(10_001, 7, 9_001)] {
            assert!(other.is_due_after(last), "another snapshot: {other}");
        }
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
