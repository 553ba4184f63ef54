//! A series without gaps, and its total, from rows of hours and days.
//!
//! A row of an hour has its figures as columns, so a series of hours reads no sketch. Whatever spans
//! more than an hour is merged from sketches: those of whole days of UTC where the daily row is up to
//! date, those of hours elsewhere. Percentiles are never averaged.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::answers::Filters;
use super::figures::{Columns, Figures};
use super::period::{Granularity, Hours, Period};
use crate::hour::{iso_time, EventDate, HourBucket};
use crate::stats::{PathHourStats, StatsError};

/// The figures of an hour, without sketches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HourRow {
    /// The hour.
    pub hour: HourBucket,
    /// What was counted.
    pub columns: Columns,
    /// When the row was written, milliseconds since the epoch.
    pub updated_at: i64,
}

/// The statistics of an hour, sketches included.
#[derive(Debug, Clone)]
pub struct HourStats {
    /// The hour.
    pub hour: HourBucket,
    /// What was counted.
    pub stats: PathHourStats,
    /// When the row was written, milliseconds since the epoch.
    pub updated_at: i64,
}

/// The statistics of a day of UTC.
#[derive(Debug, Clone)]
pub struct DayStats {
    /// The day.
    pub date: EventDate,
    /// Which hours it holds: bit 0 is 00:00.
    pub hours: u32,
    /// Whether nothing was counted after it was made.
    pub is_current: bool,
    /// Whether rows of its hours are deleted: then nothing else has what they held.
    pub is_purged: bool,
    /// What was counted.
    pub stats: PathHourStats,
    /// When the row was written, milliseconds since the epoch.
    pub updated_at: i64,
}

/// A series and its total.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// First moment, ISO 8601 in UTC.
    pub from: String,
    /// First moment that is not part of it.
    pub to: String,
    /// All buckets together.
    pub total: Figures,
    /// Every bucket in order, also those in which nothing was counted.
    pub series: Vec<Point>,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// First moment, ISO 8601 in UTC.
    pub start: String,
    /// First moment of the next one.
    pub end: String,
    /// How far to trust it.
    pub state: State,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How far a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "BucketState"))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has ended, and something was counted. Late events may still come for four days.
    Counted,
    /// It has not ended, or its total is still to be made.
    Counting,
    /// It has ended, and nothing was counted.
    Empty,
    /// It has hours that are no longer kept one by one. A series of days of UTC has them, and `total` has those of
    /// whole days of UTC; of days of another zone, and of a day that lies within in part, they are in neither.
    Removed,
}

/// What was read of one database for a period.
#[derive(Debug, Default)]
pub struct Rows {
    /// The figures of hours; only for a series of hours.
    pub hours: Vec<HourRow>,
    /// The days that lie within, wholly or in part, in order.
    pub days: Vec<DayStats>,
    /// The statistics of the hours that [`needed_hours`] told.
    pub sketches: Vec<HourStats>,
    /// Hours of the whole system that have rows of paths and no total yet, in order. Of a path: none.
    pub waiting: Vec<HourBucket>,
}

impl HourRow {
    /// The figures of an hour that several databases have rows of.
    ///
    /// # Errors
    ///
    /// Never for statistics that were decoded.
    pub fn merged<'a>(mut rows: impl Iterator<Item = &'a HourStats>) -> Result<Option<Self>, StatsError> {
        let Some(first) = rows.next() else { return Ok(None) };
        let (mut stats, mut updated_at) = (first.stats.clone(), first.updated_at);
        for row in rows {
            stats.merge(&row.stats)?;
            updated_at = updated_at.max(row.updated_at);
        }
        Ok(Some(Self { hour: first.hour, columns: Columns::of(&stats), updated_at }))
    }
}

impl DayStats {
    /// Whether it stands for its hours: it has all of them, or nothing else has.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.is_current || self.is_purged
    }

    fn holds(&self, hour: HourBucket) -> bool {
        hour.date() == self.date && self.hours >> hour.hour_of_day() & 1 == 1
    }
}

/// Whether the columns of hours are read: a series of hours of all requests is made from them.
#[must_use]
pub fn needs_columns(period: &Period, filters: Filters) -> bool {
    period.granularity == Granularity::Hour && filters.is_empty()
}

/// The hours whose statistics are needed beside those of the days that were found, for the total and
/// the days.
#[must_use]
pub fn needed_hours(period: &Period, filters: Filters, days: &[DayStats]) -> Vec<HourBucket> {
    if period.granularity == Granularity::Hour && !filters.is_empty() {
        return period.hours.each().collect();
    }
    let covered = Covered::new(period, days);
    period.hours.each().filter(|hour| covered.by(*hour).is_none()).collect()
}

/// Which whole days stand for their hours.
struct Covered<'a>(HashMap<EventDate, &'a DayStats>);

impl<'a> Covered<'a> {
    fn new(period: &Period, days: &'a [DayStats]) -> Self {
        let standing = days.iter().filter(|day| day.stands());
        let within: Vec<Hours> = match period.granularity {
            Granularity::Hour => vec![period.hours],
            Granularity::Day => period.buckets().collect(),
        };
        let whole: Vec<EventDate> = within.into_iter().flat_map(Hours::whole_days).collect();
        Self(
            standing
                .filter(|day| whole.binary_search(&day.date).is_ok())
                .map(|day| (day.date, day))
                .collect(),
        )
    }

    fn by(&self, hour: HourBucket) -> Option<&'a DayStats> {
        self.0.get(&hour.date()).copied()
    }
}

