//! Reading what was recorded, page by page: events of one day by query and of a range of time, both from
//! the database and the archive together, and one file as it is.
//!
//! An answer is made chunk by chunk, in the memory of some pages, however long it gets. What fails on
//! the way is an error and never an end: an answer that was cut short must not look whole.

mod cursor;
mod day;
mod export;
mod lines;
mod pages;
mod parameters;
mod query;
mod range;

use pathstats_model::hour::EventDate;
use pathstats_model::EventId;

use crate::name::ArchiveName;
use crate::page::{Page, PageError};
use crate::record::DayRecord;
use crate::store::Batch;

pub use cursor::Cursor;
pub use export::{check_size, Export, EXPORT_CALLS};
pub use lines::{Form, Lines};
pub use parameters::{
    DownloadParameters, ExportParameters, QueryParameters, MAX_EXPORT_DAYS, MAX_QUERY_LIMIT,
};
pub use query::{Filter, Query, StatusFilter, QUERY_CALLS, QUERY_MS};
pub use range::ByteRange;

/// Bytes of a chunk, about: enough that handing it on costs little.
const CHUNK_BYTES: usize = 128 * 1024;

/// The database and the bucket, as readers need them: nothing can be changed through it.
#[allow(async_fn_in_trait)]
pub trait Library {
    /// What went wrong.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// The record of a day's archive, if one was begun.
    async fn record(&self, date: EventDate) -> Result<Option<DayRecord>, Self::Error>;

    /// Raw events of the day after this id, by id, at most `limit`.
    async fn events(
        &self,
        date: EventDate,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Batch, Self::Error>;

    /// Pages of a file from this number on, in order, at most `limit`.
    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>, Self::Error>;

    /// Bytes of a file from the bucket. Fewer than asked for is an error.
    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Result<Vec<u8>, Self::Error>;
}

/// Why an answer cannot be given to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database or the bucket failed.
    #[error("{what}: {error}")]
    Library {
        /// What was to be done.
        what: &'static str,
        /// What it answered.
        error: String,
    },
    /// A page cannot be read.
    #[error("{file}: {error}")]
    Page {
        /// The file.
        file: ArchiveName,
        /// What is wrong.
        error: PageError,
    },
    /// The index of a file, or a page of it, is not what the record says.
    #[error("{file}: {detail}")]
    Index {
        /// The file.
        file: ArchiveName,
        /// What differs.
        detail: String,
    },
    /// More is to be read than one answer may.
    #[error("more than {0} calls to the database and the bucket: ask for less at once")]
    TooLarge(u32),
    /// An event cannot be written.
    #[error("an event cannot be written: {0}")]
    Line(#[from] serde_json::Error),
}

/// Result of a step.
type Result<T, E = ReadError> = core::result::Result<T, E>;

/// Says what failed.
trait Context<T> {
    fn context(self, what: &'static str) -> Result<T>;
}

impl<T, E: core::fmt::Display> Context<T> for core::result::Result<T, E> {
    fn context(self, what: &'static str) -> Result<T> {
        self.map_err(|error| ReadError::Library { what, error: error.to_string() })
    }
}

/// Calls that one answer may make to the database and the bucket.
#[derive(Debug, Clone, Copy)]
struct Calls {
    most: u32,
    left: u32,
}

impl Calls {
    const fn new(most: u32) -> Self {
        Self { most, left: most }
    }

    /// Takes one, before it is made.
    fn spend(&mut self) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or(ReadError::TooLarge(self.most))?;
        Ok(())
    }
}
