//! A run: takes one day as far as its budget reaches, from wherever the run before it ended.
//!
//! ```text
//! begin → write → verify → (the same as a twin in the other format) → publish → clean
//!                                                                              │
//!            a supplement, when the database still holds events of the day  ←──┘
//! ```
//!
//! Each step ends in a saved record. A run that dies anywhere leaves one from which the next goes
//! on; what was done since is done again, with the same result. Events are deleted only when a file
//! that was read back from the bucket holds them.

mod clean;
mod reconcile;
mod source;
mod verify;
mod write;

use pathstats_model::hour::{EventDate, DAY_MS};

use crate::name::{ArchiveName, Format};
use crate::page::{Page, PageError};
use crate::record::{DayRecord, FileRecord, Source, Stage};
use crate::store::{Held, Lease, Store, Usage};

/// Supplements that one run begins at most: events that come faster than they are archived do not
/// keep it for ever.
const MAX_SUPPLEMENTS: u32 = 3;

/// Statements that take a day and give it back.
const LEASE_CALLS: u32 = 4;

/// Statements that save a record with its pages.
const SAVE_CALLS: u32 = 3;

/// Rows that are read for the first page of a run.
const FIRST_ROWS: usize = 2_048;

/// How files are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The format of the file that is made from the database, and that of its twin, if any.
    pub formats: (Format, Option<Format>),
    /// Length of a part of a multipart upload, in bytes. A file that is not longer goes up in one
    /// piece. R2 takes 5 MiB and more, and all but the last of one length.
    pub part_bytes: u64,
    /// How long a run holds a day without saying that it is alive, in milliseconds.
    pub lease_ms: i64,
    /// Days for which hourly statistics are kept.
    pub hourly_days: i64,
}

/// What is left of what an invocation may use. A run ends at the next record that can be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Calls to the bucket and statements to the database, those of a transaction each counted.
    pub calls: u32,
    /// When to end, in milliseconds since the epoch.
    pub ends_at_ms: i64,
}

/// What a run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Write files of what the database holds, where there are none.
    pub archive: bool,
    /// Delete from the database what the files hold.
    pub clean: bool,
    /// Make a file in this format of each that there is.
    pub convert: Option<Format>,
    /// Hold the files against the hourly statistics again.
    pub reconcile: Option<Reconcile>,
}

/// What is done about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconcile {
    /// They are listed.
    Compare,
    /// The hourly rows that differ are made anew from the files.
    Repair,
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was ordered is done.
    Done,
    /// The budget is used up; the next run goes on.
    Unfinished,
    /// Another run holds the day until then, in milliseconds.
    Busy(i64),
    /// There is no event of the day, and no file.
    Nothing,
}

/// Why a run stopped. The next one goes on from the last record.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database or the bucket failed.
    #[error("{what}: {error}")]
    Store {
        /// What was to be done.
        what: &'static str,
        /// What it answered.
        error: String,
    },
    /// A page cannot be written or read.
    #[error("{file}: {error}")]
    Page {
        /// The file.
        file: ArchiveName,
        /// What is wrong.
        error: PageError,
    },
    /// A file is not what the record says.
    #[error("{file}: {detail}")]
    NotWhole {
        /// The file.
        file: ArchiveName,
        /// What differs.
        detail: String,
    },
    /// The bucket has a file of that name that no record knows.
    #[error("{0} is there already, and was not written by this archive: nothing is overwritten. Move it away, or restore the table archive_metadata")]
    Conflict(ArchiveName),
    /// A saved state cannot be read.
    #[error("the record of the day cannot be read: {0}")]
    Record(String),
    /// Another run took the day over.
    #[error("another run took the day over")]
    LeaseLost,
}

/// Result of a step.
pub type Result<T> = core::result::Result<T, RunError>;

