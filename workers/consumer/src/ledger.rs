//! The completeness ledger: what the cron checks.

use pathstats_edge::bindings::AGGREGATOR_DO;
use pathstats_edge::clock::now_ms;
use pathstats_edge::fan_out::probe_groups;
use pathstats_edge::ledger::Ledger;
use pathstats_model::calls::CountReply;
use pathstats_model::completeness::check::{self, Books, Done, Finding, Noted, Seen};
use pathstats_model::hour::{HourBucket, DAY_MS};
use pathstats_model::ingest::Group;
use worker::{Env, Error, ObjectNamespace, Result};

/// The time between two runs.
const RUN_MS: i64 = 5 * 60_000;

struct D1Books {
    store: Ledger,
    objects: ObjectNamespace,
}

impl Books for D1Books {
    type Error = Error;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    async fn noted(&self, before: HourBucket, recent: HourBucket) -> Result<Vec<Noted>> {
        self.store.noted(before, recent).await
    }

    async fn look(&self, hour: HourBucket, tried_ms: i64) -> Result<Seen> {
        self.store.look(hour, tried_ms).await
    }

    async fn raw_rows_among(&self, ids: &[String]) -> Result<u64> {
        self.store.raw_rows_among(ids).await
    }

    async fn probe(&self, groups: &[Group]) -> Vec<CountReply> {
        probe_groups(&self.objects, groups).await
    }

    async fn enter(&self, hour: HourBucket, tried_ms: i64, finding: Option<Finding>) -> Result<()> {
        self.store.enter(hour, tried_ms, finding).await
    }
}

/// Checks the hours that are due. Dying anywhere: see [`check::run`].
pub async fn keep(env: &Env) -> Result<()> {
    let books = D1Books { store: Ledger::of(env)?, objects: env.durable_object(AGGREGATOR_DO)? };
    let started = now_ms();
    let done = check::run(&books).await?;
    if done != Done::default() {
        let Done { checked, differing, postponed, left } = done;
        let milliseconds = now_ms() - started;
        if differing > 0 {
            tracing::warn!(checked, differing, postponed, left, milliseconds, "the ledger was checked");
        } else {
            tracing::info!(checked, differing, postponed, left, milliseconds, "the ledger was checked");
        }
    }
    // Once a day. Again: what is gone is gone; not at all: the next day does it.
    if started.rem_euclid(DAY_MS) < RUN_MS {
        books.store.forget(started).await?;
    }
    Ok(())
}
