//! Which notifications are sent now, and when one is sent again or given up.

use crate::backoff::delay_seconds;

/// Most notifications of a run; they are sent at once.
pub const MAX_AT_ONCE: usize = 10;

/// Attempts after which a notification is given up: some two hours.
pub const MAX_ATTEMPTS: u32 = 12;

/// Longest wait between two attempts, in seconds. What is new of a rule waits for what is older.
const MAX_WAIT_SECONDS: u32 = 900;

/// How long the claim of an attempt holds by the clock, in milliseconds: far longer than a receiver may take,
/// and over when the next minute begins. A run of an earlier minute that comes late may meet this minute's.
pub const LEASE_MS: i64 = 45_000;

/// Ended notifications that are too old and go when new ones come: more go than come.
pub const DELETED_AT_ONCE: u32 = 50;

/// A notification that is not delivered yet. A rule has one a minute at most, so both name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The minute of the decision, in milliseconds.
    pub at_ms: i64,
    /// The rule.
    pub rule: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Not to be tried in a minute before this.
    pub next_ms: i64,
    /// An attempt is under way until this moment, if it did not die. 0: none is.
    pub leased_until_ms: i64,
    /// The [`Notification`](super::notification::Notification), as JSON.
    pub body: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The receiver has it.
    Sent,
    /// It is sent again.
    Again,
    /// It is not sent again.
    GivenUp,
}

impl Ending {
    /// By whether the receiver took it, after so many attempts.
    #[must_use]
    pub const fn of(taken: bool, attempts: u32) -> Self {
        match (taken, attempts >= MAX_ATTEMPTS) {
            (true, _) => Self::Sent,
            (false, false) => Self::Again,
            (false, true) => Self::GivenUp,
        }
    }

    /// As it is stored.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Again => "pending",
            Self::GivenUp => "failed",
        }
    }
}

/// Those to be sent in this minute, at this moment of the clock, given all that wait, the oldest first. Of a
/// rule only the oldest: nobody hears of an end before the beginning.
#[must_use]
pub fn due(waiting: Vec<Pending>, minute_ms: i64, clock_ms: i64) -> Vec<Pending> {
    let mut rules: Vec<String> = Vec::new();
    let mut due = Vec::new();
    for pending in waiting {
        if rules.contains(&pending.rule) {
            continue;
        }
        rules.push(pending.rule.clone());
        let is_due = pending.next_ms <= minute_ms && pending.leased_until_ms <= clock_ms;
        if is_due && due.len() < MAX_AT_ONCE {
            due.push(pending);
        }
    }
    due
}

/// The minute in which a notification is tried again if the receiver does not take it in this one.
#[must_use]
pub fn next_ms(attempts_before: u32, minute_ms: i64) -> i64 {
    minute_ms + i64::from(delay_seconds(60, attempts_before).min(MAX_WAIT_SECONDS)) * 1_000
}
