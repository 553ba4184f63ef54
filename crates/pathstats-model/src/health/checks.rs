//! The rules: what a value means, and what to do.

use super::limits::{
    ARCHIVE_CRITICAL_HOURS, ARCHIVE_WARNING_HOURS, BACKLOG_CRITICAL, BACKLOG_WARNING, DELAY_CRITICAL_SECONDS,
    DELAY_WARNING_SECONDS, HEARTBEAT_CRITICAL_SECONDS, HEARTBEAT_WARNING_SECONDS, LEDGER_WARNING,
    LETTERS_CRITICAL, LETTERS_WARNING, LOST_WARNING, OUTBOX_CRITICAL, OUTBOX_WARNING, RECONCILIATION_WARNING,
    SNAPSHOT_CRITICAL_SECONDS, SNAPSHOT_WARNING_SECONDS,
};
use super::{ArchiveState, Check, CheckName, Seen, Silence, Source, Status, Unit, SOURCE_MS};
use crate::capacity::{CRITICAL_RATIO, WARNING_RATIO};
use crate::completeness::settled::{watermark, Checked, HourState};
use crate::hour::iso_time;

/// All checks, in the order in which an event passes what they look at.
pub(super) fn all(seen: &Seen, now_ms: i64) -> Vec<Check> {
    vec![
        heartbeat(seen, now_ms),
        queue_delay(seen, now_ms),
        queue_backlog(seen),
        snapshot(seen, now_ms),
        dead_letters(seen),
        outbox(seen, now_ms),
        database(seen),
        archive(seen, now_ms),
        reconciliation(seen),
        ledger(seen, now_ms),
    ]
}

/// What a check is counted in, and from where on it is worse.
struct Scale {
    name: CheckName,
    unit: Unit,
    warning: f64,
    critical: Option<f64>,
}

impl Scale {
    /// By its limits alone.
    fn level(&self, value: f64) -> Status {
        if self.critical.is_some_and(|limit| value >= limit) {
            Status::Critical
        } else if value >= self.warning {
            Status::Warning
        } else {
            Status::Ok
        }
    }

    fn check(&self, status: Status, value: Option<f64>, detail: impl Into<String>) -> Check {
        Check {
            name: self.name,
            status,
            value,
            unit: self.unit,
            warning: Some(self.warning),
            critical: self.critical,
            detail: detail.into(),
        }
    }

    /// Nothing to see yet.
    fn nothing(&self, detail: &str) -> Check {
        self.check(Status::Unknown, None, detail)
    }

    /// Its source tells nothing.
    fn silent(&self, who: &str, silence: Silence) -> Check {
        let how = match silence {
            Silence::Late => format!("did not answer within {} s", SOURCE_MS / 1000),
            Silence::Failed => "cannot be asked, and the api's log says why".to_owned(),
        };
        self.check(
            Status::Unknown,
            None,
            format!("Not known: {who} {how}. Ask again; if it stays so, look at the platform's status."),
        )
    }
}

fn heartbeat(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale {
        name: CheckName::Heartbeat,
        unit: Unit::Seconds,
        warning: HEARTBEAT_WARNING_SECONDS,
        critical: Some(HEARTBEAT_CRITICAL_SECONDS),
    };
    let last = match seen.heartbeat {
        Ok(last) => last,
        Err(silence) => return scale.silent("KV", silence),
    };
    // A consumer that never took anything has let the oldest message wait.
    let oldest = seen.queue.ok().and_then(|queue| queue.oldest_ms);
    let Some(since) = last.or(oldest) else {
        return scale.nothing(
            "No batch was taken in yet. Send a request through the producer, or an event to its \
             /collect: the first heartbeat comes with the first batch.",
        );
    };
    let age = seconds(now_ms - since);
    let told = last.map_or_else(
        || format!("The consumer never took a batch in, and a message has waited for {}", span(age)),
        |_| format!("The consumer took in its last batch {} ago", span(age)),
    );
    let status = scale.level(age);
    if status == Status::Ok {
        return scale.check(status, Some(age), format!("{told}."));
    }
    if seen.queue.is_ok_and(|queue| queue.messages == 0) {
        // Nobody beats without anything to do: worse than a warning only if something waits.
        let detail = format!(
            "{told}, and no message waits: there is no traffic, or events do not reach the queue. Send \
             one to the producer's /collect; if no heartbeat follows, look at the producer's log."
        );
        return scale.check(Status::Warning, Some(age), detail);
    }
    let detail = format!(
        "{told}. Nothing is counted meanwhile, and nothing is lost: messages wait in the queue. Look at the \
         consumer's log, and whether it is deployed and bound to the queue."
    );
    scale.check(status, Some(age), detail)
}

