//! What one step costs, measured in the local runtime.
//!
//! Rows are counted by SQLite itself, locally as in production, so these figures hold there; times do not, and are
//! told to be estimates. To measure them again: `node --test tests/e2e/cost.test.mjs` prints what was metered beside
//! what is said here, operation by operation.

use crate::cost::operations::{Operation, Operations};

/// Rows that D1 reads to store an event: its place in the parameter.
pub const READ_TO_STORE_AN_EVENT: u64 = 1;
/// Rows read to learn that all totals of settled hours stand, beside a row for each.
pub const READ_TO_KNOW_PASSES: u64 = 2;
/// Rows read to rank an hourly row where there are too many to be remembered: it is scanned and grouped. Each path
/// is one more.
pub const READ_TO_RANK_A_ROW: u64 = 2;
/// Rows read for each period that waits for its total; one more when it has one.
pub const READ_TO_LIST_A_TOTAL: u64 = 2;
/// Rows read when none waits.
pub const READ_TO_LIST_NOTHING: u64 = 2;
/// Rows read to learn the length of a row's sketches.
pub const READ_TO_MEASURE_A_ROW: u64 = 1;
/// Rows read to merge a row into a total.
pub const READ_TO_MERGE_A_ROW: u64 = 1;
/// Rows read to learn how many rows of a page are merged at once.
pub const READ_TO_LIMIT_A_PAGE: u64 = 2;
/// Rows read to begin a total, write it, and note that it is made; one more when there was one.
pub const READ_TO_END_A_TOTAL: u64 = 4;
/// Rows read to note that the day of an hour changed with its total.
pub const READ_TO_NOTE_A_DAY: u64 = 1;

/// Rows that the database writes when an hour is first noted for the ledger: the note, and the index of what is open.
pub const WRITTEN_TO_NOTE_AN_HOUR: u64 = 2;
/// The same as a part of [`LEDGER_WRITTEN_A_CHECK`].
pub const NOTED: f64 = 2.0;
/// Rows of the log of an hour's budget: its paths come in some calls of an isolate each. An estimate.
pub const BUDGET_LOG_ROWS: f64 = 50.0;
/// Layouts of databases that are stored where there are several: with the first one, and with the next.
pub const LAYOUTS: f64 = 2.0;
/// Rows read to replace what the budget of an hour came to.
pub const READ_TO_REPORT_A_BUDGET_AGAIN: u64 = 1;

/// Rows that an object reads when it looks which tables it has; each table that it finds is one more.
const ROWS_READ_TO_LOOK: u64 = 1;
/// Rows that an object reads to append to its log.
pub const ROWS_READ_TO_APPEND: u64 = 1;
/// Rows that it reads to make its table.
pub const ROWS_READ_TO_CREATE: u64 = 1;
/// Rows that it writes for it.
pub const ROWS_WRITTEN_TO_CREATE: u64 = 2;
/// Rows that it reads to write its checkpoint, whether or not there is one.
pub const ROWS_READ_TO_CHECKPOINT: u64 = 1;

/// Rows that an object reads when it begins: whether it has a log, and all of it.
#[must_use]
pub const fn rows_to_wake(rows: u64, is_new: bool) -> u64 {
    if is_new {
        ROWS_READ_TO_LOOK
    } else {
        ROWS_READ_TO_LOOK + 1 + rows
    }
}

/// How long a call of an object takes, in milliseconds. An estimate: locally it is below the clock's step.
pub const CALL_MS: u64 = 5;
/// How long an alarm takes that writes to D1. An estimate.
pub const FLUSH_MS: u64 = 50;
/// How long a snapshot takes beside what it reads. An estimate.
pub const REBUILD_MS: u64 = 100;
/// Rows that D1 reads in a millisecond. An estimate.
pub const ROWS_READ_A_MS: u64 = 1_000;

