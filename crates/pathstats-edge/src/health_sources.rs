//! Asks every source that health goes by, all at once, each within its time.

use core::future::Future;
use core::time::Duration;

use futures_util::future::{join, join3, join5};
use pathstats_model::health::{
    ArchiverState, LetterState, OutboxState, QueueState, Seen, Silence, Source, ARCHIVER_STATE_PATH,
    RECENT_MS, SOURCE_MS,
};
use pathstats_model::HourBucket;
use worker::{Env, Result};

use crate::bindings::{ARCHIVER, D1, KV};
use crate::clock::{now_ms, within};
use crate::health_store::HealthStore;
use crate::ledger_store::LedgerStore;
use crate::letter_store::D1LetterStore;
use crate::queues;
use crate::snapshot_store::SnapshotStore;

/// What is to be seen now. Reads only. A source that does not answer is told to be silent.
pub async fn look(env: &Env) -> Seen {
    let since = now_ms() - RECENT_MS;
    let kv = join(
        ask("the heartbeat", async { SnapshotStore::new(env.kv(KV)?).heartbeat().await }),
        ask("the snapshot's pointer", async { SnapshotStore::new(env.kv(KV)?).pointer().await }),
    );
    let database = join5(
        ask("dead letters", letters(env, since)),
        ask("the outbox", async { HealthStore::new(env.d1(D1)?).outbox().await }),
        ask("requests that were not recorded", async {
            HealthStore::new(env.d1(D1)?).drops(HourBucket::from_ms(since)).await
        }),
        ask("the queue", queues::state(env)),
        ask("the archiver", archiver(env)),
    );
    let ledger = ask("the ledger", async { LedgerStore::new(env.d1(D1)?).differing().await });
    let ((heartbeat, snapshot), (letters, outbox, drops, queue, archiver), ledger) =
        join3(kv, database, ledger).await;
    Seen { heartbeat, snapshot, queue, letters, outbox, drops, archiver, ledger }
}

/// What the queue and the outbox tell of what is under way, for the ledger's watermark.
pub async fn under_way(env: &Env) -> (Source<QueueState>, Source<OutboxState>) {
    join(
        ask("the queue", queues::state(env)),
        ask("the outbox", async { HealthStore::new(env.d1(D1)?).outbox().await }),
    )
    .await
}

async fn ask<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Source<T> {
    match within(Duration::from_millis(u64::from(SOURCE_MS)), answer).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => {
            tracing::warn!(%error, "health does not know {what}");
            Err(Silence::Failed)
        }
        None => Err(Silence::Late),
    }
}

async fn letters(env: &Env, since_ms: i64) -> Result<Vec<LetterState>> {
    D1LetterStore::new(env.d1(D1)?).reasons(since_ms).await
}

async fn archiver(env: &Env) -> Result<ArchiverState> {
    let address = format!("https://pathstats.internal{ARCHIVER_STATE_PATH}");
    let mut response = env.service(ARCHIVER)?.fetch(address, None).await?;
    if response.status_code() != 200 {
        return Err(response.text().await?.into());
    }
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}