fn queue_delay(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale {
        name: CheckName::QueueDelay,
        unit: Unit::Seconds,
        warning: DELAY_WARNING_SECONDS,
        critical: Some(DELAY_CRITICAL_SECONDS),
    };
    let queue = match seen.queue {
        Ok(queue) => queue,
        Err(silence) => return scale.silent("the queue", silence),
    };
    let Some(oldest) = queue.oldest_ms else {
        return if queue.messages == 0 {
            scale.check(Status::Ok, Some(0.0), "No message waits.")
        } else {
            scale.nothing("Messages wait, and the queue does not tell since when.")
        };
    };
    let age = seconds(now_ms - oldest);
    let status = scale.level(age);
    let told = format!("The oldest message has waited for {}", span(age));
    let detail = match status {
        Status::Ok => format!("{told}."),
        _ => format!(
            "{told}. It failed and waits for its next attempt, or the consumer does not keep up: its log says \
             which. After ten attempts a message becomes a dead letter."
        ),
    };
    scale.check(status, Some(age), detail)
}

fn queue_backlog(seen: &Seen) -> Check {
    let scale = Scale {
        name: CheckName::QueueBacklog,
        unit: Unit::Messages,
        warning: BACKLOG_WARNING,
        critical: Some(BACKLOG_CRITICAL),
    };
    let queue = match seen.queue {
        Ok(queue) => queue,
        Err(silence) => return scale.silent("the queue", silence),
    };
    let status = scale.level(real(queue.messages));
    let told = plural(queue.messages, "message waits", "messages wait");
    let detail = match status {
        Status::Ok => format!("{told}."),
        _ => format!(
            "{told}, and the figures are behind by as much. If the consumer takes batches in, wait; if it fails, \
             its log says why; if traffic grew, give its queue more concurrency."
        ),
    };
    scale.check(status, Some(real(queue.messages)), detail)
}

fn snapshot(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale {
        name: CheckName::Snapshot,
        unit: Unit::Seconds,
        warning: SNAPSHOT_WARNING_SECONDS,
        critical: Some(SNAPSHOT_CRITICAL_SECONDS),
    };
    let pointer =
        match seen.snapshot {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return scale.nothing(
                "There is no snapshot yet. The first comes with the first events, or with the consumer's \
                 cron, which runs every five minutes.",
            ),
            Err(silence) => return scale.silent("KV", silence),
        };
    let age = seconds(now_ms - pointer.updated_at);
    let status = scale.level(age);
    let told = format!("The newest snapshot was made {} ago", span(age));
    let detail = match status {
        Status::Ok => format!("{told}."),
        _ => format!(
            "{told}, and /paths shows figures as old. The consumer's cron makes one every five minutes: look \
             whether it runs, and for \"the snapshot was not rebuilt\" in the consumer's log."
        ),
    };
    scale.check(status, Some(age), detail)
}

fn dead_letters(seen: &Seen) -> Check {
    let scale = Scale {
        name: CheckName::DeadLetters,
        unit: Unit::Letters,
        warning: LETTERS_WARNING,
        critical: Some(LETTERS_CRITICAL),
    };
    let letters = match &seen.letters {
        Ok(letters) => letters,
        Err(silence) => return scale.silent("D1", *silence),
    };
    let recent: u64 = letters.iter().map(|letter| letter.recent).sum();
    let total: u64 = letters.iter().map(|letter| letter.count.count).sum();
    let status = scale.level(real(recent));
    let most = letters.iter().max_by_key(|letter| letter.recent).map(|letter| &letter.count.reason);
    let detail = match (status, most) {
        (Status::Ok, _) if total == 0 => "Everything that came could be counted.".to_owned(),
        (Status::Ok, _) | (_, None) => format!(
            "No letter came in the last 24 hours; {} from before. Replay or discard them.",
            plural(total, "is left", "are left")
        ),
        (_, Some(reason)) => format!(
            "{} in the last 24 hours, most of them {reason:?}, of {total} in all. Look at some under \
             /admin/dead-letters, mend the cause, then replay them; discard what was never an event.",
            plural(recent, "letter came", "letters came")
        ),
    };
    scale.check(status, Some(real(recent)), detail)
}

