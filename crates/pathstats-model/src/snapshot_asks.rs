//! How the objects of one instance ask for a snapshot: one call at a time, however many flush at once.
//!
//! Hundreds of objects flush in the same second. Each would ask, since none knows the answer to another. So one
//! asks; who comes meanwhile leaves word, and whoever asked asks once more if the answer does not cover it.

use crate::snapshot::{Rebuilds, SnapshotReason};

/// A call that has not been answered for so long is given up: whoever made it died.
pub const GIVEN_UP_AFTER_MS: i64 = 10_000;

/// How often one object asks on behalf of those that came meanwhile. It has work of its own; what is left then is
/// asked by the next that flushes, and there is one soon, since others came all along.
pub const MOST_FOLLOWING: u32 = 10;

/// What the objects of an instance know of snapshots, and what is being asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    known: Rebuilds,
    /// When the call under way was made.
    asking_since_ms: Option<i64>,
    /// What those that came meanwhile ask for.
    waiting: Option<SnapshotReason>,
}

impl Asks {
    /// Nothing known, as an instance begins.
    pub const NONE: Self =
        Self { known: Rebuilds { last_ms: None, due_ms: None }, asking_since_ms: None, waiting: None };

    /// Whether to call now, and with which reason. `None` when the call would change nothing, or when another one
    /// is under way, whose caller then sees to it.
    pub fn begin(&mut self, reason: SnapshotReason, every_ms: i64, now_ms: i64) -> Option<SnapshotReason> {
        if !self.known.needs_asking(reason, every_ms, now_ms) {
            return None;
        }
        let reason = stronger(self.waiting, reason);
        if self.asking_since_ms.is_some_and(|since| now_ms - since < GIVEN_UP_AFTER_MS) {
            self.waiting = Some(reason);
            return None;
        }
        (self.asking_since_ms, self.waiting) = (Some(now_ms), None);
        Some(reason)
    }

    /// The call was answered. Tells what to ask next: what came while it was under way may have been flushed after
    /// the rebuild that it told of began.
    pub fn answered(&mut self, known: Rebuilds, every_ms: i64, now_ms: i64) -> Option<SnapshotReason> {
        (self.known, self.asking_since_ms) = (known, None);
        let waiting = self.waiting.take()?;
        self.begin(waiting, every_ms, now_ms)
    }

    /// The call failed. What waits is asked by the next that flushes.
    pub fn failed(&mut self) {
        self.asking_since_ms = None;
    }

    /// No more is asked on behalf of others: `reason`, which was to be asked next, is left to the next that flushes.
    pub fn leave(&mut self, reason: SnapshotReason) {
        (self.asking_since_ms, self.waiting) = (None, Some(stronger(self.waiting, reason)));
    }
}

/// A flush can wait for an old snapshot; everything else wants the next one.
fn stronger(one: Option<SnapshotReason>, other: SnapshotReason) -> SnapshotReason {
    one.filter(|reason| *reason != SnapshotReason::Flush).unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Coalescer;
    use SnapshotReason::{Flush, TenthUpdate};

    const EVERY: i64 = 10_000;

    #[test]
    fn of_a_thousand_that_flush_at_once_one_asks_and_once_more_at_most() {
        let mut asks = Asks::NONE;
        assert_eq!(asks.begin(TenthUpdate, EVERY, 0), Some(TenthUpdate));
        assert!((0..1_000).all(|n| asks.begin(Flush, EVERY, n / 100).is_none()));
        // A rebuild at once: it may have read before the others flushed.
        let soon = Rebuilds { last_ms: None, due_ms: Some(5) };
        assert_eq!(asks.answered(soon, EVERY, 10), Some(Flush));
        let later = Rebuilds { last_ms: Some(5), due_ms: Some(45_005) };
        assert_eq!(asks.answered(later, EVERY, 20), None);
        assert_eq!(asks.begin(Flush, EVERY, 21), None, "a rebuild is to come");
    }

    #[test]
    fn an_answer_that_covers_those_that_came_meanwhile_ends_it() {
        let mut asks = Asks::NONE;
        assert!(asks.begin(TenthUpdate, EVERY, 0).is_some());
        assert!(asks.begin(TenthUpdate, EVERY, 1).is_none());
        let to_come = Rebuilds { last_ms: Some(-5_000), due_ms: Some(5_000) };
        assert_eq!(asks.answered(to_come, EVERY, 10), None);
    }

    #[test]
    fn a_caller_that_fails_dies_or_leaves_keeps_nobody_from_asking() {
        let mut asks = Asks::NONE;
        assert!(asks.begin(Flush, EVERY, 0).is_some());
        assert!(asks.begin(TenthUpdate, EVERY, 1).is_none());
        let mut failed = asks;
        failed.failed();
        assert_eq!(failed.begin(Flush, EVERY, 2), Some(TenthUpdate), "with what waited");
        // It died: nobody will ever answer.
        assert_eq!(asks.begin(Flush, EVERY, GIVEN_UP_AFTER_MS - 1), None);
        assert_eq!(asks.begin(Flush, EVERY, GIVEN_UP_AFTER_MS), Some(TenthUpdate));
        asks.leave(Flush);
        assert_eq!(asks.begin(Flush, EVERY, GIVEN_UP_AFTER_MS + 1), Some(Flush));
    }

    /// Flushes at random times, calls that take random times and arrive anywhere in between, a clock that differs by
    /// less than a second: whatever was flushed is read by a rebuild that begins later.
    #[test]
    fn every_flush_is_covered_by_a_rebuild_that_begins_after_it() {
        use crate::cost::simulation::draw::Draws;
        for seed in 0..40 {
            let mut draws = Draws::new(seed);
            let skew = i64::from(draws.below(1_800)) - 900;
            let mut coalescer = Coalescer::new(EVERY, None);
            let (mut asks, mut calls) = (Asks::NONE, 0);
            // When a call reaches the object, when its answer is there, and what that is.
            let mut call: Option<(i64, i64, SnapshotReason, Option<Rebuilds>)> = None;
            let (mut flushed, mut covered): (Option<i64>, Option<i64>) = (None, None);
            for now in 0..200_000_i64 {
                let theirs = now + skew;
                if coalescer.due_ms.is_some_and(|due| due <= theirs) {
                    coalescer.begin(theirs);
                    covered = Some(now);
                }
                if let Some((reaches, _, reason, answer @ None)) = &mut call {
                    if *reaches == now {
                        coalescer.request(*reason, theirs);
                        *answer = Some(coalescer.rebuilds());
                    }
                }
                let mut next = None;
                if let Some((_, ends, _, Some(answer))) = call {
                    if ends <= now {
                        call = None;
                        next = asks.answered(answer, EVERY, now);
                    }
                }
                // They stop in the end, so that what they asked for is seen to come.
                if now < 120_000 && draws.below(60) == 0 {
                    flushed = Some(now);
                    let reason = if draws.below(10) == 0 { TenthUpdate } else { Flush };
                    next = next.or(asks.begin(reason, EVERY, now));
                }
                if let Some(reason) = next {
                    calls += 1;
                    let reaches = now + 1 + i64::from(draws.below(40));
                    call = Some((reaches, reaches + 1 + i64::from(draws.below(40)), reason, None));
                }
            }
            assert!(covered >= flushed, "seed {seed}: flushed at {flushed:?}, read at {covered:?}");
            assert!(calls < 500, "seed {seed}: {calls} calls for some 2,000 flushes");
        }
    }
}
