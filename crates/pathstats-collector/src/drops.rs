//! Counts of requests that were not recorded, so that nothing is missing in silence.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_model::hour::HourBucket;
use worker::Env;

/// Why a request was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The sampling ratio left it out. Statistics are corrected by the ratio.
    Sampled,
    /// Its client has more requests recorded than the rate limit allows.
    RateLimited,
    /// Queue and outbox refused it.
    Lost,
    /// The recorder is not configured.
    Configuration,
}

impl DropReason {
    /// The word stored in `recording_drops.reason`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::RateLimited => "rate_limited",
            Self::Lost => "lost",
            Self::Configuration => "configuration",
        }
    }
}

/// Counts are written at most once in this time: a write a drop would amplify what the limits are
/// there to stop. An instance that ends before loses what it had not written.
const WRITE_AFTER_MS: i64 = 10_000;

thread_local! {
    static COUNTS: RefCell<BTreeMap<DropReason, u64>> = const { RefCell::new(BTreeMap::new()) };
    static LAST_WRITE: Cell<i64> = const { Cell::new(0) };
}

/// Counts drops, and writes all counts when the last write is ten seconds ago.
pub async fn count_drops(env: &Env, reason: DropReason, requests: u64) {
    COUNTS.with_borrow_mut(|counts| *counts.entry(reason).or_default() += requests);
    let now = now_ms();
    if now - LAST_WRITE.get() < WRITE_AFTER_MS {
        return;
    }
    LAST_WRITE.set(now);
    // Taken before the await: another request of this instance adds to a new map meanwhile.
    let taken = COUNTS.with_borrow_mut(core::mem::take);
    let rows: Vec<(&str, u64)> = taken.iter().map(|(reason, count)| (reason.code(), *count)).collect();
    let written = match env.d1(D1) {
        Ok(d1) => Database::new(d1).add_drops(HourBucket::from_ms(now), &rows).await,
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        tracing::warn!(%error, "counts of dropped requests were not written and are kept");
        COUNTS.with_borrow_mut(|counts| {
            for (reason, count) in taken {
                *counts.entry(reason).or_default() += count;
            }
        });
    }
}
