//! What is due, and what is unfinished.

use pathstats_archive::config::ArchiveConfig;
use pathstats_archive::record::DayRecord;
use pathstats_archive::run::{Budget, Order, Reconcile};
use pathstats_edge::archive_rows::MAX_DAYS;
use pathstats_edge::archive_store::ArchiveStore;
use pathstats_edge::clock::now_ms;
use pathstats_model::hour::{EventDate, HOUR_MS};
use pathstats_model::retention::day;
use std::collections::BTreeMap;
use worker::{Env, Result};

use crate::orders::{lasting, one_day};
use crate::settings::store;

/// How long one firing of the cron works. It has 15 minutes; the next comes after ten.
const LASTING_MS: i64 = 480_000;
/// How long differences from the hourly statistics are looked at again, after a day was archived.
pub const SETTLING_MS: i64 = HOUR_MS;

/// Archives the days that are due, and goes on with those that were begun, oldest first. A day that
/// fails does not keep the next one from its turn. Gives the calls that are left to the invocation.
pub async fn run(env: &Env, config: &ArchiveConfig) -> u32 {
    let mut budget = lasting(env, LASTING_MS);
    if let Err(error) = days(env, config, &mut budget).await {
        tracing::error!(%error, "the days to be archived cannot be listed");
    }
    budget.calls
}

async fn days(env: &Env, config: &ArchiveConfig, budget: &mut Budget) -> Result<()> {
    let store = store(env).await?;
    for (date, order) in todo(&store, config).await? {
        if budget.calls == 0 || now_ms() >= budget.ends_at_ms {
            break;
        }
        // Told to the log and in its record; dying within, the next cron goes on.
        let _ = one_day(env, &store, config, date, order, budget).await;
    }
    Ok(())
}

/// Archives and cleans one day now, however young it is. It tells the log itself.
pub async fn one(env: &Env, config: &ArchiveConfig, date: EventDate) {
    let order = Order { archive: true, clean: true, convert: None, reconcile: None };
    match store(env).await {
        Ok(store) => drop(one_day(env, &store, config, date, order, &mut lasting(env, LASTING_MS)).await),
        Err(error) => tracing::error!(%error, "a full database was not relieved"),
    }
}

/// The days that have something to be done, oldest first.
async fn todo(store: &ArchiveStore, config: &ArchiveConfig) -> Result<BTreeMap<EventDate, Order>> {
    let now = now_ms();
    let mut todo = BTreeMap::new();
    for row in store.rows().unfinished(MAX_DAYS).await? {
        let record: DayRecord = serde_json::from_str(&row.record)?;
        // One that is whole and was not to be cleaned waits until it is due.
        if record.clean || record.files.iter().any(|file| !file.is_whole()) {
            todo.insert(
                row.date,
                Order { archive: true, clean: record.clean, convert: None, reconcile: None },
            );
        }
    }
    // What an import counted is flushed some time after its raw events are there.
    for row in store.rows().archived_since(now - SETTLING_MS, MAX_DAYS).await? {
        let record: DayRecord = serde_json::from_str(&row.record)?;
        if !record.reconciliation.is_equal() {
            let again = Order { archive: true, clean: record.clean, convert: None, reconcile: None };
            todo.entry(row.date).or_insert(again).reconcile = Some(Reconcile::Compare);
        }
    }
    for date in store.rows().days_with_events(MAX_DAYS).await? {
        if day(date, now, config.raw_days).due {
            let due = Order { archive: true, clean: true, convert: None, reconcile: None };
            todo.entry(date).or_insert(due).clean = true;
        }
    }
    Ok(todo)
}
