//! What a snapshot's builder remembers of hours that seldom change, so that a rebuild reads and
//! merges only what did.
//!
//! Of the 24 hours of a snapshot, 22 have ended for an hour at least. Their rows change only when an
//! event comes late. Two things tell whether they did:
//!
//! - [`Passes`]: each of those hours has its total, none waits to be made anew, and all are of the
//!   passes that were seen before. Then no row of them was written since, and not one is read.
//! - [`Fingerprint`]: when some hour was written, which paths it was. It comes with the counters of
//!   all hours, which are read then; where it stays the same, merged statistics hold.

use std::collections::HashMap;

use crate::hour::HourBucket;
use crate::limits::{SNAPSHOT_HOURS, SNAPSHOT_PATHS};
use crate::snapshot::PathHours;

/// Newest hours that are always read: the current one, and the one whose last flush is just over.
pub const OPEN_HOURS: i64 = 2;

/// What changes whenever a row of a path's settled hours is written, added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// How many rows.
    pub rows: u64,
    /// Sum of their revisions.
    pub revisions: u64,
    /// Sum of the times they were written at, milliseconds.
    pub written: u64,
}

/// The passes that made the totals of settled hours, when none of these waits to be made anew.
///
/// A row's write makes its hour wait in the same transaction, and only a later pass, with a higher
/// number, ends that. So rows are the same whenever this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passes(pub Vec<(HourBucket, u64)>);

/// What a path has in the hours of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusyPath {
    /// The path.
    pub path: String,
    /// Its requests in settled hours.
    pub settled_requests: u64,
    /// Its requests in open hours.
    pub open_requests: u64,
    /// Of its rows in settled hours.
    pub settled: Fingerprint,
}

impl BusyPath {
    /// Its requests, in all hours together.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.settled_requests.saturating_add(self.open_requests)
    }
}

/// Most paths of an hour whose counters are read without sorting, and remembered. As text they are some
/// 200 KB, and in the memory of 22 hours that share no path, some 7 MB.
pub const PATHS_AN_HOUR: usize = 3_000;

/// What all paths have, gathered row by row.
#[derive(Debug, Clone, Default)]
pub struct AllPaths(HashMap<String, BusyPath>);

impl AllPaths {
    /// Adds the row of a path and an hour; its fingerprint when the hour is settled.
    pub fn add(&mut self, path: &str, requests: u64, settled: Option<Fingerprint>) {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), BusyPath { path: path.to_owned(), ..BusyPath::default() });
        }
        let Some(busy) = self.0.get_mut(path) else { return };
        match settled {
            Some(row) => {
                busy.settled_requests += requests;
                busy.settled.rows += row.rows;
                busy.settled.revisions += row.revisions;
                busy.settled.written += row.written;
            }
            None => busy.open_requests += requests,
        }
    }

    /// Of these paths, their requests together.
    #[must_use]
    pub fn of(paths: &[BusyPath]) -> Self {
        let mut all = Self::default();
        for busy in paths {
            all.add(&busy.path, busy.requests(), None);
        }
        all
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// All of them, in no order.
    #[must_use]
    pub fn into_paths(self) -> Vec<BusyPath> {
        self.0.into_values().collect()
    }
}

/// What all paths had in settled hours, and the passes that this is true for.
#[derive(Debug)]
struct Counters {
    passes: Passes,
    paths: HashMap<String, (u64, Fingerprint)>,
}

/// Merged statistics of settled hours, by path, and what all paths had in them.
#[derive(Debug, Default)]
pub struct SnapshotMemo {
    from: Option<HourBucket>,
    /// The busiest paths of the last snapshot. They mostly are those of the next one, also when its hours are others.
    busiest: Vec<String>,
    paths: HashMap<String, (Fingerprint, PathHours)>,
    counters: Option<Counters>,
    crowded: bool,
}

