//! Ranges of time: how they are asked for, and the hours and days that they are made of.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::given::Given;
use crate::hour::{EventDate, HourBucket, HOUR_MS};
use crate::limits::{MAX_FUTURE_MS, MIN_TIMESTAMP_MS};
use crate::problem::Problem;

/// Most days of a series of hours. Hourly rows are kept 90 days unless configured otherwise.
pub const MAX_DAYS_OF_HOURS: i64 = 92;
/// Most days of a series of days. Daily rows are kept 400 days unless configured otherwise.
pub const MAX_DAYS_OF_DAYS: i64 = 800;

const A_MOMENT: &str =
    "a moment such as 2025-10-15T14:00:00Z, 2025-10-15T14:00 or 2025-10-15, or milliseconds since 1970";

/// Length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// An hour of UTC.
    Hour,
    /// A day of the time zone.
    Day,
}

/// A time zone of the IANA database.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

/// Hours from one up to another that is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first.
    pub from: HourBucket,
    /// The first that is not part of it.
    pub to: HourBucket,
}

/// What a series covers.
#[derive(Debug, Clone)]
pub struct Period {
    /// All of it: whole buckets.
    pub hours: Hours,
    /// Length of a bucket.
    pub granularity: Granularity,
    /// Where days begin.
    pub zone: Zone,
}

impl Zone {
    /// The zone of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        // Longer than any name of the database, and so that an error can show it.
        let zone = (name.len() <= 64).then(|| TimeZone::get(name).ok()).flatten()?;
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        Some(Self { zone, name })
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn date_at(&self, ms: i64) -> Date {
        Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(self.zone.clone()).date()
    }

    /// First hour of UTC that begins on this date. A midnight that a change of the clocks leaves out
    /// is the moment after it.
    fn first_hour(&self, date: Date) -> HourBucket {
        let midnight =
            self.zone.to_zoned(date.at(0, 0, 0, 0)).map_or(0, |at| at.timestamp().as_millisecond());
        HourBucket::from_ms(midnight + HOUR_MS - 1)
    }

    /// The date on which an hour of UTC begins.
    fn date_of(&self, hour: HourBucket) -> Date {
        self.date_at(hour.start_ms())
    }

    /// Reads a moment: with an offset as it is, without one in this zone.
    fn moment(&self, text: &str) -> Option<i64> {
        let ms = if text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok()?
        } else if let Ok(at) = text.parse::<Timestamp>() {
            at.as_millisecond()
        } else {
            let at: DateTime = text.parse().ok()?;
            self.zone.to_zoned(at).ok()?.timestamp().as_millisecond()
        };
        (ms >= MIN_TIMESTAMP_MS).then_some(ms)
    }
}

impl Hours {
    /// How many.
    #[must_use]
    pub fn count(self) -> i64 {
        (self.to.start_ms() - self.from.start_ms()) / HOUR_MS
    }

    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = HourBucket> {
        (0..self.count()).map(move |at| self.from.plus(at))
    }

    /// Whether an hour is part of it.
    #[must_use]
    pub fn contains(self, hour: HourBucket) -> bool {
        self.from <= hour && hour < self.to
    }

    /// The days of UTC that lie within, wholly or in part.
    pub fn days(self) -> impl Iterator<Item = EventDate> {
        let first = self.from.date();
        (0..)
            .map(move |at| EventDate::from_ms(first.start_ms() + at * 24 * HOUR_MS))
            .take_while(move |date| date.start_ms() < self.to.start_ms())
    }

    /// The days of UTC that lie wholly within.
    pub fn whole_days(self) -> impl Iterator<Item = EventDate> {
        let first = EventDate::from_ms(self.from.start_ms() + 24 * HOUR_MS - 1);
        (0..)
            .map(move |at| EventDate::from_ms(first.start_ms() + at * 24 * HOUR_MS))
            .take_while(move |date| date.end_ms() <= self.to.start_ms())
    }
}

