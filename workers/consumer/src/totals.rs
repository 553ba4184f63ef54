//! The totals of the whole system, kept up to date.

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::totals_store::D1TotalsStore;
use pathstats_model::limits::{TOTALS_MS, TOTALS_QUERIES};
use pathstats_model::retention::Budget;
use pathstats_model::totals::{self, Done};
use worker::Env;

use crate::settings::config;

/// Makes the totals of what changed, within what one alarm may spend; tells when to go on. Failures
/// are told to the log.
pub async fn keep_up(env: &Env) -> Option<i64> {
    let every_ms = config(env).totals_every_ms;
    let store = match env.d1(D1) {
        Ok(d1) => D1TotalsStore::new(d1),
        Err(error) => {
            tracing::error!(%error, "totals cannot be made");
            return Some(now_ms() + every_ms);
        }
    };
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
            "totals were made"
        );
    }
    done.next_ms
}
