//! The totals of the whole system, kept up to date: of each database what stands in it.

use pathstats_edge::at_once::at_once;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::every;
use pathstats_edge::totals_store::D1TotalsStore;
use pathstats_model::limits::{TOTALS_MS, TOTALS_QUERIES};
use pathstats_model::retention::Budget;
use pathstats_model::totals::{self, Done};
use worker::{D1Database, Env};

use crate::settings::config;

/// Makes the totals of what changed, within what one alarm may spend; tells when to go on. Failures
/// are told to the log. One database that fails keeps no other from its turn.
pub async fn keep_up(env: &Env) -> Option<i64> {
    let every_ms = config(env).totals_every_ms;
    let databases = match every(env) {
        Ok(databases) => databases,
        Err(error) => {
            tracing::error!(%error, "totals cannot be made");
            return Some(now_ms() + every_ms);
        }
    };
    let each = databases.into_iter().enumerate().map(|(shard, d1)| keep_up_one(d1, shard, every_ms));
    at_once(each).await.into_iter().flatten().min()
}

async fn keep_up_one(d1: D1Database, shard: usize, every_ms: i64) -> Option<i64> {
    let store = D1TotalsStore::new(d1);
    let started = now_ms();
    let budget = Budget { queries: TOTALS_QUERIES, until_ms: started + TOTALS_MS };
    let done = totals::keep_up(&store, every_ms, budget).await;
    if done != (Done { next_ms: done.next_ms, ..Done::default() }) {
        let Done { hours, days, rows, broken, failures, .. } = done;
        let (used, milliseconds) = (store.used(), now_ms() - started);
        let (rows_read, rows_written) = (used.rows_read, used.rows_written);
        tracing::info!(
            hours,
            days,
            rows,
            broken,
            failures,
            rowsRead = rows_read,
            rowsWritten = rows_written,
            milliseconds,
            database = shard,
            "totals were made"
        );
    }
    done.next_ms
}
