//! [`PathBudget`]: what the object of an hour does, over the same log as an aggregator's.
//!
//! A call appends what it admits as one row. No method awaits, so no other call comes between reading
//! and writing. The set of admitted paths only grows, and its limit is fixed with the first row: a path
//! that was refused once is refused on every redelivery.

use rustc_hash::{FxHashMap, FxHashSet};

use super::call::{AskedPath, BudgetCall, BudgetReply};
use super::report::HourBudget;
use super::sample::Sample;
use super::{path_hash, BudgetSettings, History, Verdict};
use crate::aggregator::Log;
use crate::calls::CallError;
use crate::hour::{HourBucket, HOUR_MS};
use crate::limits::REPLAY_HORIZON_MS;

mod rows;

use rows::{Mode, Row, Terms};

/// Paths whose 404s were grouped that an hour remembers, to treat them alike should they be admitted.
/// Beyond, the 404s of whatever is admitted are grouped.
pub const MAX_GROUPED_PATHS: usize = 20_000;

/// What changed is told to the database at most once in this time.
pub const REPORT_MS: i64 = 60_000;

/// Why a budget could not answer.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError<E> {
    /// Storage refused.
    #[error("the budget's storage refused: {0}")]
    Storage(E),
    /// The log does not read back.
    #[error("the budget's log is broken: {0}")]
    Broken(CallError),
    /// The call is not one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The call is for another object.
    #[error("this object keeps the budget of {own}, the call is for {called}")]
    OtherHour {
        /// The hour in the log.
        own: HourBucket,
        /// The hour in the call.
        called: HourBucket,
    },
    /// The hour begins, and what the database knows of it was not told.
    #[error("the hour begins: what the database knows of it is needed")]
    NoHistory,
    /// The object deletes itself.
    #[error("the budget deletes itself: the call is to come again")]
    Deleting,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer to the caller.
    pub reply: BudgetReply,
    /// Set the object's alarm to this time, when it must change.
    pub alarm: Option<i64>,
}

/// What an alarm shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetAlarm {
    /// Write this to the database, then call [`PathBudget::reported`].
    Report(HourBudget),
    /// Ask the database whether every row of the hour is sealed, then call [`PathBudget::settled`].
    Settle(HourBucket),
    /// Nothing yet: set the alarm to this time.
    Wait(i64),
    /// The object is empty.
    Nothing,
}

/// What follows when the database told whether every row of the hour is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSettle {
    /// Delete the object's storage and alarm.
    Delete,
    /// Set the alarm to this time.
    Wait(i64),
}

/// The budget of one hour, loaded when it is first needed.
#[derive(Debug)]
pub struct PathBudget {
    settings: BudgetSettings,
    state: Option<State>,
    /// Its deletion is under way: what is in the log no longer counts for anything.
    deleting: bool,
}

#[derive(Debug, Default)]
struct State {
    terms: Option<Terms>,
    rows: u64,
    admitted: FxHashMap<Box<str>, Verdict>,
    /// Hashes of paths whose 404s were grouped while they could still be admitted.
    grouped: FxHashSet<u64>,
    sample: Sample,
    last_ms: i64,
    /// Grows with everything that a report would tell anew.
    changes: u64,
    reported: u64,
    /// When the first change came that no report tells.
    changed_ms: Option<i64>,
    alarm_ms: Option<i64>,
}

impl PathBudget {
    /// A budget not yet loaded. The settings are for an hour that begins.
    #[must_use]
    pub const fn new(settings: BudgetSettings) -> Self {
        Self { settings, state: None, deleting: false }
    }

    /// Whether the hour has begun. If not, the next call needs its [`History`].
    ///
    /// # Errors
    ///
    /// When the log cannot be loaded.
    pub fn has_begun<L: Log>(&mut self, log: &L) -> Result<bool, BudgetError<L::Error>> {
        Ok(self.loaded(log)?.terms.is_some())
    }

