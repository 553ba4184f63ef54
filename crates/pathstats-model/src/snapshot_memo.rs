//! What a snapshot's builder remembers of hours that seldom change, so that a rebuild reads and
//! merges only what did.
//!
//! Of the 24 hours of a snapshot, 22 have ended for an hour at least. Their rows change only when an
//! event comes late. A fingerprint of those rows comes with the counters, which are read anyhow; while
//! it stays the same, their merged statistics do.

use std::collections::HashMap;

use crate::hour::HourBucket;
use crate::limits::SNAPSHOT_HOURS;
use crate::snapshot::PathHours;

/// Newest hours that are always read: the current one, and the one whose last flush is just over.
const OPEN_HOURS: i64 = 2;

/// What changes whenever a row of a path's settled hours is written, added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// How many rows.
    pub rows: u64,
    /// Sum of their revisions.
    pub revisions: u64,
    /// Sum of the times they were written at, milliseconds.
    pub written: u64,
}

/// Merged statistics of settled hours, by path.
#[derive(Debug, Default)]
pub struct SnapshotMemo {
    from: Option<HourBucket>,
    paths: HashMap<String, (Fingerprint, PathHours)>,
}

/// The hours of a snapshot from `from` on, apart: those that are settled, and those that are open.
#[must_use]
pub fn settled_and_open(from: HourBucket) -> (Vec<HourBucket>, Vec<HourBucket>) {
    let hour = |at| from.plus(at);
    let settled = SNAPSHOT_HOURS - OPEN_HOURS;
    ((0..settled).map(hour).collect(), (settled..SNAPSHOT_HOURS).map(hour).collect())
}

impl SnapshotMemo {
    /// Forgets what is of other hours than those of a snapshot from `from` on, and of paths that are
    /// busy no more.
    pub fn keep<'a>(&mut self, from: HourBucket, busy: impl Iterator<Item = &'a str>) {
        if self.from != Some(from) {
            self.paths.clear();
            self.from = Some(from);
        }
        let mut kept = HashMap::new();
        for path in busy {
            kept.extend(self.paths.remove_entry(path));
        }
        self.paths = kept;
    }

    /// The settled hours of a path, when their rows are still those that were merged.
    #[must_use]
    pub fn get(&self, path: &str, fingerprint: Fingerprint) -> Option<&PathHours> {
        self.paths.get(path).filter(|(known, _)| *known == fingerprint).map(|(_, hours)| hours)
    }

    /// Remembers the settled hours of a path, as they were merged from all rows of this fingerprint.
    pub fn insert(&mut self, path: &str, fingerprint: Fingerprint, settled: PathHours) {
        self.paths.insert(path.to_owned(), (fingerprint, settled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: Fingerprint = Fingerprint { rows: 22, revisions: 40, written: 9 };

    fn hour(text: &str) -> HourBucket {
        text.parse().unwrap()
    }

    fn memo() -> SnapshotMemo {
        let from = hour("2025-10-15T14");
        let mut memo = SnapshotMemo::default();
        memo.keep(from, core::iter::empty());
        memo.insert("/a", FINGERPRINT, PathHours::new(from, 24));
        memo.insert("/b", FINGERPRINT, PathHours::new(from, 24));
        memo
    }

    #[test]
    fn the_last_two_hours_are_open() {
        let (settled, open) = settled_and_open(hour("2025-10-15T14"));
        assert_eq!((settled.len(), open.len()), (22, 2));
        assert_eq!(
            (settled[0].to_string(), open[1].to_string()),
            ("2025-10-15T14".into(), "2025-10-16T13".into())
        );
        assert_eq!(settled[21].plus(1), open[0]);
    }

    #[test]
    fn what_was_written_since_is_not_known() {
        let memo = memo();
        assert!(memo.get("/a", FINGERPRINT).is_some() && memo.get("/c", FINGERPRINT).is_none());
        for other in [
            Fingerprint { rows: 21, ..FINGERPRINT },
            Fingerprint { revisions: 41, ..FINGERPRINT },
            Fingerprint { written: 8, ..FINGERPRINT },
        ] {
            assert!(memo.get("/a", other).is_none());
        }
    }

    #[test]
    fn another_hour_and_paths_that_are_quiet_are_forgotten() {
        let mut memo = memo();
        memo.keep(hour("2025-10-15T14"), ["/a", "/new"].into_iter());
        assert!(memo.get("/a", FINGERPRINT).is_some() && memo.get("/b", FINGERPRINT).is_none());
        memo.keep(hour("2025-10-15T15"), ["/a"].into_iter());
        assert!(memo.get("/a", FINGERPRINT).is_none());
    }
}
