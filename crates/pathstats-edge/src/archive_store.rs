//! The database, the bucket and KV behind an archive run.

use pathstats_archive::name::ArchiveName;
use pathstats_archive::page::Page;
use pathstats_archive::record::DayRecord;
use pathstats_archive::store::{Batch, Deleted, Lease, Store, Usage};
use pathstats_archive::tally::HourlyRow;
use pathstats_model::cost::Operation;
use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, HourBucket, PathHourStats};
use worker::kv::KvStore;
use worker::{Bucket, Conditional, Data, Error, Range, Result, UploadedPart};

use crate::archive_rows::ArchiveRows;
use crate::clock::now_ms;
use crate::usage::count;

/// How long the metadata of a day stays in KV, in seconds: a year.
const METADATA_TTL_SECONDS: u64 = 365 * 86_400;

/// KV key of a day's metadata.
#[must_use]
pub fn metadata_key(date: EventDate) -> String {
    format!("archive:metadata:{date}")
}

/// What a store answered, in one line: the platform's errors come with a stack of JavaScript.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

type Answer<T> = core::result::Result<T, Refusal>;

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let message = text.split_once("Error: ").map_or(text.as_str(), |(_, message)| message);
        Self(message.lines().next().unwrap_or_default().trim_end_matches([')', ',']).to_owned())
    }
}

/// Where an archive run reads and writes.
#[derive(Debug)]
pub struct ArchiveStore {
    rows: ArchiveRows,
    bucket: Bucket,
    kv: KvStore,
}

impl ArchiveStore {
    /// The store over these bindings.
    #[must_use]
    pub const fn new(rows: ArchiveRows, bucket: Bucket, kv: KvStore) -> Self {
        Self { rows, bucket, kv }
    }

    /// The tables.
    #[must_use]
    pub const fn rows(&self) -> &ArchiveRows {
        &self.rows
    }

    async fn write_metadata(&self, record: &DayRecord) -> Result<()> {
        let text = serde_json::to_string(record)?;
        count(Operation::KvWrites, 1);
        let put = self.kv.put(&metadata_key(record.date), text)?;
        put.expiration_ttl(METADATA_TTL_SECONDS).execute().await?;
        Ok(())
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> &Bucket {
        &self.bucket
    }
}

impl Store for ArchiveStore {
    type Error = Refusal;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn usage(&self) -> Usage {
        #[cfg(target_arch = "wasm32")]
        // Linear memory grows and never shrinks: its size is its peak.
        let peak_memory_bytes = Some(core::arch::wasm32::memory_size::<0>() as u64 * 65_536);
        #[cfg(not(target_arch = "wasm32"))]
        let peak_memory_bytes = None;
        Usage { peak_memory_bytes, ..self.rows.usage() }
    }

    async fn lease(&self, date: EventDate, owner: &str, until_ms: i64) -> Answer<Lease> {
        Ok(self.rows.lease(date, owner, until_ms, now_ms()).await?)
    }

    async fn save(
        &self,
        owner: &str,
        until_ms: i64,
        record: &DayRecord,
        carry: &[u8],
        pages: (ArchiveName, &[Page]),
    ) -> Answer<bool> {
        Ok(self.rows.save(owner, until_ms, record, carry, pages).await?)
    }

    async fn release(&self, date: EventDate, owner: &str) -> Answer<()> {
        Ok(self.rows.release(date, owner).await?)
    }

    async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Answer<Batch> {
        Ok(self.rows.events(date, after, limit).await?)
    }

    async fn has_events(&self, date: EventDate) -> Answer<bool> {
        Ok(self.rows.has_events(date).await?)
    }

    async fn delete_range(
        &self,
        date: EventDate,
        owner: &str,
        first: EventId,
        last: EventId,
        records: u32,
    ) -> Answer<Deleted> {
        Ok(self.rows.delete_range(date, owner, first, last, records).await?)
    }

