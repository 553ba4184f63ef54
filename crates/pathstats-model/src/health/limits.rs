//! From which values on a person is warned, and from which on it is critical.

/// A heartbeat is written once a minute while there is traffic; three were missed.
pub(crate) const HEARTBEAT_WARNING_SECONDS: f64 = 180.0;
/// Ten minutes without one while messages wait: nothing is counted, and dashboards stand still.
pub(crate) const HEARTBEAT_CRITICAL_SECONDS: f64 = 600.0;

/// A batch is taken within seconds, and one that failed comes again after one, two and four minutes.
pub(crate) const DELAY_WARNING_SECONDS: f64 = 300.0;
/// The longest wait between two attempts: whatever waits longer has failed several times.
pub(crate) const DELAY_CRITICAL_SECONDS: f64 = crate::backoff::MAX_DELAY_SECONDS as f64;

/// A hundred full batches: more than a burst leaves behind.
pub(crate) const BACKLOG_WARNING: f64 = 10_000.0;
/// What takes the better part of an hour to count at 2,000 events a second, a hundred a message.
pub(crate) const BACKLOG_CRITICAL: f64 = 50_000.0;

/// The consumer's cron makes one every five minutes, whatever else happens; two were missed.
pub(crate) const SNAPSHOT_WARNING_SECONDS: f64 = 600.0;
/// Readers see figures that are an hour old.
pub(crate) const SNAPSHOT_CRITICAL_SECONDS: f64 = 3_600.0;

/// Each letter is something that was not counted.
pub(crate) const LETTERS_WARNING: f64 = 1.0;
/// A thousand in a day are no stray client: a deployment sends what is no event, or a store is down.
pub(crate) const LETTERS_CRITICAL: f64 = 1_000.0;

/// The queue refused a message.
pub(crate) const OUTBOX_WARNING: f64 = 1.0;
/// One run of the cron takes so many: more than that grow old.
pub(crate) const OUTBOX_CRITICAL: f64 = 2_000.0;

/// A day is due at 00:05 UTC, and archived at 02:00 of the same night. So late, a night has failed.
pub(crate) const ARCHIVE_WARNING_HOURS: f64 = 26.0;
/// Three nights have failed.
pub(crate) const ARCHIVE_CRITICAL_HOURS: f64 = 74.0;

/// One day whose archive and statistics differ.
pub(crate) const RECONCILIATION_WARNING: f64 = 1.0;

/// Each request that is recorded nowhere is one that no figure will ever have.
pub(crate) const LOST_WARNING: f64 = 1.0;

/// One hour in which something is missing, or too much.
pub(crate) const LEDGER_WARNING: f64 = 1.0;
