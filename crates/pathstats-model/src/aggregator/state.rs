//! What an object holds in memory, and the bytes of its log.

use super::{Duplicates, Stored};
use crate::cadence::{asks_for_snapshot, Cadence};
use crate::hour::PathHour;
use crate::ledger::Ledger;
use crate::packed::{PackedError, PackedEvent, PackedEvents};
use crate::stats::{PathHourStats, StatsError};

/// Version byte of rows and checkpoints.
const VERSION: u8 = 1;

#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` while the object is empty.
    pub(super) key: Option<PathHour>,
    pub(super) ledger: Ledger,
    pub(super) stats: PathHourStats,
    /// Rows in the log, which is the number of updates and the revision.
    pub(super) updates: u64,
    /// The last revision that D1 has.
    pub(super) flushed: u64,
    /// When D1 was last written, or refused to be.
    pub(super) last_flush_ms: Option<i64>,
    /// When the first row was received.
    pub(super) first_update_ms: Option<i64>,
    pub(super) last_update_ms: i64,
    /// When the flush is due, while there is something to flush.
    pub(super) due_ms: Option<i64>,
    /// The alarm as last set by this instance; unknown after loading.
    pub(super) alarm_ms: Option<i64>,
    pub(super) asks_for_snapshot: bool,
    pub(super) duplicates: Duplicates,
    /// When D1 is to be told of them, while there is something to tell.
    pub(super) duplicates_due_ms: Option<i64>,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("row {0} is cut short or of another version")]
    Row(usize),
    #[error("the first row does not name the object")]
    Unnamed,
    #[error("the checkpoint is cut short or of another version")]
    Checkpoint,
    #[error("row {0}: {1}")]
    Events(usize, PackedError),
    #[error("checkpoint: {0}")]
    Stats(#[from] StatsError),
}

impl State {
    pub(super) fn merge(&mut self, events: &[PackedEvent], number: u64, now_ms: i64) {
        for event in events {
            self.ledger.insert(event.key());
            self.stats.add(event);
        }
        self.updates = number;
        self.last_update_ms = now_ms;
        self.first_update_ms.get_or_insert(now_ms);
    }

    /// When a flush brought forward at `now_ms` runs. A new object's first one keeps its distance
    /// from the first update: when an hour begins, all paths are new at once.
    pub(super) fn forward(&self, cadence: Cadence, now_ms: i64) -> i64 {
        cadence.forward(now_ms, self.last_flush_ms.or(self.first_update_ms))
    }

    /// The alarm to set after an update, if it must change.
    pub(super) fn schedule(&mut self, cadence: Cadence, now_ms: i64) -> Option<i64> {
        let mut due = self.due_ms.unwrap_or_else(|| cadence.due(now_ms));
        if asks_for_snapshot(self.updates) {
            self.asks_for_snapshot = true;
            due = due.min(self.forward(cadence, now_ms));
        }
        self.due_ms = Some(due);
        if self.alarm_ms == Some(due) {
            return None;
        }
        self.alarm_ms = Some(due);
        Some(due)
    }

    /// The alarm to set after a call that brought nothing new. A row may lie here that was appended
    /// by a call that failed before it set the alarm; its events come again as duplicates only.
    pub(super) fn arm_again(&mut self, cadence: Cadence) -> Option<i64> {
        let all_told = self.updates == self.flushed && !self.has_untold_duplicates();
        if all_told || self.alarm_ms.is_some() {
            return None;
        }
        let due = self.earliest_due(cadence);
        self.alarm_ms = Some(due);
        Some(due)
    }

    /// Whether D1 does not know of all duplicates.
    pub(super) const fn has_untold_duplicates(&self) -> bool {
        self.duplicates.counted > self.duplicates.told
    }

    /// The alarm to set after duplicates were counted, if it must change: they wait as long as an update
    /// does. `before` is the alarm as it was set before the call.
    pub(super) fn arm_for_duplicates(
        &mut self,
        cadence: Cadence,
        before: Option<i64>,
        now_ms: i64,
    ) -> Option<i64> {
        let due = *self.duplicates_due_ms.get_or_insert(cadence.due(now_ms));
        // An alarm not known may be the one that seals, days ahead.
        let due = self.alarm_ms.map_or(due, |alarm| alarm.min(due));
        self.alarm_ms = Some(due);
        (before != Some(due)).then_some(due)
    }