/// Says what failed.
trait Context<T> {
    fn context(self, what: &'static str) -> Result<T>;
}

impl<T, E: core::fmt::Display> Context<T> for core::result::Result<T, E> {
    fn context(self, what: &'static str) -> Result<T> {
        self.map_err(|error| RunError::Store { what, error: error.to_string() })
    }
}

/// Takes a day on. The record says how far it came, also when it failed.
///
/// # Errors
///
/// See [`RunError`]. The next run goes on from the last record.
pub async fn run<S: Store>(
    store: &S,
    settings: &Settings,
    date: EventDate,
    owner: &str,
    order: Order,
    budget: &mut Budget,
) -> Result<(Outcome, DayRecord)> {
    let until = store.now_ms() + settings.lease_ms;
    budget.calls = budget.calls.saturating_sub(LEASE_CALLS);
    // Dying from here on: the lease ends by itself.
    let held = match store.lease(date, owner, until).await.context("the day cannot be taken")? {
        Lease::Busy(until) => return Ok((Outcome::Busy(until), DayRecord::new(date))),
        Lease::Granted(held) => *held,
    };
    let before = held.record.usage;
    let mut run =
        Run { store, settings, owner, budget, page_rows: FIRST_ROWS, before, saved: held.clone(), held };
    run.held.record.clean |= order.clean;
    let result = run.work(order).await;
    if matches!(result, Err(RunError::LeaseLost)) {
        return Err(RunError::LeaseLost);
    }
    // An error is part of the record, on top of what was saved last: what is in memory may be half
    // of a step.
    if let Err(error) = &result {
        run.held = run.saved.clone();
        run.held.record.error = Some(run.explain(error));
        if let Some(writing) = run.held.record.files.iter_mut().find_map(|file| file.writing.as_mut()) {
            writing.failures += 1;
        }
        // Refused as well: the log tells, and the next run finds out again.
        let _ = run.save(None, &[]).await;
    }
    // Dying before, or refused: the lease ends by itself.
    let _ = store.release(date, owner).await;
    result.map(|outcome| (outcome, run.held.record))
}

struct Run<'a, S> {
    store: &'a S,
    settings: &'a Settings,
    owner: &'a str,
    budget: &'a mut Budget,
    /// Rows that are read for a page: as many as the one before took, and some.
    page_rows: usize,
    /// What earlier runs of the day used.
    before: Usage,
    /// What the database has.
    saved: Held,
    /// What is being done.
    held: Held,
}

/// What is to be done next.
enum Step {
    Begin(ArchiveName, Source),
    Write(usize),
    Verify(usize),
    Reconcile(Reconcile),
    Publish,
    Clean(usize),
    Finish(Outcome),
}

