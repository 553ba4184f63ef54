//! The whole system, an hour and a day: what all paths of a period come to.
//!
//! An hour's total is the merge of the rows of its paths, a day's the merge of the totals of its
//! hours. Hourly rows and the totals of hours are not kept for ever: from the moment at which the
//! hourly rows of a day may go, its hours have no totals any more, and the day's total is the merge
//! of the daily rows of its paths, which hold everything that was ever counted. So no total is ever
//! made of what happens to be left.
//!
//! The steps are in [`upkeep`], over a [`TotalsStore`] that does the I/O, so that runs that die or
//! meet are tried natively.

use core::fmt;
use core::str::FromStr;

use crate::clients::{ClientError, ClientSketch};
use crate::hour::{EventDate, HourBucket, TimeError};
use crate::stats::{PathHourStats, StatsError};

pub mod upkeep;

pub use upkeep::{keep_up, together, Done, Page, Part, TotalsStore, Waiting};

/// An hour or a day. Written as those are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// An hour.
    Hour(HourBucket),
    /// A day.
    Day(EventDate),
}

impl Period {
    /// The day that it is, or is of.
    #[must_use]
    pub const fn date(self) -> EventDate {
        match self {
            Self::Hour(hour) => hour.date(),
            Self::Day(date) => date,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hour(hour) => hour.fmt(f),
            Self::Day(date) => date.fmt(f),
        }
    }
}

impl FromStr for Period {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('T') {
            text.parse().map(Self::Hour)
        } else {
            text.parse().map(Self::Day)
        }
    }
}

/// What a total is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The hourly rows of an hour, by path.
    PathsOfHour(HourBucket),
    /// The totals of a day's hours, by hour.
    HoursOfDay(EventDate),
    /// The daily rows of a day whose hours are gone, by path.
    PathsOfDay(EventDate),
}

impl Source {
    /// What the total of a period is made of, by whether the hours of its day are gone or about to
    /// go. `None` for an hour that is: it has no total any more.
    #[must_use]
    pub const fn of(period: Period, purged: bool) -> Option<Self> {
        match (period, purged) {
            (Period::Hour(hour), false) => Some(Self::PathsOfHour(hour)),
            (Period::Hour(_), true) => None,
            (Period::Day(date), false) => Some(Self::HoursOfDay(date)),
            (Period::Day(date), true) => Some(Self::PathsOfDay(date)),
        }
    }

    /// Whose total it makes.
    #[must_use]
    pub const fn period(self) -> Period {
        match self {
            Self::PathsOfHour(hour) => Period::Hour(hour),
            Self::HoursOfDay(date) | Self::PathsOfDay(date) => Period::Day(date),
        }
    }

    /// Whether it is there only once the hours of the day are gone or about to go. A total is
    /// written only while this is as it was when the pass began.
    #[must_use]
    pub const fn is_purged(self) -> bool {
        matches!(self, Self::PathsOfDay(_))
    }
}

/// One row of what a total is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The path or the hour; the rows' order.
    pub key: String,
    /// Bytes of [`PathHourStats`].
    pub sketches: Vec<u8>,
    /// Bytes of [`PathSketch`] where the row is a total itself; otherwise its key is the one path.
    pub paths: Option<Vec<u8>>,
}

/// Everything counted in a period. Merging is exact, associative and commutative, as that of
/// [`PathHourStats`] is.
#[derive(Debug, Clone, Default)]
pub struct Total {
    /// Of all paths.
    pub stats: PathHourStats,
    /// The distinct paths.
    pub paths: PathSketch,
}

impl Total {
    /// Adds a row.
    ///
    /// # Errors
    ///
    /// When its bytes do not decode. Nothing of it is added then.
    pub fn add(&mut self, row: &SourceRow) -> Result<(), StatsError> {
        let broken = |error: ClientError| StatsError::Sketch(error.to_string());
        let stats = PathHourStats::from_bytes(&row.sketches)?;
        match &row.paths {
            Some(bytes) => {
                let paths = PathSketch::from_bytes(bytes).map_err(broken)?;
                self.paths.merge(&paths).map_err(broken)?;
            }
            None => self.paths.add(&row.key),
        }
        self.stats.merge(&stats)
    }
}

/// Distinct paths, as [`ClientSketch`] holds clients: exact below a thousand or so, then with a
/// standard error of 0.8 %. A total has one, since the hours of a day share most of their paths.
#[derive(Debug, Clone, Default)]
pub struct PathSketch(ClientSketch);

