//! What is known of a day's archive: the row that a run goes on from, whoever ended the one before.

use std::collections::BTreeMap;

use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, HourBucket};
use serde::{Deserialize, Serialize};

use crate::answers::DayStatus;
use crate::name::{ArchiveName, Format};
use crate::store::Usage;
use crate::tally::Reconciliation;

/// Version of the record's JSON.
pub const RECORD_VERSION: u32 = 1;

/// A day, its files, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The day, UTC.
    pub date: EventDate,
    /// Its files, in the order in which they were begun.
    pub files: Vec<FileRecord>,
    /// Whether the database holds no raw event of the day any more. An event that comes later makes
    /// it `false` again at the next run.
    pub cleaned: bool,
    /// Whether a run was ordered to clean the day, so that a later one goes on with it.
    #[serde(default)]
    pub clean: bool,
    /// Archived events that the database holds no more.
    pub deleted: u64,
    /// The archived events held against the hourly statistics.
    pub reconciliation: Reconciliation,
    /// Whether readers of the archive can see this state of it.
    pub published: bool,
    /// What all runs of this day used together.
    pub usage: Usage,
    /// What stopped the last run, and what is left to do.
    pub error: Option<String>,
    /// When a run last wrote this, in milliseconds.
    pub updated_at: i64,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FileStage"))]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Its bytes go to the bucket.
    Writing,
    /// It is read back from the bucket.
    Verifying,
    /// It is whole. The database may still hold its events.
    Verified,
    /// The database holds none of its events any more.
    Done,
}

/// Where a file's events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The database: all that is not in an earlier file.
    Database,
    /// The verified file of the same name in the other format.
    Twin,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRecord {
    /// Its name in the bucket.
    pub path: ArchiveName,
    /// Where its events come from.
    pub source: Source,
    /// How far it is.
    pub stage: Stage,
    /// Events in it, so far.
    pub records: u64,
    /// Its length so far, in bytes.
    pub bytes: u64,
    /// Its pages so far.
    pub pages: u32,
    /// The first event, by id.
    #[serde(default, with = "optional_id", skip_serializing_if = "Option::is_none")]
    pub first_id: Option<EventId>,
    /// The last event, by id.
    #[serde(default, with = "optional_id", skip_serializing_if = "Option::is_none")]
    pub last_id: Option<EventId>,
    /// SHA-256 of the file in hexadecimal, once all of it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Events by hour, as read back.
    #[serde(default)]
    pub hours: BTreeMap<HourBucket, u64>,
    /// When it was verified, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<i64>,
    /// What writing goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writing: Option<Writing>,
    /// What verifying goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifying: Option<Verifying>,
    /// Pages whose events the database holds no more.
    #[serde(default)]
    pub cleaned_pages: u32,
    /// Pages that a run set out to clean. Of those that are not cleaned it is not known whether they
    /// are: that run may have died in between.
    #[serde(default)]
    pub attempted_pages: u32,
}

/// A file that is being written. The bytes beyond the last part wait beside the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Writing {
    /// The last id that was read, written or passed over.
    #[serde(default, with = "optional_id", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<EventId>,
    /// Pages of the twin that were read, when that is the source.
    pub twin_pages: u32,
    /// The upload, once there is more than one part's worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// State of the hash over all bytes so far, in hexadecimal.
    pub hash: String,
    /// Runs that failed at it.
    pub failures: u32,
    /// All bytes are known and all but the last call to the bucket is made: the file is there, or
    /// that call is made again.
    pub complete: bool,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// The bucket's name for it.
    pub id: String,
    /// Length of each part but the last, in bytes.
    pub part_bytes: u64,
    /// The bucket's tags of the parts so far.
    pub etags: Vec<String>,
}

/// A file that is being read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verifying {
    /// Pages that were read.
    pub pages: u32,
    /// State of the hash over their bytes, in hexadecimal.
    pub hash: String,
    /// Events read in all.
    pub records: u64,
}

impl DayRecord {
    /// A day of which nothing is archived.
    #[must_use]
    pub fn new(date: EventDate) -> Self {
        Self {
            version: RECORD_VERSION,
            date,
            files: Vec::new(),
            cleaned: false,
            clean: false,
            deleted: 0,
            reconciliation: Reconciliation::default(),
            published: false,
            usage: Usage::default(),
            error: None,
            updated_at: 0,
        }
    }

    /// The files that hold each event once: of a file and its twin, the one from the database.
    pub fn originals(&self) -> impl Iterator<Item = &FileRecord> {
        self.files.iter().filter(|file| file.source == Source::Database)
    }

    /// Events archived and verified, each counted once.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.originals().filter(|file| file.is_whole()).map(|file| file.records).sum()
    }

    /// The file of this name.
    #[must_use]
    pub fn file(&self, path: ArchiveName) -> Option<&FileRecord> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether a file has this name.
    #[must_use]
    pub fn has(&self, supplement: u32, format: Format) -> bool {
        self.files.iter().any(|file| file.path.supplement == supplement && file.path.format == format)
    }

    /// How far the day is.
    #[must_use]
    pub fn status(&self) -> DayStatus {
        if self.files.iter().any(|file| !file.is_whole()) || self.files.is_empty() {
            DayStatus::Archiving
        } else if self.cleaned {
            DayStatus::Archived
        } else {
            DayStatus::Cleaning
        }
    }
}

impl FileRecord {
    /// A file of which nothing is written.
    #[must_use]
    pub fn new(path: ArchiveName, source: Source) -> Self {
        Self {
            path,
            source,
            stage: Stage::Writing,
            records: 0,
            bytes: 0,
            pages: 0,
            first_id: None,
            last_id: None,
            sha256: None,
            hours: BTreeMap::new(),
            archived_at: None,
            writing: None,
            verifying: None,
            cleaned_pages: 0,
            attempted_pages: 0,
        }
    }

    /// Whether it was read back and found whole.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.stage, Stage::Verified | Stage::Done)
    }
}

mod optional_id {
    use pathstats_model::EventId;
    use serde::{Deserialize, Deserializer, Serializer};

    // The form that serde's `with` asks for.
    #[allow(clippy::ref_option)]
    pub fn serialize<S: Serializer>(id: &Option<EventId>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EventId>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| text.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}