    /// When the next flush is due, of what changed and of duplicates.
    pub(super) fn earliest_due(&mut self, cadence: Cadence) -> i64 {
        let since = cadence.due(self.last_update_ms);
        let update = (self.updates > self.flushed).then(|| *self.due_ms.get_or_insert(since));
        // Not known after loading: as if they had come with the last update, which is long ago or due itself.
        let told = self.has_untold_duplicates().then(|| *self.duplicates_due_ms.get_or_insert(since));
        [update, told].into_iter().flatten().min().unwrap_or(since)
    }

    /// Version, revision merged, revision flushed, time of the flush (8 bytes each,
    /// little-endian), then the statistics.
    pub(super) fn to_checkpoint(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.updates.to_le_bytes());
        out.extend_from_slice(&self.flushed.to_le_bytes());
        out.extend_from_slice(&self.last_flush_ms.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&self.stats.to_bytes());
        out
    }

    pub(super) fn load(stored: &Stored, cadence: Cadence) -> Result<Self, Broken> {
        let mut state = Self { duplicates: stored.duplicates, ..Self::default() };
        let mut merged = 0;
        if let Some(bytes) = &stored.checkpoint {
            let rest = bytes.strip_prefix(&[VERSION]).ok_or(Broken::Checkpoint)?;
            let (updates, rest) = rest.split_first_chunk::<8>().ok_or(Broken::Checkpoint)?;
            let (flushed, rest) = rest.split_first_chunk::<8>().ok_or(Broken::Checkpoint)?;
            let (last_flush, rest) = rest.split_first_chunk::<8>().ok_or(Broken::Checkpoint)?;
            merged = u64::from_le_bytes(*updates);
            state.flushed = u64::from_le_bytes(*flushed);
            state.last_flush_ms = Some(i64::from_le_bytes(*last_flush));
            state.stats = PathHourStats::from_bytes(rest)?;
        }
        for (index, row) in stored.rows.iter().enumerate() {
            let number = index as u64 + 1;
            let (received_ms, name, events) = read_row(row).ok_or(Broken::Row(index + 1))?;
            if number == 1 {
                state.key = Some(name.parse().map_err(|_| Broken::Unnamed)?);
            }
            for event in PackedEvents::new(events) {
                let event = event.map_err(|error| Broken::Events(index + 1, error))?;
                state.ledger.insert(event.key());
                if number > merged {
                    state.stats.add(&event);
                }
            }
            state.updates = number;
            state.last_update_ms = received_ms;
            state.first_update_ms.get_or_insert(received_ms);
            if number > state.flushed {
                // As if it had just been received: the earliest due time of all rows not flushed, and
                // for a row received during the last flush as long after that one.
                let due = if asks_for_snapshot(number) {
                    state.asks_for_snapshot = true;
                    state.forward(cadence, received_ms)
                } else {
                    cadence.due(received_ms.max(state.last_flush_ms.unwrap_or(received_ms)))
                };
                state.due_ms = Some(state.due_ms.map_or(due, |earlier| earlier.min(due)));
            }
        }
        Ok(state)
    }
}

/// A row: version, time received (8 bytes), length of the name (2), name (in the first row alone),
/// events.
fn read_row(row: &[u8]) -> Option<(i64, &str, &[u8])> {
    let rest = row.strip_prefix(&[VERSION])?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (name, events) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((i64::from_le_bytes(*received), core::str::from_utf8(name).ok()?, events))
}

/// Begins a row: what comes before its events. `name` is empty in all rows but the first.
pub(super) fn begin_row(received_ms: i64, name: &str, events_bytes: usize) -> Vec<u8> {
    let mut row = Vec::with_capacity(11 + name.len() + events_bytes);
    row.push(VERSION);
    row.extend_from_slice(&received_ms.to_le_bytes());
    // A name has 2 KB at most: 512 characters of a path.
    row.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    row.extend_from_slice(name.as_bytes());
    row
}