impl PathSketch {
    /// Adds a path.
    pub fn add(&mut self, path: &str) {
        self.0.add_text(path);
    }

    /// Adds all paths of another sketch.
    ///
    /// # Errors
    ///
    /// Never for sketches made or decoded by this type.
    pub fn merge(&mut self, other: &Self) -> Result<(), ClientError> {
        self.0.merge(&other.0)
    }

    /// The number of distinct paths, rounded.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        self.0.estimate()
    }

    /// The bytes stored, as [`ClientSketch::to_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are no such sketch.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClientError> {
        ClientSketch::from_bytes(bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::tests::any_event;
    use crate::packed::PackedEvent;
    use proptest::prelude::*;

    fn row(key: &str, events: &[PackedEvent]) -> SourceRow {
        let mut stats = PathHourStats::default();
        for event in events {
            stats.add(event);
        }
        SourceRow { key: key.to_owned(), sketches: stats.to_bytes(), paths: None }
    }

    fn total_of<'a>(rows: impl IntoIterator<Item = &'a SourceRow>) -> Total {
        let mut total = Total::default();
        for row in rows {
            total.add(row).unwrap();
        }
        total
    }

    fn as_row(key: &str, total: &Total) -> SourceRow {
        let paths = Some(total.paths.to_bytes());
        SourceRow { key: key.to_owned(), sketches: total.stats.to_bytes(), paths }
    }

    #[test]
    fn periods_read_back_as_they_were_written() {
        for text in ["2025-10-15T14", "2025-10-15"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string(), text);
            assert_eq!(period.date().to_string(), "2025-10-15");
        }
        assert!("2025-10".parse::<Period>().is_err());
    }

    #[test]
    fn an_hour_whose_rows_may_go_has_no_total_and_its_day_is_made_of_its_paths() {
        let (hour, day): (Period, Period) = ("2025-10-15T14".parse().unwrap(), "2025-10-15".parse().unwrap());
        assert_eq!(Source::of(hour, true), None);
        for (period, purged) in [(hour, false), (day, false), (day, true)] {
            let source = Source::of(period, purged).unwrap();
            assert_eq!((source.period(), source.is_purged()), (period, purged));
        }
    }

    #[test]
    fn a_broken_row_adds_nothing() {
        let good = row("/a", &[]);
        let mut total = total_of([&good]);
        let before = (total.stats.to_bytes(), total.paths.to_bytes());
        let cut = SourceRow { sketches: good.sketches[1..].to_vec(), ..row("/b", &[]) };
        assert!(total.add(&cut).is_err());
        let paths = SourceRow { paths: Some(vec![1, 2, 3]), ..row("/b", &[]) };
        assert!(total.add(&paths).is_err());
        assert_eq!((total.stats.to_bytes(), total.paths.to_bytes()), before);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_hours_of_a_day_come_to_what_its_paths_come_to(
            events in proptest::collection::vec((0usize..5, 0usize..24, any_event()), 0..300),
        ) {
            const PATHS: [&str; 5] = ["/", "/a", "/b:c", "/🦀", "/d"];
            let mut by_hour = vec![vec![Vec::new(); PATHS.len()]; 24];
            for (path, hour, event) in &events {
                by_hour[*hour][*path].push(*event);
            }
            let rows_of = |paths: &Vec<Vec<PackedEvent>>| -> Vec<SourceRow> {
                PATHS.iter().zip(paths).filter(|(_, events)| !events.is_empty()).map(|(path, events)| row(path, events)).collect()
            };
            let hours: Vec<SourceRow> =
                by_hour.iter().map(|paths| as_row("", &total_of(&rows_of(paths)))).collect();
            let day = total_of(&hours);
            let backwards = total_of(hours.iter().rev());
            let mut by_path = vec![Vec::new(); PATHS.len()];
            for (path, _, event) in &events {
                by_path[*path].push(*event);
            }
            let paths = total_of(&rows_of(&by_path));
            for other in [&backwards, &paths] {
                prop_assert_eq!(day.stats.to_bytes(), other.stats.to_bytes());
                prop_assert_eq!(day.paths.to_bytes(), other.paths.to_bytes());
            }
            let distinct = by_path.iter().filter(|events| !events.is_empty()).count();
            prop_assert_eq!(day.paths.estimate(), distinct as u64);
            prop_assert_eq!(day.stats.counters.requests, events.len() as u64);
        }
    }
}