/// The hours of a snapshot from `from` on, apart: those that are settled, and those that are open.
#[must_use]
pub fn settled_and_open(from: HourBucket) -> (Vec<HourBucket>, Vec<HourBucket>) {
    let hour = |at| from.plus(at);
    let settled = SNAPSHOT_HOURS - OPEN_HOURS;
    ((0..settled).map(hour).collect(), (settled..SNAPSHOT_HOURS).map(hour).collect())
}

impl SnapshotMemo {
    /// Forgets what is of other hours than those of a snapshot from `from` on.
    pub fn keep(&mut self, from: HourBucket) {
        if self.from != Some(from) {
            let busiest = core::mem::take(&mut self.busiest);
            *self = Self { from: Some(from), busiest, ..Self::default() };
        }
    }

    /// Notes which paths are the busiest, and forgets the statistics of all others.
    pub fn keep_paths<'a>(&mut self, busy: impl Iterator<Item = &'a str>) {
        self.busiest = busy.map(str::to_owned).collect();
        let mut kept = HashMap::new();
        for path in &self.busiest {
            kept.extend(self.paths.remove_entry(path));
        }
        self.paths = kept;
    }

    /// The paths that are probably among the busiest of all hours: those of the last snapshot, and without one
    /// those of the hours that were read.
    #[must_use]
    pub fn probably_busiest(&self, read: &AllPaths) -> Vec<String> {
        if self.busiest.is_empty() {
            let names = busiest(read.clone().into_paths(), SNAPSHOT_PATHS).into_iter();
            names.map(|busy| busy.path).collect()
        } else {
            self.busiest.clone()
        }
    }

    /// Whether settled hours of a path were merged before. Of those that were, few change.
    #[must_use]
    pub fn has_merged(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// Whether what all paths had in the settled hours is known.
    #[must_use]
    pub fn knows(&self, passes: &Passes) -> bool {
        self.counters.as_ref().is_some_and(|known| known.passes == *passes)
    }

    /// Whether the counters of all paths are to be read: no hour had too many so far.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        !self.crowded
    }

    /// Notes that an hour has too many paths: until the next hour, nothing is remembered.
    pub fn give_up(&mut self) {
        (self.crowded, self.counters) = (true, None);
    }

    /// Remembers what all paths had in the settled hours. `passes` was read before they were: a write
    /// between shows in the next ones.
    pub fn remember(&mut self, passes: Passes, all: &[BusyPath]) {
        let settled = all.iter().filter(|busy| busy.settled.rows > 0);
        let paths = settled.map(|busy| (busy.path.clone(), (busy.settled_requests, busy.settled))).collect();
        self.counters = Some(Counters { passes, paths });
    }

    /// All paths, when those are given that have something in open hours: the others are remembered.
    #[must_use]
    pub fn complete(&self, mut open: Vec<BusyPath>) -> Vec<BusyPath> {
        let Some(counters) = &self.counters else { return open };
        let mut rest: HashMap<&str, _> =
            counters.paths.iter().map(|(path, known)| (path.as_str(), *known)).collect();
        for busy in &mut open {
            (busy.settled_requests, busy.settled) = rest.remove(busy.path.as_str()).unwrap_or_default();
        }
        open.extend(rest.into_iter().map(|(path, (settled_requests, settled))| BusyPath {
            path: path.to_owned(),
            settled_requests,
            open_requests: 0,
            settled,
        }));
        open
    }

    /// The settled hours of a path, when their rows are still those that were merged.
    #[must_use]
    pub fn get(&self, path: &str, fingerprint: Fingerprint) -> Option<&PathHours> {
        self.paths.get(path).filter(|(known, _)| *known == fingerprint).map(|(_, hours)| hours)
    }

    /// Remembers the settled hours of a path, as they were merged from all rows of this fingerprint.
    pub fn insert(&mut self, path: &str, fingerprint: Fingerprint, settled: PathHours) {
        self.paths.insert(path.to_owned(), (fingerprint, settled));
    }
}

/// The busiest of these paths, most requests first, then by name.
#[must_use]
pub fn busiest(mut paths: Vec<BusyPath>, limit: usize) -> Vec<BusyPath> {
    let order =
        |a: &BusyPath, b: &BusyPath| b.requests().cmp(&a.requests()).then_with(|| a.path.cmp(&b.path));
    if paths.len() > limit {
        paths.select_nth_unstable_by(limit, order);
        paths.truncate(limit);
    }
    paths.sort_unstable_by(order);
    paths
}

