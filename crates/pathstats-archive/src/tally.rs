//! Archived events counted by path and hour, and held against the hourly statistics.

use std::collections::{BTreeMap, BTreeSet};

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

/// Events of one hour, by path.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<String, Figures>);

impl Tally {
    /// Counts an event.
    pub fn add(&mut self, event: &TrafficEvent) {
        if !self.0.contains_key(&event.path) {
            self.0.insert(event.path.clone(), Figures::default());
        }
        if let Some(figures) = self.0.get_mut(&event.path) {
            figures.requests += 1;
            figures.errors += u64::from(event.is_error());
            if let Some(us) = event.response_time_us {
                figures.response_times += 1;
                figures.response_time_us += u64::from(us);
            }
        }
    }

    /// Events counted.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.values().map(|figures| figures.requests).sum()
    }

    /// What differs from the hourly rows, by path.
    #[must_use]
    pub fn compare(mut self, hour: HourBucket, rows: Vec<HourlyRow>) -> Vec<Difference> {
        let mut differences: Vec<Difference> = rows
            .into_iter()
            .filter_map(|row| {
                let archived = self.0.remove(&row.path).unwrap_or_default();
                let counted = row.figures;
                (archived != counted).then_some(Difference { path: row.path, hour, archived, counted })
            })
            .collect();
        let uncounted = self.0.into_iter();
        differences.extend(uncounted.map(|(path, archived)| Difference {
            path,
            hour,
            archived,
            counted: Figures::default(),
        }));
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        differences
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
        let rows: Vec<HourlyRow> =
            tally(&events).0.into_iter().map(|(path, figures)| HourlyRow { path, figures }).collect();
        assert_eq!(tally(&events).compare(hour, rows.clone()), []);

        let mut wrong = rows.clone();
        wrong[1].figures.requests += 1;
        wrong[2].figures.response_time_us -= 1;
        let lost = wrong.remove(3).path;
        wrong.push(HourlyRow {
            path: "/zz".to_owned(),
            figures: Figures { requests: 2, ..Figures::default() },
        });
        let found = tally(&events).compare(hour, wrong);
        let paths: Vec<_> = found.iter().map(|d| d.path.clone()).collect();
        assert_eq!(paths, [rows[1].path.clone(), rows[2].path.clone(), lost, "/zz".to_owned()]);
        assert_eq!(found[0].counted.requests, found[0].archived.requests + 1);
        assert_eq!((found[2].counted, found[3].archived), (Figures::default(), Figures::default()));
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
