//! The pages of one file, one after another.

use std::collections::VecDeque;

use pathstats_model::{EventId, TrafficEvent};

use super::{Calls, Context, Library, ReadError, Result};
use crate::name::ArchiveName;
use crate::page::Page;
use crate::record::FileRecord;

/// Entries of the index that are read at once. A row group's metadata is in its entry: 2 KB.
pub(super) const INDEX_PAGES: u32 = 32;

/// Goes through a file.
#[derive(Debug)]
pub(super) struct Pages {
    file: ArchiveName,
    /// Pages of the file.
    count: u32,
    /// The first page that is not in `index`.
    next: u32,
    /// Entries of the index that were read and not passed.
    index: VecDeque<Page>,
    /// The last id of the entry before `next`, when that was read.
    last_id: Option<EventId>,
}

impl Pages {
    /// Begins at the first page.
    pub fn of(file: &FileRecord) -> Self {
        Self { file: file.path, count: file.pages, next: 0, index: VecDeque::new(), last_id: None }
    }

    /// Leaves out pages that hold nothing after `done`, by bisection: to within one look-up of the first
    /// that does. Before anything is looked up.
    pub async fn seek<L: Library>(&mut self, library: &L, calls: &mut Calls, done: EventId) -> Result<()> {
        let (mut low, mut high) = (self.next, self.count);
        while high - low > INDEX_PAGES {
            let middle = low + (high - low) / 2;
            calls.spend()?;
            let page = library.pages(self.file, middle, 1).await;
            let page = page.context("the index of the pages cannot be read")?.into_iter().next();
            match page.filter(|page| page.number == middle) {
                Some(page) if page.last_id <= done => low = middle + 1,
                Some(_) => high = middle,
                None => return Err(self.wrong(format!("page {middle} of {} is missing", self.count))),
            }
        }
        self.next = low;
        Ok(())
    }

    /// The file.
    pub const fn file(&self) -> ArchiveName {
        self.file
    }

    /// Looks the next page up, unless that is done, or there is none.
    pub async fn look_up<L: Library>(&mut self, library: &L, calls: &mut Calls) -> Result<()> {
        if !self.index.is_empty() || self.next >= self.count {
            return Ok(());
        }
        calls.spend()?;
        let limit = INDEX_PAGES.min(self.count - self.next);
        let pages = library.pages(self.file, self.next, limit).await;
        for page in pages.context("the index of the pages cannot be read")? {
            // A merge relies on it, and a reader of ranges too.
            let follows = self.last_id.is_none_or(|last| last < page.first_id);
            if page.number != self.next || !follows || page.first_id > page.last_id {
                return Err(self.wrong(format!("page {} does not follow the one before it", page.number)));
            }
            self.next += 1;
            self.last_id = Some(page.last_id);
            self.index.push_back(page);
        }
        if self.index.is_empty() {
            return Err(self.wrong(format!("page {} of {} is missing", self.next, self.count)));
        }
        Ok(())
    }

    /// The next page, when it was looked up.
    pub fn front(&self) -> Option<&Page> {
        self.index.front()
    }

    /// Goes on to the page after.
    pub fn pass(&mut self) {
        self.index.pop_front();
    }

    /// The next page's events, by id. The page stays the next one.
    pub async fn read<L: Library>(&self, library: &L, calls: &mut Calls) -> Result<Vec<TrafficEvent>> {
        let Some(page) = self.index.front() else { return Ok(Vec::new()) };
        calls.spend()?;
        let bytes = library.read(self.file, page.offset, page.length).await;
        let events = self.decode(page, &bytes.context("the archive cannot be read")?)?;
        let ends = (events.first().map(|event| event.id), events.last().map(|event| event.id));
        let ordered = events.is_sorted_by(|a, b| a.id < b.id);
        if !ordered || ends != (Some(page.first_id), Some(page.last_id)) {
            return Err(self.wrong(format!("page {} holds other events than the index says", page.number)));
        }
        Ok(events)
    }

    fn decode(&self, page: &Page, bytes: &[u8]) -> Result<Vec<TrafficEvent>> {
        page.decode(self.file.format, bytes).map_err(|error| ReadError::Page { file: self.file, error })
    }

    fn wrong(&self, detail: String) -> ReadError {
        ReadError::Index { file: self.file, detail }
    }
}
