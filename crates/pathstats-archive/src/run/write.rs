//! Writing a file: pages, parts, and what is saved between them.

use super::{Context, Result, Run, RunError};
use crate::hash::RunningHash;
use crate::name::{ArchiveName, Format};
use crate::page::{Encoded, Page, PageError, PAGE_BYTES};
use crate::record::{FileRecord, Source, Stage, Upload, Verifying, Writing};
use crate::store::Store;
use crate::{jsonl, parquet};

/// Runs that fail at a file before it is begun anew: its upload may be gone or spoilt.
const MAX_FAILURES: u32 = 3;
/// Most bytes that wait beside the record: a row of D1 has 2 MB at most.
pub const MAX_CARRY: usize = 1_900_000;
/// Pages whose metadata is read at once for a footer.
const PAGES_AT_ONCE: u32 = 64;

/// A file under way: what of it is not saved yet.
struct Draft {
    name: ArchiveName,
    file: FileRecord,
    state: Writing,
    hash: RunningHash,
    /// Bytes that are in no part yet.
    buffer: Vec<u8>,
    /// Pages that are in no saved record yet.
    pages: Vec<Page>,
}

impl Draft {
    fn append(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.buffer.extend_from_slice(bytes);
        self.file.bytes += bytes.len() as u64;
    }
}