    async fn delete_ids(&self, ids: &[EventId]) -> Answer<u64> {
        Ok(self.rows.delete_ids(ids).await?)
    }

    async fn hourly(&self, hour: HourBucket) -> Answer<Vec<HourlyRow>> {
        Ok(self.rows.hourly(hour).await?)
    }

    async fn rewrite_hour(&self, hour: HourBucket, statistics: &[(String, PathHourStats)]) -> Answer<()> {
        Ok(self.rows.rewrite_hour(hour, statistics, now_ms()).await?)
    }

    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Answer<Vec<Page>> {
        Ok(self.rows.pages(file, from, limit).await?)
    }

    async fn pages_within(&self, file: ArchiveName, first: EventId, last: EventId) -> Answer<Vec<Page>> {
        Ok(self.rows.pages_within(file, first, last).await?)
    }

    async fn length(&self, file: ArchiveName) -> Answer<Option<u64>> {
        count(Operation::R2ClassB, 1);
        Ok(self.bucket.head(file.to_string()).await?.map(|object| object.size()))
    }

    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Answer<Vec<u8>> {
        let name = file.to_string();
        let range = Range::OffsetWithLength { offset, length };
        let missing = || Refusal(format!("{name} is not in the bucket"));
        count(Operation::R2ClassB, 1);
        let object = self.bucket.get(&name).range(range).execute().await?.ok_or_else(missing)?;
        let bytes = object.body().ok_or_else(missing)?.bytes().await?;
        if bytes.len() as u64 != length {
            let found = bytes.len();
            return Err(Refusal(format!("{name} gave {found} of {length} bytes from {offset}")));
        }
        Ok(bytes)
    }

    async fn put_new(&self, file: ArchiveName, bytes: Vec<u8>) -> Answer<bool> {
        let absent = Conditional { etag_does_not_match: Some("*".to_owned()), ..Conditional::default() };
        count(Operation::R2ClassA, 1);
        let put = self.bucket.put(file.to_string(), Data::Bytes(bytes)).only_if(absent);
        Ok(put.execute().await?.is_some())
    }

    async fn begin_upload(&self, file: ArchiveName) -> Answer<String> {
        count(Operation::R2ClassA, 1);
        let upload = self.bucket.create_multipart_upload(file.to_string()).execute().await?;
        Ok(upload.upload_id().await)
    }

    async fn upload_part(
        &self,
        file: ArchiveName,
        upload: &str,
        number: u32,
        bytes: Vec<u8>,
    ) -> Answer<String> {
        let upload = self.bucket.resume_multipart_upload(file.to_string(), upload)?;
        count(Operation::R2ClassA, 1);
        let part = upload.upload_part(part_number(number)?, Data::Bytes(bytes)).await?;
        Ok(part.etag())
    }

    async fn complete_upload(&self, file: ArchiveName, upload: &str, etags: &[String]) -> Answer<()> {
        let upload = self.bucket.resume_multipart_upload(file.to_string(), upload)?;
        let parts = (1..)
            .zip(etags)
            .map(|(number, etag)| part_number(number).map(|number| UploadedPart::new(number, etag.clone())));
        count(Operation::R2ClassA, 1);
        upload.complete(parts.collect::<Result<Vec<_>>>()?).await?;
        Ok(())
    }

    async fn abort_upload(&self, file: ArchiveName, upload: &str) -> Answer<()> {
        let upload = self.bucket.resume_multipart_upload(file.to_string(), upload)?;
        match upload.abort().await {
            Err(error) if error.to_string().contains("does not exist") => Ok(()),
            aborted => Ok(aborted?),
        }
    }

    async fn publish(&self, record: &DayRecord) -> Answer<()> {
        Ok(self.write_metadata(record).await?)
    }
}

fn part_number(number: u32) -> Result<u16> {
    // R2 takes 10,000 parts.
    u16::try_from(number)
        .map_err(|_| Error::RustError(format!("part {number}: an upload has 10,000 at most")))
}
