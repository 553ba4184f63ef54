//! Batches from the queues.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pathstats_edge::analytics;
use pathstats_edge::at_once::at_once;
use pathstats_edge::bindings::{AGGREGATOR_DO, BUDGET_DO, CONSUMER, D1, KV};
use pathstats_edge::budget_calls;
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_edge::databases::Databases;
use pathstats_edge::fan_out::count_groups;
use pathstats_edge::ledger_store::LedgerStore;
use pathstats_edge::queue::Batch;
use pathstats_edge::snapshot_store::SnapshotStore;
use pathstats_edge::usage::{self, queue_units};
use pathstats_model::analytics::DataPoint;
use pathstats_model::backoff::delay_seconds;
use pathstats_model::budget::call::{BudgetCall, BudgetReply};
use pathstats_model::budget::known::KnownPaths;
use pathstats_model::calls::{CountReply, RowState};
use pathstats_model::completeness::booking::RETRIES_EXHAUSTED;
use pathstats_model::completeness::settled::waiting_until;
use pathstats_model::cost::Operation;
use pathstats_model::hour::PathHour;
use pathstats_model::ingest::{
    ingest, Backend, DeadLetter, Delivery, Group, Ingested, SetAside, Settlement, Waiting,
};
use pathstats_model::limits::{CHUNK_CALLS, HEARTBEAT_MS};
use pathstats_model::sharding::{Layouts, Shard};
use pathstats_model::TrafficEvent;
use worker::{Env, Error, Fetcher, ObjectNamespace, Result};

use crate::settings::config;

/// Groups and letters of a batch that are told one by one.
const TOLD_OF_A_BATCH: usize = 5;

/// The platform behind [`ingest`].
pub struct Platform {
    /// The first one, which has the dead letters.
    database: Database,
    databases: Databases,
    objects: ObjectNamespace,
    budgets: ObjectNamespace,
    consumer: Fetcher,
    ledger: LedgerStore,
    retry_base_seconds: u32,
    /// Calls that budgets took from those of the groups.
    spent: Cell<usize>,
}

thread_local! {
    /// Paths that this instance knows to be admitted.
    static KNOWN_PATHS: Rc<RefCell<KnownPaths>> = Rc::default();
}

impl Platform {
    /// The bindings that batches need.
    ///
    /// # Errors
    ///
    /// When one is missing, or it is not known which database holds what.
    pub async fn new(env: &Env) -> Result<Self> {
        Ok(Self {
            databases: Databases::open(env).await?,
            database: Database::new(env.d1(D1)?),
            objects: env.durable_object(AGGREGATOR_DO)?,
            budgets: env.durable_object(BUDGET_DO)?,
            consumer: env.service(CONSUMER)?,
            ledger: LedgerStore::new(env.d1(D1)?),
            retry_base_seconds: config(env).retry_base_seconds,
            spent: Cell::new(0),
        })
    }
}

impl Platform {
    fn shard(&self, shard: Shard) -> Result<Database> {
        Ok(Database::new(self.databases.d1(shard)?))
    }
}

impl Backend for Platform {
    type Error = Error;

    fn layouts(&self) -> &Layouts {
        self.databases.layouts()
    }

    fn known_paths(&self) -> Rc<RefCell<KnownPaths>> {
        KNOWN_PATHS.with(Rc::clone)
    }

