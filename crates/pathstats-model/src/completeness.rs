//! The completeness ledger: whether all that was received is accounted for, hour by hour.
//!
//! ```text
//! received = counted + duplicate + dead-lettered + refused late
//! ```
//!
//! Each term is counted where it arises, and no term from another one:
//!
//! | term | of an hour | counted by |
//! | --- | --- | --- |
//! | received | raw rows, events of letters that have no raw row, and every further time that one came | a scan of the raw rows' keys, or of the archive's files; the letters |
//! | counted | requests of the hourly rows | the objects |
//! | duplicate | events that came to an object that had them, each time | the objects |
//! | dead-lettered | what lies in dead letters, or was discarded, and is not counted | the letters; objects are asked which of a letter's events they have |
//! | refused late | events that came after their hour was sealed | the letters |
//!
//! An event that is delivered n times is received n times: once as itself, and n - 1 times as a
//! duplicate. A delivery of which nothing was kept, since a store was down, is no receipt: its message
//! comes again.
//!
//! | to find | look in |
//! | --- | --- |
//! | the terms, and what they come to | [`figures`] |
//! | what a dead letter is booked as | [`booking`] |
//! | which hours are checked, and the steps of a check | [`check`] |
//! | up to when all is final, and when a difference is one | [`settled`] |
//! | what the API answers | [`answers`] |

pub mod answers;
pub mod booking;
pub mod check;
pub mod figures;
pub mod settled;

use crate::hour::{DAY_MS, HOUR_MS};

/// What was sent so long ago has been taken in and flushed, unless a message waits: a batch waits five
/// seconds, a flush thirty, and a flush that failed thirty more.
pub const SETTLE_MS: i64 = 2 * 60_000;

/// A difference must stay as it is for so long before it is told: two checks see it.
pub const CONFIRM_MS: i64 = 10 * 60_000;

/// Hours that are looked at even if nothing tells of them: what was stored and never counted leaves no
/// trace but its raw rows. From then on days go to the archive, which compares them once more.
pub const RECENT_HOURS: i64 = 72;

/// A recent hour that nothing tells of is checked again after this time.
pub const RECHECK_MS: i64 = DAY_MS;

/// Hours that one run checks. Each takes two calls to D1, and four where letters are looked into; with
/// those of the outbox and the snapshot they stay below [`SUBREQUEST_BUDGET`](crate::limits::SUBREQUEST_BUDGET).
pub const CHECKS_PER_RUN: usize = 10;

/// Letters of an hour that ran out of attempts and that a check looks into: their ids are some ten
/// thousand bytes each. With more of them, the hour stays open until they are replayed or discarded.
pub const LETTERS_PER_CHECK: usize = 200;

/// Objects that a check asks. The same holds for more.
pub const PROBES_PER_CHECK: usize = 450;

/// Rows that tell of an hour to be checked and that are read at once.
pub const NOTED_PER_RUN: usize = 500;

/// Hours of an answer, at most: 31 days.
pub const MAX_HOURS: i64 = 31 * 24;

/// Hours older than this leave the ledger, in milliseconds: as long as daily rows are kept.
pub const KEPT_MS: i64 = 400 * DAY_MS;

/// How long a recheck may come too late without harm.
const _: () = assert!(RECHECK_MS < RECENT_HOURS * HOUR_MS, "a recent hour is checked more than once");

#[cfg(test)]
mod tests;
