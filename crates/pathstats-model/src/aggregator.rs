//! [`Aggregator`]: what the Durable Object of one path and hour does, over a storage trait.
//!
//! The object is a log. A call appends the events it did not have as one row, and merges them in
//! memory. Counters and sketches are written whole only with a flush; loading replays what the log
//! holds beyond that. No method awaits, so no other call can run between reading and writing.

use crate::cadence::{seals_at, Cadence, UPDATES_PER_SNAPSHOT};
use crate::calls::{CallError, CountCall, CountReply, RowState};
use crate::hour::{PathHour, TimeError};
use crate::ledger::Ledger;
use crate::packed::{PackedError, PackedEvents};
use crate::stats::PathHourStats;

mod state;

use state::{begin_row, State};

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

/// A [`Log`] that counts duplicates beside it.
pub trait Tally: Log {
    /// Replaces the count of duplicates.
    ///
    /// # Errors
    ///
    /// When storage refuses. The count may still have been written.
    fn tally(&mut self, duplicates: Duplicates) -> Result<(), Self::Error>;
}

/// Events that came although they were counted. They are no updates: no figure changes with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// All there ever were: one for each time that the object took such an event, whether or not its
    /// reply arrived.
    pub counted: u64,
    /// How many of them D1 knows of.
    pub told: u64,
}

/// What a log holds.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The checkpoint's bytes.
    pub checkpoint: Option<Vec<u8>>,
    /// Rows from number 1 on, each as it was appended.
    pub rows: Vec<Vec<u8>>,
    /// The count of duplicates.
    pub duplicates: Duplicates,
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
    /// Events that came although they were counted, all there ever were. No part of the row: the
    /// [completeness ledger](crate::completeness) goes by it.
    pub duplicates: u64,
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

impl Aggregator {
    /// An object not yet loaded.
    #[must_use]
    pub const fn new(cadence: Cadence) -> Self {
        Self { cadence, state: None, deleting: false }
    }

    /// Counts the events of a call that the object does not have yet.
    ///
    /// Running it again with the same call changes no figure: the ledger knows the ids. Dying after
    /// the append loses nothing: loading replays the log.
    ///
    /// # Errors
    ///
    /// See [`AggregatorError`]. The state in memory is forgotten when storage refused, since the
    /// row may have been written or not.
    pub fn count<L: Tally>(
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
        let name = key.as_ref().map_or("", |_| call.name);
        let mut row = begin_row(now_ms, name, call.events.len());
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
        if fresh.is_empty() && duplicates == 0 {
            return Ok(Counted { reply, alarm: state.arm_again(cadence) });
        }
        // 2. Write: one row of what is new, and what came again. The platform commits both before the
        //    reply leaves. Refused between the two: the call fails, and when its events come again they
        //    are duplicates, as they are then.
        let number = state.updates + 1;
        let tally =
            Duplicates { counted: state.duplicates.counted + u64::from(duplicates), ..state.duplicates };
        let appended = if fresh.is_empty() { Ok(()) } else { log.append(number, &row) };
        let written = appended.and_then(|()| if duplicates == 0 { Ok(()) } else { log.tally(tally) });
        if let Err(error) = written {
            self.state = None;
            return Err(AggregatorError::Storage(error));
        }
        // 3. Merge in memory what is now in the log.
        let before = state.alarm_ms;
        let armed = if fresh.is_empty() {
            state.arm_again(cadence)
        } else {
            if key.is_some() {
                state.key = key;
            }
            state.merge(&fresh, number, now_ms);
            state.schedule(cadence, now_ms)
        };
        state.duplicates = tally;
        let alarm = if duplicates == 0 { armed } else { state.arm_for_duplicates(cadence, before, now_ms) };
        Ok(Counted { reply, alarm })
    }

    /// Tells what counting a call would come to: how many of its events are new, how many known. Writes
    /// nothing. An alarm that a call before could not set is set now: it may have been that message's last
    /// attempt.
    ///
    /// # Errors
    ///
    /// See [`AggregatorError`].
    pub fn probe<L: Log>(&mut self, log: &L, body: &[u8]) -> Result<Counted, AggregatorError<L::Error>> {
        let call = CountCall::decode(body)?;
        if self.deleting {
            return Ok(Counted { reply: CountReply::NotNow, alarm: None });
        }
        let cadence = self.cadence;
        let state = self.loaded(log)?;
        if let Some(own) = state.key.as_ref().map(ToString::to_string).filter(|own| own != call.name) {
            return Err(AggregatorError::OtherObject { own, called: call.name.to_owned() });
        }
        let (mut new, mut known) = (0, 0);
        for event in PackedEvents::new(call.events) {
            *if state.ledger.contains(event?.key()) { &mut known } else { &mut new } += 1;
        }
        let reply = CountReply::Counted { counted: new, duplicates: known };
        Ok(Counted { reply, alarm: state.arm_again(cadence) })
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
        if state.updates > state.flushed || state.has_untold_duplicates() {
            let due = state.earliest_due(cadence);
            if due > now_ms {
                state.alarm_ms = Some(due);
                return Ok(AlarmPlan::Wait(due));
            }
            return Ok(AlarmPlan::Flush(FlushRow {
                key,
                stats: state.stats.clone(),
                revision: state.updates,
                asks_for_snapshot: state.asks_for_snapshot,
                duplicates: state.duplicates.counted,
            }));
        }
        let seals_at = seals_at(state.last_update_ms);
        if seals_at > now_ms {
            state.alarm_ms = Some(seals_at);
            return Ok(AlarmPlan::Wait(seals_at));
        }
        Ok(AlarmPlan::Seal { key, revision: state.updates })
    }

    /// D1 has a row of this `revision`, and knows of so many `duplicates`. Writes the checkpoint and tells
    /// when the next alarm shall ring.
    ///
    /// Dying before the checkpoint repeats the flush, which changes nothing in D1: its revision is
    /// not greater. Events counted while D1 wrote are in the checkpoint and due for the next flush.
    ///
    /// # Errors
    ///
    /// When storage refuses.
    pub fn flushed<L: Tally>(
        &mut self,
        log: &mut L,
        revision: u64,
        duplicates: u64,
        now_ms: i64,
    ) -> Result<i64, AggregatorError<L::Error>> {
        let cadence = self.cadence;
        let state = self.loaded(log)?;
        let news = state.duplicates.told < duplicates;
        state.duplicates.told = state.duplicates.told.max(duplicates);
        state.duplicates_due_ms = state.has_untold_duplicates().then(|| cadence.due(now_ms));
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
        let next = state.duplicates_due_ms.map_or(next, |due| due.min(next));
        state.alarm_ms = Some(next);
        let checkpoint = state.to_checkpoint();
        let tally = state.duplicates;
        let written = log.checkpoint(&checkpoint).and_then(|()| if news { log.tally(tally) } else { Ok(()) });
        if let Err(error) = written {
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
        if found && state.updates == revision && !state.has_untold_duplicates() {
            // Forgotten, not emptied: should the deletion fail, the log is still there, and loading it
            // seals again. What comes before the deletion ends would be deleted with it.
            self.state = None;
            self.deleting = true;
            return AfterSeal::Delete;
        }
        if !found {
            // The row is gone or older than what the log says: write it again.
            state.flushed = 0;
            state.duplicates.told = 0;
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
            state.duplicates_due_ms = state.duplicates_due_ms.map(|_| again);
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
    updates / UPDATES_PER_SNAPSHOT > revision / UPDATES_PER_SNAPSHOT
}