/// What one database has of a period.
struct OfDatabase<'a> {
    covered: Covered<'a>,
    sketches: HashMap<HourBucket, &'a HourStats>,
}

impl<'a> OfDatabase<'a> {
    fn new(period: &Period, rows: &'a Rows) -> Self {
        let sketches = rows.sketches.iter().map(|row| (row.hour, row)).collect();
        Self { covered: Covered::new(period, &rows.days), sketches }
    }

    /// Adds what was counted in these hours.
    fn add(&self, hours: Hours, merged: &mut PathHourStats) -> Result<(), StatsError> {
        for hour in hours.each() {
            match self.covered.by(hour) {
                // Once a day.
                Some(day) if hour.hour_of_day() == 0 => merged.merge(&day.stats)?,
                Some(_) => {}
                None => {
                    if let Some(row) = self.sketches.get(&hour) {
                        merged.merge(&row.stats)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl OfDatabase<'_> {
    /// Whether something was counted in these hours that is no longer kept hour by hour, and that no whole day has.
    fn lacks(&self, hours: Hours, rows: &Rows) -> bool {
        let is_gone = |hour: &HourBucket| {
            self.covered.by(*hour).is_none() && !self.sketches.contains_key(hour) && rows.removed(*hour)
        };
        rows.days.iter().any(|day| day.is_purged) && hours.each().any(|hour| is_gone(&hour))
    }
}

impl Series {
    /// Makes the series of a period, of what each database has of it, and gives the statistics of its total. An
    /// hour has its figures in one of them: where several have rows of it, these are merged before.
    ///
    /// # Errors
    ///
    /// Never for statistics that were decoded.
    pub fn new(
        period: &Period,
        filters: Filters,
        rows: &[Rows],
        now_ms: i64,
    ) -> Result<(Self, PathHourStats), StatsError> {
        let databases: Vec<OfDatabase<'_>> = rows.iter().map(|rows| OfDatabase::new(period, rows)).collect();
        let merged = |hours: Hours| {
            let mut merged = PathHourStats::default();
            for database in &databases {
                database.add(hours, &mut merged)?;
            }
            Ok::<_, StatsError>(merged)
        };
        let removed = |hour: HourBucket| rows.iter().any(|rows| rows.removed(hour));
        let counting =
            |bucket: Hours| bucket.to.start_ms() > now_ms || rows.iter().any(|rows| rows.waits(bucket));
        let mut total = PathHourStats::default();
        let mut series = Vec::new();
        if needs_columns(period, filters) {
            total = merged(period.hours)?;
            let columns: HashMap<HourBucket, &HourRow> =
                rows.iter().flat_map(|rows| &rows.hours).map(|row| (row.hour, row)).collect();
            for bucket in period.buckets() {
                let row = columns.get(&bucket.from);
                let removed = row.is_none() && removed(bucket.from);
                let figures = row.map_or_else(Figures::none, |row| Figures::of_columns(&row.columns));
                series.push(Point::new(bucket, figures, removed, counting(bucket)));
            }
        } else if period.granularity == Granularity::Hour {
            // The total is that of the days, where hours are gone.
            total = merged(period.hours)?;
            for bucket in period.buckets() {
                let mut hour: Option<PathHourStats> = None;
                for row in databases.iter().filter_map(|database| database.sketches.get(&bucket.from)) {
                    hour.get_or_insert_default().merge(&row.stats)?;
                }
                let removed = hour.is_none() && removed(bucket.from);
                let figures = hour.map_or_else(Figures::none, |stats| filters.figures(&stats));
                series.push(Point::new(bucket, figures, removed, counting(bucket)));
            }
        } else {
            for bucket in period.buckets() {
                let merged = merged(bucket)?;
                let figures = filters.figures(&merged);
                let lacks = databases.iter().zip(rows).any(|(database, rows)| database.lacks(bucket, rows));
                series.push(Point::new(bucket, figures, lacks, counting(bucket)));
                total.merge(&merged)?;
            }
        }
        let made = Self {
            from: iso_time(period.hours.from.start_ms()),
            to: iso_time(period.hours.to.start_ms()),
            total: filters.figures(&total),
            series,
        };
        Ok((made, total))
    }
}

impl Rows {
    /// Whether an hour is in a day whose row is all that is left of it.
    fn removed(&self, hour: HourBucket) -> bool {
        let day = self.days.binary_search_by_key(&hour.date(), |day| day.date);
        day.is_ok_and(|at| self.days.get(at).is_some_and(|day| day.holds(hour)))
    }

    /// Whether something of these hours waits to be in their figures.
    fn waits(&self, bucket: Hours) -> bool {
        let first = self.waiting.partition_point(|hour| *hour < bucket.from);
        self.waiting.get(first).is_some_and(|hour| *hour < bucket.to)
    }

    /// When the newest of them was written.
    #[must_use]
    pub fn last_updated(&self) -> Option<i64> {
        let hours = self.hours.iter().map(|row| row.updated_at);
        let days = self.days.iter().map(|day| day.updated_at);
        hours.chain(days).chain(self.sketches.iter().map(|row| row.updated_at)).max()
    }
}

impl Point {
    fn new(bucket: Hours, figures: Figures, removed: bool, counting: bool) -> Self {
        let state = match figures.requests {
            _ if counting => State::Counting,
            // What is left of it would pass for all of it.
            _ if removed => State::Removed,
            0 => State::Empty,
            _ => State::Counted,
        };
        Self { start: iso_time(bucket.from.start_ms()), end: iso_time(bucket.to.start_ms()), state, figures }
    }
}

#[cfg(test)]
mod tests;
