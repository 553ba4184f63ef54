//! Hourly rows become a daily row, and go.
//!
//! A daily row is the merge of its hourly rows, found again at any time while they are there. It
//! keeps their [`Fingerprint`], so that two facts can be told from the database alone: whether the
//! daily row is up to date, and whether hourly rows may be deleted, with a look in the same
//! transaction. From then on the daily row is all there is. Should hourly rows of its day come after
//! that, what it holds is kept beside as its base, and it is the merge of the base and those rows,
//! until they go as well.
//!
//! The steps are in [`upkeep`], over a [`DailyStore`] that does the I/O, so that runs that die or
//! meet are tried natively.

use std::collections::{BTreeMap, BTreeSet};

use crate::hour::{EventDate, HourBucket};
use crate::stats::{PathHourStats, StatsError};

pub mod upkeep;

pub use upkeep::{go_on, nightly, DailyStore, Done, WaitingDay};

/// Bytes of sketches read at once. As hexadecimal text they are twice as many.
const READ_BYTES: usize = 600_000;

/// Bytes of sketches written at once: as hexadecimal text they are bound to one parameter of D1,
/// which holds 2 MB.
const WRITE_BYTES: usize = 800_000;

/// What a row takes beside its sketches and its path: its numbers as text.
const ROW_BYTES: usize = 300;

/// Hours of a day: bit 0 is the one from 00:00, bit 23 the one from 23:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayHours(u32);

impl DayHours {
    /// The hours of these bits; others are dropped.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0xff_ffff)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// One hour, of whatever day.
    #[must_use]
    pub fn of(hour: HourBucket) -> Self {
        Self(1 << hour.hour_of_day())
    }

    /// The hours of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many they are.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The hours of a day, in order.
    pub fn of_date(self, date: EventDate) -> impl Iterator<Item = HourBucket> {
        let first = date.first_hour();
        (0..24).filter(move |hour| self.0 >> hour & 1 == 1).map(move |hour| first.plus(hour))
    }
}

/// What tells whether any of some hourly rows changed: how many they are, the sum of their revisions
/// and the sum of the times at which they were written. An object writes a row only with a higher
/// revision; a repair from the archive keeps the revision and writes a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// Hourly rows.
    pub rows: u32,
    /// Sum of their revisions.
    pub revisions: u64,
    /// Sum of the times at which they were written, in milliseconds since the epoch: for 24 rows far
    /// below 2^53.
    pub written_ms: i64,
}

impl Fingerprint {
    /// Of one row.
    #[must_use]
    pub const fn of(revision: u64, written_ms: i64) -> Self {
        Self { rows: 1, revisions: revision, written_ms }
    }

    /// Of the rows of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            revisions: self.revisions + other.revisions,
            written_ms: self.written_ms + other.written_ms,
        }
    }
}

/// Written as the database's statements write it: `3/17/5281610400000`.
impl core::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}/{}", self.rows, self.revisions, self.written_ms)
    }
}

/// A path whose daily row is not there or lacks something of its hourly rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The path.
    pub path: String,
    /// The hours of its hourly rows.
    pub hours: DayHours,
    /// Bytes of their sketches.
    pub bytes: usize,
    /// When hourly rows of this path and day were last deleted, if ever, in milliseconds since the
    /// epoch. It names the state that what is read next belongs to.
    pub purged_at: Option<i64>,
    /// Whether the daily row holds only what is gone, and is to be kept beside as the base.
    pub needs_base: bool,
}

/// A part of a daily row: an hourly row, or the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The path.
    pub path: String,
    /// The hour of an hourly row; those that a base holds.
    pub hours: DayHours,
    /// Of an hourly row; `None` for a base.
    pub fingerprint: Option<Fingerprint>,
    /// Bytes of [`PathHourStats`].
    pub sketches: Vec<u8>,
}

/// A row of `path_stats_daily`, whole.
#[derive(Debug, Clone)]
pub struct DailyRow {
    /// The path.
    pub path: String,
    /// Everything counted.
    pub stats: PathHourStats,
    /// The bytes of `stats`.
    pub sketches: Vec<u8>,
    /// The hours it holds.
    pub hours: DayHours,
    /// Of the hourly rows that were read.
    pub fingerprint: Fingerprint,
    /// Whether all of them are in it: one that is broken is left out.
    pub is_whole: bool,
    /// As it was when its parts were listed, see [`Lacking::purged_at`].
    pub purged_at: Option<i64>,
}

