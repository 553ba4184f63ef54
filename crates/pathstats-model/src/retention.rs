//! How long what is kept, which days are closed, and which are old enough to go.

use serde::Serialize;

use crate::config::{number, ConfigError, Variables};
use crate::hour::{EventDate, DAY_MS, HOUR_MS};
use crate::limits::MAX_FUTURE_MS;

mod plan;

pub use plan::{GoingRows, RawPlan, RetentionPlan, RollUpPlan, RowsPlan, RowsUsed};

/// When the nightly run begins, in milliseconds after midnight UTC: its cron is `0 2 * * *`.
const NIGHTLY_MS: i64 = 2 * HOUR_MS;

/// Fewest queries that a run needs to come forward: it lists, reads, writes and notes.
const LEAST_QUERIES: u32 = 15;

/// Most queries that may be set: an invocation has 1,000. Source: D1 limits.
const MOST_QUERIES: u32 = 900;

/// How long what is kept. Days are counted from the end of the day that the rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// `RAW_RETENTION_DAYS`, 1 to 365, default 3: days that raw events stay.
    pub raw_days: i64,
    /// `HOURLY_RETENTION_DAYS`, 7 to 3,650, default 90; more than the raw days.
    pub hourly_days: i64,
    /// `DAILY_RETENTION_DAYS`, 7 to 3,650, default 400; at least the hourly days.
    pub daily_days: i64,
    /// `RETENTION_QUERIES`, 15 to 900, default 40: queries to D1 in one run. The default suits the
    /// free plan, whose invocations have 50.
    pub queries: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { raw_days: 3, hourly_days: 90, daily_days: 400, queries: 40 }
    }
}

impl RetentionConfig {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong, or that contradicts another.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let raw = number(variables, "RAW_RETENTION_DAYS", 3, 1, 365)?;
        let hourly = number(variables, "HOURLY_RETENTION_DAYS", 90, 7, 3_650)?;
        let daily = number(variables, "DAILY_RETENTION_DAYS", 400, 7, 3_650)?;
        if hourly <= raw {
            return Err(ConfigError::Invalid {
                name: "HOURLY_RETENTION_DAYS",
                found: hourly.to_string(),
                expected: format!(
                    "more than RAW_RETENTION_DAYS ({raw}): an archived day is compared with its hourly rows"
                ),
            });
        }
        if daily < hourly {
            return Err(ConfigError::Invalid {
                name: "DAILY_RETENTION_DAYS",
                found: daily.to_string(),
                expected: format!(
                    "at least HOURLY_RETENTION_DAYS ({hourly}): daily rows replace hourly ones"
                ),
            });
        }
        Ok(Self {
            raw_days: i64::from(raw),
            hourly_days: i64::from(hourly),
            daily_days: i64::from(daily),
            queries: number(variables, "RETENTION_QUERIES", 40, LEAST_QUERIES, MOST_QUERIES)?,
        })
    }

    /// The days that a run at `now_ms` goes by.
    #[must_use]
    pub fn horizons(&self, now_ms: i64) -> Horizons {
        Horizons {
            open_from: first_kept(now_ms, 0),
            hourly_from: first_kept(now_ms, self.hourly_days),
            daily_from: first_kept(now_ms, self.daily_days),
        }
    }
}

/// The days that a run goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizons {
    /// The first day that has not ended. Days before are rolled up.
    pub open_from: EventDate,
    /// The first day whose hourly rows stay.
    pub hourly_from: EventDate,
    /// The first day whose daily rows stay. Days before are not rolled up any more.
    pub daily_from: EventDate,
}

/// The first day that stays when days are kept for `keep_days` after their end. As [`day`] has it,
/// a day ends five minutes after midnight.
#[must_use]
pub fn first_kept(now_ms: i64, keep_days: i64) -> EventDate {
    EventDate::from_ms(now_ms - MAX_FUTURE_MS - keep_days * DAY_MS)
}

/// When the next nightly run begins, in milliseconds since the epoch: 02:00 UTC.
#[must_use]
pub const fn next_nightly_ms(now_ms: i64) -> i64 {
    let days = (now_ms - NIGHTLY_MS).div_euclid(DAY_MS) + 1;
    days * DAY_MS + NIGHTLY_MS
}

/// What one invocation may still spend. What is left undone goes on at the next cron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Queries to D1, the statements of a transaction each counted.
    pub queries: u32,
    /// No step begins after this, in milliseconds since the epoch.
    pub until_ms: i64,
}

impl Budget {
    /// Takes so many queries out, if they are there and the time is not up.
    pub const fn take(&mut self, queries: u32, now_ms: i64) -> bool {
        let granted = self.queries >= queries && now_ms < self.until_ms;
        if granted {
            self.queries -= queries;
        }
        granted
    }
}

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

