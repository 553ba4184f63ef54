//! [`Aggregator`]: what the Durable Object of one path and hour does, over a storage trait.
//!
//! The object is a log. A call appends the events it did not have as one row, and merges them in
//! memory. Counters and sketches are written whole only with a flush; loading replays what the log
//! holds beyond that. No method awaits, so no other call can run between reading and writing.

use crate::cadence::{asks_for_snapshot, seals_at, Cadence};
use crate::calls::{CallError, CountCall, CountReply, RowState};
use crate::hour::{PathHour, TimeError};
use crate::ledger::Ledger;
use crate::packed::{PackedError, PackedEvent, PackedEvents};
use crate::stats::{PathHourStats, StatsError};

/// Where an object keeps its log: rows numbered from 1, and one checkpoint.
pub trait Log {
    /// Why storage refused.
    type Error;

    /// The checkpoint if there is one, and all rows in order.
    ///
    /// # Errors
    ///
    /// When storage cannot be read.
    fn load(&self) -> Result<Stored, Self::Error>;

    /// Writes row `number`.
    ///
    /// # Errors
    ///
    /// When storage refuses. The row may still have been written.
    fn append(&mut self, number: u64, row: &[u8]) -> Result<(), Self::Error>;

    /// Replaces the checkpoint.
    ///
    /// # Errors
    ///
    /// When storage refuses. The checkpoint may still have been written.
    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// What a log holds.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The checkpoint's bytes.
    pub checkpoint: Option<Vec<u8>>,
    /// Rows from number 1 on, each as it was appended.
    pub rows: Vec<Vec<u8>>,
}

/// Why an object could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AggregatorError<E> {
    /// Storage refused.
    #[error("the object's storage refused: {0}")]
    Storage(E),
    /// The log does not read back.
    #[error("the object's log is broken: {0}")]
    Broken(String),
    /// The call is not one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The call's name is none.
    #[error(transparent)]
    Name(#[from] TimeError),
    /// The call's events are none.
    #[error(transparent)]
    Events(#[from] PackedError),
    /// The call is for another object.
    #[error("this object counts {own:?}, the call is for {called:?}")]
    OtherObject {
        /// The name in the log.
        own: String,
        /// The name in the call.
        called: String,
    },
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The answer to the caller.
    pub reply: CountReply,
    /// Set the object's alarm to this time, when it must change.
    pub alarm: Option<i64>,
}

/// What an alarm shall do.
#[derive(Debug, Clone)]
// One value an alarm: it is taken apart at once and never kept.
#[allow(clippy::large_enum_variant)]
pub enum AlarmPlan {
    /// Write this row to D1, then call [`Aggregator::flushed`].
    Flush(FlushRow),
    /// Mark the row of this revision sealed, then call [`Aggregator::sealed`].
    Seal {
        /// The row.
        key: PathHour,
        /// The revision that it must have at least.
        revision: u64,
    },
    /// Nothing yet: set the alarm to this time.
    Wait(i64),
    /// The object is empty.
    Nothing,
}

/// A row of `path_stats_hourly`, whole.
#[derive(Debug, Clone)]
pub struct FlushRow {
    /// Its key.
    pub key: PathHour,
    /// Everything counted.
    pub stats: PathHourStats,
    /// Grows with every update, so that an old flush never overwrites a newer one.
    pub revision: u64,
    /// Whether a tenth update asked for a snapshot since the last flush.
    pub asks_for_snapshot: bool,
}

/// What follows a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSeal {
    /// Delete the object's storage and alarm.
    Delete,
    /// Events came meanwhile, or the row was not there: set the alarm and flush again, which
    /// takes the seal off.
    FlushAgain(i64),
}

/// The state of one object, loaded when it is first needed.
#[derive(Debug)]
pub struct Aggregator {
    cadence: Cadence,
    state: Option<State>,
    /// Its deletion is under way: what is in the log no longer counts for anything.
    deleting: bool,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while the object is empty.
    key: Option<PathHour>,
    ledger: Ledger,
    stats: PathHourStats,
    /// Rows in the log, which is the number of updates and the revision.
    updates: u64,
    /// The last revision that D1 has.
    flushed: u64,
    /// When D1 was last written, or refused to be.
    last_flush_ms: Option<i64>,
    /// When the first row was received.
    first_update_ms: Option<i64>,
    last_update_ms: i64,
    /// When the flush is due, while there is something to flush.
    due_ms: Option<i64>,
    /// The alarm as last set by this instance; unknown after loading.
    alarm_ms: Option<i64>,
    asks_for_snapshot: bool,
}

