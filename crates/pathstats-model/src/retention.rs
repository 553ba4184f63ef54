//! Which days of raw events are closed, and which are old enough to be archived.

use serde::Serialize;

use crate::event_id::EventId;
use crate::hour::{EventDate, DAY_MS};
use crate::limits::MAX_FUTURE_MS;

/// Most days listed: a year and a day, so that an import shows whole.
const MAX_DAYS: usize = 366;

/// What becomes of a day's raw events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// The day, UTC.
    pub date: EventDate,
    /// Whether it has ended, so that only late events can still come.
    pub closed: bool,
    /// Whether it is older than raw events are kept, and is to be archived.
    pub due: bool,
}

/// The days between the first and the last raw event, oldest first, at most a year and a day. A
/// day ends five minutes after midnight, since clocks differ. `keep_days` is how long raw events
/// are kept after their day.
#[must_use]
pub fn closed_days(range: Option<(EventId, EventId)>, now_ms: i64, keep_days: i64) -> Vec<Day> {
    let Some((first, last)) = range else { return Vec::new() };
    let mut days = Vec::new();
    let mut start = EventDate::from_ms(first.timestamp_ms()).start_ms();
    while start <= last.timestamp_ms() && days.len() < MAX_DAYS {
        let date = EventDate::from_ms(start);
        days.push(day(date, now_ms, keep_days));
        start = date.end_ms();
    }
    days
}

/// A day by itself, see [`closed_days`].
#[must_use]
pub const fn day(date: EventDate, now_ms: i64, keep_days: i64) -> Day {
    let ended = date.end_ms() + MAX_FUTURE_MS;
    Day { date, closed: now_ms >= ended, due: now_ms >= ended + keep_days * DAY_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EventId {
        let date: EventDate = text.parse().unwrap();
        EventId::from_parts(date.start_ms() + 5, 7).unwrap()
    }

    #[test]
    fn days_close_after_midnight_and_are_due_after_their_retention() {
        let now = id("2024-03-02").timestamp_ms() + 10 * 60_000;
        let days = closed_days(Some((id("2024-02-27"), id("2024-03-02"))), now, 3);
        let list: Vec<_> = days.iter().map(|d| (d.date.to_string(), d.closed, d.due)).collect();
        let expected = [
            ("2024-02-27", true, true),
            ("2024-02-28", true, false),
            ("2024-02-29", true, false),
            ("2024-03-01", true, false),
            ("2024-03-02", false, false),
        ];
        assert_eq!(list, expected.map(|(date, closed, due)| (date.to_owned(), closed, due)));
    }

    #[test]
    fn a_day_is_open_until_five_past_midnight_and_no_event_means_no_day() {
        let midnight = id("2024-03-01").timestamp_ms() - 5;
        let range = Some((id("2024-02-29"), id("2024-02-29")));
        assert!(!closed_days(range, midnight + MAX_FUTURE_MS - 1, 3)[0].closed);
        assert!(closed_days(range, midnight + MAX_FUTURE_MS, 3)[0].closed);
        assert!(closed_days(None, midnight, 3).is_empty());
    }
}
