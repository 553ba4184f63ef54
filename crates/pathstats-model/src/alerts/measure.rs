//! What is measured, and the rule that each measure has by default.

use serde::{Deserialize, Serialize};

use crate::capacity;
use crate::health::limits::{
    ARCHIVE_CRITICAL_HOURS, ARCHIVE_WARNING_HOURS, BACKLOG_CRITICAL, BACKLOG_WARNING, DELAY_CRITICAL_SECONDS,
    DELAY_WARNING_SECONDS, HEARTBEAT_CRITICAL_SECONDS, HEARTBEAT_WARNING_SECONDS, LEDGER_WARNING,
    LETTERS_CRITICAL, LETTERS_WARNING, LOST_WARNING, OUTBOX_CRITICAL, OUTBOX_WARNING, RECONCILIATION_WARNING,
    SNAPSHOT_CRITICAL_SECONDS, SNAPSHOT_WARNING_SECONDS,
};
use crate::health::{CheckName, Unit};

/// One number that is taken every minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    /// Seconds since the consumer took a batch in.
    Heartbeat,
    /// Seconds that the oldest message has waited.
    QueueDelay,
    /// Messages that wait.
    QueueBacklog,
    /// Seconds since the newest snapshot was made.
    Snapshot,
    /// Dead letters of the last 24 hours.
    DeadLetters,
    /// Messages that the queue refused, and that wait in the outbox.
    Outbox,
    /// Requests of the last 24 hours that are recorded nowhere.
    LostRequests,
    /// Share of the database's limit that is used.
    Database,
    /// Hours since the oldest day that is not archived was due.
    ArchiveLate,
    /// Days whose last archive run ended with an error.
    ArchiveErrors,
    /// Days whose archive and statistics differ.
    Reconciliation,
    /// Sources of health that did not answer.
    SilentSources,
    /// Minutes for which the alerts' own state could not be read or written. Never in a stored sample.
    AlertStore,
    /// Hours in which not all that was received is accounted for.
    Ledger,
}

/// What is to be known of a measure.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Name of its rule, and of the runbook: `docs/runbooks/{rule}.md`.
    pub rule: &'static str,
    /// In a few words, for a sentence and a heading.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// From this value on a person is warned.
    pub warning: f64,
    /// From this value on it is critical.
    pub critical: Option<f64>,
    /// It is critical only while this one is above zero, or not known.
    pub critical_while: Option<Measure>,
    /// It is over below this value; nine tenths of the warning when it is not told.
    pub resolve_below: Option<f64>,
    /// Minutes that it must hold.
    pub hold_minutes: u32,
    /// What to do first.
    pub first_step: &'static str,
    /// The check of `GET /admin/health` that tells more.
    pub check: Option<CheckName>,
}

/// A measure whose rule has nothing special.
const fn about(
    rule: &'static str,
    title: &'static str,
    unit: Unit,
    (warning, critical): (f64, Option<f64>),
    check: CheckName,
    first_step: &'static str,
) -> About {
    About {
        rule,
        title,
        unit,
        warning,
        critical,
        critical_while: None,
        resolve_below: None,
        hold_minutes: 0,
        first_step,
        check: Some(check),
    }
}

impl Measure {
    /// All, in the order in which a stored sample holds them: new ones go to the end.
    pub const ALL: [Self; 14] = [
        Self::Heartbeat,
        Self::QueueDelay,
        Self::QueueBacklog,
        Self::Snapshot,
        Self::DeadLetters,
        Self::Outbox,
        Self::LostRequests,
        Self::Database,
        Self::ArchiveLate,
        Self::ArchiveErrors,
        Self::Reconciliation,
        Self::SilentSources,
        Self::AlertStore,
        Self::Ledger,
    ];

