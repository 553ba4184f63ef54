//! Archived events counted by path and hour, and held against the hourly statistics.

use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::budget::{NOT_FOUND, NOT_FOUND_STATUS, OTHER};
use pathstats_model::{HourBucket, TrafficEvent};
use serde::{Deserialize, Serialize};

/// Most differences that are listed; further ones are counted.
pub const MAX_DIFFERENCES: usize = 200;

/// What is counted of a path and hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReconciledFigures"))]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Events.
    pub requests: u64,
    /// Events with a status of 400 and above.
    pub errors: u64,
    /// Sum of the response times, in microseconds.
    pub response_time_us: u64,
    /// Events with a response time.
    pub response_times: u64,
}

/// An hourly row, as the database holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyRow {
    /// The path.
    pub path: String,
    /// What its object counted.
    pub figures: Figures,
}

/// A path and hour where the archive and the statistics differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The path.
    pub path: String,
    /// The hour.
    pub hour: HourBucket,
    /// What the archive holds.
    pub archived: Figures,
    /// What the hourly row says; all zero when there is none.
    pub counted: Figures,
}

/// The result of holding a day's archive against its hourly statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// Hours that were compared.
    pub hours: BTreeSet<HourBucket>,
    /// Hours whose hourly rows are no longer kept.
    pub hours_without_statistics: BTreeSet<HourBucket>,
    /// Differences by hour, the first [`MAX_DIFFERENCES`] of the day.
    pub differences: Vec<Difference>,
    /// How many there are by hour, those that are not listed among them.
    pub differing: BTreeMap<HourBucket, u64>,
}

impl Reconciliation {
    /// Whether every hour that could be compared is equal.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differing.is_empty()
    }

    /// Path-hours that differ.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.differing.values().sum()
    }

    /// Takes up the result of an hour, in place of an older one.
    pub fn record(&mut self, hour: HourBucket, differences: Vec<Difference>) {
        self.hours.insert(hour);
        self.hours_without_statistics.remove(&hour);
        self.differing.remove(&hour);
        self.differences.retain(|difference| difference.hour != hour);
        if !differences.is_empty() {
            self.differing.insert(hour, differences.len() as u64);
        }
        let room = MAX_DIFFERENCES.saturating_sub(self.differences.len());
        self.differences.extend(differences.into_iter().take(room));
    }

    /// Notes that an hour has no statistics to compare with.
    pub fn skip(&mut self, hour: HourBucket) {
        self.hours_without_statistics.insert(hour);
    }
}

impl Figures {
    fn count(&mut self, event: &TrafficEvent) {
        self.requests += 1;
        self.errors += u64::from(event.is_error());
        if let Some(us) = event.response_time_us {
            self.response_times += 1;
            self.response_time_us += u64::from(us);
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            errors: self.errors + other.errors,
            response_time_us: self.response_time_us + other.response_time_us,
            response_times: self.response_times + other.response_times,
        }
    }
}

/// Events of one hour, by the row that they count in: that of their path, or, where the hour has a
/// [catch-all](pathstats_model::budget) and their path no row, that one. So a tally grows with the rows
/// of its hour, not with the paths of its events.
#[derive(Debug, Default)]
pub struct Tally {
    rows: RowsOfHour,
    counted: BTreeMap<String, Split>,
}

/// What a row should hold. The 404s of a path may be its own, or grouped with those of others.
#[derive(Debug, Clone, Copy, Default)]
struct Split {
    others: Figures,
    not_found: Figures,
}

/// Which row an event of an hour counts in.
#[derive(Debug, Clone, Default)]
pub struct RowsOfHour {
    /// Paths with a row; `None` in an hour without a catch-all, where every path has one.
    own: Option<BTreeSet<String>>,
    has_other: bool,
    has_not_found: bool,
    /// Paths whose row lacks their 404s.
    grouped: BTreeSet<String>,
}

impl RowsOfHour {
    fn new(rows: &[HourlyRow]) -> Self {
        let has = |name: &str| rows.iter().any(|row| row.path == name);
        let (has_other, has_not_found) = (has(OTHER), has(NOT_FOUND));
        let own = (has_other || has_not_found).then(|| rows.iter().map(|row| row.path.clone()).collect());
        Self { own, has_other, has_not_found, grouped: BTreeSet::new() }
    }

