//! What operators are told of days: how far each is, and all that is known of one.

use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::hour::{iso_time, EventDate};
use pathstats_model::retention::Day;
use pathstats_model::{HourBucket, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::name::{ArchiveName, Format};
use crate::record::{DayRecord, FileRecord, Stage};
use crate::store::Usage;
use crate::tally::{Difference, Reconciliation};

/// How far a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DayStatus {
    /// Nothing of it is archived.
    Database,
    /// A file of it is being written or read back.
    Archiving,
    /// Its files are whole; the database still holds events of it.
    Cleaning,
    /// The database holds none of its events any more.
    Archived,
}

/// What `GET /admin/archive/status` answers: the days, or with `date` all of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ArchiveStatus {
    /// The days, the oldest first.
    Days {
        /// Each day of which there are events or an archive.
        days: Vec<DaySummary>,
    },
    /// One day.
    Day(Box<DayReport>),
}

/// A day in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "what a caller asks of a day, each for itself")]
pub struct DaySummary {
    /// The day, UTC.
    pub date: EventDate,
    /// Whether it has ended.
    pub closed: bool,
    /// Whether it is older than raw events are kept, and is to be archived.
    pub due: bool,
    /// Whether the database holds raw events of it.
    pub in_database: bool,
    /// How far it is.
    pub status: DayStatus,
    /// Events archived and verified.
    pub records: u64,
    /// Length of its files.
    pub bytes: u64,
    /// How many files it has.
    pub files: usize,
    /// Whether the last run left no raw event of it in the database.
    pub cleaned: bool,
    /// Whether the archive and the hourly statistics agree; `null` when nothing is archived.
    pub reconciled: Option<bool>,
    /// What stopped the last run, and what is left to do.
    pub error: Option<String>,
}

/// A day, and its archive once there is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DayReport {
    /// As in the list.
    #[serde(flatten)]
    pub summary: DaySummary,
    /// Its archive, once it was begun.
    #[serde(flatten)]
    pub archive: Option<DayArchive>,
}

/// What an order that was waited for came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DayDetails {
    /// The day, UTC.
    pub date: EventDate,
    /// How far it is.
    pub status: DayStatus,
    /// Events archived and verified.
    pub records: u64,
    /// Whether no raw event of it is left in the database.
    pub cleaned: bool,
    /// What stopped the run, and what is left to do.
    pub error: Option<String>,
    /// Its archive.
    #[serde(flatten)]
    pub archive: DayArchive,
}

/// The archive of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DayArchive {
    /// Archived events that the database holds no more.
    pub deleted: u64,
    /// Its files, in the order in which they were begun.
    pub objects: Vec<ArchivedObject>,
    /// The archived events held against the hourly statistics.
    pub reconciliation: ReconciliationReport,
    /// What all runs of this day used together.
    pub usage: Usage,
    /// When a run last wrote this, ISO 8601 in UTC.
    pub updated_at: String,
}

/// A file of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ArchivedObject {
    /// Its name in the bucket.
    pub path: ArchiveName,
    /// How it holds its events.
    pub format: Format,
    /// How far it is.
    pub stage: Stage,
    /// Events in it, so far.
    pub records: u64,
    /// Its length so far.
    pub bytes: u64,
    /// Its pages so far.
    pub pages: u32,
    /// The first event, by id.
    pub first_id: Option<String>,
    /// The last event, by id.
    pub last_id: Option<String>,
    /// SHA-256 of the file in hexadecimal, once all of it is written.
    pub sha256: Option<String>,
    /// Events by hour, as read back.
    pub hours: BTreeMap<HourBucket, u64>,
    /// When it was verified, ISO 8601 in UTC.
    pub archived_at: Option<String>,
}

/// The archived events held against the hourly statistics.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationReport {
    /// Whether every hour that could be compared is equal.
    pub equal: bool,
    /// Hours that were compared.
    pub hours_compared: usize,
    /// Hours whose hourly rows are no longer kept.
    pub hours_without_statistics: BTreeSet<HourBucket>,
    /// The first 200 differences.
    pub differences: Vec<Difference>,
    /// How many paths and hours differ in all.
    pub differing: u64,
}

/// An order that goes on behind the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DayStarted {
    /// The day, UTC.
    pub date: EventDate,
    status: Started,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum Started {
    Started,
}