/// Rows that the archive reads of an event's day for each event. `docs/measurements.md`, The archive.
pub const ARCHIVE_READ_PER_EVENT: f64 = 2.04;
/// Rows that it deletes, and the index of its pages.
pub const ARCHIVE_WRITTEN_PER_EVENT: f64 = 1.0003;
/// Bytes of the file for each event.
pub const ARCHIVE_BYTES_PER_EVENT: f64 = 25.6;
/// `ARCHIVE_PART_MIB`: a smaller file is put at once.
pub const PART_BYTES: f64 = 5.0 * 1_048_576.0;
/// Bytes that are read back at once.
pub const ARCHIVE_READ_BYTES: f64 = 2.0 * 1_048_576.0;
/// How often the ledger scans an hour's raw rows and hourly rows: when it ended, and once a day until it is archived.
pub const LEDGER_CHECKS: f64 = 3.0;
/// Rows that a check of an hour writes: it is noted, begun and entered, and the index of what is open follows.
pub const LEDGER_WRITTEN_A_CHECK: f64 = 5.0;
/// What a Worker's cron costs that finds nothing to do. Measured by `tests/e2e/cost.test.mjs`, "crons".
#[derive(Debug, Clone, Copy)]
pub struct Cron {
    /// How often it runs a day.
    pub runs: f64,
    /// Statements that one run sends to D1.
    pub d1_queries: f64,
    /// Rows that they read.
    pub d1_rows_read: f64,
    /// Rows that they write.
    pub d1_rows_written: f64,
    /// Statements that it sends to each database beyond the first.
    pub d1_queries_further: f64,
    /// Rows that they read.
    pub d1_rows_read_further: f64,
    /// Calls of objects.
    pub object_requests: f64,
    /// Keys read.
    pub kv_reads: f64,
}

/// Every cron of ours.
pub const CRONS: [Cron; 3] = [
    // The api's, every minute: looks, judges, keeps a sample in place of the one that is too old, and asks the archiver.
    Cron {
        runs: 1_440.0,
        d1_queries: 9.0,
        d1_rows_read: 13.0,
        d1_rows_written: 2.0,
        d1_queries_further: 0.0,
        d1_rows_read_further: 0.0,
        object_requests: 0.0,
        kv_reads: 3.0,
    },
    // The consumer's, every five minutes: the outbox, whether totals are due, and which hours of the ledger: each
    // of three days is looked for.
    Cron {
        runs: 288.0,
        d1_queries: 2.0,
        d1_rows_read: 147.0,
        d1_rows_written: 0.0,
        d1_queries_further: 1.0,
        d1_rows_read_further: 146.0,
        object_requests: 1.0,
        kv_reads: 0.0,
    },
    // The archiver's, every ten minutes and at night.
    Cron {
        runs: 148.0,
        d1_queries: 11.0,
        d1_rows_read: 16.0,
        d1_rows_written: 0.0,
        d1_queries_further: 9.0,
        d1_rows_read_further: 14.0,
        object_requests: 0.0,
        kv_reads: 0.0,
    },
];

/// Bytes of a raw event in D1: its columns, and the tree's own.
pub const RAW_ROW_BYTES: f64 = 200.0;
/// Bytes of the columns of an hourly or daily row beside its sketches.
pub const ROW_BYTES: f64 = 180.0;
/// Bytes of an object with nothing in it. Source: Durable Objects FAQ, "approximately 12 KB".
pub const OBJECT_BYTES: f64 = 12_000.0;

/// How long a batch takes beside its events: the database and the objects, one after the other, each a call over
/// the network. An estimate.
pub const BATCH_SECONDS: f64 = 0.15;
/// How long each event of a batch takes. An estimate.
pub const EVENT_SECONDS: f64 = 0.000_05;
/// How long a database is busy with a query. Source: D1 limits, "1 ms ... 1,000 queries per second"; most of ours
/// write one row.
pub const D1_QUERY_SECONDS: f64 = 0.000_5;
/// The same with each row written. An estimate by `just bench collect`.
pub const D1_ROW_WRITTEN_SECONDS: f64 = 0.000_01;
/// The same with each row read.
pub const D1_ROW_READ_SECONDS: f64 = 0.000_001;

/// Processor time of a request to the producer, a batch of the queue or a cron, in microseconds. An estimate:
/// `just bench` shows some 3 ms for a batch of one group, with what the runtime itself takes.
const CPU_US_PER_REQUEST: u64 = 1_000;
/// The same of each event: it is decoded, stored and packed.
const CPU_US_PER_EVENT: u64 = 30;

/// Processor time that so many operations took, in milliseconds. An estimate: no Worker can measure its own.
#[must_use]
pub fn worker_cpu_ms(operations: &Operations) -> u64 {
    let requests = operations.get(Operation::WorkerRequests);
    let events = operations.get(Operation::Events);
    (requests.saturating_mul(CPU_US_PER_REQUEST).saturating_add(events.saturating_mul(CPU_US_PER_EVENT)))
        / 1_000
}