impl DailyRow {
    /// What is stored as its fingerprint: another text when it is not whole, so that it is never
    /// taken for up to date, and no hourly row is deleted for it.
    #[must_use]
    pub fn stored_fingerprint(&self) -> String {
        format!("{}{}", self.fingerprint, if self.is_whole { "" } else { "!" })
    }
}

/// A part that does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the statistics of {path} are broken: {error}")]
pub struct BrokenPart {
    /// The path.
    pub path: String,
    /// Why.
    pub error: StatsError,
}

/// Merges parts into a row a path, in order of paths. The order of the parts changes no byte.
///
/// A broken hour is told and left out. A path whose base is broken gives no row, since the one that
/// is there holds more; nor does one without any hourly row.
#[must_use]
pub fn merge(parts: &[Part], listed: &[Lacking]) -> (Vec<DailyRow>, Vec<BrokenPart>) {
    let purged: BTreeMap<&str, Option<i64>> =
        listed.iter().map(|path| (path.path.as_str(), path.purged_at)).collect();
    let mut rows: BTreeMap<&str, DailyRow> = BTreeMap::new();
    let (mut broken, mut without_base) = (Vec::new(), BTreeSet::new());
    for part in parts {
        let row = rows.entry(&part.path).or_insert_with(|| DailyRow {
            path: part.path.clone(),
            stats: PathHourStats::default(),
            sketches: Vec::new(),
            hours: DayHours::default(),
            fingerprint: Fingerprint::default(),
            is_whole: true,
            purged_at: purged.get(part.path.as_str()).copied().flatten(),
        });
        row.fingerprint = row.fingerprint.with(part.fingerprint.unwrap_or_default());
        match PathHourStats::from_bytes(&part.sketches).and_then(|hour| row.stats.merge(&hour)) {
            Ok(()) => row.hours = row.hours.with(part.hours),
            Err(error) => {
                row.is_whole = false;
                if part.fingerprint.is_none() {
                    without_base.insert(part.path.as_str());
                }
                broken.push(BrokenPart { path: part.path.clone(), error });
            }
        }
    }
    rows.retain(|path, row| row.fingerprint.rows > 0 && !without_base.contains(path));
    let rows = rows.into_values().map(|row| DailyRow { sketches: row.stats.to_bytes(), ..row });
    (rows.collect(), broken)
}

/// Cuts what was listed into pages that are read at once. All hours of a path are in one page.
pub fn reads(listed: &[Lacking]) -> impl Iterator<Item = &[Lacking]> {
    pages(listed, READ_BYTES, |path| path.bytes + path.path.len() + ROW_BYTES)
}

/// Cuts rows into pages that are written at once.
pub fn writes(rows: &[DailyRow]) -> impl Iterator<Item = &[DailyRow]> {
    pages(rows, WRITE_BYTES, |row| row.sketches.len() + row.path.len() + ROW_BYTES)
}