impl Period {
    /// Reads `from`, `to`, `granularity` and `timezone`.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read(given: &Given, now_ms: i64) -> Result<Self, Problem> {
        let granularity = given
            .optional("granularity", "hour or day", |text| match text {
                "hour" => Some(Granularity::Hour),
                "day" => Some(Granularity::Day),
                _ => None,
            })?
            .unwrap_or(Granularity::Hour);
        let expected = "a time zone such as UTC, Europe/Berlin or Asia/Shanghai";
        let zone = given.optional("timezone", expected, Zone::named)?.unwrap_or_else(Zone::utc);
        let to = given.optional("to", A_MOMENT, |text| zone.moment(text))?.unwrap_or(now_ms);
        let from = given.optional("from", A_MOMENT, |text| zone.moment(text))?;
        // Nothing lies in the future but what clocks that differ put there.
        let to = to.min(now_ms + MAX_FUTURE_MS);
        let period = match granularity {
            Granularity::Hour => {
                let end = HourBucket::from_ms(to + HOUR_MS - 1);
                let start = from.map_or_else(|| end.plus(-24), HourBucket::from_ms);
                Self { hours: Hours { from: start, to: end }, granularity, zone }
            }
            Granularity::Day => {
                let last = zone.date_at(to - 1);
                let first = from.map_or_else(|| moved(last, (-29).days()), |from| zone.date_at(from));
                let end = zone.first_hour(moved(last, 1.day()));
                let start = if first > last { end } else { zone.first_hour(first) };
                Self { hours: Hours { from: start, to: end }, granularity, zone }
            }
        };
        period.check(given)?;
        Ok(period)
    }

    fn check(&self, given: &Given) -> Result<(), Problem> {
        let named = if given.get("from").is_some() { "from" } else { "to" };
        let found = given.get(named).unwrap_or_default();
        if self.hours.count() <= 0 {
            return Err(Problem::parameter(named, found, "a moment of the past, with `from` before `to`"));
        }
        let most = match self.granularity {
            Granularity::Hour => MAX_DAYS_OF_HOURS,
            Granularity::Day => MAX_DAYS_OF_DAYS,
        };
        // A day of slack: a change of the clocks makes a range of days an hour longer.
        if self.hours.count() > (most + 1) * 24 {
            let expected = match self.granularity {
                Granularity::Hour => format!("at most {most} days before `to`; more with granularity=day"),
                Granularity::Day => format!("at most {most} days before `to`"),
            };
            return Err(Problem::parameter(named, found, &expected));
        }
        // Days that are not those of UTC are made of hours.
        if self.granularity == Granularity::Day
            && self.hours.count() > (MAX_DAYS_OF_HOURS + 1) * 24
            && self.buckets().any(|bucket| bucket.whole_days().next().is_none())
        {
            let expected = format!("UTC for more than {MAX_DAYS_OF_HOURS} days: hours are not kept longer");
            return Err(Problem::parameter("timezone", self.zone.name(), &expected));
        }
        Ok(())
    }

    /// The buckets, in order and without gaps.
    pub fn buckets(&self) -> impl Iterator<Item = Hours> + '_ {
        let mut next = self.hours.from;
        core::iter::from_fn(move || {
            let from = next;
            if from >= self.hours.to {
                return None;
            }
            next = match self.granularity {
                Granularity::Hour => from.plus(1),
                // Always ahead, whatever a zone does.
                Granularity::Day => {
                    self.zone.first_hour(moved(self.zone.date_of(from), 1.day())).max(from.plus(1))
                }
            };
            Some(Hours { from, to: next.min(self.hours.to) })
        })
    }

    /// The period of the same length just before: as many hours, or as many days of the zone.
    #[must_use]
    pub fn previous(&self) -> Self {
        let to = self.hours.from;
        let from = match self.granularity {
            Granularity::Hour => to.plus(-self.hours.count()),
            Granularity::Day => {
                let days = i64::try_from(self.buckets().count()).unwrap_or_default();
                self.zone.first_hour(moved(self.zone.date_of(to), (-days).days()))
            }
        };
        Self { hours: Hours { from, to }, granularity: self.granularity, zone: self.zone.clone() }
    }
}

/// A date so much later, or the last there is.
fn moved(date: Date, by: Span) -> Date {
    date.saturating_add(by)
}

#[cfg(test)]
mod tests {
    use super::super::operations::{parameters, OperationId};
    use super::*;

    const NOW: i64 = 1_760_538_600_000; // 2025-10-15T14:30Z

    fn read(query: &[(&'static str, &'static str)]) -> Result<Period, Problem> {
        let pairs = query.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Period::read(&Given::read(pairs, parameters(OperationId::PathStats)).unwrap(), NOW)
    }

    fn told(period: &Period) -> (String, String, usize) {
        (period.hours.from.to_string(), period.hours.to.to_string(), period.buckets().count())
    }

    fn is(query: &[(&'static str, &'static str)], from: &str, to: &str, buckets: usize) {
        assert_eq!(told(&read(query).unwrap()), (from.to_owned(), to.to_owned(), buckets), "{query:?}");
    }

    #[test]
    fn without_a_range_it_is_the_last_day_or_the_last_thirty() {
        is(&[], "2025-10-14T15", "2025-10-15T15", 24);
        is(&[("granularity", "day")], "2025-09-16T00", "2025-10-16T00", 30);
        is(&[("granularity", "day"), ("timezone", "Asia/Shanghai")], "2025-09-15T16", "2025-10-15T16", 30);
    }

