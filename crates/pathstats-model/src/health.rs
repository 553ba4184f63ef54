//! Whether all is well: what was seen goes in, checks with their limits and a sentence each come out.
//!
//! A source that does not answer makes its checks [`Status::Unknown`], and the answer still comes. A
//! system without any traffic yet is not an alarm.

use serde::{Deserialize, Serialize};

use crate::capacity::CapacityReport;
use crate::completeness::settled::Checked;
use crate::dead_letters::{iso, ReasonCount};
use crate::hour::{iso_time, EventDate, HourBucket, DAY_MS};
use crate::snapshot::Pointer;

mod archive;
mod checks;
pub(crate) mod limits;

pub use archive::{archive_state, ArchivedDay};
pub(crate) use checks::span;

/// Path of the api's call to the archiver for what only that one knows. Its answer is an
/// [`ArchiverState`].
pub const ARCHIVER_STATE_PATH: &str = "/state";

/// How long each source may take, in milliseconds. All are asked at once.
pub const SOURCE_MS: u32 = 2_000;

/// What is told as recent goes back this far.
pub const RECENT_MS: i64 = DAY_MS;

/// Reason of [`Drops`] under which requests are counted that are stored nowhere.
const LOST: &str = "lost";

/// Why a source told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It did not answer in time.
    Late,
    /// It answered with an error.
    Failed,
}

/// What a source told.
pub type Source<T> = Result<T, Silence>;

/// What the queue tells of itself; of several, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Messages that wait.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was sent, in milliseconds.
    pub oldest_ms: Option<i64>,
}

impl QueueState {
    /// Two queues together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
            oldest_ms: [self.oldest_ms, other.oldest_ms].into_iter().flatten().min(),
        }
    }
}

/// Letters of one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterState {
    /// How many, and since when.
    pub count: ReasonCount,
    /// Those of the last day, counted up to a limit.
    pub recent: u64,
}

/// Messages that the queue refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxState {
    /// Messages, counted up to a limit.
    pub messages: u64,
    /// When the first of them was kept, in milliseconds.
    pub oldest_ms: Option<i64>,
}

/// Requests of an hour that were not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drops {
    /// The hour.
    pub hour: HourBucket,
    /// `sampled`, `rate_limited`, `lost` and so on.
    pub reason: String,
    /// Requests.
    pub requests: u64,
}

/// What only the archiver knows, since it alone has the configuration for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiverState {
    /// As `GET /admin/capacity` answers; `None` when it could not be found out.
    pub capacity: Option<CapacityReport>,
    /// The archive; `None` when it could not be found out.
    pub archive: Option<ArchiveState>,
}

/// How the archive stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveState {
    /// The oldest day that is due and not archived.
    pub waiting: Option<WaitingDay>,
    /// Days whose last run ended with an error, the oldest first, a few of them.
    pub errors: Vec<DayError>,
    /// How many there are.
    pub days_with_errors: u32,
    /// Days whose archive and hourly statistics differ.
    pub days_differing: u32,
    /// The oldest of them.
    pub oldest_differing: Option<EventDate>,
    /// Days that are archived.
    pub days_archived: u32,
}

/// A day that waits to be archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingDay {
    /// The day.
    pub date: EventDate,
    /// Since when it is due, in milliseconds.
    pub due_ms: i64,
}

/// A day whose last run ended with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayError {
    /// The day.
    pub date: EventDate,
    /// What stopped the run.
    pub error: String,
}

/// All that was seen at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When the consumer last took a batch in, in milliseconds; `None` before the first.
    pub heartbeat: Source<Option<i64>>,
    /// The newest snapshot; `None` before the first.
    pub snapshot: Source<Option<Pointer>>,
    /// The queue.
    pub queue: Source<QueueState>,
    /// Dead letters by reason.
    pub letters: Source<Vec<LetterState>>,
    /// The outbox.
    pub outbox: Source<OutboxState>,
    /// Requests of the last day that were not recorded.
    pub drops: Source<Vec<Drops>>,
    /// What the archiver tells.
    pub archiver: Source<ArchiverState>,
    /// Hours of the completeness ledger that do not balance.
    pub ledger: Source<Vec<Checked>>,
}

impl Seen {
    /// The checks, as [`assess`] makes them.
    #[must_use]
    pub fn checks(&self, now_ms: i64) -> Vec<Check> {
        checks::all(self, now_ms)
    }

    /// How many sources told nothing, or not all.
    #[must_use]
    pub fn silent_sources(&self) -> usize {
        let silent = [
            self.heartbeat.is_err(),
            self.snapshot.is_err(),
            self.queue.is_err(),
            self.letters.is_err(),
            self.outbox.is_err(),
            self.drops.is_err(),
            self.ledger.is_err(),
            !matches!(&self.archiver, Ok(ArchiverState { capacity: Some(_), archive: Some(_) })),
        ];
        silent.into_iter().filter(|silent| *silent).count()
    }