/// The busiest of several databases' paths: for each database those that are among the busiest of all, in the
/// order given. A path that stands in several is as busy as they are together.
#[must_use]
pub fn busiest_of_all(databases: Vec<Vec<BusyPath>>, limit: usize) -> Vec<Vec<BusyPath>> {
    let mut together = AllPaths::default();
    for busy in databases.iter().flatten() {
        together.add(&busy.path, busy.requests(), None);
    }
    let chosen = AllPaths::of(&busiest(together.into_paths(), limit));
    let of_one = |paths: Vec<BusyPath>| paths.into_iter().filter(|busy| chosen.has(&busy.path)).collect();
    databases.into_iter().map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_of_all_are_told_apart_by_database() {
        let path = |path: &str, requests| BusyPath {
            path: path.to_owned(),
            settled_requests: requests,
            ..BusyPath::default()
        };
        let first = vec![path("/a", 5), path("/moved", 4), path("/few", 1)];
        let second = vec![path("/b", 6), path("/moved", 4)];
        let names = |paths: &[BusyPath]| paths.iter().map(|busy| busy.path.clone()).collect::<Vec<_>>();
        let chosen = busiest_of_all(vec![first.clone(), second.clone(), Vec::new()], 2);
        assert_eq!(
            chosen.iter().map(|paths| names(paths)).collect::<Vec<_>>(),
            [vec!["/moved"], vec!["/b", "/moved"], vec![]]
        );
        assert_eq!(busiest_of_all(vec![first.clone(), second.clone()], 10), [first, second]);
    }

    const FINGERPRINT: Fingerprint = Fingerprint { rows: 22, revisions: 40, written: 9 };

    fn hour(text: &str) -> HourBucket {
        text.parse().unwrap()
    }

    fn memo() -> SnapshotMemo {
        let from = hour("2025-10-15T14");
        let mut memo = SnapshotMemo::default();
        memo.keep(from);
        memo.insert("/a", FINGERPRINT, PathHours::new(from, 24));
        memo.insert("/b", FINGERPRINT, PathHours::new(from, 24));
        memo
    }

    #[test]
    fn the_last_two_hours_are_open() {
        let (settled, open) = settled_and_open(hour("2025-10-15T14"));
        assert_eq!((settled.len(), open.len()), (22, 2));
        assert_eq!(
            (settled[0].to_string(), open[1].to_string()),
            ("2025-10-15T14".into(), "2025-10-16T13".into())
        );
        assert_eq!(settled[21].plus(1), open[0]);
    }

    #[test]
    fn what_was_written_since_is_not_known() {
        let memo = memo();
        assert!(memo.get("/a", FINGERPRINT).is_some() && memo.get("/c", FINGERPRINT).is_none());
        for other in [
            Fingerprint { rows: 21, ..FINGERPRINT },
            Fingerprint { revisions: 41, ..FINGERPRINT },
            Fingerprint { written: 8, ..FINGERPRINT },
        ] {
            assert!(memo.get("/a", other).is_none());
        }
    }

    #[test]
    fn another_hour_and_paths_that_are_quiet_are_forgotten() {
        let mut memo = memo();
        memo.keep(hour("2025-10-15T14"));
        memo.keep_paths(["/a", "/new"].into_iter());
        assert!(memo.get("/a", FINGERPRINT).is_some() && memo.get("/b", FINGERPRINT).is_none());
        memo.keep(hour("2025-10-15T15"));
        assert!(memo.get("/a", FINGERPRINT).is_none());
    }

    #[test]
    fn the_busiest_of_the_last_snapshot_are_expected_in_the_next_whatever_its_hours() {
        let mut memo = SnapshotMemo::default();
        let mut read = AllPaths::default();
        (0..SNAPSHOT_PATHS as u64 + 2).for_each(|n| read.add(&format!("/{n}"), n, None));
        let expected = memo.probably_busiest(&read);
        assert_eq!((expected.len(), expected[0].as_str(), expected[99].as_str()), (100, "/101", "/2"));
        memo.keep(hour("2025-10-15T14"));
        memo.keep_paths(["/a", "/b"].into_iter());
        memo.insert("/a", FINGERPRINT, PathHours::new(hour("2025-10-15T14"), 24));
        assert!(memo.has_merged("/a") && !memo.has_merged("/b"));
        memo.keep(hour("2025-10-15T15"));
        assert!(!memo.has_merged("/a"));
        assert_eq!(memo.probably_busiest(&read), ["/a", "/b"]);
    }

    fn busy(path: &str, settled_requests: u64, open_requests: u64) -> BusyPath {
        let settled = Fingerprint { rows: settled_requests.min(22), ..Fingerprint::default() };
        BusyPath { path: path.into(), settled_requests, open_requests, settled }
    }

    fn passes(pass: u64) -> Passes {
        Passes(vec![(hour("2025-10-15T14"), 1), (hour("2025-10-15T15"), pass)])
    }

    #[test]
    fn settled_counters_complete_those_of_open_hours() {
        let mut memo = memo();
        assert!(!memo.knows(&passes(7)));
        let all = vec![busy("/a", 10, 1), busy("/b", 20, 0), busy("/c", 0, 5)];
        memo.remember(passes(7), &all);
        assert!(memo.knows(&passes(7)) && !memo.knows(&passes(8)));
        let only_open = |path, open| BusyPath { open_requests: open, ..busy(path, 0, 0) };
        let then = memo.complete(vec![only_open("/c", 6), only_open("/a", 2), only_open("/new", 50)]);
        assert_eq!(busiest(then, 3), [busy("/new", 0, 50), busy("/b", 20, 0), busy("/a", 10, 2)],);
    }

    #[test]
    fn settled_counters_are_of_their_hours() {
        let mut memo = memo();
        memo.remember(passes(7), &[busy("/a", 10, 1)]);
        memo.keep(hour("2025-10-15T14"));
        assert!(memo.knows(&passes(7)));
        memo.keep(hour("2025-10-15T15"));
        assert!(!memo.knows(&passes(7)));
        let nothing = memo.complete(vec![busy("/a", 0, 1)]);
        assert_eq!(nothing, [busy("/a", 0, 1)]);
    }

    #[test]
    fn too_many_paths_are_not_remembered_until_the_next_hour() {
        let mut memo = memo();
        memo.remember(passes(7), &[busy("/a", 10, 1)]);
        assert!(memo.knows(&passes(7)) && memo.has_room());
        memo.give_up();
        assert!(!memo.knows(&passes(7)) && !memo.has_room());
        memo.keep(hour("2025-10-15T15"));
        assert!(memo.has_room());
    }

    #[test]
    fn rows_add_up_to_their_paths() {
        let row = |revisions, written| Some(Fingerprint { rows: 1, revisions, written });
        let mut all = AllPaths::default();
        all.add("/a", 5, row(3, 1_000));
        all.add("/b", 1, None);
        all.add("/a", 7, row(4, 2_000));
        all.add("/a", 100, None);
        let settled = Fingerprint { rows: 2, revisions: 7, written: 3_000 };
        let a = BusyPath { path: "/a".into(), settled_requests: 12, open_requests: 100, settled };
        assert_eq!(busiest(all.into_paths(), 9), [a, busy("/b", 0, 1)]);
    }

    #[test]
    fn the_busiest_are_in_order_however_many_are_wanted() {
        let paths = || vec![busy("/b", 1, 1), busy("/c", 3, 0), busy("/a", 0, 2)];
        let names = |limit| busiest(paths(), limit).into_iter().map(|busy| busy.path).collect::<Vec<_>>();
        assert_eq!(names(3), ["/c", "/a", "/b"]);
        assert_eq!(names(2), ["/c", "/a"]);
        assert!(names(0).is_empty() && busiest(Vec::new(), 5).is_empty());
    }
}
