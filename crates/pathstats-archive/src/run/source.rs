//! Where a file's events come from.

use std::collections::HashSet;

use pathstats_model::{EventId, TrafficEvent};

use super::{Context, Result, Run, RunError};
use crate::name::ArchiveName;
use crate::page::{Page, MAX_PAGE_EVENTS, PAGE_BYTES};
use crate::record::Writing;
use crate::store::Store;

/// Events for a page.
pub(super) struct Portion {
    pub events: Vec<TrafficEvent>,
    pub is_last: bool,
}

impl<S: Store> Run<'_, S> {
    /// The next events of the day that no earlier file holds. Those that one holds came again after
    /// they were deleted, and are deleted again.
    pub(super) async fn next_stored(&mut self, file: ArchiveName, state: &mut Writing) -> Result<Portion> {
        self.spend(1);
        let limit = self.page_rows;
        let batch = self
            .store
            .events(file.date, state.cursor, limit)
            .await
            .context("the raw events cannot be read")?;
        let (mut events, mut is_last) = (batch.events, batch.is_last);
        let whole = fitting(&events);
        // Rows beyond the page would be read again with the next one.
        self.page_rows = MAX_PAGE_EVENTS.min(whole + whole / 32 + 16);
        if whole < events.len() {
            events.truncate(whole);
            is_last = false;
        }
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(Portion { events, is_last });
        };
        let (first, last) = (first.id, last.id);
        state.cursor = Some(last);
        let archived = self.archived(file, first, last, &events).await?;
        if !archived.is_empty() {
            events.retain(|event| !archived.contains(&event.id));
            let again: Vec<EventId> = archived.into_iter().collect();
            self.spend(1);
            self.store.delete_ids(&again).await.context("repeated events cannot be deleted")?;
        }
        Ok(Portion { events, is_last })
    }

    /// The next events of the file's twin.
    pub(super) async fn next_of_twin(&mut self, file: ArchiveName, state: &mut Writing) -> Result<Portion> {
        let twin = self
            .held
            .record
            .originals()
            .find(|original| original.path.supplement == file.supplement && original.is_whole())
            .ok_or_else(|| RunError::Record(format!("{file} is to be made of a file that is not there")))?;
        let (path, pages) = (twin.path, twin.pages);
        self.spend(1);
        let page = self.store.pages(path, state.twin_pages, 1).await.context("the pages cannot be read")?;
        let Some(page) = page.into_iter().next() else {
            return Err(RunError::Record(format!("page {} of {path} is missing", state.twin_pages)));
        };
        state.twin_pages += 1;
        state.cursor = Some(page.last_id);
        let events = self.page_events(path, &page).await?;
        Ok(Portion { events, is_last: state.twin_pages >= pages })
    }

    /// Reads a page back from the bucket.
    pub(super) async fn page_events(&mut self, file: ArchiveName, page: &Page) -> Result<Vec<TrafficEvent>> {
        self.spend(1);
        let bytes =
            self.store.read(file, page.offset, page.length).await.context("the archive cannot be read")?;
        decode(file, page, &bytes)
    }

    /// Which of these events another whole file of the day holds.
    async fn archived(
        &mut self,
        file: ArchiveName,
        first: EventId,
        last: EventId,
        events: &[TrafficEvent],
    ) -> Result<HashSet<EventId>> {
        let others: Vec<ArchiveName> = self
            .held
            .record
            .originals()
            .filter(|original| original.path != file && original.is_whole())
            .map(|original| original.path)
            .collect();
        let mut found = HashSet::new();
        for other in others {
            self.spend(1);
            let pages =
                self.store.pages_within(other, first, last).await.context("the pages cannot be read")?;
            for page in pages {
                let from = events.partition_point(|event| event.id < page.first_id);
                let wanted: HashSet<EventId> = events
                    .iter()
                    .skip(from)
                    .map(|event| event.id)
                    .take_while(|id| *id <= page.last_id)
                    .collect();
                if wanted.is_empty() {
                    continue;
                }
                let held = self.page_events(other, &page).await?;
                found.extend(held.into_iter().map(|event| event.id).filter(|id| wanted.contains(id)));
            }
        }
        Ok(found)
    }
}

/// A page's events, by id.
pub(super) fn decode(file: ArchiveName, page: &Page, bytes: &[u8]) -> Result<Vec<TrafficEvent>> {
    page.decode(file.format, bytes).map_err(|error| RunError::Page { file, error })
}

/// How many of these events make a page: as many as have [`PAGE_BYTES`] of JSON lines, and at least
/// one.
fn fitting(events: &[TrafficEvent]) -> usize {
    // All names, and the fields of bounded length.
    const FIXED: usize = 260;
    let mut bytes = 0;
    let beyond = events.iter().position(|event| {
        let agent = event.user_agent.as_deref().unwrap_or_default();
        bytes += FIXED + escaped(&event.path) + escaped(agent);
        bytes > PAGE_BYTES
    });
    beyond.map_or(events.len(), |at| at.max(1))
}

/// Length of a text within JSON, in bytes.
fn escaped(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            0..=0x1f => 6,
            b'"' | b'\\' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

    #[test]
    fn a_page_is_bounded_by_its_lines() {
        let mut wide = event(1);
        wide.path = format!("/{}", "\"".repeat(511));
        wide.user_agent = Some("\u{1}".repeat(512));
        let line = serde_json::to_string(&wide).unwrap().len();
        let events = vec![wide; 1_000];
        let page = fitting(&events);
        assert!(page * line <= PAGE_BYTES && (page + 10) * line > PAGE_BYTES, "{page} lines of {line}");
        assert_eq!(fitting(&events[..1]), 1);
        assert_eq!(fitting(&[]), 0);
        let usual: Vec<_> = (0..4_000).map(event).collect();
        assert_eq!(fitting(&usual), 4_000);
    }
}
