//! A range of time as lines, each of its events once, by id.

use pathstats_model::hour::{EventDate, DAY_MS};
use pathstats_model::problem::Problem;

use super::day::Day;
use super::pages::INDEX_PAGES;
use super::{Calls, ExportParameters, Library, Result, CHUNK_BYTES};
use crate::record::{DayRecord, FileRecord};

/// Calls of one export: the platform gives an invocation 1,000 queries of D1.
pub const EXPORT_CALLS: u32 = 950;

/// An export that is being answered.
#[derive(Debug)]
pub struct Export {
    parameters: ExportParameters,
    /// First millisecond of what no day was begun for.
    next_ms: i64,
    day: Option<Day>,
    calls: Calls,
    begun: bool,
}

impl Export {
    /// Begins.
    #[must_use]
    pub const fn new(parameters: ExportParameters) -> Self {
        let next_ms = parameters.from_ms;
        Self { parameters, next_ms, day: None, calls: Calls::new(EXPORT_CALLS), begun: false }
    }

    /// The next lines, or none after the last.
    ///
    /// # Errors
    ///
    /// When the database or the bucket fails, or there is more than one export may read: the answer must
    /// not look whole then.
    pub async fn next<L: Library>(&mut self, library: &L) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        if !self.begun {
            self.begun = true;
            chunk.extend_from_slice(self.parameters.lines.head().as_bytes());
        }
        while chunk.len() < CHUNK_BYTES {
            self.begin_day();
            let Some(day) = &mut self.day else { break };
            let Some(events) = day.next(library, &mut self.calls).await? else {
                self.day = None;
                continue;
            };
            for event in events {
                self.parameters.lines.write(event, &mut chunk)?;
            }
        }
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    /// Begins the next day, unless one is being read or there is none.
    fn begin_day(&mut self) {
        if self.day.is_none() && self.next_ms < self.parameters.to_ms {
            let date = EventDate::from_ms(self.next_ms);
            let to_ms = self.parameters.to_ms.min(date.end_ms());
            self.day = Some(Day::new(date, self.next_ms, to_ms));
            self.next_ms = to_ms;
        }
    }
}

/// Refuses a range of which the files alone are more than one export may read, before any of it is
/// sent. Of what only the database holds nothing is known: counting rows reads them.
///
/// # Errors
///
/// 400, with what to do.
pub fn check_size(parameters: &ExportParameters, records: &[DayRecord]) -> core::result::Result<(), Problem> {
    let days = u64::try_from((parameters.to_ms - parameters.from_ms) / DAY_MS + 2).unwrap_or(0);
    let files = records.iter().flat_map(DayRecord::originals).filter(|file| file.is_whole());
    let pages: u64 = files.map(|file| pages_within(file, parameters)).sum();
    // Of each day at least its rows and its record.
    if pages + 2 * days <= u64::from(EXPORT_CALLS) {
        return Ok(());
    }
    let detail = format!(
        "from `from` to `to` the archive has {pages} pages of events, and one export reads at most \
         {EXPORT_CALLS}: ask for a shorter range, or download the days' files"
    );
    Err(Problem::new(400, "range_too_large", "The range is too large", detail))
}

/// Calls that the part of a file within the range takes, about: its pages are of like size.
fn pages_within(file: &FileRecord, parameters: &ExportParameters) -> u64 {
    let within = |(hour, _): &(&pathstats_model::HourBucket, &u64)| {
        hour.end_ms() > parameters.from_ms && hour.start_ms() < parameters.to_ms
    };
    let records: u64 = file.hours.iter().filter(within).map(|(_, records)| records).sum();
    if records == 0 {
        return 0;
    }
    let pages = u64::from(file.pages);
    (pages * records).div_ceil(file.records.max(1)) + pages.div_ceil(u64::from(INDEX_PAGES))
}