const VERSION: u8 = 1;

impl Aggregator {
    /// An object not yet loaded.
    #[must_use]
    pub const fn new(cadence: Cadence) -> Self {
        Self { cadence, state: None, deleting: false }
    }

    /// Counts the events of a call that the object does not have yet.
    ///
    /// Running it again with the same call changes nothing: the ledger knows the ids. Dying after
    /// the append loses nothing: loading replays the log.
    ///
    /// # Errors
    ///
    /// See [`AggregatorError`]. The state in memory is forgotten when storage refused, since the
    /// row may have been written or not.
    pub fn count<L: Log>(
        &mut self,
        log: &mut L,
        body: &[u8],
        now_ms: i64,
    ) -> Result<Counted, AggregatorError<L::Error>> {
        let call = CountCall::decode(body)?;
        if self.deleting {
            return Ok(Counted { reply: CountReply::NotNow, alarm: None });
        }
        let cadence = self.cadence;
        let state = self.loaded(log)?;
        let key = match &state.key {
            Some(own) if own.to_string() == call.name => None,
            Some(own) => {
                return Err(AggregatorError::OtherObject {
                    own: own.to_string(),
                    called: call.name.to_owned(),
                });
            }
            // An empty object whose row is there must not begin anew.
            None if matches!(call.row, RowState::Live | RowState::Sealed) => {
                return Ok(Counted { reply: CountReply::NotNow, alarm: None });
            }
            None => Some(call.name.parse::<PathHour>()?),
        };
        // 1. Decide. Nothing is written before every event of the call has been read.
        let mut row = Vec::with_capacity(12 + call.name.len() + call.events.len());
        row.push(VERSION);
        row.extend_from_slice(&now_ms.to_le_bytes());
        let name = key.as_ref().map_or("", |_| call.name);
        row.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        row.extend_from_slice(name.as_bytes());
        let (mut fresh, mut duplicates) = (Vec::new(), 0u32);
        let mut within = Ledger::default();
        for event in PackedEvents::new(call.events) {
            let event = event?;
            if state.ledger.contains(event.key()) || !within.insert(event.key()) {
                duplicates += 1;
            } else {
                event.encode(&mut row);
                fresh.push(event);
            }
        }
        let counted = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        let reply = CountReply::Counted { counted, duplicates };
        if fresh.is_empty() {
            return Ok(Counted { reply, alarm: state.arm_again(cadence) });
        }
        // 2. Write. One row, and the platform commits it before the reply leaves.
        let number = state.updates + 1;
        if let Err(error) = log.append(number, &row) {
            self.state = None;
            return Err(AggregatorError::Storage(error));
        }
        // 3. Merge in memory what is now in the log.
        if key.is_some() {
            state.key = key;
        }
        state.merge(&fresh, number, now_ms);
        let alarm = state.schedule(cadence, now_ms);
        Ok(Counted { reply, alarm })
    }

    /// What the alarm shall do now.
    ///
    /// # Errors
    ///
    /// When the log cannot be loaded.
    pub fn alarm<L: Log>(&mut self, log: &L, now_ms: i64) -> Result<AlarmPlan, AggregatorError<L::Error>> {
        self.deleting = false;
        let cadence = self.cadence;
        let state = self.loaded(log)?;
        state.alarm_ms = None;
        let Some(key) = state.key.clone() else { return Ok(AlarmPlan::Nothing) };
        if state.updates > state.flushed {
            let due = *state.due_ms.get_or_insert(cadence.due(state.last_update_ms));
            if due > now_ms {
                state.alarm_ms = Some(due);
                return Ok(AlarmPlan::Wait(due));
            }
            return Ok(AlarmPlan::Flush(FlushRow {
                key,
                stats: state.stats.clone(),
                revision: state.updates,
                asks_for_snapshot: state.asks_for_snapshot,
            }));
        }
        let seals_at = seals_at(state.last_update_ms);
        if seals_at > now_ms {
            state.alarm_ms = Some(seals_at);
            return Ok(AlarmPlan::Wait(seals_at));
        }
        Ok(AlarmPlan::Seal { key, revision: state.updates })
    }