    /// The row of an event.
    #[must_use]
    pub fn row_of<'a>(&self, event: &'a TrafficEvent) -> &'a str {
        let is_404 = event.status == NOT_FOUND_STATUS;
        let has_row = self.own.as_ref().is_none_or(|own| own.contains(&event.path));
        if has_row {
            if is_404 && self.grouped.contains(&event.path) {
                NOT_FOUND
            } else {
                &event.path
            }
        } else if is_404 && self.has_not_found {
            NOT_FOUND
        } else if self.has_other {
            OTHER
        } else {
            &event.path
        }
    }
}

impl Tally {
    /// A tally of an hour that has these rows.
    #[must_use]
    pub fn of(rows: &[HourlyRow]) -> Self {
        Self { rows: RowsOfHour::new(rows), counted: BTreeMap::new() }
    }

    /// Counts an event.
    pub fn add(&mut self, event: &TrafficEvent) {
        let row = self.rows.row_of(event);
        if !self.counted.contains_key(row) {
            self.counted.insert(row.to_owned(), Split::default());
        }
        if let Some(split) = self.counted.get_mut(row) {
            let is_own_404 = event.status == NOT_FOUND_STATUS && row == event.path;
            if is_own_404 { &mut split.not_found } else { &mut split.others }.count(event);
        }
    }

