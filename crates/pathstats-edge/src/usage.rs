//! What this instance did that is billed: counted in memory where it happens, and added up in the database once
//! in a while. See [`pathstats_model::cost`].

use std::cell::Cell;

use pathstats_model::config::number;
use pathstats_model::cost::meter::{is_due, METER_MS};
use pathstats_model::cost::{Operation, Operations};
use pathstats_model::limits::QUEUE_BILLING_UNIT_BYTES;
use pathstats_model::HourBucket;
use worker::{Context, Env, Result};

use crate::bindings::{EnvVariables, D1};
use crate::clock::now_ms;
use crate::usage_store::UsageStore;

thread_local! {
    static COUNTED: Cell<Operations> = const { Cell::new(Operations::NONE) };
    /// When this instance added up last, or began to count.
    static LAST_MS: Cell<Option<i64>> = const { Cell::new(None) };
    /// `METER_SECONDS` in milliseconds, once it was read.
    static EVERY_MS: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Counts `more` of an operation.
pub fn count(operation: Operation, more: u64) {
    let mut counted = COUNTED.get();
    counted.add(operation, more);
    COUNTED.set(counted);
}

/// What was counted since it was last added up, for tests of what something costs.
#[must_use]
pub fn counted() -> Operations {
    COUNTED.get()
}

/// What the queue bills for a message: each 64 KB started.
#[must_use]
pub const fn queue_units(bytes: usize) -> u64 {
    let units = bytes.div_ceil(QUEUE_BILLING_UNIT_BYTES) as u64;
    if units == 0 {
        1
    } else {
        units
    }
}

/// A call or an alarm of an object. Counts its time when it is dropped.
#[derive(Debug)]
pub struct ObjectCall {
    began_ms: i64,
}

impl ObjectCall {
    /// It begins.
    #[must_use]
    pub fn begin() -> Self {
        count(Operation::ObjectRequests, 1);
        Self { began_ms: now_ms() }
    }
}

impl Drop for ObjectCall {
    fn drop(&mut self) {
        count(Operation::ObjectMs, u64::try_from(now_ms() - self.began_ms).unwrap_or_default());
    }
}

/// Adds up what was counted, if it is time: one query, one row. `worker` is who counts.
///
/// Dying before the row is written loses what was counted since the last one. Should the answer be lost after it
/// was written, the counts are kept and added once more. Both are estimates' errors, and told in the docs.
pub async fn settle(env: &Env, worker: &str) {
    let now = now_ms();
    if !due(env, now) {
        return;
    }
    LAST_MS.set(Some(now));
    // Taken before the await: what happens meanwhile, the write itself among it, is counted anew.
    let taken = COUNTED.take();
    let written: Result<()> =
        async { UsageStore::new(env.d1(D1)?).add(HourBucket::from_ms(now), worker, &taken).await }.await;
    if let Err(error) = written {
        tracing::warn!(%error, "counts of operations were not added up and are kept");
        let mut counted = COUNTED.get();
        counted.merge(&taken);
        COUNTED.set(counted);
    }
}

/// As [`settle`], behind an answer.
pub fn settle_behind(context: &Context, env: &Env, worker: &'static str) {
    if due(env, now_ms()) {
        let env = env.clone();
        context.wait_until(async move { settle(&env, worker).await });
    }
}

fn due(env: &Env, now: i64) -> bool {
    let Some(last) = LAST_MS.get() else {
        LAST_MS.set(Some(now));
        return false;
    };
    let every = EVERY_MS.get().unwrap_or_else(|| {
        // A wrong value is no reason not to count.
        let seconds = number(&EnvVariables(env), "METER_SECONDS", 0, 1, 3_600).unwrap_or(0);
        let every = if seconds == 0 { METER_MS } else { i64::from(seconds) * 1_000 };
        EVERY_MS.set(Some(every));
        every
    });
    is_due(&COUNTED.get(), last, now, every)
}