    /// Tells where events of these paths count, and admits what there is room for.
    ///
    /// Running it again tells the same. Dying after the append loses nothing: loading reads the log. Dying
    /// before: nobody was told anything.
    ///
    /// # Errors
    ///
    /// See [`BudgetError`]. What is in memory is forgotten when storage refused, since the row may have
    /// been written or not.
    pub fn ask<L: Log>(
        &mut self,
        log: &mut L,
        call: &BudgetCall<'_>,
        history: Option<History>,
        now_ms: i64,
    ) -> Result<Answered, BudgetError<L::Error>> {
        if self.deleting {
            return Err(BudgetError::Deleting);
        }
        let settings = self.settings;
        let state = self.loaded(log)?;
        // 1. The terms of the hour: as they are, or fixed now.
        let mut row = Row::at(now_ms);
        let terms = match state.terms {
            Some(terms) if terms.hour == call.hour => terms,
            Some(Terms { hour: own, .. }) => return Err(BudgetError::OtherHour { own, called: call.hour }),
            None => {
                let history = history.ok_or(BudgetError::NoHistory)?;
                let terms = Terms::begin(call.hour, settings, history);
                row.begin(&terms);
                terms
            }
        };
        state.terms = Some(terms);
        // 2. Decide. Memory may be ahead of the log until the append; should that fail, it is forgotten.
        let reply = match terms.mode {
            Mode::Unlimited => BudgetReply::Unlimited,
            Mode::Closed => BudgetReply::Closed,
            Mode::Limited => BudgetReply::Limited(
                call.paths.iter().map(|path| state.decide(&terms, *path, &mut row)).collect(),
            ),
        };
        state.last_ms = now_ms;
        // 3. Write. One row, and the platform commits it before the reply leaves.
        if !row.is_empty() {
            state.rows += 1;
            state.changes += 1;
            state.changed_ms.get_or_insert(now_ms);
            let number = state.rows;
            if let Err(error) = log.append(number, row.bytes()) {
                self.state = None;
                return Err(BudgetError::Storage(error));
            }
        }
        let alarm = state.schedule(now_ms);
        Ok(Answered { reply, alarm })
    }

    /// What the alarm shall do now.
    ///
    /// # Errors
    ///
    /// When the log cannot be loaded.
    pub fn alarm<L: Log>(&mut self, log: &L, now_ms: i64) -> Result<BudgetAlarm, BudgetError<L::Error>> {
        self.deleting = false;
        let state = self.loaded(log)?;
        state.alarm_ms = None;
        let Some(terms) = state.terms else { return Ok(BudgetAlarm::Nothing) };
        if state.changes > state.reported {
            return Ok(BudgetAlarm::Report(state.report(&terms)));
        }
        let due = state.settles_at(&terms);
        if due > now_ms {
            state.alarm_ms = Some(due);
            return Ok(BudgetAlarm::Wait(due));
        }
        Ok(BudgetAlarm::Settle(terms.hour))
    }

    /// The database has the report. Notes that and tells when the next alarm shall ring. Dying
    /// before repeats the report.
    ///
    /// # Errors
    ///
    /// When storage refuses.
    pub fn reported<L: Log>(
        &mut self,
        log: &mut L,
        report: &HourBudget,
        now_ms: i64,
    ) -> Result<i64, BudgetError<L::Error>> {
        let state = self.loaded(log)?;
        let Some(terms) = state.terms else { return Err(BudgetError::NoHistory) };
        // What was answered while the database wrote is told the next time.
        if state.report(&terms) == *report {
            state.reported = state.changes;
        }
        let (next, told, changed_ms) = if state.changes > state.reported {
            (now_ms + REPORT_MS, 0, Some(now_ms))
        } else {
            (state.settles_at(&terms), state.rows, None)
        };
        state.changed_ms = changed_ms;
        state.alarm_ms = Some(next);
        let checkpoint = rows::checkpoint(told, state.last_ms);
        if let Err(error) = log.checkpoint(&checkpoint) {
            self.state = None;
            return Err(BudgetError::Storage(error));
        }
        Ok(next)
    }

