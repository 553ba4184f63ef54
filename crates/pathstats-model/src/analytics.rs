//! Data points for Analytics Engine: how batches, answers and archive runs go, over months and for
//! nothing. The engine samples, so a point is never a source of exact counts.
//!
//! A point is one row of the dataset. Its columns have numbers instead of names, so they are told once,
//! here, and in `docs/operations.md` with queries. A column keeps its meaning for good: [`VERSION`] grows
//! with what is added.
//!
//! | column | `batch` | `answer` | `archive` |
//! | --- | --- | --- | --- |
//! | `index1` | `batch` | `answer` | `archive` |
//! | `blob1` | the version | the version | the version |
//! | `blob2` | `whole`, `part` or `none`: how much was taken in | `cache`, `kv` or `d1`: the tier | `done`, `unfinished` or `failed` |
//! | `blob3` | | `fresh` or `stale` | the day |
//! | `double1` | messages | 1 | records of the day |
//! | `double2` | events counted | seconds since the snapshot was made | events deleted from D1 |
//! | `double3` | events that were counted before | | milliseconds of the run |
//! | `double4` | groups of path and hour | | hours that differ |
//! | `double5` | messages that come again | | |
//! | `double6` | dead letters | | |
//! | `double7` | milliseconds since the oldest message was sent | | |
//! | `double8` | milliseconds until all was settled | | |

use crate::freshness::DataSource;
use crate::hour::EventDate;
use crate::ingest::{Ingested, Settlement};

/// Version of the columns.
pub const VERSION: &str = "1";

/// One row. Limits of the engine: 20 blobs of 16 KB together, 20 doubles, an index of 96 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPoint {
    /// What it is of. The engine samples by it, so that a rare kind is not lost among a frequent one.
    pub index: &'static str,
    /// Texts.
    pub blobs: Vec<String>,
    /// Numbers.
    pub doubles: Vec<f64>,
}

/// How a run of the archive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// All that was ordered is done.
    Done,
    /// The budget was used up: the next run goes on.
    Unfinished,
    /// An error ended it.
    Failed,
}

/// What a run of the archive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveRun {
    /// The day.
    pub date: EventDate,
    /// How it ended.
    pub end: RunEnd,
    /// Events of the day, as far as is known.
    pub records: u64,
    /// Events that were deleted from D1 so far.
    pub deleted: u64,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// Hours whose statistics and archive differ.
    pub differences: u64,
}

impl DataPoint {
    /// Of a batch that was settled at `now_ms`. It was begun at `began_ms`, and its oldest message sent at
    /// `oldest_ms`.
    #[must_use]
    pub fn batch(ingested: &Ingested, oldest_ms: Option<i64>, began_ms: i64, now_ms: i64) -> Self {
        let messages = ingested.settlements.len();
        let again = ingested.settlements.iter().filter(|settled| **settled == Settlement::Retry).count();
        let taken = match again {
            0 => "whole",
            again if again < messages => "part",
            _ => "none",
        };
        let doubles = [
            real(messages as u64),
            real(ingested.counted),
            real(ingested.duplicates),
            real(ingested.groups as u64),
            real(again as u64),
            real(ingested.dead_letters),
            oldest_ms.map_or(0.0, |oldest_ms| span(oldest_ms, now_ms)),
            span(began_ms, now_ms),
        ];
        Self { index: "batch", blobs: vec![VERSION.into(), taken.into()], doubles: doubles.to_vec() }
    }

    /// Of an answer that was made from the snapshot.
    #[must_use]
    pub fn answer(source: DataSource, stale: bool, updated_at_ms: i64, now_ms: i64) -> Self {
        let tier = match source {
            DataSource::Cache => "cache",
            DataSource::Kv => "kv",
            DataSource::D1 => "d1",
        };
        let age = if stale { "stale" } else { "fresh" };
        Self {
            index: "answer",
            blobs: vec![VERSION.into(), tier.into(), age.into()],
            doubles: vec![1.0, span(updated_at_ms, now_ms) / 1000.0],
        }
    }

    /// Of a run of the archive.
    #[must_use]
    pub fn archive(run: &ArchiveRun) -> Self {
        let end = match run.end {
            RunEnd::Done => "done",
            RunEnd::Unfinished => "unfinished",
            RunEnd::Failed => "failed",
        };
        Self {
            index: "archive",
            blobs: vec![VERSION.into(), end.into(), run.date.to_string()],
            doubles: vec![real(run.records), real(run.deleted), span(0, run.took_ms), real(run.differences)],
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

/// Milliseconds between two moments; none when the clock went back.
fn span(from_ms: i64, to_ms: i64) -> f64 {
    real(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_tells_how_much_of_it_was_taken_in_and_how_late() {
        use Settlement::{Acknowledge, Retry};
        let of = |settlements: &[Settlement]| Ingested {
            settlements: settlements.to_vec(),
            counted: 40,
            duplicates: 3,
            dead_letters: 1,
            groups: 7,
        };
        let point = DataPoint::batch(&of(&[Acknowledge, Retry, Acknowledge]), Some(1_000), 5_000, 5_250);
        assert_eq!((point.index, point.blobs), ("batch", vec!["1".to_owned(), "part".to_owned()]));
        assert_eq!(point.doubles, [3.0, 40.0, 3.0, 7.0, 1.0, 1.0, 4_250.0, 250.0]);
        let taken =
            |settlements: &[Settlement]| DataPoint::batch(&of(settlements), None, 9, 5).blobs.remove(1);
        assert_eq!(taken(&[Acknowledge; 2]), "whole");
        assert_eq!(taken(&[Retry; 2]), "none");
        assert_eq!(taken(&[]), "whole");
        let early = DataPoint::batch(&of(&[]), Some(9), 9, 5);
        assert_eq!(early.doubles.get(6..), Some(&[0.0, 0.0][..]), "a clock that went back");
    }

    #[test]
    fn an_answer_tells_its_tier_and_age() {
        let point = DataPoint::answer(DataSource::Kv, false, 1_000, 31_500);
        assert_eq!(
            (point.blobs, point.doubles),
            (vec!["1".into(), "kv".into(), "fresh".into()], vec![1.0, 30.5])
        );
        assert_eq!(DataPoint::answer(DataSource::Cache, true, 0, 0).blobs, ["1", "cache", "stale"]);
        assert_eq!(DataPoint::answer(DataSource::D1, false, 0, 0).blobs, ["1", "d1", "fresh"]);
    }

    #[test]
    fn a_run_of_the_archive_tells_its_day_and_its_end() {
        let date = "2025-10-15".parse().unwrap();
        let run = ArchiveRun { date, end: RunEnd::Done, records: 9, deleted: 8, took_ms: 70, differences: 2 };
        let point = DataPoint::archive(&run);
        assert_eq!(point.blobs, ["1", "done", "2025-10-15"]);
        assert_eq!(point.doubles, [9.0, 8.0, 70.0, 2.0]);
        let ended = |end| DataPoint::archive(&ArchiveRun { end, ..run }).blobs.remove(1);
        assert_eq!(
            (ended(RunEnd::Unfinished), ended(RunEnd::Failed)),
            ("unfinished".into(), "failed".into())
        );
    }
}
