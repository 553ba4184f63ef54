//! The I/O of an archive run, behind a trait, so that every failure is tried natively.

use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, HourBucket, PathHourStats, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::name::ArchiveName;
use crate::page::Page;
use crate::record::DayRecord;
use crate::tally::HourlyRow;

/// A day that this run holds, and what it goes on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The record as it was last saved, or a new one.
    pub record: DayRecord,
    /// Bytes of the file under way that are not in the bucket yet, as of the record.
    pub carry: Vec<u8>,
}

/// The answer to a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Lease {
    /// The day is this run's until the time it asked for.
    Granted(Box<Held>),
    /// Another run holds it until then, in milliseconds.
    Busy(i64),
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Rows that the database read.
    pub rows_read: u64,
    /// Rows that it wrote, deleted ones among them.
    pub rows_written: u64,
    /// Most memory that the instance had, in bytes, where it can be told.
    pub peak_memory_bytes: Option<u64>,
}

/// Raw events that follow each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The events, by id.
    pub events: Vec<TrafficEvent>,
    /// Whether the day holds none after them.
    pub is_last: bool,
}

/// What came of a delete by range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The range held exactly as many rows as expected, and they are gone.
    Exactly,
    /// It held another number, or the day is not the owner's, and nothing was deleted.
    Nothing,
}

/// The database, the bucket and the clock. Each call may be repeated with the same arguments at any
/// time, and may have worked although it failed.
#[allow(async_fn_in_trait)]
pub trait Store {
    /// What went wrong.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// What was used since this store was made.
    fn usage(&self) -> Usage;

    /// Takes the day for `owner` until `until_ms`, unless another run holds it.
    async fn lease(&self, date: EventDate, owner: &str, until_ms: i64) -> Result<Lease, Self::Error>;

    /// Writes the record, new pages of one file and what waits beside, in one transaction, and holds
    /// the day until `until_ms`. `false`, and nothing is written, when `owner` does not hold it.
    async fn save(
        &self,
        owner: &str,
        until_ms: i64,
        record: &DayRecord,
        carry: &[u8],
        pages: (ArchiveName, &[Page]),
    ) -> Result<bool, Self::Error>;

    /// Gives the day back, when `owner` holds it.
    async fn release(&self, date: EventDate, owner: &str) -> Result<(), Self::Error>;

    /// Raw events of the day after this id, by id, at most `limit`.
    async fn events(
        &self,
        date: EventDate,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Batch, Self::Error>;

    /// Whether the database holds a raw event of the day.
    async fn has_events(&self, date: EventDate) -> Result<bool, Self::Error>;

    /// Deletes all raw events from `first` to `last`, both of the day `date`, if there are exactly
    /// `records`, and `owner` holds the day.
    async fn delete_range(
        &self,
        date: EventDate,
        owner: &str,
        first: EventId,
        last: EventId,
        records: u32,
    ) -> Result<Deleted, Self::Error>;

    /// Deletes these raw events, and tells how many there were.
    async fn delete_ids(&self, ids: &[EventId]) -> Result<u64, Self::Error>;

    /// The hourly statistics of an hour, without sketches, by path.
    async fn hourly(&self, hour: HourBucket) -> Result<Vec<HourlyRow>, Self::Error>;

    /// Writes these statistics over the hourly rows of their paths, without touching a revision: the
    /// object of a path and hour, while it lives, stays the one that counts. A row that is not there
    /// is written, sealed when no object can be there either. The row of a path of which
    /// nothing was counted is deleted.
    async fn rewrite_hour(
        &self,
        hour: HourBucket,
        statistics: &[(String, PathHourStats)],
    ) -> Result<(), Self::Error>;

    /// Pages of a file from this number on, in order, at most `limit`.
    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>, Self::Error>;

    /// Pages of a file that may hold an id of the range, in order.
    async fn pages_within(
        &self,
        file: ArchiveName,
        first: EventId,
        last: EventId,
    ) -> Result<Vec<Page>, Self::Error>;

    /// Length of a file in the bucket, or none.
    async fn length(&self, file: ArchiveName) -> Result<Option<u64>, Self::Error>;

    /// Bytes of a file from the bucket. Fewer than asked for is an error.
    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Result<Vec<u8>, Self::Error>;

    /// Writes a file in one piece. `false`, and nothing is written, when one of that name is there.
    async fn put_new(&self, file: ArchiveName, bytes: Vec<u8>) -> Result<bool, Self::Error>;

    /// Begins a multipart upload.
    async fn begin_upload(&self, file: ArchiveName) -> Result<String, Self::Error>;

    /// Uploads a part, numbered from 1, and gives its tag.
    async fn upload_part(
        &self,
        file: ArchiveName,
        upload: &str,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<String, Self::Error>;

    /// Makes the parts a file.
    async fn complete_upload(
        &self,
        file: ArchiveName,
        upload: &str,
        etags: &[String],
    ) -> Result<(), Self::Error>;

    /// Drops an upload. One that is not there is no error.
    async fn abort_upload(&self, file: ArchiveName, upload: &str) -> Result<(), Self::Error>;

    /// Writes the day's metadata where readers of the archive look.
    async fn publish(&self, record: &DayRecord) -> Result<(), Self::Error>;
}
