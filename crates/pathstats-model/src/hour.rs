//! Hours and days in UTC, and the key of a path's hour.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use crate::budget::is_catch_all;
use crate::limits::MAX_PATH_CHARS;

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Why a text is not an hour, a day or a path's hour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an hour.
    #[error("{0:?} is not an hour: expected UTC as in \"2025-10-15T14\"")]
    Hour(String),
    /// Not a day.
    #[error("{0:?} is not a date: expected UTC as in \"2025-10-15\"")]
    Date(String),
    /// Not a path and an hour.
    #[error("{0:?} is not a path and hour: expected as in \"/api/foo:2025-10-15T14\"")]
    PathHour(String),
}

/// One hour of UTC, written `2025-10-15T14`. Counted in hours since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HourBucket(i32);

/// One day of UTC, written `2025-10-15`. Counted in days since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventDate(i32);

impl HourBucket {
    /// The hour that holds this millisecond. Times outside the years 1 to 9999 saturate.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(saturate(ms.div_euclid(HOUR_MS)))
    }

    /// First millisecond of the hour.
    #[must_use]
    pub const fn start_ms(self) -> i64 {
        self.0 as i64 * HOUR_MS
    }

    /// First millisecond after the hour.
    #[must_use]
    pub const fn end_ms(self) -> i64 {
        self.start_ms() + HOUR_MS
    }

    /// The day that this hour belongs to.
    #[must_use]
    pub const fn date(self) -> EventDate {
        EventDate(self.0.div_euclid(24))
    }

    /// Hour of the day, 0 to 23.
    #[must_use]
    pub const fn hour_of_day(self) -> i32 {
        self.0.rem_euclid(24)
    }

    /// The hour `hours` later, or earlier when negative.
    #[must_use]
    pub fn plus(self, hours: i64) -> Self {
        Self(saturate(i64::from(self.0) + hours))
    }
}

impl EventDate {
    /// The day that holds this millisecond.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(saturate(ms.div_euclid(DAY_MS)))
    }

    /// First millisecond of the day.
    #[must_use]
    pub const fn start_ms(self) -> i64 {
        self.0 as i64 * DAY_MS
    }

    /// First millisecond after the day.
    #[must_use]
    pub const fn end_ms(self) -> i64 {
        self.start_ms() + DAY_MS
    }

    /// The first hour of the day.
    #[must_use]
    pub fn first_hour(self) -> HourBucket {
        HourBucket::from_ms(self.start_ms())
    }

    fn calendar(self) -> Date {
        let days = i64::from(self.0);
        Date::from_calendar_date(1970, Month::January, 1)
            .ok()
            .and_then(|epoch| epoch.checked_add(time::Duration::days(days)))
            .unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
    }
}

/// A time as ISO 8601 in UTC with milliseconds: `2025-10-15T14:03:22.123Z`.
#[must_use]
pub fn iso_time(ms: i64) -> String {
    let rest = ms.rem_euclid(HOUR_MS);
    let (minutes, seconds, millis) = (rest / 60_000, rest / 1000 % 60, rest % 1000);
    format!("{}:{minutes:02}:{seconds:02}.{millis:03}Z", HourBucket::from_ms(ms))
}

/// Keeps any count of hours or days within what both types can hold.
fn saturate(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX })
}

impl fmt::Display for EventDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.calendar();
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

impl fmt::Display for HourBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}", self.date(), self.hour_of_day())
    }
}

impl FromStr for EventDate {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EPOCH_JULIAN_DAY: i32 = 2_440_588;
        let wrong = || TimeError::Date(text.chars().take(64).collect());
        let mut parts = text.split('-');
        let mut number = |width: usize| -> Option<u16> {
            let part = parts.next()?;
            let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let (year, month, day) = (number(4), number(2), number(2));
        if parts.next().is_some() {
            return Err(wrong());
        }
        let date = year
            .zip(month)
            .zip(day)
            .and_then(|((year, month), day)| {
                let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
                Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
            })
            .ok_or_else(wrong)?;
        Ok(Self(date.to_julian_day() - EPOCH_JULIAN_DAY))
    }
}

