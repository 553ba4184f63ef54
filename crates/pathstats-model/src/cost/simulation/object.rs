//! One object as the bill sees it: its updates and its alarms. A test holds it against the object itself.

use crate::cadence::{asks_for_snapshot, Cadence, UPDATES_PER_SNAPSHOT};

/// How long an object that does nothing stays in memory, in milliseconds. Source: "Lifecycle of a Durable Object",
/// and `workerd` does the same.
pub const EVICTED_AFTER_MS: i64 = 10_000;

/// What is known of one path and hour.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Rows in its log.
    pub updates: u64,
    flushed: u64,
    first_update_ms: Option<i64>,
    last_flush_ms: Option<i64>,
    due_ms: Option<i64>,
    alarm_ms: Option<i64>,
    asks: bool,
    active_ms: i64,
}

/// What a flush was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flush {
    /// Whether a tenth update asks for a snapshot.
    pub asks: bool,
    /// Whether there was no row yet.
    pub first: bool,
}

impl Object {
    /// Rows that are read to begin again, if it was evicted: its log, and the checkpoint if it flushed.
    pub fn wake(&mut self, now_ms: i64) -> Option<u64> {
        let asleep = self.updates == 0 || now_ms - self.active_ms > EVICTED_AFTER_MS;
        self.active_ms = now_ms;
        if !asleep {
            return None;
        }
        self.alarm_ms = None;
        Some(self.updates + u64::from(self.flushed > 0))
    }

    /// An update. Tells the alarm, when it is set anew.
    pub fn update(&mut self, cadence: Cadence, now_ms: i64) -> Option<i64> {
        self.updates += 1;
        self.first_update_ms.get_or_insert(now_ms);
        let mut due = self.due_ms.unwrap_or_else(|| cadence.due(now_ms));
        if asks_for_snapshot(self.updates) {
            self.asks = true;
            due = due.min(cadence.forward(now_ms, self.last_flush_ms.or(self.first_update_ms)));
        }
        self.due_ms = Some(due);
        if self.alarm_ms == Some(due) {
            return None;
        }
        self.alarm_ms = Some(due);
        Some(due)
    }

    /// Its alarm rings: whether it flushes.
    pub fn alarm(&mut self, now_ms: i64) -> Option<Flush> {
        if self.updates == self.flushed || self.due_ms.is_none_or(|due| due > now_ms) {
            return None;
        }
        let flush = Flush { asks: self.asks, first: self.flushed == 0 };
        self.flushed = self.updates;
        self.last_flush_ms = Some(now_ms);
        self.due_ms = None;
        self.asks = false;
        // For the seal: further away than anything that is simulated.
        self.alarm_ms = Some(i64::MAX);
        Some(flush)
    }

    /// Bytes of its log: what is billed as storage until it is sealed.
    #[must_use]
    pub const fn updates_until_flush(&self) -> u64 {
        UPDATES_PER_SNAPSHOT - self.updates % UPDATES_PER_SNAPSHOT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregator::{Aggregator, AlarmPlan, Duplicates, Log, Stored, Tally};
    use crate::calls::{CountCall, RowState};
    use crate::cost::simulation::draw::Draws;
    use crate::packed::{PackedEvent, WEIGHT_ONE};

    #[derive(Default)]
    struct Memory(Stored);

    impl Log for Memory {
        type Error = core::convert::Infallible;
        fn load(&self) -> Result<Stored, Self::Error> {
            Ok(self.0.clone())
        }
        fn append(&mut self, _: u64, row: &[u8]) -> Result<(), Self::Error> {
            self.0.rows.push(row.to_vec());
            Ok(())
        }
        fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
            self.0.checkpoint = Some(bytes.to_vec());
            Ok(())
        }
    }

    impl Tally for Memory {
        fn tally(&mut self, duplicates: Duplicates) -> Result<(), Self::Error> {
            self.0.duplicates = duplicates;
            Ok(())
        }
    }

    #[test]
    fn it_sets_its_alarms_and_flushes_as_the_object_itself_does() {
        let key = "/a:2025-10-15T14".parse::<crate::PathHour>().unwrap();
        let cadence = Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 };
        for (mean_ms, seed) in [(200, 1), (1_500, 2), (4_000, 3), (9_000, 4)] {
            let (mut real, mut log) = (Aggregator::new(cadence), Memory::default());
            let (mut object, mut draws) = (Object::default(), Draws::new(seed));
            let (mut now, mut alarm) = (1_760_536_800_000, None::<i64>);
            let mut flushes = 0;
            for number in 0..400_u32 {
                let next = now + 1 + i64::from(draws.below(2 * mean_ms));
                while let Some(at) = alarm.filter(|at| *at <= next) {
                    if object.wake(at).is_some() {
                        real.evict();
                    }
                    let flush = object.alarm(at);
                    match real.alarm(&log, at).unwrap() {
                        AlarmPlan::Flush(row) => {
                            assert_eq!(
                                flush.map(|flush| flush.asks),
                                Some(row.asks_for_snapshot),
                                "{number}"
                            );
                            real.flushed(&mut log, row.revision, row.duplicates, at).unwrap();
                            flushes += 1;
                        }
                        other => panic!("{number}: {other:?} where {flush:?} was expected"),
                    }
                    alarm = None;
                }
                now = next;
                if object.wake(now).is_some() {
                    real.evict();
                }
                let event = PackedEvent {
                    offset_ms: 0,
                    hash: number,
                    status: 200,
                    response_time_us: None,
                    client_ip_hash: None,
                    weight_milli: WEIGHT_ONE,
                    method: crate::cells::Method::Get,
                };
                let body = CountCall::encode(&key, RowState::Young, &[event]);
                let set = real.count(&mut log, &body, now).unwrap().alarm;
                assert_eq!(object.update(cadence, now), set, "update {number}, mean {mean_ms}");
                alarm = set.or(alarm);
            }
            assert!(flushes >= 7, "{flushes}");
        }
    }
}