    /// The database told whether every row of the hour is sealed. The budget outlives every object of its
    /// hour: one that is gone cannot tell what its paths were counted as.
    pub fn settled(&mut self, all_sealed: bool, asked_ms: i64, now_ms: i64) -> AfterSettle {
        let called_since = self.state.as_ref().is_some_and(|state| state.last_ms >= asked_ms);
        if all_sealed && !called_since {
            self.state = None;
            self.deleting = true;
            return AfterSettle::Delete;
        }
        let again = now_ms + HOUR_MS;
        if let Some(state) = &mut self.state {
            state.alarm_ms = Some(again);
        }
        AfterSettle::Wait(again)
    }

    /// The database refused, or the deletion failed: when to try again.
    pub fn failed(&mut self, now_ms: i64) -> i64 {
        self.deleting = false;
        let again = now_ms + REPORT_MS;
        if let Some(state) = &mut self.state {
            state.alarm_ms = Some(again);
        }
        again
    }

    /// Forgets what is in memory, as an eviction does.
    pub fn evict(&mut self) {
        self.deleting = false;
        self.state = None;
    }

    #[cfg(test)]
    pub(super) fn settings_for_tests(&mut self, settings: BudgetSettings) {
        self.settings = settings;
    }

    fn loaded<L: Log>(&mut self, log: &L) -> Result<&mut State, BudgetError<L::Error>> {
        let state = match self.state.take() {
            Some(state) => state,
            None => State::load(&log.load().map_err(BudgetError::Storage)?).map_err(BudgetError::Broken)?,
        };
        Ok(self.state.insert(state))
    }
}

impl State {
    /// The verdict on a path; what it adds to the state goes to the row.
    fn decide(&mut self, terms: &Terms, asked: AskedPath<'_>, row: &mut Row) -> Verdict {
        let AskedPath { path, has_not_found, has_others } = asked;
        if let Some(verdict) = self.admitted.get(path) {
            return *verdict;
        }
        let has_room = self.admitted.len() < terms.limit as usize;
        let groups = terms.group_not_found;
        if groups && has_not_found && !has_others {
            // Without room the path is never admitted, and there is nothing to remember.
            if has_room && self.grouped.len() < MAX_GROUPED_PATHS && self.grouped.insert(path_hash(path)) {
                row.group(path_hash(path));
            }
            return Verdict::OtherButNotFound;
        }
        if !has_room {
            // Ever fewer paths come to be of the sample: some two thousand of a million.
            if self.sample.add(path) {
                row.sample(path);
            }
            return if groups { Verdict::OtherButNotFound } else { Verdict::Other };
        }
        let unsure = self.grouped.len() >= MAX_GROUPED_PATHS || self.grouped.contains(&path_hash(path));
        let verdict = if groups && unsure { Verdict::OwnButNotFound } else { Verdict::Own };
        row.admit(path, verdict);
        self.admitted.insert(path.into(), verdict);
        verdict
    }

    fn report(&self, terms: &Terms) -> HourBudget {
        HourBudget {
            hour: terms.hour,
            limit: (terms.mode == Mode::Limited).then_some(terms.limit),
            closed: terms.mode == Mode::Closed,
            groups_not_found: terms.group_not_found,
            admitted: self.admitted.len() as u64,
            refused: self.sample.distinct(),
            sample: self.sample.paths().map(str::to_owned).collect(),
        }
    }

    /// When the alarm must change. One that this instance does not know of is set again, to the same time: calls
    /// that each find the object evicted must not put a report off for ever.
    fn schedule(&mut self, now_ms: i64) -> Option<i64> {
        let terms = self.terms?;
        let due = if self.changes > self.reported {
            now_ms.max(self.changed_ms.unwrap_or(now_ms) + REPORT_MS)
        } else {
            self.settles_at(&terms)
        };
        if self.alarm_ms.is_some_and(|set| set <= due) {
            return None;
        }
        self.alarm_ms = Some(due);
        Some(due)
    }

    /// When the objects of the hour may all be gone.
    fn settles_at(&self, terms: &Terms) -> i64 {
        self.last_ms.max(terms.hour.end_ms()) + REPLAY_HORIZON_MS + HOUR_MS
    }
}
