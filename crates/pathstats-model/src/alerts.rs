//! Who is told of trouble, and when: rules over samples of what was measured, one a minute.
//!
//! | to find | look in |
//! | --- | --- |
//! | what is measured, and the rule for each: a new rule is a row there | [`measure`] |
//! | the values of a minute | [`sample`] |
//! | rules, and the file that they are written in | [`rules`] |
//! | when a rule fires, reminds and resolves | [`engine`] |
//! | what is sent, and how it is signed | [`notification`], [`webhook`] |
//! | what is sent again, and when it is given up | [`delivery`] |
//! | the steps of a minute, and what if one dies between them | [`run`] |
//! | what holds notifications back | [`silence`] |
//! | what is known when the database is not | [`outage`] |
//! | what the API answers | [`answers`] |
//! | draft rules over history | [`backtest`] |

pub mod answers;
pub mod backtest;
pub mod config;
pub mod delivery;
pub mod engine;
pub mod measure;
pub mod notification;
pub mod outage;
pub mod rules;
pub mod run;
pub mod sample;
pub mod silence;
pub mod webhook;

/// Milliseconds in a minute: the time between two samples.
pub const MINUTE_MS: i64 = 60_000;

/// How long samples and ended notifications are kept, in minutes: two weeks, so that a draft rule is
/// tried on every day of a week twice.
pub const KEPT_MINUTES: i64 = 14 * 24 * 60;

/// The same in milliseconds.
pub const KEPT_MS: i64 = KEPT_MINUTES * MINUTE_MS;

/// The minute that holds a moment, as its first millisecond.
#[must_use]
pub const fn minute_of(ms: i64) -> i64 {
    ms.div_euclid(MINUTE_MS) * MINUTE_MS
}

#[cfg(test)]
mod tests;
