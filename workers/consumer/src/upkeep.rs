//! What the cron of every five minutes does.

use std::cell::Cell;

use pathstats_edge::bindings::{D1, SNAPSHOT_DO, SNAPSHOT_OBJECT};
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_edge::http::post;
use pathstats_model::calls::SNAPSHOT_PATH;
use pathstats_model::ingest::{Delivery, Settlement};
use pathstats_model::snapshot::{Rebuilds, SnapshotReason};
use pathstats_model::snapshot_asks::{Asks, MOST_FOLLOWING};
use worker::{Env, Result};

use crate::intake::take_in_kept;
use crate::ledger;
use crate::settings::config;

/// Messages of the outbox taken in at once, as in a batch of the queue.
const OUTBOX_BATCH: usize = 100;

/// Batches of the outbox in one run: a run makes at most some thousand calls. The rest waits five
/// minutes.
const OUTBOX_BATCHES: usize = 20;

/// Drains the outbox, asks for a snapshot and checks the ledger. One failing does not keep the others from
/// running.
pub async fn run(env: &Env) -> Result<()> {
    let drained = drain_outbox(env).await;
    let asked = ask_for_snapshot(env, SnapshotReason::Cron).await;
    let checked = ledger::keep(env).await;
    drained.and(asked).and(checked)
}

/// Takes messages in as if the queue had delivered them, then removes those that are durable.
/// Dying between the two takes them in again: the objects and raw rows know the ids. What fails
/// stays for the next run, and does not keep what lies behind it waiting.
async fn drain_outbox(env: &Env) -> Result<()> {
    let database = Database::new(env.d1(D1)?);
    let mut after = String::new();
    for _ in 0..OUTBOX_BATCHES {
        let rows = database.outbox(&after, OUTBOX_BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.id);
        let deliveries: Vec<Delivery> = rows
            .iter()
            .map(|row| Delivery { message_id: row.id.clone(), body: row.body.clone(), failed_before: 0 })
            .collect();
        let ingested = take_in_kept(env, &deliveries).await?;
        let durable: Vec<&str> = rows
            .iter()
            .zip(&ingested.settlements)
            .filter(|(_, settlement)| **settlement == Settlement::Acknowledge)
            .map(|(row, _)| row.id.as_str())
            .collect();
        database.remove_from_outbox(&durable).await?;
        let (taken, left) = (durable.len(), rows.len() - durable.len());
        tracing::info!(taken, left, "messages were taken from the outbox");
    }
    Ok(())
}

thread_local! {
    /// What the objects of this instance know and ask of snapshots.
    static ASKS: Cell<Asks> = const { Cell::new(Asks::NONE) };
}

/// Asks the one snapshot object for a rebuild, unless what is known tells that asking changes nothing, or another
/// object of this instance is asking: it then asks for both. Dying while it asks: the next flush does, or the cron.
///
/// # Errors
///
/// When the object cannot be reached.
pub async fn ask_for_snapshot(env: &Env, reason: SnapshotReason) -> Result<()> {
    let every_ms = config(env).snapshot_every_ms;
    let mut next = with_asks(|asks| asks.begin(reason, every_ms, now_ms()));
    for _ in 0..=MOST_FOLLOWING {
        let Some(reason) = next else { return Ok(()) };
        match call(env, reason).await {
            Ok(known) => next = with_asks(|asks| asks.answered(known, every_ms, now_ms())),
            Err(error) => {
                with_asks(Asks::failed);
                return Err(error);
            }
        }
    }
    if let Some(reason) = next {
        with_asks(|asks| asks.leave(reason));
    }
    Ok(())
}

fn with_asks<T>(act: impl FnOnce(&mut Asks) -> T) -> T {
    let mut asks = ASKS.get();
    let result = act(&mut asks);
    ASKS.set(asks);
    result
}

async fn call(env: &Env, reason: SnapshotReason) -> Result<Rebuilds> {
    let began = now_ms();
    let stub = env.durable_object(SNAPSHOT_DO)?.get_by_name(SNAPSHOT_OBJECT)?;
    let body = serde_json::to_vec(&reason)?;
    let mut response = stub.fetch_with_request(post(SNAPSHOT_PATH, &body)?).await?;
    if response.status_code() != 200 {
        return Err(response.text().await?.into());
    }
    let known = serde_json::from_slice(&response.bytes().await?)?;
    let milliseconds = now_ms() - began;
    tracing::debug!(reason = ?reason, milliseconds, "a snapshot was asked for");
    Ok(known)
}
