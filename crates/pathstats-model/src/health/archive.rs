//! How the archive stands, from what the database holds.

use super::{ArchiveState, DayError, WaitingDay};
use crate::event::cut;
use crate::hour::EventDate;
use crate::retention::{day, due_ms};

/// Errors that are told; the others are only counted.
const MOST_ERRORS: usize = 5;

/// Most characters of an error.
const ERROR_CHARS: usize = 300;

/// A day of which something is archived, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedDay {
    /// The day.
    pub date: EventDate,
    /// `archiving`, `cleaning` or `archived`.
    pub status: String,
    /// Whether it is to be deleted from the database.
    pub clean: bool,
    /// What stopped its last run.
    pub error: Option<String>,
    /// Whether its archive and its hourly statistics differ.
    pub differs: bool,
}

/// How the archive stands at `now_ms`, given the days with raw events and those with a record, in any
/// order. Raw events are kept for `keep_days`.
#[must_use]
pub fn archive_state(
    in_database: &[EventDate],
    archived: &[ArchivedDay],
    keep_days: i64,
    now_ms: i64,
) -> ArchiveState {
    let record = |date: EventDate| archived.iter().find(|day| day.date == date);
    // A day that was archived to stay in the database as well waits for nothing.
    let stays = |date| record(date).is_some_and(|day| day.status == "cleaning" && !day.clean);
    let unfinished = archived.iter().filter(|day| day.status == "archiving").map(|day| day.date);
    let waiting = in_database
        .iter()
        .copied()
        .filter(|date| !stays(*date))
        .chain(unfinished)
        .filter(|date| day(*date, now_ms, keep_days).due)
        .min()
        .map(|date| WaitingDay { date, due_ms: due_ms(date, keep_days) });
    let mut failed: Vec<(EventDate, &str)> =
        archived.iter().filter_map(|day| Some((day.date, day.error.as_deref()?))).collect();
    failed.sort_unstable();
    let differing = || archived.iter().filter(|day| day.differs);
    ArchiveState {
        waiting,
        days_with_errors: total(failed.len()),
        errors: failed
            .into_iter()
            .take(MOST_ERRORS)
            .map(|(date, error)| DayError { date, error: cut(error, ERROR_CHARS).to_owned() })
            .collect(),
        days_differing: total(differing().count()),
        oldest_differing: differing().map(|day| day.date).min(),
        days_archived: total(archived.iter().filter(|day| day.status == "archived").count()),
    }
}

fn total(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