/// When a day's raw events are old enough to be archived, in milliseconds since the epoch.
#[must_use]
pub const fn due_ms(date: EventDate, keep_days: i64) -> i64 {
    date.end_ms() + MAX_FUTURE_MS + keep_days * DAY_MS
}

/// A day, by the clock. It ends five minutes after midnight, since clocks differ. `keep_days` is how
/// long raw events are kept after their day.
#[must_use]
pub const fn day(date: EventDate, now_ms: i64, keep_days: i64) -> Day {
    Day { date, closed: now_ms >= due_ms(date, 0), due: now_ms >= due_ms(date, keep_days) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_close_after_midnight_and_are_due_after_their_retention() {
        let at = |text: &str| text.parse::<EventDate>().unwrap();
        let now = at("2024-03-02").start_ms() + 10 * 60_000;
        for (date, closed, due) in [
            ("2024-02-27", true, true),
            ("2024-02-28", true, false),
            ("2024-02-29", true, false),
            ("2024-03-01", true, false),
            ("2024-03-02", false, false),
        ] {
            assert_eq!(day(at(date), now, 3), Day { date: at(date), closed, due });
        }
        let leap = at("2024-02-29");
        assert!(!day(leap, leap.end_ms() + MAX_FUTURE_MS - 1, 3).closed, "open until five past midnight");
        assert!(day(leap, leap.end_ms() + MAX_FUTURE_MS, 3).closed);
    }

    fn with(pairs: &'static [(&'static str, &'static str)]) -> impl Variables {
        move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn retention_is_three_ninety_and_four_hundred_days() {
        assert_eq!(RetentionConfig::from_variables(&with(&[])), Ok(RetentionConfig::default()));
        let set = with(&[
            ("RAW_RETENTION_DAYS", "7"),
            ("HOURLY_RETENTION_DAYS", "30"),
            ("DAILY_RETENTION_DAYS", "30"),
            ("RETENTION_QUERIES", "900"),
        ]);
        let expected = RetentionConfig { raw_days: 7, hourly_days: 30, daily_days: 30, queries: 900 };
        assert_eq!(RetentionConfig::from_variables(&set), Ok(expected));
    }

    #[test]
    fn a_wrong_retention_names_its_variable_and_what_it_contradicts() {
        for (pairs, says) in [
            (
                &[("RAW_RETENTION_DAYS", "0")][..],
                "RAW_RETENTION_DAYS is \"0\": expected a whole number from 1",
            ),
            (&[("DAILY_RETENTION_DAYS", "1e3")][..], "DAILY_RETENTION_DAYS is \"1e3\""),
            (
                &[("HOURLY_RETENTION_DAYS", "9"), ("RAW_RETENTION_DAYS", "9")][..],
                "is \"9\": expected more than RAW_RETENTION_DAYS (9)",
            ),
            (
                &[("DAILY_RETENTION_DAYS", "89")][..],
                "is \"89\": expected at least HOURLY_RETENTION_DAYS (90)",
            ),
            (&[("RETENTION_QUERIES", "3")][..], "RETENTION_QUERIES is \"3\""),
        ] {
            let error = RetentionConfig::from_variables(&with(pairs)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_day_that_goes_is_a_day_that_is_due() {
        let start = "2024-03-01".parse::<EventDate>().unwrap().start_ms();
        for now in [start, start + MAX_FUTURE_MS - 1, start + MAX_FUTURE_MS, start + DAY_MS - 1] {
            for keep in [0, 1, 3, 90] {
                let first = first_kept(now, keep);
                assert!(!day(first, now, keep).due, "{first} at {now}, kept {keep}");
                assert!(day(EventDate::from_ms(first.start_ms() - 1), now, keep).due);
            }
        }
    }

    #[test]
    fn the_next_night_is_the_next_two_o_clock() {
        let midnight = "2024-03-01".parse::<EventDate>().unwrap().start_ms();
        assert_eq!(next_nightly_ms(midnight), midnight + NIGHTLY_MS);
        assert_eq!(next_nightly_ms(midnight + NIGHTLY_MS - 1), midnight + NIGHTLY_MS);
        assert_eq!(next_nightly_ms(midnight + NIGHTLY_MS), midnight + DAY_MS + NIGHTLY_MS);
    }

    #[test]
    fn a_budget_ends_by_queries_or_by_time() {
        let mut budget = Budget { queries: 3, until_ms: 10 };
        assert!(budget.take(2, 9));
        assert!(!budget.take(2, 9));
        assert!(!budget.take(1, 10));
        assert!(budget.take(1, 9));
        assert!(!budget.take(1, 9));
    }
}
