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
        // Pages that an earlier run may have deleted already. Since then as many other events may
        // have come into their range as the page holds, so counting would not tell them apart.
        let attempted = file.attempted_pages;
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
            // Dying from here on: the next run deletes these by their ids.
            self.file(index)?.attempted_pages = attempted.max(cleaned + limit);
            self.save(None, &[]).await?;
            for page in &pages {
                if let Err(error) = self.clean_page(index, page, page.number < attempted).await {
                    // How far it came is part of the record; refused as well, the record says that
                    // all of these were attempted.
                    self.file(index)?.attempted_pages = attempted.max(cleaned + 1);
                    let _ = self.save(None, &[]).await;
                    return Err(error);
                }
                self.held.record.deleted += u64::from(page.records);
                cleaned += 1;
                self.file(index)?.cleaned_pages = cleaned;
                if self.is_spent() {
                    self.file(index)?.attempted_pages = attempted.max(cleaned);
                    return self.save(None, &[]).await;
                }
            }
        }
        self.file(index)?.stage = Stage::Done;
        self.save(None, &[]).await
    }

    /// Deletes a page's events. Where nothing of it can have been deleted before, its range holds as
    /// many rows as the page exactly when it holds those rows and no other.
    async fn clean_page(&mut self, index: usize, page: &Page, attempted: bool) -> Result<()> {
        let path = self.file(index)?.path;
        if !attempted {
            self.spend(2);
            let range = (page.first_id, page.last_id);
            let deleted = self
                .store
                .delete_range(path.date, self.owner, range.0, range.1, page.records)
                .await
                .context("archived events cannot be deleted")?;
            if deleted == Deleted::Exactly {
                return Ok(());
            }
        }
        // Other events came into the range, or some are deleted already: each by its id.
        let events = self.page_events(path, page).await?;
        let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        self.spend(1);
        self.store.delete_ids(&ids).await.context("archived events cannot be deleted")?;
        Ok(())
    }
}
