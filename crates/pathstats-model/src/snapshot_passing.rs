//! Statistics read in passing.
//!
//! Whoever reads the counters of all paths of an hour passes the row of each. Those of paths that are probably
//! among the busiest bring their statistics along: looked up afterwards, each would be read twice.

use std::collections::HashMap;

use crate::hour::HourBucket;
use crate::limits::SNAPSHOT_PATHS;
use crate::snapshot::PathHours;
use crate::snapshot_memo::PATHS_AN_HOUR;
use crate::stats::StatsError;

/// Longest statistics that come in passing: those of some 500 requests an hour. Longer ones are looked up.
pub const MOST_BYTES: usize = 6_000;

/// Bytes of statistics that come at once, at most.
const MOST_BYTES_AT_ONCE: usize = 4_000_000;

/// Hours that are read at once with the statistics of all that are expected.
pub const HOURS_PER_READ: usize = MOST_BYTES_AT_ONCE / (SNAPSHOT_PATHS * MOST_BYTES);

/// Bytes of a path's counters as text, for a path of 40 letters.
const BYTES_OF_COUNTERS: usize = 80;

// An hour's counters and statistics, as hexadecimal text, come as one string. Source: D1 limits, "Maximum string, BLOB
// or table row size", 2 MB.
const _: () =
    assert!(PATHS_AN_HOUR * BYTES_OF_COUNTERS + SNAPSHOT_PATHS * MOST_BYTES * 2 < 2_000_000, "one string");

/// The statistics of some paths over hours that are read one after another.
#[derive(Debug, Default)]
pub struct InPassing {
    /// None: in some hour they did not come.
    paths: HashMap<String, Option<PathHours>>,
}

impl InPassing {
    /// Nothing yet, of these paths: the first hundred. `nothing` is of the hours to come.
    #[must_use]
    pub fn expecting<'a>(paths: impl Iterator<Item = &'a str>, nothing: &PathHours) -> Self {
        let paths = paths.take(SNAPSHOT_PATHS).map(|path| (path.to_owned(), Some(nothing.clone())));
        Self { paths: paths.collect() }
    }

    /// The paths that are expected.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        self.paths.keys().map(String::as_str).collect()
    }

    /// Takes a row in. Of a path that is not expected there is nothing to take.
    ///
    /// # Errors
    ///
    /// When the bytes are no statistics. The row counts as taken all the same: looking it up would bring the same.
    pub fn add(&mut self, path: &str, hour: HourBucket, statistics: &[u8]) -> Result<(), StatsError> {
        match self.paths.get_mut(path) {
            Some(Some(hours)) => hours.add(hour, statistics),
            _ => Ok(()),
        }
    }

    /// Notes that a row came without its statistics. If the path is expected, all of it is to be looked up.
    pub fn lacks(&mut self, path: &str) {
        if let Some(hours) = self.paths.get_mut(path) {
            *hours = None;
        }
    }

    /// All statistics of a path, if they came. Once: then they are gone.
    pub fn take(&mut self, path: &str) -> Option<PathHours> {
        self.paths.remove(path).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::PathHourStats;

    fn hour(text: &str) -> HourBucket {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_is_whole_when_each_of_its_rows_brought_its_statistics() {
        let first = hour("2025-10-15T14");
        let expected = ["/a", "/b", "/quiet", "/broken"];
        let mut passing = InPassing::expecting(expected.into_iter(), &PathHours::new(first, 24));
        let mut names = passing.paths();
        names.sort_unstable();
        assert_eq!(names, ["/a", "/b", "/broken", "/quiet"]);
        let mut stats = PathHourStats::default();
        stats.counters.requests = 3;
        let bytes = stats.to_bytes();
        for at in [0, 1, 23] {
            passing.add("/a", first.plus(at), &bytes).unwrap();
            passing.add("/b", first.plus(at), &bytes).unwrap();
            passing.add("/other", first.plus(at), &bytes).unwrap();
        }
        passing.lacks("/b");
        passing.lacks("/other");
        passing.add("/b", first.plus(2), &bytes).unwrap();
        assert!(passing.add("/broken", first, &bytes[1..]).is_err());
        let a = passing.take("/a").unwrap().summary("/a".to_owned());
        assert_eq!((a.requests, a.trend[0], a.trend[2], a.trend[23]), (9, 3, 0, 3));
        assert!(passing.take("/a").is_none(), "once");
        assert!(passing.take("/b").is_none() && passing.take("/other").is_none());
        assert_eq!(passing.take("/quiet").unwrap().summary("/quiet".to_owned()).requests, 0);
        assert_eq!(passing.take("/broken").unwrap().summary("/broken".to_owned()).requests, 0);
    }

    #[test]
    fn no_more_are_expected_than_are_shown() {
        let names: Vec<String> = (0..SNAPSHOT_PATHS + 50).map(|n| format!("/{n}")).collect();
        let nothing = PathHours::new(hour("2025-10-15T14"), 24);
        let passing = InPassing::expecting(names.iter().map(String::as_str), &nothing);
        assert_eq!(passing.paths().len(), SNAPSHOT_PATHS);
    }
}
