//! Reading a file back: every byte, every event, and its hours against the statistics.

use core::ops::Range;

use pathstats_model::{EventId, HourBucket, TrafficEvent};

use super::source::decode;
use super::{Context, Result, Run, RunError};
use crate::hash::RunningHash;
use crate::name::ArchiveName;
use crate::page::Page;
use crate::record::{FileRecord, Source, Stage, Verifying};
use crate::store::Store;
use crate::tally::Tally;

/// Pages between two records.
const PAGES_AT_ONCE: u32 = 32;
/// Bytes that are read at once, unless one page has more.
const READ_BYTES: u64 = 2 * 1024 * 1024;

/// A file that is being read back.
struct Reading {
    index: usize,
    file: FileRecord,
    state: Verifying,
    hash: RunningHash,
    /// The hour that is being counted.
    hour: Option<HourBucket>,
    tally: Tally,
    /// Events of that hour in this file.
    records: u64,
    last_id: Option<EventId>,
}

impl<S: Store> Run<'_, S> {
    /// Reads a file back, from the last saved record on.
    pub(super) async fn verify(&mut self, index: usize) -> Result<()> {
        let file = self.file(index)?.clone();
        let length = self.length(file.path).await?;
        if length != Some(file.bytes) {
            let found = length.map_or("is not in the bucket".to_owned(), |n| format!("has {n} bytes"));
            return Err(not_whole(file.path, format!("{found}: {} were written", file.bytes)));
        }
        let mut reading = self.open(index, file).await?;
        while reading.state.pages < reading.file.pages {
            if self.is_spent() {
                return Ok(());
            }
            self.spend(1);
            let (name, from) = (reading.file.path, reading.state.pages);
            let limit = PAGES_AT_ONCE.min(reading.file.pages - from);
            let pages = self.store.pages(name, from, limit).await.context("the pages cannot be read")?;
            if pages.first().map(|page| page.number) != Some(from) {
                return Err(not_whole(name, format!("page {from} is not in the index")));
            }
            for run in reads(&pages) {
                let pages = pages.get(run).unwrap_or_default();
                self.read_pages(&mut reading, pages).await?;
            }
            reading.state.hash = reading.hash.state();
            let file = self.file(index)?;
            file.verifying = Some(reading.state.clone());
            file.hours.clone_from(&reading.file.hours);
            self.save(None, &[]).await?;
        }
        self.close(reading).await
    }

    /// Goes on where the record says. The hour under way is counted from its first page again.
    async fn open(&mut self, index: usize, file: FileRecord) -> Result<Reading> {
        let state = file.verifying.clone().unwrap_or_default();
        let hash = RunningHash::resume(&state.hash).map_err(|_| RunError::Record("no hash".to_owned()))?;
        let mut reading = Reading {
            index,
            file,
            state,
            hash,
            hour: None,
            tally: Tally::default(),
            records: 0,
            last_id: None,
        };
        let Some(last_page) = reading.state.pages.checked_sub(1) else { return Ok(reading) };
        let name = reading.file.path;
        self.spend(1);
        let pages = self.store.pages(name, last_page, 1).await.context("the pages cannot be read")?;
        let Some(last) = pages.into_iter().next() else {
            return Err(not_whole(name, format!("page {last_page} is not in the index")));
        };
        let hour = HourBucket::from_ms(last.last_id.timestamp_ms());
        reading.tally = self.tally(hour).await?;
        for page in self.pages_of_hour(name, hour).await? {
            if page.number <= last_page {
                for event in self.page_events(name, &page).await?.iter().filter(|e| e.hour() == hour) {
                    reading.tally.add(event);
                    reading.records += 1;
                }
            }
        }
        reading.hour = Some(hour);
        reading.last_id = Some(last.last_id);
        Ok(reading)
    }

    /// Reads pages that lie one after another, in one piece.
    async fn read_pages(&mut self, reading: &mut Reading, pages: &[Page]) -> Result<()> {
        let (Some(first), Some(last)) = (pages.first(), pages.last()) else { return Ok(()) };
        let name = reading.file.path;
        // What lies before the first page belongs to the file too.
        let from = if first.number == 0 { 0 } else { first.offset };
        self.spend(1);
        let length = last.end() - from;
        let bytes = self.store.read(name, from, length).await.context("the archive cannot be read")?;
        reading.hash.update(&bytes);
        for page in pages {
            let start = usize::try_from(page.offset - from).unwrap_or(usize::MAX);
            let end = usize::try_from(page.end() - from).unwrap_or(usize::MAX);
            let events = decode(name, page, bytes.get(start..end).unwrap_or_default())?;
            self.count(reading, page, &events).await?;
            reading.state.pages += 1;
            reading.state.records += events.len() as u64;
        }
        Ok(())
    }

    async fn count(&mut self, reading: &mut Reading, page: &Page, events: &[TrafficEvent]) -> Result<()> {
        let name = reading.file.path;
        let wrong = |detail: String| not_whole(name, format!("page {}: {detail}", page.number));
        if events.len() != page.records as usize {
            return Err(wrong(format!("{} events: {} were written", events.len(), page.records)));
        }
        for event in events {
            if event.id.timestamp_ms() < name.date.start_ms() || event.id.timestamp_ms() >= name.date.end_ms()
            {
                return Err(wrong(format!("{} is of another day", event.id)));
            }
            if reading.last_id.is_some_and(|last| last >= event.id) {
                return Err(wrong(format!("{} does not come after the event before it", event.id)));
            }
            reading.last_id = Some(event.id);
            let hour = event.hour();
            if reading.hour != Some(hour) {
                self.end_hour(reading).await?;
                reading.hour = Some(hour);
                reading.tally = self.tally(hour).await?;
            }
            reading.tally.add(event);
            reading.records += 1;
        }
        Ok(())
    }

    /// Holds an hour that was read whole against its statistics.
    async fn end_hour(&mut self, reading: &mut Reading) -> Result<()> {
        let Some(hour) = reading.hour.take() else { return Ok(()) };
        let mut tally = core::mem::take(&mut reading.tally);
        let records = core::mem::take(&mut reading.records);
        reading.file.hours.insert(hour, records);
        if reading.file.source == Source::Twin {
            return Ok(());
        }
        let path = reading.file.path;
        let whole = self.held.record.originals().filter(|other| other.path != path && other.is_whole());
        let others: Vec<ArchiveName> =
            whole.filter(|other| other.hours.contains_key(&hour)).map(|other| other.path).collect();
        for other in others {
            for page in self.pages_of_hour(other, hour).await? {
                let events = self.page_events(other, &page).await?;
                events.iter().filter(|event| event.hour() == hour).for_each(|event| tally.add(event));
            }
        }
        self.spend(1);
        let rows = self.store.hourly(hour).await.context("the hourly statistics cannot be read")?;
        let keeps_statistics = self.keeps_statistics();
        let reconciliation = &mut self.held.record.reconciliation;
        if rows.is_empty() && !keeps_statistics {
            reconciliation.skip(hour);
        } else {
            reconciliation.record(hour, tally.compare(hour, rows).0);
        }
        Ok(())
    }

    /// A tally of an hour, by the rows that it has.
    pub(super) async fn tally(&mut self, hour: HourBucket) -> Result<Tally> {
        self.spend(1);
        let rows = self.store.hourly(hour).await.context("the hourly statistics cannot be read")?;
        Ok(Tally::of(&rows))
    }

    pub(super) async fn pages_of_hour(&mut self, file: ArchiveName, hour: HourBucket) -> Result<Vec<Page>> {
        let (Ok(first), Ok(last)) =
            (EventId::from_parts(hour.start_ms(), 0), EventId::from_parts(hour.end_ms() - 1, u32::MAX))
        else {
            return Ok(Vec::new());
        };
        self.spend(1);
        self.store.pages_within(file, first, last).await.context("the pages cannot be read")
    }

    /// All pages are read: the end of the file, and the whole.
    async fn close(&mut self, mut reading: Reading) -> Result<()> {
        self.end_hour(&mut reading).await?;
        let name = reading.file.path;
        self.spend(1);
        let last = reading.file.pages.saturating_sub(1);
        let last = self.store.pages(name, last, 1).await.context("the pages cannot be read")?;
        let end = last.first().map_or(0, Page::end);
        if reading.file.bytes > end {
            self.spend(1);
            let rest = self.store.read(name, end, reading.file.bytes - end).await;
            reading.hash.update(&rest.context("the archive cannot be read")?);
        }
        let (read, written) = (reading.state.records, reading.file.records);
        if read != written {
            return Err(not_whole(name, format!("{read} events: {written} were written")));
        }
        let sha256 = reading.hash.finish();
        if reading.file.sha256.as_ref() != Some(&sha256) {
            return Err(not_whole(name, "its SHA-256 is not that of what was written".to_owned()));
        }
        if reading.file.source == Source::Twin {
            let original = self.held.record.originals().find(|o| o.path.supplement == name.supplement);
            if original.is_some_and(|original| original.hours != reading.file.hours) {
                return Err(not_whole(name, "it does not hold the events of its twin".to_owned()));
            }
        }
        let now = self.store.now_ms();
        let file = self.file(reading.index)?;
        *file = reading.file;
        file.stage = if file.source == Source::Twin { Stage::Done } else { Stage::Verified };
        file.verifying = None;
        file.archived_at = Some(now);
        self.held.record.published = false;
        self.save(None, &[]).await
    }
}

/// Pages that are read in one piece: runs of at most [`READ_BYTES`].
fn reads(pages: &[Page]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut begin = 0;
    for (at, page) in pages.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if page.end() - begin <= READ_BYTES => run.end = at + 1,
            _ => {
                begin = page.offset;
                runs.push(at..at + 1);
            }
        }
    }
    runs
}

fn not_whole(file: ArchiveName, detail: String) -> RunError {
    RunError::NotWhole { file, detail }
}