    /// Events counted.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.counted.values().map(|split| split.others.requests + split.not_found.requests).sum()
    }

    /// What differs from the hourly rows, by path, and which row each event belongs in.
    #[must_use]
    pub fn compare(self, hour: HourBucket, rows: Vec<HourlyRow>) -> (Vec<Difference>, RowsOfHour) {
        let (mut archived, places) = self.placed(&rows);
        let mut differences: Vec<Difference> = rows
            .into_iter()
            .filter_map(|row| {
                let archived = archived.remove(&row.path).unwrap_or_default();
                let counted = row.figures;
                (archived != counted).then_some(Difference { path: row.path, hour, archived, counted })
            })
            .collect();
        let uncounted = archived.into_iter();
        differences.extend(uncounted.map(|(path, archived)| Difference {
            path,
            hour,
            archived,
            counted: Figures::default(),
        }));
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        (differences, places)
    }

    /// Where 404s are grouped, a path's row has them or lacks them all: its figures tell which.
    fn placed(self, rows: &[HourlyRow]) -> (BTreeMap<String, Figures>, RowsOfHour) {
        let Self { rows: mut places, counted } = self;
        let mut not_found = Figures::default();
        if places.has_not_found {
            for row in rows {
                let Some(split) = counted.get(&row.path).filter(|split| split.not_found.requests > 0) else {
                    continue;
                };
                if row.figures == split.others && row.path != NOT_FOUND {
                    places.grouped.insert(row.path.clone());
                    not_found = not_found.plus(split.not_found);
                }
            }
        }
        let mut archived: BTreeMap<String, Figures> = counted
            .into_iter()
            .map(|(path, split)| {
                let grouped = places.grouped.contains(&path);
                (path, if grouped { split.others } else { split.others.plus(split.not_found) })
            })
            .collect();
        if not_found.requests > 0 {
            let figures = archived.entry(NOT_FOUND.to_owned()).or_default();
            *figures = figures.plus(not_found);
        }
        (archived, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

    fn tally(events: &[TrafficEvent]) -> Tally {
        let mut tally = Tally::default();
        for event in events {
            tally.add(event);
        }
        tally
    }

    #[test]
    fn an_hour_is_held_against_its_rows_path_by_path() {
        let events: Vec<_> = (1..=60).map(event).collect();
        let hour = events[0].hour();
        let rows = rows_of(&events, |event| &event.path);
        assert_eq!(tally(&events).compare(hour, rows.clone()).0, []);

        let mut wrong = rows.clone();
        wrong[1].figures.requests += 1;
        wrong[2].figures.response_time_us -= 1;
        let lost = wrong.remove(3).path;
        wrong.push(HourlyRow {
            path: "/zz".to_owned(),
            figures: Figures { requests: 2, ..Figures::default() },
        });
        let found = tally(&events).compare(hour, wrong).0;
        let paths: Vec<_> = found.iter().map(|d| d.path.clone()).collect();
        assert_eq!(paths, [rows[1].path.clone(), rows[2].path.clone(), lost, "/zz".to_owned()]);
        assert_eq!(found[0].counted.requests, found[0].archived.requests + 1);
        assert_eq!((found[2].counted, found[3].archived), (Figures::default(), Figures::default()));
    }

    /// The rows that hold these events, each in the row that `place` names.
    fn rows_of<'a>(
        events: &'a [TrafficEvent],
        place: impl Fn(&'a TrafficEvent) -> &'a str,
    ) -> Vec<HourlyRow> {
        let mut rows: BTreeMap<String, Figures> = BTreeMap::new();
        for event in events {
            rows.entry(place(event).to_owned()).or_default().count(event);
        }
        rows.into_iter().map(|(path, figures)| HourlyRow { path, figures }).collect()
    }

    fn against(events: &[TrafficEvent], rows: &[HourlyRow]) -> (Vec<Difference>, RowsOfHour) {
        let mut tally = Tally::of(rows);
        for event in events {
            tally.add(event);
        }
        assert_eq!(tally.records(), events.len() as u64);
        assert!(tally.counted.len() <= rows.len() + 1, "a tally grows with the rows");
        tally.compare(events[0].hour(), rows.to_vec())
    }

    #[test]
    fn paths_without_a_row_count_as_other_in_an_hour_that_has_that_row() {
        let events: Vec<_> = (1..=600).map(event).collect();
        let admitted = |event: &TrafficEvent| event.path.as_str() < "/api/3";
        let rows = rows_of(&events, |event| if admitted(event) { &event.path } else { OTHER });
        assert_eq!(against(&events, &rows).0, []);
        let mut wrong = rows.clone();
        wrong.iter_mut().find(|row| row.path == OTHER).unwrap().figures.requests -= 1;
        let (found, places) = against(&events, &wrong);
        assert_eq!((found.len(), found[0].path.as_str()), (1, OTHER));
        for event in &events {
            assert_eq!(places.row_of(event), if admitted(event) { &event.path } else { OTHER });
        }
        let without: Vec<HourlyRow> = rows.into_iter().filter(|row| row.path != OTHER).collect();
        assert!(!tally(&events).compare(events[0].hour(), without).0.is_empty(), "nothing is waved through");
    }

    #[test]
    fn grouped_404s_are_found_again_in_their_row() {
        let events: Vec<_> = (1..=600).map(event).collect();
        // Three kinds of path: with its own 404s, without them, and without a row.
        let place = |event: &'static TrafficEvent| -> &'static str {
            let kind = event.path.as_bytes()[5];
            match (event.status, kind) {
                (404, b'2'..) => NOT_FOUND,
                (_, b'5'..) => OTHER,
                _ => &event.path,
            }
        };
        let events: &'static [TrafficEvent] = Vec::leak(events);
        let rows = rows_of(events, place);
        let (found, places) = against(events, &rows);
        assert_eq!(found, []);
        for event in events {
            assert_eq!(places.row_of(event), place(event), "{event:?}");
        }
        let mut wrong = rows;
        wrong.iter_mut().find(|row| row.path == NOT_FOUND).unwrap().figures.errors += 1;
        assert_eq!(against(events, &wrong).0.len(), 1);
    }

    #[test]
    fn the_list_is_bounded_and_an_hour_again_takes_its_place() {
        let hour = event(0).hour();
        let difference = |n: usize, hour| Difference {
            path: format!("/{n}"),
            hour,
            archived: Figures::default(),
            counted: Figures::default(),
        };
        let mut day = Reconciliation::default();
        day.record(hour, (0..150).map(|n| difference(n, hour)).collect());
        day.record(hour.plus(1), (0..150).map(|n| difference(n, hour.plus(1))).collect());
        assert_eq!((day.differences.len(), day.count(), day.is_equal()), (MAX_DIFFERENCES, 300, false));
        day.record(hour, Vec::new());
        assert_eq!((day.differences.len(), day.count(), day.hours.len()), (50, 150, 2));
        day.record(hour.plus(1), Vec::new());
        assert!(day.is_equal() && day.differences.is_empty());
    }
}