    /// Requests of the last day that are stored nowhere; `None` when that is not known.
    #[must_use]
    pub fn lost_requests(&self) -> Option<u64> {
        let drops = self.drops.as_ref().ok()?;
        Some(drops.iter().filter(|drop| drop.reason == LOST).map(|drop| drop.requests).sum())
    }
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "HealthStatus"))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Nothing can be said.
    Unknown,
    /// A person should look when there is time.
    Warning,
    /// A person should look now.
    Critical,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// When the consumer last took a batch in.
    Heartbeat,
    /// How long the oldest message waits.
    QueueDelay,
    /// How many messages wait.
    QueueBacklog,
    /// How old the snapshot is.
    Snapshot,
    /// What could not be counted in the last day.
    DeadLetters,
    /// How full the database is.
    Database,
    /// What the queue refused.
    Outbox,
    /// Whether days are archived when they are due.
    Archive,
    /// Whether archives and statistics agree.
    Reconciliation,
    /// Whether all that was received is accounted for.
    Ledger,
}

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the units")]
pub enum Unit {
    Seconds,
    Messages,
    Letters,
    Requests,
    Sources,
    Share,
    Days,
    Hours,
    Minutes,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What is looked at.
    pub name: CheckName,
    /// How it is.
    pub status: Status,
    /// What was seen; `null` when there is nothing to see.
    pub value: Option<f64>,
    /// What the value and its limits are counted in.
    pub unit: Unit,
    /// From this value on a person is warned.
    pub warning: Option<f64>,
    /// From this value on it is critical.
    pub critical: Option<f64>,
    /// What it means, and what to do.
    pub detail: String,
}

/// What `GET /admin/health` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// The worst of the checks. A source that does not answer is a warning; a system that has seen no
    /// traffic yet is none.
    pub status: Status,
    /// When it was seen.
    pub checked_at: String,
    /// Each check.
    pub checks: Vec<Check>,
    /// The queue; `null` when it does not answer.
    pub queue: Option<QueueReport>,
    /// The newest snapshot; `null` when there is none, or KV does not answer.
    pub snapshot: Option<SnapshotReport>,
    /// The last heartbeat; `null` when there is none, or KV does not answer.
    pub heartbeat: Option<HeartbeatReport>,
    /// Dead letters; `null` when D1 does not answer.
    pub dead_letters: Option<LettersReport>,
    /// The outbox; `null` when D1 does not answer.
    pub outbox: Option<OutboxReport>,
    /// Requests of the last 24 hours that were not recorded; `null` when D1 does not answer.
    pub recording_drops: Option<Vec<Drops>>,
    /// As `GET /admin/capacity` answers; `null` when the archiver does not answer.
    pub capacity: Option<CapacityReport>,
}

/// The queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the platform")]
pub struct QueueReport {
    pub backlog_count: u64,
    pub backlog_bytes: u64,
    pub oldest_message_age_seconds: Option<i64>,
}

/// The newest snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReport {
    /// Its version.
    pub version: u64,
    /// When it was made.
    #[serde(serialize_with = "iso")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub updated_at: i64,
    /// How long ago that was.
    pub age_seconds: i64,
}

/// The last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatReport {
    /// When the consumer last took a batch in.
    #[serde(serialize_with = "iso")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub at: i64,
    /// How long ago that was.
    pub age_seconds: i64,
}

/// Dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LettersReport {
    /// All there are.
    pub total: u64,
    /// The same by reason.
    pub by_reason: Vec<ReasonCount>,
}

/// The outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutboxReport {
    /// Messages, counted up to ten thousand.
    pub messages: u64,
    /// When the first of them was kept.
    pub oldest: Option<String>,
}

/// Judges what was seen.
#[must_use]
pub fn assess(seen: Seen, now_ms: i64) -> HealthReport {
    let checks = checks::all(&seen, now_ms);
    let worst = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    let status = match worst {
        // Nothing to see yet is no alarm; not being able to look is one.
        Status::Ok | Status::Unknown if seen.silent_sources() > 0 => Status::Warning,
        Status::Ok | Status::Unknown => Status::Ok,
        Status::Warning | Status::Critical => worst,
    };
    let age = |at: i64| (now_ms - at).max(0) / 1000;
    HealthReport {
        status,
        checked_at: iso_time(now_ms),
        checks,
        queue: seen.queue.ok().map(|queue| QueueReport {
            backlog_count: queue.messages,
            backlog_bytes: queue.bytes,
            oldest_message_age_seconds: queue.oldest_ms.map(age),
        }),
        snapshot: seen.snapshot.ok().flatten().map(|pointer| SnapshotReport {
            version: pointer.version,
            updated_at: pointer.updated_at,
            age_seconds: age(pointer.updated_at),
        }),
        heartbeat: seen.heartbeat.ok().flatten().map(|at| HeartbeatReport { at, age_seconds: age(at) }),
        dead_letters: seen.letters.ok().map(|letters| LettersReport {
            total: letters.iter().map(|letter| letter.count.count).sum(),
            by_reason: letters.into_iter().map(|letter| letter.count).collect(),
        }),
        outbox: seen
            .outbox
            .ok()
            .map(|outbox| OutboxReport { messages: outbox.messages, oldest: outbox.oldest_ms.map(iso_time) }),
        recording_drops: seen.drops.ok(),
        capacity: seen.archiver.ok().and_then(|archiver| archiver.capacity),
    }
}

#[cfg(test)]
mod tests;