fn outbox(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale {
        name: CheckName::Outbox,
        unit: Unit::Messages,
        warning: OUTBOX_WARNING,
        critical: Some(OUTBOX_CRITICAL),
    };
    let outbox = match seen.outbox {
        Ok(outbox) => outbox,
        Err(silence) => return scale.silent("D1", silence),
    };
    let mut status = scale.level(real(outbox.messages));
    let mut detail = if outbox.messages == 0 {
        "The queue takes what it is given.".to_owned()
    } else {
        let age = outbox.oldest_ms.map_or(0.0, |oldest| seconds(now_ms - oldest));
        format!(
            "The queue refused {}, the oldest {} ago. They are safe in the outbox, and the consumer's cron takes \
             them in every five minutes. If they stay, its log says why.",
            plural(outbox.messages, "message", "messages"),
            span(age)
        )
    };
    let lost = seen.lost_requests().unwrap_or(0);
    if real(lost) >= LOST_WARNING {
        status = status.max(Status::Warning);
        let lost = plural(lost, "request", "requests");
        detail = format!(
            "{detail} {lost} of the last 24 hours are recorded nowhere: queue and database refused both."
        );
    }
    scale.check(status, Some(real(outbox.messages)), detail)
}

fn database(seen: &Seen) -> Check {
    let scale = Scale {
        name: CheckName::Database,
        unit: Unit::Share,
        warning: WARNING_RATIO,
        critical: Some(CRITICAL_RATIO),
    };
    let capacity = match &seen.archiver {
        Ok(archiver) => archiver.capacity.as_ref().ok_or(Silence::Failed),
        Err(silence) => Err(*silence),
    };
    let (share, full_at) = match capacity {
        Ok(capacity) => (capacity.used_ratio, capacity.full_at),
        Err(silence) => return scale.silent("the archiver", silence),
    };
    let status = scale.level(share);
    let told = format!("The database is {:.1} % full", share * 100.0);
    let when = match full_at {
        Some(date) => format!("; as it grows, its limit is reached on {date}"),
        None => String::new(),
    };
    let detail = match status {
        Status::Ok => format!("{told}{when}."),
        Status::Critical => format!(
            "{told}{when}. The oldest day that has ended is archived before its time, every six hours. Archive \
             more days by hand, keep raw events or hourly rows for fewer days, or raise D1_LIMIT_BYTES if \
             your plan allows more."
        ),
        _ => format!(
            "{told}{when}. Look whether days are archived and deleted, and keep raw events or hourly rows \
             for fewer days if they are."
        ),
    };
    scale.check(status, Some(share), detail)
}

/// The archive's state, or why it is not known.
fn archive_of(seen: &Seen) -> Source<&ArchiveState> {
    match &seen.archiver {
        Ok(archiver) => archiver.archive.as_ref().ok_or(Silence::Failed),
        Err(silence) => Err(*silence),
    }
}

