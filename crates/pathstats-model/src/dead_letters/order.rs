//! What may be ordered of the consumer, and what it answers.
//!
//! An order is the same JSON from a client to the api and from the api to the consumer.

use serde::{Deserialize, Serialize};

use super::{LetterCursor, MAX_ID_BYTES, MAX_LETTERS, MAX_REASON_BYTES};
use crate::event::cut;
use crate::problem::Problem;

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Not the JSON that an order is.
    #[error("the order does not read: {0}")]
    Unreadable(String),
    /// Neither ids nor all, or both.
    #[error("an order has either `ids`, a list of ids, or `all`: true")]
    Either,
    /// A discard of everything.
    #[error("discarding all letters needs their `reason`: to discard every letter, discard each reason")]
    NoReason,
    /// A field that goes with `all` came with `ids`.
    #[error("`{0}` goes with `all`, not with `ids`")]
    OnlyWithAll(&'static str),
    /// An empty list, or one that is too long.
    #[error("`ids` has {0} ids: 1 to 100 are accepted")]
    Count(usize),
    /// An id that can be none.
    #[error("id {0:?} has {1} bytes: 1 to 2200 are accepted")]
    Id(String, usize),
    /// A reason that can be none.
    #[error("`reason` is {0:?}: expected a word of 64 characters at most, such as \"sealed\"")]
    Reason(String),
}

impl OrderError {
    /// As it is answered.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(400, "invalid_order", "The order is wrong", self.to_string())
    }
}

/// Which letters are to be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub enum ReplayOrder {
    /// These.
    Ids(Vec<String>),
    /// The next hundred, of one reason or of all.
    All {
        /// The reason.
        reason: Option<String>,
        /// Goes on behind this letter: `nextCursor` of the call before.
        after: Option<LetterCursor>,
    },
}

/// Which letters are to be thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub enum DiscardOrder {
    /// These.
    Ids(Vec<String>),
    /// Those of a reason, a thousand a call.
    Reason(String),
}

/// An order as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<LetterCursor>,
}

/// A reason, if it can be one.
///
/// # Errors
///
/// [`OrderError::Reason`].
pub fn check_reason(reason: &str) -> Result<(), OrderError> {
    let fits = (1..=MAX_REASON_BYTES).contains(&reason.len());
    if fits && reason.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(OrderError::Reason(cut(reason, 80).to_owned()))
    }
}

impl Raw {
    /// The ids, each once; `None` when all are meant.
    fn ids(&mut self) -> Result<Option<Vec<String>>, OrderError> {
        if let Some(reason) = &self.reason {
            check_reason(reason)?;
        }
        let mut ids = match (self.ids.take(), self.all) {
            (Some(ids), None | Some(false)) => ids,
            (None, Some(true)) => return Ok(None),
            _ => return Err(OrderError::Either),
        };
        if self.reason.is_some() {
            return Err(OrderError::OnlyWithAll("reason"));
        }
        if self.cursor.is_some() {
            return Err(OrderError::OnlyWithAll("cursor"));
        }
        if !(1..=MAX_LETTERS).contains(&ids.len()) {
            return Err(OrderError::Count(ids.len()));
        }
        if let Some(wrong) = ids.iter().find(|id| !(1..=MAX_ID_BYTES).contains(&id.len())) {
            return Err(OrderError::Id(cut(wrong, 80).to_owned(), wrong.len()));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }
}

impl TryFrom<Raw> for ReplayOrder {
    type Error = OrderError;

    fn try_from(mut raw: Raw) -> Result<Self, OrderError> {
        Ok(match raw.ids()? {
            Some(ids) => Self::Ids(ids),
            None => Self::All { reason: raw.reason, after: raw.cursor },
        })
    }
}

impl From<ReplayOrder> for Raw {
    fn from(order: ReplayOrder) -> Self {
        match order {
            ReplayOrder::Ids(ids) => Self { ids: Some(ids), ..Self::default() },
            ReplayOrder::All { reason, after } => {
                Self { all: Some(true), reason, cursor: after, ..Self::default() }
            }
        }
    }
}

impl TryFrom<Raw> for DiscardOrder {
    type Error = OrderError;

    fn try_from(mut raw: Raw) -> Result<Self, OrderError> {
        if let Some(ids) = raw.ids()? {
            return Ok(Self::Ids(ids));
        }
        if raw.cursor.is_some() {
            return Err(OrderError::Unreadable("a discard takes no `cursor`".to_owned()));
        }
        raw.reason.map(Self::Reason).ok_or(OrderError::NoReason)
    }
}

impl From<DiscardOrder> for Raw {
    fn from(order: DiscardOrder) -> Self {
        match order {
            DiscardOrder::Ids(ids) => Self { ids: Some(ids), ..Self::default() },
            DiscardOrder::Reason(reason) => Self { all: Some(true), reason: Some(reason), ..Self::default() },
        }
    }
}

impl ReplayOrder {
    /// Reads an order.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_json(body: &[u8]) -> Result<Self, OrderError> {
        read(body)?.try_into()
    }
}

impl DiscardOrder {
    /// Reads an order.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_json(body: &[u8]) -> Result<Self, OrderError> {
        read(body)?.try_into()
    }
}

fn read(body: &[u8]) -> Result<Raw, OrderError> {
    serde_json::from_slice(body).map_err(|error| OrderError::Unreadable(error.to_string()))
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LetterFate"))]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All its events are durable and counted, now or before. The letter is gone.
    Replayed,
    /// Something of it can still not be taken. It is a letter with what is wrong now.
    StillDead,
    /// Something failed on the way, or the letter was not there. If it was, it is as before; what of
    /// it was counted will be a duplicate next time.
    Failed,
}

/// A letter, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LetterOutcome {
    /// The letter.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not replayed, in a word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Why it is not replayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReplayAnswer"))]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Letters that were tried, or were not there.
    pub selected: u64,
    /// Letters of which everything is counted.
    pub replayed: u64,
    /// Events that were new.
    pub counted: u64,
    /// Events that had been counted before.
    pub duplicates: u64,
    /// Letters that still cannot be taken.
    pub still_dead: u64,
    /// Letters that were not there or met a failure.
    pub failed: u64,
    /// Letters of the order that were not tried yet; of `all`, those behind the last one that was,
    /// counted up to ten thousand.
    pub remaining: u64,
    /// Where the next call of `all` goes on; `None` when nothing remains.
    pub next_cursor: Option<LetterCursor>,
    /// Each letter.
    pub letters: Vec<LetterOutcome>,
}

/// What came of a discard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DiscardAnswer"))]
pub struct Discarded {
    /// Letters that went.
    pub discarded: u64,
    /// Letters of the order that are still there: those of the reason beyond the first thousand.
    pub remaining: u64,
}
