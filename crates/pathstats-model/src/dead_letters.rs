//! Dead letters: what could not be counted, how it is looked at, tried again and thrown away.
//!
//! The api reads them. The consumer alone changes them: it [`replay`]s through the same
//! [`ingest`](crate::ingest) that the queue's messages go through, and discards.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::event::cut;
use crate::hour::iso_time;

mod order;
mod replay;

pub use order::{
    check_reason, DiscardOrder, Discarded, LetterOutcome, OrderError, Outcome, ReplayOrder, Replayed,
};
pub use replay::{replay, Change, Letter, LetterStore, Outline};

/// Path of the api's call that has letters replayed. Its body is a [`ReplayOrder`], its answer
/// [`Replayed`].
pub const REPLAY_PATH: &str = "/dead-letters/replay";
/// Path of the api's call that has letters discarded. Its body is a [`DiscardOrder`], its answer
/// [`Discarded`].
pub const DISCARD_PATH: &str = "/dead-letters/discard";

/// Most ids in one order, and most letters that one call replays: as many as a batch of the queue has
/// messages.
pub const MAX_LETTERS: usize = 100;

/// Longest id, in bytes. The longest made here names a sealed event: two words, an event id, a path
/// of 512 characters of four bytes, and an hour.
pub const MAX_ID_BYTES: usize = 2_200;

/// Most bytes of an order: all its ids at their longest, with room for JSON's quotes and escapes.
pub const MAX_ORDER_BYTES: usize = MAX_LETTERS * MAX_ID_BYTES * 5 / 4;

/// Longest reason, in bytes. The longest of ours has seventeen.
pub const MAX_REASON_BYTES: usize = 64;

/// Most bytes of bodies that one call replays: some ten thousand events, which the consumer counts
/// within [`REPLAY_MS`] on a slow day.
pub const MAX_REPLAY_BYTES: u64 = 4_000_000;

/// Bodies that are read and counted at once. Between two such slices the clock is looked at.
pub const SLICE_BYTES: u64 = 1_000_000;

/// No slice begins later than this after the call came, in milliseconds. What is left is told.
pub const REPLAY_MS: i64 = 12_000;

/// How long the api waits for the consumer, in milliseconds: [`REPLAY_MS`] and the slice that began
/// last.
pub const CALL_MS: u32 = 25_000;

/// Letters that one call discards by their reason.
pub const MAX_DISCARDED: usize = 1_000;

/// Letters that are counted to tell how many remain: counting reads them.
pub const MAX_REMAINING: usize = 10_000;

/// Most letters on a page.
pub const MAX_PAGE: u32 = 200;
/// Letters on a page unless asked for otherwise.
pub const DEFAULT_PAGE: u32 = 50;

/// Characters of a body that a list shows.
pub const PREVIEW_CHARS: usize = 200;

const _: () = assert!(REPLAY_MS < CALL_MS as i64, "the consumer ends before the api stops waiting");

/// A place in a list of letters: the last one before it. Written `1760536800000/id`.
///
/// All letters are listed by id, those of one reason by the time they were first seen; both orders
/// stay as they are while letters come and go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct LetterCursor {
    /// When the letter was first seen, in milliseconds.
    pub first_seen_ms: i64,
    /// The letter.
    pub id: String,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cursor: expected `nextCursor` of an earlier answer")]
pub struct CursorError(String);

impl fmt::Display for LetterCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first_seen_ms, self.id)
    }
}

impl FromStr for LetterCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CursorError(cut(text, 80).to_owned());
        let (first_seen, id) = text.split_once('/').ok_or_else(wrong)?;
        let digits = !first_seen.is_empty() && first_seen.bytes().all(|byte| byte.is_ascii_digit());
        let first_seen_ms = first_seen.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(wrong());
        }
        Ok(Self { first_seen_ms, id: id.to_owned() })
    }
}

impl TryFrom<String> for LetterCursor {
    type Error = CursorError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LetterCursor> for String {
    fn from(cursor: LetterCursor) -> Self {
        cursor.to_string()
    }
}

/// A letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LetterSummary {
    /// Names it.
    pub id: String,
    /// A short, stable word.
    pub reason: String,
    /// What was found, for a person.
    pub detail: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it was first seen, in milliseconds; told as a time.
    #[serde(serialize_with = "iso")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub first_seen: i64,
    /// Length of its body, in bytes.
    pub bytes: u64,
    /// Events that its body says it holds; `None` when it is no JSON object.
    pub events: Option<u64>,
    /// How the body begins.
    pub preview: String,
}

/// A letter, whole. What `GET /admin/dead-letters/show` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DeadLetterDetails"))]
pub struct LetterDetails {
    /// What the list tells of it.
    #[serde(flatten)]
    pub letter: LetterSummary,
    /// The message or event as it came.
    pub body: String,
}

/// How many letters there are of a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// Letters.
    pub count: u64,
    /// When the oldest was first seen, in milliseconds; told as a time.
    #[serde(serialize_with = "iso")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub oldest: i64,
}

/// A page of letters. What `GET /admin/dead-letters` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DeadLetterList"))]
#[serde(rename_all = "camelCase")]
pub struct LetterPage {
    /// All letters, whatever their reason.
    pub total: u64,
    /// The same by reason.
    pub by_reason: Vec<ReasonCount>,
    /// The page.
    pub letters: Vec<LetterSummary>,
    /// Where the next page begins; `None` after the last letter.
    pub next_cursor: Option<LetterCursor>,
}

impl LetterPage {
    /// A page of at most `limit` letters, made of one more than that if there are more.
    #[must_use]
    pub fn new(by_reason: Vec<ReasonCount>, mut letters: Vec<LetterSummary>, limit: usize) -> Self {
        let more = letters.len() > limit;
        letters.truncate(limit);
        let next_cursor = letters
            .last()
            .filter(|_| more)
            .map(|last| LetterCursor { first_seen_ms: last.first_seen, id: last.id.clone() });
        Self { total: by_reason.iter().map(|reason| reason.count).sum(), by_reason, letters, next_cursor }
    }
}

/// A time as ISO 8601, as every answer has it. By reference, as serde's `serialize_with` asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn iso<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso_time(*ms))
}

#[cfg(test)]
mod tests;