fn archive(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale {
        name: CheckName::Archive,
        unit: Unit::Hours,
        warning: ARCHIVE_WARNING_HOURS,
        critical: Some(ARCHIVE_CRITICAL_HOURS),
    };
    let state = match archive_of(seen) {
        Ok(state) => state,
        Err(silence) => return scale.silent("the archiver", silence),
    };
    let late = state.waiting.map_or(0.0, |day| seconds(now_ms - day.due_ms) / 3_600.0);
    let mut status = scale.level(late);
    let mut detail = match state.waiting {
        None if state.days_archived == 0 => "No day is old enough to be archived yet.".to_owned(),
        None => "Every day that is due is archived.".to_owned(),
        Some(day) if status == Status::Ok => {
            format!("{} is due and is archived at 02:00 UTC, or goes on every ten minutes.", day.date)
        }
        Some(day) => format!(
            "{} has been due for {late:.0} hours and is not archived. Look at the archiver's log, and order \
             it by POST /admin/archive/trigger. If it was imported just now, the next night takes it.",
            day.date
        ),
    };
    if let Some(first) = state.errors.first() {
        status = status.max(Status::Warning);
        let days = plural(u64::from(state.days_with_errors), "day", "days");
        let (date, error) = (first.date, first.error.trim_end_matches('.'));
        detail = format!("{detail} The last run of {days} ended with an error; {date}: {error}.");
    }
    scale.check(status, Some(late), detail)
}

fn reconciliation(seen: &Seen) -> Check {
    let scale = Scale {
        name: CheckName::Reconciliation,
        unit: Unit::Days,
        warning: RECONCILIATION_WARNING,
        critical: None,
    };
    let state = match archive_of(seen) {
        Ok(state) => state,
        Err(silence) => return scale.silent("the archiver", silence),
    };
    let days = f64::from(state.days_differing);
    let detail = match state.oldest_differing {
        None if state.days_archived == 0 => "No day is archived yet.".to_owned(),
        None => "Every archived day agrees with its hourly statistics.".to_owned(),
        Some(oldest) => format!(
            "Of {}, the oldest {oldest}, archive and hourly statistics differ. GET /admin/archive/status?date={oldest} \
             tells where; POST /admin/reconcile with \"repair\":true makes the hourly rows anew from the archive.",
            plural(u64::from(state.days_differing), "day", "days")
        ),
    };
    scale.check(scale.level(days), Some(days), detail)
}

fn ledger(seen: &Seen, now_ms: i64) -> Check {
    let scale = Scale { name: CheckName::Ledger, unit: Unit::Hours, warning: LEDGER_WARNING, critical: None };
    let hours = match &seen.ledger {
        Ok(hours) => hours,
        Err(silence) => return scale.silent("D1", *silence),
    };
    if hours.is_empty() {
        return scale.check(
            Status::Ok,
            Some(0.0),
            "All that was received is accounted for, in every hour that was checked.",
        );
    }
    let Some(watermark) = watermark(&seen.queue, &seen.outbox, now_ms) else {
        return scale.nothing(
            "Hours do not balance, and the queue or the outbox does not tell what is under way: whether \
             something is missing is not known.",
        );
    };
    let differs = |hour: &&Checked| hour.state(Some(watermark), now_ms) == HourState::Differs;
    let differing: Vec<&Checked> = hours.iter().filter(differs).collect();
    let Some(first) = differing.first() else {
        let detail = format!(
            "All that was received before {} is accounted for, or may still be under way.",
            iso_time(watermark)
        );
        return scale.check(Status::Ok, Some(0.0), detail);
    };
    let (difference, of) = (first.entry.difference(), first.entry.received);
    let what = if difference > 0 {
        format!("{difference} of {of} received are not accounted for")
    } else {
        format!("{} more are accounted for than the {of} received", difference.unsigned_abs())
    };
    let detail = format!(
        "{} not balance. In the oldest, {}, {what}. GET /admin/ledger tells each hour's terms.",
        plural(differing.len() as u64, "hour does", "hours do"),
        first.hour
    );
    let hours = real(differing.len() as u64);
    scale.check(scale.level(hours), Some(hours), detail)
}

/// Milliseconds as seconds, never negative: clocks differ.
fn seconds(ms: i64) -> f64 {
    real(u64::try_from(ms).unwrap_or(0) / 1000)
}

/// A span of time for a person.
pub(crate) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", (s / 60.0).floor()),
        s if s < 172_800.0 => format!("{:.0} h", (s / 3_600.0).floor()),
        s => format!("{:.0} days", (s / 86_400.0).floor()),
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Counts here are far below 2^53.
#[allow(clippy::cast_precision_loss)]
const fn real(count: u64) -> f64 {
    count as f64
}