    /// What is to be known of it.
    #[must_use]
    // A table, a row a measure.
    #[allow(clippy::too_many_lines)]
    pub const fn about(self) -> About {
        match self {
            // While nothing waits nobody needs to beat: a quiet night is no emergency.
            Self::Heartbeat => About {
                critical_while: Some(Self::QueueBacklog),
                ..about(
                    "heartbeat",
                    "Consumer's last batch",
                    Unit::Seconds,
                    (HEARTBEAT_WARNING_SECONDS, Some(HEARTBEAT_CRITICAL_SECONDS)),
                    CheckName::Heartbeat,
                    "See whether messages wait. If they do, read the consumer's log; if none do, send an event to the producer's /collect.",
                )
            },
            Self::QueueDelay => about(
                "queue-delay",
                "Oldest message in the queue",
                Unit::Seconds,
                (DELAY_WARNING_SECONDS, Some(DELAY_CRITICAL_SECONDS)),
                CheckName::QueueDelay,
                "Read the consumer's log for messages that are retried: it names the store that fails.",
            ),
            // A burst is drained within a minute or two.
            Self::QueueBacklog => About {
                hold_minutes: 2,
                ..about(
                    "queue-backlog",
                    "Messages in the queue",
                    Unit::Messages,
                    (BACKLOG_WARNING, Some(BACKLOG_CRITICAL)),
                    CheckName::QueueBacklog,
                    "See whether the backlog shrinks. If it grows while the consumer works, raise its max_concurrency; if the consumer fails, mend that first.",
                )
            },
            Self::Snapshot => about(
                "snapshot",
                "Newest snapshot",
                Unit::Seconds,
                (SNAPSHOT_WARNING_SECONDS, Some(SNAPSHOT_CRITICAL_SECONDS)),
                CheckName::Snapshot,
                "Ask for GET /paths?refresh=true. If no newer snapshot comes, read the consumer's log.",
            ),
            Self::DeadLetters => about(
                "dead-letters",
                "New dead letters",
                Unit::Letters,
                (LETTERS_WARNING, Some(LETTERS_CRITICAL)),
                CheckName::DeadLetters,
                "List them under /admin/dead-letters and read their reasons. Replay them once the cause is gone.",
            ),
            Self::Outbox => about(
                "outbox",
                "Messages in the outbox",
                Unit::Messages,
                (OUTBOX_WARNING, Some(OUTBOX_CRITICAL)),
                CheckName::Outbox,
                "Nothing is lost. Look at the queue's state; the consumer's cron takes the messages in every five minutes.",
            ),
            Self::LostRequests => about(
                "lost-requests",
                "Requests that are recorded nowhere",
                Unit::Requests,
                (LOST_WARNING, None),
                CheckName::Outbox,
                "Queue and database refused at once. See whether both answer now; what was lost cannot be had again but from logs.",
            ),
            // Emptied by a night's archive, it falls by a day's rows: a wider margin would never be left.
            Self::Database => About {
                resolve_below: Some(capacity::WARNING_RATIO - 0.02),
                ..about(
                    "database",
                    "Database used",
                    Unit::Share,
                    (capacity::WARNING_RATIO, Some(capacity::CRITICAL_RATIO)),
                    CheckName::Database,
                    "See under GET /admin/capacity what grows, and whether days are archived and deleted.",
                )
            },
            Self::ArchiveLate => about(
                "archive-late",
                "Oldest day due for the archive",
                Unit::Hours,
                (ARCHIVE_WARNING_HOURS, Some(ARCHIVE_CRITICAL_HOURS)),
                CheckName::Archive,
                "Order the day by POST /admin/archive/trigger and read what it answers.",
            ),
            Self::ArchiveErrors => about(
                "archive-failed",
                "Days whose archive run failed",
                Unit::Days,
                (1.0, None),
                CheckName::Archive,
                "GET /admin/archive/status tells each day's error. Order the day once more when its cause is gone.",
            ),
            Self::Reconciliation => about(
                "reconciliation",
                "Days whose archive and statistics differ",
                Unit::Days,
                (RECONCILIATION_WARNING, None),
                CheckName::Reconciliation,
                "GET /admin/archive/status?date= tells which hours differ; POST /admin/reconcile compares once more.",
            ),
            // One late answer in a minute is no trouble.
            Self::SilentSources => About {
                hold_minutes: 3,
                check: None,
                ..about(
                    "silent-sources",
                    "Sources of health that do not answer",
                    Unit::Sources,
                    (1.0, None),
                    CheckName::Heartbeat,
                    "GET /admin/health tells which checks are unknown. Look at the platform's status and at the api's log.",
                )
            },
            // Where alerts are kept is what fails: see `outage`.
            Self::AlertStore => About {
                check: None,
                ..about(
                    "alert-store",
                    "Alerts cannot be kept in D1",
                    Unit::Minutes,
                    (2.0, Some(5.0)),
                    CheckName::Database,
                    "Other alerts do not come meanwhile. See whether D1 answers, whether its migrations are applied, and what the api's log says.",
                )
            },
            Self::Ledger => about(
                "ledger",
                "Hours that do not balance",
                Unit::Hours,
                (LEDGER_WARNING, None),
                CheckName::Ledger,
                "GET /admin/ledger tells which hours, and whether events are missing or too many.",
            ),
        }
    }

    /// Its name, as JSON has it.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