/// An order that is not done yet: begun behind the answer, or as far as the time reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DayUnderWay {
    /// Begun.
    Started(DayStarted),
    /// Not done within the budget: the cron goes on.
    Unfinished(Box<DayDetails>),
}

/// An order for one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Order"))]
#[serde(deny_unknown_fields)]
pub struct DayOrder {
    /// The day, UTC. It must have ended.
    pub date: EventDate,
    /// Whether the answer waits for the run.
    #[serde(default)]
    pub wait: bool,
    /// Whether what is archived is deleted from the database.
    #[serde(default = "yes")]
    pub clean: bool,
    /// Whether hourly rows that differ from the archive are made anew.
    #[serde(default)]
    pub repair: bool,
}

const fn yes() -> bool {
    true
}

/// What `GET /admin/archive/query` answers. It is streamed: see [`Query`](crate::reading::Query).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    /// The day, UTC.
    pub date: EventDate,
    /// Events that match, by id.
    pub events: Vec<TrafficEvent>,
    /// Events that were looked at.
    pub scanned: u64,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}

impl DayStatus {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Archiving => "archiving",
            Self::Cleaning => "cleaning",
            Self::Archived => "archived",
        }
    }
}

impl DaySummary {
    /// Of a day, and the record of its archive if one was begun.
    #[must_use]
    pub fn new(day: Day, in_database: bool, record: Option<&DayRecord>) -> Self {
        Self {
            date: day.date,
            closed: day.closed,
            due: day.due,
            in_database,
            status: record.map_or(DayStatus::Database, DayRecord::status),
            records: record.map_or(0, DayRecord::records),
            bytes: record.map_or(0, |record| record.files.iter().map(|file| file.bytes).sum()),
            files: record.map_or(0, |record| record.files.len()),
            cleaned: record.is_some_and(|record| record.cleaned),
            reconciled: record.map(|record| record.reconciliation.is_equal()),
            error: record.and_then(|record| record.error.clone()),
        }
    }
}

impl DayReport {
    /// As [`DaySummary::new`].
    #[must_use]
    pub fn new(day: Day, in_database: bool, record: Option<&DayRecord>) -> Self {
        Self { summary: DaySummary::new(day, in_database, record), archive: record.map(DayArchive::new) }
    }
}

impl DayDetails {
    /// Of a record.
    #[must_use]
    pub fn new(record: &DayRecord) -> Self {
        Self {
            date: record.date,
            status: record.status(),
            records: record.records(),
            cleaned: record.cleaned,
            error: record.error.clone(),
            archive: DayArchive::new(record),
        }
    }
}

impl DayArchive {
    /// Of a record.
    #[must_use]
    pub fn new(record: &DayRecord) -> Self {
        Self {
            deleted: record.deleted,
            objects: record.files.iter().map(ArchivedObject::new).collect(),
            reconciliation: ReconciliationReport::new(&record.reconciliation),
            usage: record.usage,
            updated_at: iso_time(record.updated_at),
        }
    }
}

impl ArchivedObject {
    fn new(file: &FileRecord) -> Self {
        Self {
            path: file.path,
            format: file.path.format,
            stage: file.stage,
            records: file.records,
            bytes: file.bytes,
            pages: file.pages,
            first_id: file.first_id.map(|id| id.to_string()),
            last_id: file.last_id.map(|id| id.to_string()),
            sha256: file.sha256.clone(),
            hours: file.hours.clone(),
            archived_at: file.archived_at.map(iso_time),
        }
    }
}

impl ReconciliationReport {
    fn new(reconciliation: &Reconciliation) -> Self {
        Self {
            equal: reconciliation.is_equal(),
            hours_compared: reconciliation.hours.len(),
            hours_without_statistics: reconciliation.hours_without_statistics.clone(),
            differences: reconciliation.differences.clone(),
            differing: reconciliation.count(),
        }
    }
}

impl DayUnderWay {
    /// Begun behind the answer.
    #[must_use]
    pub const fn started(date: EventDate) -> Self {
        Self::Started(DayStarted { date, status: Started::Started })
    }

    /// Not done within the budget.
    #[must_use]
    pub fn unfinished(record: &DayRecord) -> Self {
        Self::Unfinished(Box::new(DayDetails::new(record)))
    }
}

#[cfg(test)]
mod tests;