/// Cuts items into pages of at most `limit`; an item that is larger has one of its own.
fn pages<T>(mut rest: &[T], limit: usize, size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    core::iter::from_fn(move || {
        let mut sum = 0;
        let fit = rest.iter().take_while(|item| {
            sum += size(item);
            sum <= limit
        });
        let (page, left) = rest.split_at_checked(fit.count().max(1))?;
        rest = left;
        Some(page)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::tests::any_event;
    use crate::packed::PackedEvent;
    use proptest::prelude::*;

    fn base(path: &str, hours: DayHours, sketches: &[u8]) -> Part {
        Part { path: path.to_owned(), hours, fingerprint: None, sketches: sketches.to_vec() }
    }

    fn part(path: &str, hour: u32, revision: u64, events: &[PackedEvent]) -> Part {
        let mut stats = PathHourStats::default();
        for event in events {
            stats.add(event);
        }
        Part {
            path: path.to_owned(),
            hours: DayHours::from_bits(1 << hour),
            fingerprint: Some(Fingerprint::of(revision, 1_000)),
            sketches: stats.to_bytes(),
        }
    }

    fn lacking(path: &str, bytes: usize, purged_at: Option<i64>) -> Lacking {
        let hours = DayHours::default();
        Lacking { path: path.to_owned(), hours, bytes, purged_at, needs_base: false }
    }

    #[test]
    fn hours_of_a_day_are_bits() {
        let date: EventDate = "2024-02-29".parse().unwrap();
        let hours = DayHours::of("2024-02-29T00".parse().unwrap())
            .with(DayHours::of("2023-01-01T23".parse().unwrap()));
        let named: Vec<_> = hours.of_date(date).map(|hour| hour.to_string()).collect();
        assert_eq!(named, ["2024-02-29T00", "2024-02-29T23"]);
        assert_eq!((hours.count(), hours.bits()), (2, 0x80_0001));
        assert_eq!(DayHours::from_bits(u32::MAX).of_date(date).count(), 24);
    }

    #[test]
    fn a_broken_hour_is_left_out_and_its_row_is_never_up_to_date() {
        let mut parts = [part("/a", 1, 4, &[]), part("/a", 2, 5, &[]), part("/b", 1, 0, &[])];
        parts[1].sketches.pop();
        let (rows, broken) = merge(&parts, &[lacking("/a", 0, None), lacking("/b", 0, Some(9))]);
        let rows: Vec<_> =
            rows.iter().map(|r| (r.stored_fingerprint(), r.hours.bits(), r.purged_at)).collect();
        assert_eq!(rows, [("2/9/2000!".to_owned(), 0b10, None), ("1/0/1000".to_owned(), 0b10, Some(9))]);
        assert_eq!(broken.len(), 1);
        assert!(broken[0].to_string().contains("the statistics of /a are broken"), "{}", broken[0]);
    }

    #[test]
    fn a_path_whose_base_is_broken_or_that_has_no_hour_gives_no_row() {
        let empty = PathHourStats::default().to_bytes();
        let parts = [
            part("/a", 1, 4, &[]),
            base("/a", DayHours::default(), &empty[1..]),
            base("/b", DayHours::default(), &empty),
        ];
        let (rows, broken) = merge(&parts, &[]);
        assert!(rows.is_empty());
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn pages_hold_to_their_limit_and_lose_nothing() {
        let sizes = [200_000, 200_000, 200_000, 700_000, 1, 1];
        let listed: Vec<_> = sizes.iter().map(|bytes| lacking("/a", *bytes, None)).collect();
        let pages: Vec<usize> = reads(&listed).map(<[Lacking]>::len).collect();
        assert_eq!(pages, [2, 1, 1, 2]);
        assert_eq!(reads(&[]).count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn hours_in_any_order_and_rolled_up_twice_give_the_same_bytes(
            hours in proptest::collection::vec(proptest::collection::vec(any_event(), 0..60), 1..24),
            seed in any::<u64>(),
        ) {
            let mut parts: Vec<Part> =
                (0..).zip(&hours).map(|(hour, events)| part("/a", hour, 1, events)).collect();
            let whole = part("/a", 0, 1, &hours.concat());
            let (once, _) = merge(&parts, &[]);
            let turns = usize::try_from(seed % 24).unwrap() % parts.len();
            parts.rotate_left(turns);
            if seed % 2 == 0 {
                parts.reverse();
            }
            let (twice, _) = merge(&parts, &[]);
            prop_assert_eq!(&once[0].sketches, &whole.sketches);
            prop_assert_eq!(&twice[0].sketches, &whole.sketches);
            prop_assert_eq!(once[0].hours.count() as usize, hours.len());
            prop_assert_eq!(once[0].fingerprint, twice[0].fingerprint);
            prop_assert_eq!(once[0].fingerprint.rows as usize, hours.len());
        }

        #[test]
        fn a_base_and_the_hours_after_it_are_the_whole_day(
            hours in proptest::collection::vec(proptest::collection::vec(any_event(), 0..60), 2..24),
            cut in 1usize..23,
        ) {
            let parts: Vec<Part> =
                (0..).zip(&hours).map(|(hour, events)| part("/a", hour, 1, events)).collect();
            let (gone, after) = parts.split_at(cut.min(parts.len() - 1));
            let (before, _) = merge(gone, &[]);
            let mut parts_after = after.to_vec();
            parts_after.push(base("/a", before[0].hours, &before[0].sketches));
            let (all, _) = merge(&parts_after, &[]);
            prop_assert_eq!(&all[0].sketches, &part("/a", 0, 1, &hours.concat()).sketches);
            prop_assert_eq!(all[0].hours.count() as usize, hours.len());
        }
    }
}
