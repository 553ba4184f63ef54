//! Deleting from the database exactly what a verified file holds.

use pathstats_model::EventId;

use super::{Context, Result, Run, RunError};
use crate::page::Page;
use crate::record::Stage;
use crate::store::{Deleted, Store};

/// Pages between two records. A page that is deleted again is none: it costs a look.
const PAGES_AT_ONCE: u32 = 32;

impl<S: Store> Run<'_, S> {
    /// Deletes a file's events, page by page, from the last saved record on.
    pub(super) async fn clean(&mut self, index: usize) -> Result<()> {
        let file = self.file(index)?.clone();
        // Verified some time ago, perhaps: what is gone from the bucket stays in the database.
        if self.length(file.path).await? != Some(file.bytes) {
            let detail = "it is not in the bucket as it was verified, so its events stay in the database";
            return Err(RunError::NotWhole { file: file.path, detail: detail.to_owned() });
        }
        let mut cleaned = file.cleaned_pages;
        while cleaned < file.pages {
            if self.is_spent() {
                return Ok(());
            }
            self.spend(1);
            let limit = PAGES_AT_ONCE.min(file.pages - cleaned);
            let pages =
                self.store.pages(file.path, cleaned, limit).await.context("the pages cannot be read")?;
            if pages.is_empty() {
                return Err(RunError::Record(format!("page {cleaned} of {} is missing", file.path)));
            }
            for page in &pages {
                if let Err(error) = self.clean_page(index, page).await {
                    // How far it came is part of the record; refused as well, the pages are found
                    // empty by the next run.
                    let _ = self.save(None, &[]).await;
                    return Err(error);
                }
                self.held.record.deleted += u64::from(page.records);
                cleaned += 1;
                self.file(index)?.cleaned_pages = cleaned;
                if self.is_spent() {
                    break;
                }
            }
            self.save(None, &[]).await?;
        }
        self.file(index)?.stage = Stage::Done;
        self.save(None, &[]).await
    }

    /// Deletes a page's events. Dying after: the next run finds none of them, and goes on.
    async fn clean_page(&mut self, index: usize, page: &Page) -> Result<()> {
        self.spend(1);
        let deleted = self.store.delete_range(page.first_id, page.last_id, page.records).await;
        match deleted.context("archived events cannot be deleted")? {
            Deleted::Exactly => Ok(()),
            Deleted::Nothing => {
                // Other events came into the range, or some are deleted already: each by its id.
                let path = self.file(index)?.path;
                let events = self.page_events(path, page).await?;
                let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
                self.spend(1);
                self.store.delete_ids(&ids).await.context("archived events cannot be deleted")?;
                Ok(())
            }
        }
    }
}