impl<S: Store> Run<'_, S> {
    async fn work(&mut self, mut order: Order) -> Result<Outcome> {
        let mut supplements = 0;
        loop {
            if self.is_spent() {
                return Ok(Outcome::Unfinished);
            }
            match self.next(order).await? {
                Step::Begin(path, source) => {
                    if source == Source::Database {
                        supplements += u32::from(path.supplement > 0);
                        if supplements > MAX_SUPPLEMENTS {
                            return Ok(Outcome::Unfinished);
                        }
                        self.held.record.cleaned = false;
                    }
                    self.held.record.files.push(FileRecord::new(path, source));
                }
                Step::Write(index) => self.write(index).await?,
                Step::Verify(index) => self.verify(index).await?,
                Step::Reconcile(how) => {
                    self.reconcile(how).await?;
                    order.reconcile = None;
                }
                Step::Publish => self.publish().await?,
                Step::Clean(index) => self.clean(index).await?,
                Step::Finish(outcome) => {
                    self.held.record.error = None;
                    // Of a day without events there is nothing to know.
                    if self.held != self.saved && outcome != Outcome::Nothing {
                        self.save(None, &[]).await?;
                    }
                    return Ok(outcome);
                }
            }
        }
    }

    /// Decides what comes next. Asks the database only when nothing is under way.
    async fn next(&mut self, order: Order) -> Result<Step> {
        let record = &self.held.record;
        for (index, file) in record.files.iter().enumerate() {
            match file.stage {
                Stage::Writing => return Ok(Step::Write(index)),
                Stage::Verifying => return Ok(Step::Verify(index)),
                Stage::Verified | Stage::Done => {}
            }
        }
        for original in record.originals() {
            let beside = self.settings.formats.1.filter(|_| original.stage != Stage::Done);
            for format in beside.into_iter().chain(order.convert) {
                if !record.has(original.path.supplement, format) {
                    return Ok(Step::Begin(ArchiveName { format, ..original.path }, Source::Twin));
                }
            }
        }
        if let Some(how) = order.reconcile.filter(|_| !record.files.is_empty()) {
            return Ok(Step::Reconcile(how));
        }
        if !record.published && !record.files.is_empty() {
            return Ok(Step::Publish);
        }
        let uncleaned =
            record.files.iter().position(|file| file.source == Source::Database && file.stage != Stage::Done);
        match uncleaned {
            Some(index) if order.clean => return Ok(Step::Clean(index)),
            Some(_) => return Ok(Step::Finish(Outcome::Done)),
            None => {}
        }
        if !order.archive && (!order.clean || record.cleaned) {
            return Ok(Step::Finish(Outcome::Done));
        }
        let date = record.date;
        self.spend(1);
        let more = self.store.has_events(date).await.context("the raw events cannot be read")?;
        let record = &self.held.record;
        if more && order.archive {
            let supplement = u32::try_from(record.originals().count()).unwrap_or(u32::MAX);
            let path = ArchiveName { date: record.date, supplement, format: self.settings.formats.0 };
            return Ok(Step::Begin(path, Source::Database));
        }
        if record.files.is_empty() {
            return Ok(Step::Finish(Outcome::Nothing));
        }
        if record.cleaned == more {
            self.held.record.cleaned = !more;
            self.held.record.published = false;
            return Ok(Step::Publish);
        }
        Ok(Step::Finish(Outcome::Done))
    }

    /// Tells readers. Again: the same is written. Refused: the next run does it before it deletes.
    async fn publish(&mut self) -> Result<()> {
        self.spend(2);
        self.held.record.error = None;
        self.held.record.published = true;
        self.held.record.updated_at = self.store.now_ms();
        self.store.publish(&self.held.record).await.context("the metadata cannot be published")?;
        self.save(None, &[]).await
    }

    /// Writes what is held to the database.
    async fn save(&mut self, file: Option<ArchiveName>, pages: &[Page]) -> Result<()> {
        self.spend(SAVE_CALLS);
        let now = self.store.now_ms();
        let record = &mut self.held.record;
        record.updated_at = now;
        let used = self.store.usage();
        record.usage = Usage {
            rows_read: self.before.rows_read + used.rows_read,
            rows_written: self.before.rows_written + used.rows_written,
            peak_memory_bytes: self.before.peak_memory_bytes.max(used.peak_memory_bytes),
        };
        // Without pages, which file they would be of does not matter.
        let file = file.unwrap_or(ArchiveName { date: record.date, supplement: 0, format: Format::Jsonl });
        let until = now + self.settings.lease_ms;
        let saved = self.store.save(self.owner, until, record, &self.held.carry, (file, pages)).await;
        if !saved.context("the record cannot be saved")? {
            return Err(RunError::LeaseLost);
        }
        self.saved = self.held.clone();
        Ok(())
    }

    /// A file that is under way. `next` gives only indices that are there.
    fn file(&mut self, index: usize) -> Result<&mut FileRecord> {
        let missing = || RunError::Record(format!("there is no file {index}"));
        self.held.record.files.get_mut(index).ok_or_else(missing)
    }

    fn spend(&mut self, calls: u32) {
        self.budget.calls = self.budget.calls.saturating_sub(calls);
    }

    fn is_spent(&self) -> bool {
        self.budget.calls == 0 || self.store.now_ms() >= self.budget.ends_at_ms
    }

    /// Whether hourly statistics of the day are still kept.
    fn keeps_statistics(&self) -> bool {
        let age = self.store.now_ms() - self.held.record.date.end_ms();
        age < self.settings.hourly_days * DAY_MS
    }

    /// The error, and how far cleaning came.
    fn explain(&self, error: &RunError) -> String {
        let record = &self.held.record;
        let left: u64 = record.records().saturating_sub(record.deleted);
        if record.deleted > 0 && left > 0 {
            format!(
                "{error}; {} rows are deleted from the database, {left} are to be deleted",
                record.deleted
            )
        } else {
            error.to_string()
        }
    }
}
