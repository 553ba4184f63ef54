//! One day's events out of the database and the archive's files, each once, by id.
//!
//! While a day is read, the archiver may write a file of it, delete from the database what a file
//! holds, and delete again what came again; late events may come. It keeps one promise: a row is
//! deleted only after a record was saved in which a whole file holds it. Whole files never change and
//! never go. So:
//!
//! 1. Rows are read first, from the last id that was given on: those in `(done, last]`, or up to the
//!    day's end.
//! 2. The record is read after them, and files that are new in it are taken in, from `done` on.
//! 3. Only then events up to `last` are given.
//!
//! Take any event of that stretch that was recorded before. At step 1 its row was there, and was read;
//! or it was deleted, and then the record of step 2 names the file that holds it. Either way it is in
//! what is merged. An event that is in both, or in two files, comes with the same id from each, and is
//! given once. After the last rows no further record is needed: all that was deleted before them is
//! in a file that is known. An event that comes while its day is read may be given or not.

use std::collections::VecDeque;

use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, TrafficEvent};

use super::pages::Pages;
use super::{Calls, Context, Library, Result};
use crate::page::MAX_PAGE_EVENTS;
use crate::record::DayRecord;

/// Rows that are asked for first.
const FIRST_ROWS: usize = 2_048;
/// Bytes of rows that are asked for at once, about. D1 gives 2 MB; what does not fit is asked for again.
const BATCH_BYTES: usize = 1_200_000;
/// Bytes of a row without its path and user agent.
const ROW_BYTES: usize = 120;
/// Events in memory, of all sources together: eight whole pages. With more sources each gets a part of
/// its page at a time, and reads it again for the next part.
const EVENTS_IN_MEMORY: usize = 8 * MAX_PAGE_EVENTS;
/// The least part.
const LEAST_PART: usize = 256;
/// Events that are given at once.
const RUN_EVENTS: usize = 1_024;

/// A day, or a part of it, that is being read.
#[derive(Debug)]
pub(super) struct Day {
    date: EventDate,
    /// First millisecond that is not wanted.
    to_ms: i64,
    /// All events up to this id were given, or are not wanted.
    done: Option<EventId>,
    /// Rows of the database after `done`.
    rows: VecDeque<TrafficEvent>,
    /// Whether there are none after those.
    all_rows: bool,
    /// How many are asked for next.
    row_limit: usize,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    pages: Pages,
    /// Events of its next page, or of a part of it.
    events: VecDeque<TrafficEvent>,
}

/// Where the next event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A file whose page is in memory.
    File(usize),
    /// A file whose next page may hold it, and is not in memory.
    Page(usize),
    Rows,
}

impl Day {
    /// Events of the day from `from_ms` on and before `to_ms`.
    pub fn new(date: EventDate, from_ms: i64, to_ms: i64) -> Self {
        // There is no event before the least id.
        Self::begin(date, EventId::from_parts(from_ms - 1, u32::MAX).ok(), to_ms)
    }

    /// Events of the day after this one and before `to_ms`.
    pub const fn after(date: EventDate, done: EventId, to_ms: i64) -> Self {
        Self::begin(date, Some(done), to_ms)
    }

    const fn begin(date: EventDate, done: Option<EventId>, to_ms: i64) -> Self {
        Self {
            date,
            to_ms,
            done,
            rows: VecDeque::new(),
            all_rows: false,
            row_limit: FIRST_ROWS,
            files: Vec::new(),
        }
    }

    /// The next events, or none when all were given.
    pub async fn next<L: Library>(
        &mut self,
        library: &L,
        calls: &mut Calls,
    ) -> Result<Option<Vec<TrafficEvent>>> {
        loop {
            self.refill(library, calls).await?;
            let (found, beyond) = self.least();
            let Some((id, source)) = found.filter(|(id, _)| id.timestamp_ms() < self.to_ms) else {
                return Ok(None);
            };
            let part = self.part();
            let from = match source {
                Source::Page(index) => {
                    if let Some(file) = self.files.get_mut(index) {
                        file.load(library, calls, self.done, part).await?;
                    }
                    continue;
                }
                Source::File(index) => self.files.get_mut(index).map(|file| &mut file.events),
                Source::Rows => Some(&mut self.rows),
            };
            let to_ms = self.to_ms;
            let belongs = |event: &TrafficEvent| {
                let before = beyond.is_none_or(|beyond| event.id < beyond);
                event.id == id || (before && event.id.timestamp_ms() < to_ms)
            };
            let mut run = Vec::new();
            if let Some(events) = from {
                while run.len() < RUN_EVENTS && events.front().is_some_and(belongs) {
                    run.extend(events.pop_front());
                }
            }
            self.done = run.last().map(|event| event.id).or(self.done);
            return Ok(Some(run));
        }
    }