impl FromStr for HourBucket {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || TimeError::Hour(text.chars().take(64).collect());
        let (date, hour) = text.split_once('T').ok_or_else(wrong)?;
        let date: EventDate = date.parse().map_err(|_| wrong())?;
        let two_digits = hour.len() == 2 && hour.bytes().all(|b| b.is_ascii_digit());
        let hour: i64 = hour.parse().ok().filter(|h| two_digits && *h < 24).ok_or_else(wrong)?;
        Ok(date.first_hour().plus(hour))
    }
}

impl TryFrom<String> for HourBucket {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HourBucket> for String {
    fn from(hour: HourBucket) -> Self {
        hour.to_string()
    }
}

impl TryFrom<String> for EventDate {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventDate> for String {
    fn from(date: EventDate) -> Self {
        date.to_string()
    }
}

/// What one aggregator object counts: a path within an hour. Written `{path}:{hour}`, which names
/// the object. A path may contain `:`, an hour never does, so it is taken apart from the right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathHour {
    /// The path, after the path policy, or a [catch-all](crate::budget::CATCH_ALLS).
    pub path: String,
    /// The hour.
    pub hour: HourBucket,
}

impl fmt::Display for PathHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.hour)
    }
}

impl FromStr for PathHour {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || TimeError::PathHour(text.chars().take(MAX_PATH_CHARS + 32).collect());
        let (path, hour) = text.rsplit_once(':').ok_or_else(wrong)?;
        if !path.starts_with('/') && !is_catch_all(path) {
            return Err(wrong());
        }
        Ok(Self { path: path.to_owned(), hour: hour.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_reads_back_as_it_was_written() {
        let hour = HourBucket::from_ms(1_760_536_800_000);
        assert_eq!(hour.to_string(), "2025-10-15T14");
        assert_eq!("2025-10-15T14".parse(), Ok(hour));
        assert_eq!(hour.date().to_string(), "2025-10-15");
        assert_eq!(hour.end_ms() - hour.start_ms(), HOUR_MS);
    }

    #[test]
    fn hours_cross_midnight_and_leap_days() {
        let last: HourBucket = "2024-02-28T23".parse().unwrap();
        assert_eq!(last.plus(1).to_string(), "2024-02-29T00");
        assert_eq!(last.plus(25).to_string(), "2024-03-01T00");
        assert_eq!("2023-02-28T23".parse::<HourBucket>().unwrap().plus(1).to_string(), "2023-03-01T00");
        assert!("2023-02-29".parse::<EventDate>().is_err());
        assert_eq!("2024-02-29".parse::<EventDate>().unwrap().end_ms() % DAY_MS, 0);
        assert_eq!(HourBucket::from_ms(-1).to_string(), "1969-12-31T23");
    }

    #[test]
    fn times_are_written_as_iso_8601() {
        assert_eq!(iso_time(1_760_537_002_123), "2025-10-15T14:03:22.123Z");
        assert_eq!(iso_time(0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_not_an_hour_is_refused() {
        for text in ["2025-10-15", "2025-10-15T24", "2025-10-15T4", "2025-13-01T00", "2025-10-15T14:00", "x"]
        {
            assert!(text.parse::<HourBucket>().is_err(), "{text}");
        }
        for text in ["2025-1-05", "2025-00-10", "2025-10-15-1", "+025-10-15", "20251015"] {
            assert!(text.parse::<EventDate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_with_colons_keeps_them() {
        let key: PathHour = "/a:b/:id:2025-10-15T14".parse().unwrap();
        assert_eq!(key.path, "/a:b/:id");
        assert_eq!(key.to_string(), "/a:b/:id:2025-10-15T14");
        assert!("2025-10-15T14".parse::<PathHour>().is_err());
        assert!("/a".parse::<PathHour>().is_err());
        assert!("(else):2025-10-15T14".parse::<PathHour>().is_err());
        for name in crate::budget::CATCH_ALLS {
            let key: PathHour = format!("{name}:2025-10-15T14").parse().unwrap();
            assert_eq!(key.path, name);
        }
    }
}