impl<S: Store> Run<'_, S> {
    /// Writes a file, from the last saved record on.
    pub(super) async fn write(&mut self, index: usize) -> Result<()> {
        let Some(mut draft) = self.take_up(index).await? else { return self.settle(index).await };
        if draft.file.bytes == 0 && draft.name.format == Format::Parquet {
            draft.append(parquet::header());
        }
        loop {
            let portion = match draft.file.source {
                Source::Database => self.next_stored(draft.name, &mut draft.state).await?,
                Source::Twin => self.next_of_twin(draft.name, &mut draft.state).await?,
            };
            if !portion.events.is_empty() {
                let encoded = encode(draft.name, &portion.events)?;
                let page = Page::describe(draft.file.pages, draft.file.bytes, &portion.events, &encoded);
                let Some(page) = page else { continue };
                draft.append(&encoded.bytes);
                draft.file.pages += 1;
                draft.file.records += u64::from(page.records);
                draft.file.first_id = draft.file.first_id.or(Some(page.first_id));
                draft.file.last_id = Some(page.last_id);
                draft.pages.push(page);
            }
            if self.upload_parts(index, &mut draft).await? {
                self.checkpoint(index, &mut draft).await?;
            }
            if portion.is_last {
                return self.finish(index, draft).await;
            }
            if self.is_spent() && draft.buffer.len() <= MAX_CARRY {
                return self.checkpoint(index, &mut draft).await;
            }
        }
    }

    /// The file as the record has it; none when all its bytes are known. One that failed too often
    /// is begun anew.
    async fn take_up(&mut self, index: usize) -> Result<Option<Draft>> {
        let carry = core::mem::take(&mut self.held.carry);
        let mut buffer = self.room();
        buffer.extend_from_slice(&carry);
        self.held.carry = carry;
        let file = self.file(index)?;
        let (name, source) = (file.path, file.source);
        let mut state = file.writing.clone().unwrap_or_default();
        if state.failures >= MAX_FAILURES {
            let upload = state.upload.take();
            if let Some(upload) = upload {
                self.spend(1);
                self.store.abort_upload(name, &upload.id).await.context("an upload cannot be aborted")?;
            }
            *self.file(index)? = FileRecord::new(name, source);
            self.held.carry.clear();
            self.save(None, &[]).await?;
            state = Writing::default();
        }
        if state.complete {
            return Ok(None);
        }
        let hash = RunningHash::resume(&state.hash).map_err(|_| RunError::Record("no hash".to_owned()))?;
        let fresh = state.hash.is_empty();
        let file = self.file(index)?.clone();
        if fresh {
            buffer.clear();
        }
        Ok(Some(Draft { name, file, state, hash, buffer, pages: Vec::new() }))
    }

    /// Room for a part and the page that fills it: a buffer that grew by doubling would take twice
    /// as much.
    fn room(&self) -> Vec<u8> {
        Vec::with_capacity(usize::try_from(self.settings.part_bytes).unwrap_or(0) + PAGE_BYTES)
    }

    /// Uploads all whole parts. Whether there was one.
    async fn upload_parts(&mut self, index: usize, draft: &mut Draft) -> Result<bool> {
        // An upload goes on with parts of one length, whatever is configured meanwhile.
        let begun = draft.state.upload.as_ref().map(|upload| upload.part_bytes);
        let length = usize::try_from(begun.unwrap_or(self.settings.part_bytes)).unwrap_or(usize::MAX);
        let mut any = false;
        // Longer, not as long: the last part is never empty, and one part's worth is one piece.
        while draft.buffer.len() > length {
            if draft.state.upload.is_none() {
                draft.state.upload = Some(self.begin_upload(index, draft.name).await?);
            }
            // The part leaves whole, so that memory never holds it twice.
            let rest = draft.buffer.split_off(length);
            let bytes = core::mem::take(&mut draft.buffer);
            Self::upload_part(self.store, draft.name, &mut draft.state, bytes).await?;
            self.spend(1);
            draft.buffer = self.room();
            draft.buffer.extend_from_slice(&rest);
            any = true;
        }
        Ok(any)
    }

    /// Begins an upload and saves its name at once, beside what was saved last. Dying between the
    /// two leaves an upload that nobody knows; the bucket drops it after seven days.
    async fn begin_upload(&mut self, index: usize, name: ArchiveName) -> Result<Upload> {
        self.spend(1);
        let id = self.store.begin_upload(name).await.context("an upload cannot be begun")?;
        let upload = Upload { id, part_bytes: self.settings.part_bytes, etags: Vec::new() };
        let file = self.file(index)?;
        file.writing.get_or_insert_with(Writing::default).upload = Some(upload.clone());
        self.save(None, &[]).await?;
        Ok(upload)
    }

    /// Uploads one part. Again: it takes the place of the one before, and its tag too.
    async fn upload_part(store: &S, name: ArchiveName, state: &mut Writing, bytes: Vec<u8>) -> Result<()> {
        let Some(upload) = &mut state.upload else { return Err(RunError::Record("no upload".to_owned())) };
        let number = u32::try_from(upload.etags.len() + 1).unwrap_or(u32::MAX);
        let etag =
            store.upload_part(name, &upload.id, number, bytes).await.context("a part cannot be uploaded")?;
        upload.etags.push(etag);
        Ok(())
    }

    /// Saves how far the file is. Dying before: the same parts are uploaded again.
    async fn checkpoint(&mut self, index: usize, draft: &mut Draft) -> Result<()> {
        draft.state.hash = draft.hash.state();
        draft.state.failures = 0;
        draft.file.writing = Some(draft.state.clone());
        *self.file(index)? = draft.file.clone();
        self.held.carry.clone_from(&draft.buffer);
        let pages = core::mem::take(&mut draft.pages);
        self.save(Some(draft.name), &pages).await
    }

    /// Writes the end of a file and makes it one.
    async fn finish(&mut self, index: usize, mut draft: Draft) -> Result<()> {
        if draft.file.records == 0 {
            // All that the database held was in earlier files already.
            self.held.record.files.remove(index);
            return self.save(None, &[]).await;
        }
        if draft.name.format == Format::Parquet {
            let footer = self.footer(&draft).await?;
            draft.append(&footer);
            self.upload_parts(index, &mut draft).await?;
        }
        let mut rest = core::mem::take(&mut draft.buffer);
        if draft.state.upload.is_some() {
            let last = core::mem::take(&mut rest);
            Self::upload_part(self.store, draft.name, &mut draft.state, last).await?;
            self.spend(1);
        }
        // From here on the record describes all of the file. Dying before: the last part again.
        draft.state.complete = true;
        draft.file.sha256 = Some(core::mem::take(&mut draft.hash).finish());
        draft.file.writing = Some(draft.state.clone());
        *self.file(index)? = draft.file.clone();
        self.held.carry.clear();
        self.save(Some(draft.name), &draft.pages).await?;
        if draft.state.upload.is_none() {
            // Dying before: the file is not there, and is begun anew. After: it is there.
            self.spend(1);
            let put = self.store.put_new(draft.name, rest).await.context("the file cannot be written")?;
            if !put && self.length(draft.name).await? != Some(draft.file.bytes) {
                return Err(RunError::Conflict(draft.name));
            }
            return self.written(index).await;
        }
        self.settle(index).await
    }

    /// Takes a file of which all bytes are known to its end.
    async fn settle(&mut self, index: usize) -> Result<()> {
        let file = self.file(index)?.clone();
        let upload = file.writing.as_ref().and_then(|writing| writing.upload.as_ref());
        match (self.length(file.path).await?, upload) {
            (Some(length), _) if length == file.bytes => self.written(index).await,
            (Some(_), _) => Err(RunError::Conflict(file.path)),
            (None, Some(upload)) => {
                // Again, after it worked: the file is there, which was asked first.
                self.spend(1);
                let completed = self.store.complete_upload(file.path, &upload.id, &upload.etags).await;
                completed.context("the upload cannot be completed")?;
                self.written(index).await
            }
            (None, None) => {
                // The one piece never arrived. What the database holds may have grown since.
                *self.file(index)? = FileRecord::new(file.path, file.source);
                self.save(None, &[]).await
            }
        }
    }

    async fn written(&mut self, index: usize) -> Result<()> {
        let file = self.file(index)?;
        file.stage = Stage::Verifying;
        file.writing = None;
        file.verifying = Some(Verifying::default());
        self.save(None, &[]).await
    }

    pub(super) async fn length(&mut self, name: ArchiveName) -> Result<Option<u64>> {
        self.spend(1);
        self.store.length(name).await.context("the bucket cannot be asked")
    }

    /// The end of a Parquet file, from the metadata of all its pages.
    async fn footer(&mut self, draft: &Draft) -> Result<Vec<u8>> {
        let saved = draft.file.pages - u32::try_from(draft.pages.len()).unwrap_or(0);
        let mut pages = Vec::new();
        while (pages.len() as u64) < u64::from(saved) {
            let from = u32::try_from(pages.len()).unwrap_or(u32::MAX);
            let limit = PAGES_AT_ONCE.min(saved - from);
            self.spend(1);
            let some = self.store.pages(draft.name, from, limit).await.context("the pages cannot be read")?;
            if some.is_empty() {
                return Err(RunError::Record(format!("page {from} of {} is missing", draft.name)));
            }
            pages.extend(some);
        }
        let groups = pages.iter().chain(&draft.pages).map(|page| (page.offset, page.metadata.as_slice()));
        parquet::footer(groups).map_err(|error| RunError::Page { file: draft.name, error })
    }
}

fn encode(file: ArchiveName, events: &[pathstats_model::TrafficEvent]) -> Result<Encoded> {
    let encoded: core::result::Result<Encoded, PageError> = match file.format {
        Format::Jsonl => jsonl::encode(events),
        Format::Parquet => parquet::encode(events),
    };
    encoded.map_err(|error| RunError::Page { file, error })
}