    /// Brings every source to its first event after `done`. See the module for the order.
    async fn refill<L: Library>(&mut self, library: &L, calls: &mut Calls) -> Result<()> {
        loop {
            drop_done(&mut self.rows, self.done);
            if self.all_rows || !self.rows.is_empty() {
                break;
            }
            // 1. The rows.
            calls.spend()?;
            let limit = self.row_limit.min(self.part());
            let batch = library.events(self.date, self.done, limit).await;
            let batch = batch.context("the raw events cannot be read")?;
            self.all_rows = batch.is_last || batch.events.is_empty();
            self.row_limit = fitting(&batch.events);
            self.rows = batch.events.into();
            // 2. The record.
            calls.spend()?;
            let record = library.record(self.date).await.context("the record of the day cannot be read")?;
            for file in record.iter().flat_map(DayRecord::originals) {
                if file.is_whole() && self.files.iter().all(|known| known.pages.file() != file.path) {
                    let mut pages = Pages::of(file);
                    if let Some(done) = self.done {
                        pages.seek(library, calls, done).await?;
                    }
                    self.files.push(File { pages, events: VecDeque::new() });
                }
            }
        }
        for file in &mut self.files {
            file.advance(library, calls, self.done).await?;
        }
        Ok(())
    }

    /// The least id that any source can give next, and the least of the other sources. Of one that is
    /// in several, the files come before the database.
    fn least(&self) -> (Option<(EventId, Source)>, Option<EventId>) {
        let files = self.files.iter().enumerate().filter_map(|(index, file)| match file.events.front() {
            Some(event) => Some((event.id, Source::File(index))),
            None => file.pages.front().map(|page| (page.first_id, Source::Page(index))),
        });
        let rows = self.rows.front().map(|event| (event.id, Source::Rows));
        let mut least: Option<(EventId, Source)> = None;
        let mut beyond: Option<EventId> = None;
        for (id, source) in files.chain(rows) {
            let other = match least {
                Some((known, _)) if known <= id => id,
                Some((known, _)) => {
                    least = Some((id, source));
                    known
                }
                None => {
                    least = Some((id, source));
                    continue;
                }
            };
            beyond = Some(beyond.map_or(other, |beyond| beyond.min(other)));
        }
        (least, beyond)
    }

    /// Events that a source may hold.
    fn part(&self) -> usize {
        (EVENTS_IN_MEMORY / (self.files.len() + 1)).clamp(LEAST_PART, MAX_PAGE_EVENTS)
    }
}

impl File {
    /// Passes what was given, and pages that hold nothing else.
    async fn advance<L: Library>(
        &mut self,
        library: &L,
        calls: &mut Calls,
        done: Option<EventId>,
    ) -> Result<()> {
        drop_done(&mut self.events, done);
        while self.events.is_empty() {
            self.pages.look_up(library, calls).await?;
            match self.pages.front() {
                Some(page) if done.is_some_and(|done| page.last_id <= done) => self.pages.pass(),
                _ => break,
            }
        }
        Ok(())
    }

    /// Reads the next page, or as much of it as may be held.
    async fn load<L: Library>(
        &mut self,
        library: &L,
        calls: &mut Calls,
        done: Option<EventId>,
        part: usize,
    ) -> Result<()> {
        let mut events = self.pages.read(library, calls).await?;
        events.retain(|event| done.is_none_or(|done| event.id > done));
        if events.len() > part {
            events.truncate(part);
        } else {
            self.pages.pass();
        }
        self.events = events.into();
        Ok(())
    }
}

/// How many rows like these are asked for at once.
fn fitting(events: &[TrafficEvent]) -> usize {
    let agent = |event: &TrafficEvent| event.user_agent.as_ref().map_or(0, String::len);
    let bytes: usize = events.iter().map(|event| ROW_BYTES + event.path.len() + agent(event)).sum();
    (BATCH_BYTES * events.len() / bytes.max(1)).clamp(LEAST_PART, MAX_PAGE_EVENTS)
}

fn drop_done(events: &mut VecDeque<TrafficEvent>, done: Option<EventId>) {
    while events.front().is_some_and(|event| done.is_some_and(|done| event.id <= done)) {
        events.pop_front();
    }
}
