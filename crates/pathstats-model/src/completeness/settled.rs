//! Up to when all is final, and when a difference is one.

use serde::{Deserialize, Serialize};

use super::figures::Entry;
use super::{CONFIRM_MS, SETTLE_MS};
use crate::backoff::{delay_seconds, MAX_DELAY_SECONDS, MAX_RETRIES};
use crate::health::{OutboxState, QueueState, Source};
use crate::hour::HourBucket;

/// An hour as it was last checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The hour.
    pub hour: HourBucket,
    /// What it came to; all zero before the first check.
    pub entry: Entry,
    /// When it was checked; `None`: never yet.
    pub checked_ms: Option<i64>,
    /// Since when it has differed by as much; `None` while it balances.
    pub differs_since_ms: Option<i64>,
    /// Until when messages with events of it may come again.
    pub waiting_until_ms: i64,
    /// Whether something of it changed after that check.
    pub changed: bool,
}

/// How an hour stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LedgerState"))]
#[serde(rename_all = "lowercase")]
pub enum HourState {
    /// Something of it is under way, or it was not checked since it changed.
    Open,
    /// Final: all that was sent in it is accounted for.
    Balanced,
    /// Final: something is missing, or there is too much.
    Differs,
}

/// All that was sent before this moment is durable: it is in no queue and in no outbox, and was flushed.
/// `None` when one of them does not tell.
///
/// What the queue holds back until its next attempt it may leave out: therefore hours are noted of which
/// something is stored and comes again.
#[must_use]
pub fn watermark(queue: &Source<QueueState>, outbox: &Source<OutboxState>, now_ms: i64) -> Option<i64> {
    let (queue, outbox) = (queue.as_ref().ok()?, outbox.as_ref().ok()?);
    let oldest = |waiting: u64, oldest: Option<i64>| match (waiting, oldest) {
        (0, _) => Some(i64::MAX),
        (_, oldest) => oldest,
    };
    let sent = oldest(queue.messages, queue.oldest_ms)?.min(oldest(outbox.messages, outbox.oldest_ms)?);
    Some(sent.min(now_ms - SETTLE_MS))
}

/// Until when a message that failed so often before, and failed again, may come again. After its last
/// attempt it becomes a dead letter, which may take as long as the longest wait.
#[must_use]
pub fn waiting_until(base_seconds: u32, failed_before: u32, now_ms: i64) -> i64 {
    let last = failed_before >= MAX_RETRIES;
    let seconds = if last { MAX_DELAY_SECONDS } else { delay_seconds(base_seconds, failed_before) };
    now_ms + i64::from(seconds) * 1000 + SETTLE_MS
}

impl Checked {
    /// How it stands, given the [`watermark`].
    #[must_use]
    pub fn state(&self, watermark_ms: Option<i64>, now_ms: i64) -> HourState {
        let Some(watermark) = watermark_ms.filter(|at| *at >= self.hour.end_ms()) else {
            return HourState::Open;
        };
        if self.checked_ms.is_none() || self.waiting_until_ms > now_ms {
            return HourState::Open;
        }
        match self.differs_since_ms {
            // Whatever was under way when the difference was first seen has come to its end since.
            Some(since) if since + CONFIRM_MS <= watermark => HourState::Differs,
            None if !self.changed => HourState::Balanced,
            _ => HourState::Open,
        }
    }
}

/// Since when an hour has differed by as much, after a check that found `difference`.
#[must_use]
pub const fn differs_since(
    before: i64,
    since_ms: Option<i64>,
    difference: i64,
    checked_ms: i64,
) -> Option<i64> {
    match (difference, since_ms) {
        (0, _) => None,
        // The same as before: what is under way comes and goes, what is wrong stays.
        (_, Some(since)) if difference == before => Some(since),
        _ => Some(checked_ms),
    }
}