    #[test]
    fn moments_without_an_offset_are_of_the_zone_and_ranges_grow_to_whole_buckets() {
        is(
            &[("from", "2025-10-15T10:59:59Z"), ("to", "2025-10-15T12:00:01Z")],
            "2025-10-15T10",
            "2025-10-15T13",
            3,
        );
        is(&[("from", "2025-10-15T10"), ("to", "2025-10-15T12")], "2025-10-15T10", "2025-10-15T12", 2);
        let berlin = ("timezone", "Europe/Berlin");
        is(
            &[("from", "2025-10-15T10:00"), ("to", "2025-10-15T12:00"), berlin],
            "2025-10-15T08",
            "2025-10-15T10",
            2,
        );
        is(&[("from", "2025-10-14"), berlin], "2025-10-13T22", "2025-10-15T15", 41);
        is(&[("from", "1760536800000"), ("to", "1760536800001")], "2025-10-15T14", "2025-10-15T15", 1);
        is(
            &[("from", "2025-10-15T10:00:00+08:00"), ("to", "2025-10-15T12:00:00+08:00")],
            "2025-10-15T02",
            "2025-10-15T04",
            2,
        );
    }

    #[test]
    fn a_range_ends_now_however_far_its_end() {
        is(&[("from", "2025-10-15T13"), ("to", "2026-10-15T12")], "2025-10-15T13", "2025-10-15T15", 2);
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_the_clocks_change() {
        let berlin = [("granularity", "day"), ("timezone", "Europe/Berlin")];
        let mut query = vec![("from", "2025-03-29"), ("to", "2025-04-01")];
        query.extend(berlin);
        let period = read(&query).unwrap();
        assert_eq!(period.buckets().map(Hours::count).collect::<Vec<_>>(), [24, 23, 24]);
        let before = period.previous();
        assert_eq!(told(&before), ("2025-03-25T23".to_owned(), "2025-03-28T23".to_owned(), 3));
        assert_eq!(before.hours.to, period.hours.from);
    }

    #[test]
    fn in_a_zone_of_half_hours_a_day_begins_with_the_first_whole_hour_of_utc() {
        let period = read(&[
            ("from", "2025-10-13"),
            ("to", "2025-10-15"),
            ("granularity", "day"),
            ("timezone", "Asia/Kolkata"),
        ])
        .unwrap();
        // Midnight is 18:30 UTC.
        assert_eq!(told(&period), ("2025-10-12T19".to_owned(), "2025-10-14T19".to_owned(), 2));
    }

    #[test]
    fn buckets_cover_the_range_without_gaps_in_every_zone() {
        for zone in ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]
        {
            for granularity in ["hour", "day"] {
                let query = [
                    ("from", "2025-08-01"),
                    ("to", "2025-10-15"),
                    ("timezone", zone),
                    ("granularity", granularity),
                ];
                let period = read(&query).unwrap();
                for period in [period.previous(), period] {
                    let buckets: Vec<Hours> = period.buckets().collect();
                    assert_eq!(buckets[0].from, period.hours.from);
                    assert_eq!(buckets[buckets.len() - 1].to, period.hours.to);
                    assert!(buckets.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].count() > 0));
                }
            }
        }
    }

    #[test]
    fn whole_days_are_those_of_utc_within() {
        let days = |from: &str, to: &str| -> Vec<String> {
            let hours = Hours { from: from.parse().unwrap(), to: to.parse().unwrap() };
            assert!(hours.whole_days().all(|date| hours.days().any(|day| day == date)), "{hours:?}");
            hours.whole_days().map(|date| date.to_string()).collect()
        };
        assert_eq!(days("2025-10-14T00", "2025-10-16T00"), ["2025-10-14", "2025-10-15"]);
        assert_eq!(days("2025-10-14T01", "2025-10-15T23"), [""; 0]);
        assert_eq!(days("2025-10-13T23", "2025-10-15T01"), ["2025-10-14"]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_may() {
        for (query, says) in [
            (&[("from", "yesterday")][..], "parameter `from` is \"yesterday\": expected a moment"),
            (&[("to", "2025-02-30")], "parameter `to`"),
            (&[("from", "1999-01-01")], "parameter `from`"),
            (&[("from", "2025-10-15T12"), ("to", "2025-10-15T12")], "`from` before `to`"),
            (&[("from", "2025-10-16")], "`from` before `to`"),
            (&[("from", "2025-10-16"), ("granularity", "day")], "`from` before `to`"),
            (&[("granularity", "week")], "parameter `granularity` is \"week\": expected hour or day"),
            (&[("timezone", "Mars/Olympus")], "parameter `timezone` is \"Mars/Olympus\""),
            (&[("from", "2025-06-01")], "at most 92 days before `to`; more with granularity=day"),
            (&[("from", "2020-01-01"), ("granularity", "day")], "at most 800 days"),
            (
                &[("from", "2025-01-01"), ("granularity", "day"), ("timezone", "Europe/Berlin")],
                "UTC for more than 92 days",
            ),
        ] {
            let problem = read(query).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.detail.contains(says), "{query:?}: {}", problem.detail);
        }
        assert!(read(&[("from", "2025-07-16")]).is_ok());
        assert!(read(&[("from", "2024-01-01"), ("granularity", "day")]).is_ok());
    }
}