    /// D1 has `revision`. Writes the checkpoint and tells when the next alarm shall ring.
    ///
    /// Dying before the checkpoint repeats the flush, which changes nothing in D1: its revision is
    /// not greater. Events counted while D1 wrote are in the checkpoint and due for the next flush.
    ///
    /// # Errors
    ///
    /// When storage refuses.
    pub fn flushed<L: Log>(
        &mut self,
        log: &mut L,
        revision: u64,
        now_ms: i64,
    ) -> Result<i64, AggregatorError<L::Error>> {
        let cadence = self.cadence;
        let state = self.loaded(log)?;
        state.flushed = state.flushed.max(revision);
        state.last_flush_ms = Some(now_ms);
        let next = if state.updates > state.flushed {
            let due = if state.asks_for_snapshot && asked_after(revision, state.updates) {
                state.forward(cadence, now_ms)
            } else {
                state.asks_for_snapshot = false;
                cadence.due(now_ms)
            };
            state.due_ms = Some(due);
            due
        } else {
            state.asks_for_snapshot = false;
            state.due_ms = None;
            seals_at(state.last_update_ms)
        };
        state.alarm_ms = Some(next);
        let checkpoint = state.to_checkpoint();
        if let Err(error) = log.checkpoint(&checkpoint) {
            self.state = None;
            return Err(AggregatorError::Storage(error));
        }
        Ok(next)
    }

    /// D1 marked the row of `revision` sealed, or found none of that revision.
    ///
    /// Dying before the object is deleted repeats the seal, which marks the same row again.
    pub fn sealed(&mut self, revision: u64, found: bool, now_ms: i64) -> AfterSeal {
        let Some(state) = &mut self.state else { return AfterSeal::FlushAgain(now_ms) };
        if found && state.updates == revision {
            // Forgotten, not emptied: should the deletion fail, the log is still there, and loading it
            // seals again. What comes before the deletion ends would be deleted with it.
            self.state = None;
            self.deleting = true;
            return AfterSeal::Delete;
        }
        if !found {
            // The row is gone or older than what the log says: write it again.
            state.flushed = 0;
        }
        state.due_ms = Some(now_ms);
        state.alarm_ms = Some(now_ms);
        AfterSeal::FlushAgain(now_ms)
    }

    /// D1 refused a flush or a seal, or the deletion failed: when to try again. The platform drops an
    /// alarm that failed six times, so failures are caught and the alarm is set anew.
    pub fn failed(&mut self, now_ms: i64) -> i64 {
        self.deleting = false;
        let again = self.cadence.due(now_ms);
        if let Some(state) = &mut self.state {
            state.due_ms = state.due_ms.map(|_| again);
            // An attempt keeps its distance to the next one as a flush does: a D1 that is down is not
            // asked at every tenth update.
            state.last_flush_ms = Some(now_ms);
            state.alarm_ms = Some(again);
        }
        again
    }

    /// Forgets what is in memory, as an eviction does.
    pub fn evict(&mut self) {
        self.deleting = false;
        self.state = None;
    }

    fn loaded<L: Log>(&mut self, log: &L) -> Result<&mut State, AggregatorError<L::Error>> {
        let state = match self.state.take() {
            Some(state) => state,
            None => State::load(&log.load().map_err(AggregatorError::Storage)?, self.cadence)
                .map_err(|broken| AggregatorError::Broken(broken.to_string()))?,
        };
        Ok(self.state.insert(state))
    }
}

/// Whether an update in `(revision, updates]` asked for a snapshot.
const fn asked_after(revision: u64, updates: u64) -> bool {
    updates / crate::cadence::UPDATES_PER_SNAPSHOT > revision / crate::cadence::UPDATES_PER_SNAPSHOT
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
enum Broken {
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
    fn merge(&mut self, events: &[PackedEvent], number: u64, now_ms: i64) {
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
    fn forward(&self, cadence: Cadence, now_ms: i64) -> i64 {
        cadence.forward(now_ms, self.last_flush_ms.or(self.first_update_ms))
    }

    /// The alarm to set after an update, if it must change.
    fn schedule(&mut self, cadence: Cadence, now_ms: i64) -> Option<i64> {
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
    fn arm_again(&mut self, cadence: Cadence) -> Option<i64> {
        if self.updates == self.flushed || self.alarm_ms.is_some() {
            return None;
        }
        let due = *self.due_ms.get_or_insert(cadence.due(self.last_update_ms));
        self.alarm_ms = Some(due);
        Some(due)
    }

    /// Version, revision merged, revision flushed, time of the flush (8 bytes each,
    /// little-endian), then the statistics.
    fn to_checkpoint(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.updates.to_le_bytes());
        out.extend_from_slice(&self.flushed.to_le_bytes());
        out.extend_from_slice(&self.last_flush_ms.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&self.stats.to_bytes());
        out
    }

    fn load(stored: &Stored, cadence: Cadence) -> Result<Self, Broken> {
        let mut state = Self::default();
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
