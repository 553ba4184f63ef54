//! When an object flushes its row, and when it asks for a snapshot.

use crate::hour::HourBucket;
use crate::limits::{MAX_FUTURE_MS, REPLAY_HORIZON_MS};

/// Every tenth update brings the flush forward and asks for a snapshot.
pub const UPDATES_PER_SNAPSHOT: u64 = 10;

/// Whether this update, counted from 1, asks for a snapshot: 10, 20, 30 and so on. The count grows
/// first and is then tested, so that it is never tested at 0.
#[must_use]
pub const fn asks_for_snapshot(update_count: u64) -> bool {
    update_count > 0 && update_count.is_multiple_of(UPDATES_PER_SNAPSHOT)
}

/// The times between which an object writes to D1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// A change waits at most this long for its flush.
    pub flush_after_ms: i64,
    /// A flush brought forward comes at least this long after the one before. A snapshot is not
    /// rebuilt more often, so flushing more often would show nothing.
    pub forward_after_ms: i64,
}

impl Cadence {
    /// When a change at `now_ms` shall be flushed at the latest.
    #[must_use]
    pub const fn due(&self, now_ms: i64) -> i64 {
        now_ms + self.flush_after_ms
    }

    /// When a flush brought forward at `now_ms` shall run, given the last one.
    #[must_use]
    pub fn forward(&self, now_ms: i64, last_flush_ms: Option<i64>) -> i64 {
        last_flush_ms.map_or(now_ms, |last| now_ms.max(last + self.forward_after_ms))
    }
}

/// When an object without new events marks its row sealed and deletes itself.
#[must_use]
pub const fn seals_at(last_update_ms: i64) -> i64 {
    last_update_ms + REPLAY_HORIZON_MS
}

/// Whether the row of `hour` can be sealed by `now_ms`. An event of it was accepted five minutes
/// before the hour at the earliest, so until the horizon has passed from there, no object of that
/// hour is gone and nobody needs to look. A further five minutes allow for clocks that differ.
#[must_use]
pub fn may_be_sealed(hour: HourBucket, now_ms: i64) -> bool {
    now_ms >= hour.start_ms() + REPLAY_HORIZON_MS - 2 * MAX_FUTURE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_update_asks_for_a_snapshot() {
        let asking: Vec<u64> = (0..=30).filter(|n| asks_for_snapshot(*n)).collect();
        assert_eq!(asking, [10, 20, 30]);
    }

    #[test]
    fn a_flush_brought_forward_keeps_its_distance() {
        let cadence = Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 };
        assert_eq!(cadence.due(5), 30_005);
        assert_eq!(cadence.forward(100_000, None), 100_000);
        assert_eq!(cadence.forward(100_000, Some(99_000)), 109_000);
        assert_eq!(cadence.forward(100_000, Some(50_000)), 100_000);
    }

    #[test]
    fn a_young_hour_cannot_be_sealed() {
        let hour: HourBucket = "2025-10-15T14".parse().unwrap();
        assert!(!may_be_sealed(hour, hour.end_ms()));
        // The earliest possible last update, at the edge of what is accepted.
        assert!(may_be_sealed(hour, seals_at(hour.start_ms() - MAX_FUTURE_MS)));
        assert!(!may_be_sealed(hour, seals_at(hour.start_ms()) - 3 * MAX_FUTURE_MS));
    }
}
