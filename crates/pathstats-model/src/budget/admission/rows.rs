//! The rows of a budget's log.
//!
//! A row: version, time (8 bytes), and in the first one the terms of the hour; then entries, each a byte
//! that tells what it is, and a path behind its length or a hash (8 bytes). Numbers are little-endian.

use super::super::call::{put_name, take_name};
use super::{BudgetSettings, History, State, Verdict};
use crate::aggregator::Stored;
use crate::calls::CallError;
use crate::hour::HourBucket;

const VERSION: u8 = 1;
/// An entry that is no verdict on a path: the hash of one whose 404s were grouped.
const GROUPED: u8 = 255;
/// Nor this: a path of the sample of those that were refused.
const SAMPLED: u8 = 254;

/// What an hour began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) hour: HourBucket,
    pub(super) mode: Mode,
    pub(super) limit: u32,
    pub(super) group_not_found: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Limited,
    Unlimited,
    Closed,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Limited, Self::Unlimited, Self::Closed];
}

impl Terms {
    /// An hour that was counted without a budget goes on without one: what was counted in a path's own
    /// row must come there again. (Rows reach the database within half a minute, so that an hour of so
    /// few seconds is taken for a new one; its first paths are then admitted as those of any other.)
    pub(super) const fn begin(hour: HourBucket, settings: BudgetSettings, history: History) -> Self {
        let mode = match history {
            History::CatchAll => Mode::Closed,
            History::Paths => Mode::Unlimited,
            History::None if settings.paths_per_hour == 0 => Mode::Unlimited,
            History::None => Mode::Limited,
        };
        let group_not_found = settings.group_not_found && matches!(mode, Mode::Limited);
        Self { hour, mode, limit: settings.paths_per_hour, group_not_found }
    }
}

/// A row under way.
pub(super) struct Row {
    bytes: Vec<u8>,
    head: usize,
}

impl Row {
    pub(super) fn at(now_ms: i64) -> Self {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&now_ms.to_le_bytes());
        Self { head: bytes.len(), bytes }
    }

    pub(super) fn begin(&mut self, terms: &Terms) {
        let name = terms.hour.to_string();
        put_name(&mut self.bytes, &name);
        self.bytes.extend_from_slice(&[terms.mode as u8, u8::from(terms.group_not_found)]);
        self.bytes.extend_from_slice(&terms.limit.to_le_bytes());
    }

    pub(super) fn admit(&mut self, path: &str, verdict: Verdict) {
        self.bytes.push(verdict as u8);
        put_name(&mut self.bytes, path);
    }

    pub(super) fn group(&mut self, hash: u64) {
        self.bytes.push(GROUPED);
        self.bytes.extend_from_slice(&hash.to_le_bytes());
    }

    pub(super) fn sample(&mut self, path: &str) {
        self.bytes.push(SAMPLED);
        put_name(&mut self.bytes, path);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == self.head
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The checkpoint: version, rows that the database was told of (0 while it is behind), time of the last
/// call.
pub(super) fn checkpoint(told: u64, last_ms: i64) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&told.to_le_bytes());
    out.extend_from_slice(&last_ms.to_le_bytes());
    out
}

impl State {
    pub(super) fn load(stored: &Stored) -> Result<Self, CallError> {
        let mut state = Self::default();
        let mut told = 0;
        if let Some(checkpoint) = &stored.checkpoint {
            let mut rest = version(checkpoint)?;
            told = u64::from_le_bytes(take(&mut rest)?);
            state.last_ms = i64::from_le_bytes(take(&mut rest)?);
        }
        for row in &stored.rows {
            let mut rest = version(row)?;
            let at_ms = i64::from_le_bytes(take(&mut rest)?);
            state.last_ms = state.last_ms.max(at_ms);
            if state.rows >= told {
                state.changed_ms.get_or_insert(at_ms);
            }
            if state.rows == 0 {
                state.terms = Some(terms(&mut rest)?);
            }
            state.rows += 1;
            while let Some((kind, after)) = rest.split_first() {
                rest = after;
                if *kind == GROUPED {
                    state.grouped.insert(u64::from_le_bytes(take(&mut rest)?));
                } else if *kind == SAMPLED {
                    let (path, after) = take_name(rest)?;
                    state.sample.add(path);
                    rest = after;
                } else {
                    let verdict = Verdict::from_byte(*kind).filter(|verdict| verdict.is_admitted());
                    let verdict = verdict.ok_or(CallError::Unknown("entry"))?;
                    let (path, after) = take_name(rest)?;
                    state.admitted.insert(path.into(), verdict);
                    rest = after;
                }
            }
        }
        state.changes = u64::from(state.rows > told);
        Ok(state)
    }
}

fn terms(rest: &mut &[u8]) -> Result<Terms, CallError> {
    let (hour, after) = take_name(rest)?;
    *rest = after;
    let hour = hour.parse().map_err(|_| CallError::Unknown("hour"))?;
    let [mode, group_not_found] = take(rest)?;
    let mode = Mode::ALL.get(usize::from(mode)).copied().ok_or(CallError::Unknown("mode"))?;
    Ok(Terms { hour, mode, limit: u32::from_le_bytes(take(rest)?), group_not_found: group_not_found == 1 })
}

fn version(bytes: &[u8]) -> Result<&[u8], CallError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((version, _)) => Err(CallError::Version(*version)),
        None => Err(CallError::Truncated),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CallError> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(CallError::Truncated)?;
    *rest = after;
    Ok(*taken)
}