    async fn ask_budgets(&self, calls: &[BudgetCall<'_>]) -> Vec<Option<BudgetReply>> {
        self.spent.set(budget_calls::calls_spent(calls.len()));
        budget_calls::ask_budgets(&self.budgets, &self.consumer, calls).await
    }

    async fn row_states(&self, parts: &[(Shard, Vec<&PathHour>)]) -> Vec<Result<Vec<RowState>>> {
        at_once(parts.iter().map(|(shard, keys)| async { self.shard(*shard)?.row_states(keys).await })).await
    }

    async fn store_events(&self, parts: &[(Shard, Vec<&TrafficEvent>)]) -> Vec<Result<()>> {
        at_once(parts.iter().map(|(shard, events)| async { self.shard(*shard)?.store_events(events).await }))
            .await
    }

    async fn store_dead_letters(&self, letters: &[SetAside]) -> Result<()> {
        for SetAside { letter, .. } in letters.iter().take(TOLD_OF_A_BATCH) {
            let event_id = letter.event_id().map(|id| id.to_string()).unwrap_or_default();
            tracing::warn!(
                letterId = letter.id,
                eventId = event_id,
                reason = letter.reason,
                "what cannot be counted is kept as a dead letter"
            );
        }
        self.database.store_dead_letters(letters.iter().map(|set_aside| &set_aside.letter), now_ms()).await
    }

    async fn count(&self, groups: &[Group]) -> Vec<CountReply> {
        let calls = CHUNK_CALLS - self.spent.take();
        let replies = count_groups(&self.objects, &self.consumer, groups, calls).await;
        let failed = groups.iter().zip(&replies).filter(|(_, reply)| **reply == CountReply::Failed);
        for (Group { key, events, .. }, _) in failed.take(TOLD_OF_A_BATCH) {
            tracing::warn!(path = key.path, hour = %key.hour, events = events.len(), "a group comes again");
        }
        replies
    }

    async fn note_waiting(&self, hours: &[Waiting]) -> Result<()> {
        let now = now_ms();
        let until = |waiting: &Waiting| {
            (waiting.hour, waiting_until(self.retry_base_seconds, waiting.failed_before, now))
        };
        let hours: Vec<_> = hours.iter().map(until).collect();
        self.ledger.note_waiting(&hours).await
    }

    fn report(&self, what: &str, error: &Error) {
        tracing::warn!(%error, "{what}");
    }
}

/// Takes a batch of events in and settles each of its messages.
pub async fn take_in(batch: &Batch, env: &Env) {
    let deliveries = batch.deliveries();
    match Platform::new(env).await {
        Ok(platform) => {
            let began = now_ms();
            let ingested = ingest(&platform, &deliveries, began).await;
            let milliseconds = now_ms() - began;
            let Ingested { counted, duplicates, groups, .. } = ingested;
            tracing::debug!(
                messages = deliveries.len(),
                counted,
                duplicates,
                groups,
                milliseconds,
                "a batch was taken in"
            );
            usage::count(Operation::Events, ingested.counted);
            settle(batch, &deliveries, &ingested, env);
            analytics::write(env, &DataPoint::batch(&ingested, batch.oldest_ms(), began, now_ms()));
            beat(env).await;
        }
        Err(error) => {
            // A binding is missing: a deploy went wrong. Or no database tells which of them holds what. The
            // messages wait for its repair.
            tracing::error!(%error, "a batch cannot be taken in");
            for (index, delivery) in deliveries.iter().enumerate() {
                batch.retry(index, delay_seconds(config(env).retry_base_seconds, delivery.failed_before));
            }
        }
    }
}

/// Events of messages that are no delivery of the queue: the outbox's. Tells which are durable.
///
/// # Errors
///
/// As [`Platform::new`].
pub async fn take_in_kept(env: &Env, deliveries: &[Delivery]) -> Result<Ingested> {
    let ingested = ingest(&Platform::new(env).await?, deliveries, now_ms()).await;
    usage::count(Operation::Events, ingested.counted);
    Ok(ingested)
}

fn settle(batch: &Batch, deliveries: &[Delivery], ingested: &Ingested, env: &Env) {
    let retried = ingested.settlements.iter().filter(|s| **s == Settlement::Retry).count();
    if retried == 0 && ingested.settlements.len() == deliveries.len() {
        batch.acknowledge_all();
    } else {
        for (index, delivery) in deliveries.iter().enumerate() {
            match ingested.settlements.get(index) {
                Some(Settlement::Acknowledge) => batch.acknowledge(index),
                Some(Settlement::Retry) | None => {
                    batch.retry(index, delay_seconds(config(env).retry_base_seconds, delivery.failed_before));
                }
            }
        }
    }
    if retried > 0 || ingested.dead_letters > 0 {
        tracing::warn!(
            messages = deliveries.len(),
            retried,
            deadLetters = ingested.dead_letters,
            counted = ingested.counted,
            duplicates = ingested.duplicates,
            groups = ingested.groups,
            "a batch was not taken in whole"
        );
    }
}

/// Keeps messages whose attempts are used up. Again: a letter's id is its message's. Should D1
/// refuse, they stay in the dead-letter queue and come again.
pub async fn keep_dead_letters(batch: &Batch, env: &Env) {
    let deliveries = batch.deliveries();
    // The platform wrote each to this queue.
    let moved = deliveries.iter().filter(|delivery| delivery.failed_before == 0);
    usage::count(Operation::QueueWrites, moved.map(|delivery| queue_units(delivery.body.len())).sum());
    let letters: Vec<DeadLetter> = deliveries
        .iter()
        .map(|delivery| DeadLetter {
            id: delivery.message_id.clone(),
            reason: RETRIES_EXHAUSTED,
            detail: "the message failed at every attempt".to_owned(),
            body: delivery.body.clone(),
            attempts: pathstats_model::backoff::MAX_RETRIES + 1 + delivery.failed_before,
        })
        .collect();
    let stored = match env.d1(D1) {
        Ok(d1) => Database::new(d1).store_dead_letters(&letters, now_ms()).await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(()) => batch.acknowledge_all(),
        Err(error) => {
            tracing::error!(%error, "dead letters were not stored");
            for (index, delivery) in deliveries.iter().enumerate() {
                batch.retry(index, delay_seconds(config(env).retry_base_seconds, delivery.failed_before));
            }
        }
    }
}

thread_local! {
    /// When this instance knows the heartbeat to have been written last.
    static LAST_BEAT: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Writes the heartbeat, at most once a minute. An instance that does not know of one reads it
/// first, so that many instances write no more than one does.
async fn beat(env: &Env) {
    let now = now_ms();
    let due = |last: Option<i64>| last.is_none_or(|last| now - last >= HEARTBEAT_MS);
    if !due(LAST_BEAT.get()) {
        return;
    }
    let written = async {
        let store = SnapshotStore::new(env.kv(KV)?);
        let last = store.heartbeat().await?;
        LAST_BEAT.set(last.filter(|_| !due(last)).or(Some(now)));
        if due(last) {
            store.beat(now).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "the heartbeat was not written");
    }
}
