//! The one object that rebuilds the snapshot, however many ask, and keeps the totals up to date.

use std::cell::{Cell, RefCell};

use pathstats_edge::bindings::KV;
use pathstats_edge::clock::{alarm_time, now_ms};
use pathstats_edge::databases::Databases;
use pathstats_edge::snapshot_build::build;
use pathstats_edge::snapshot_store::SnapshotStore;
use pathstats_edge::usage::{count, ObjectCall};
use pathstats_edge::{http, telemetry};
use pathstats_model::cost::Operation;
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::{next_version, Coalescer, SnapshotDecision, SnapshotReason, SnapshotState};
use worker::{durable_object, DurableObject, Env, Request, Response, Result, State};

use crate::settings::config;
use crate::totals;

/// Storage key of the last version published, which is also when its rebuild began.
const LAST_KEY: &str = "last";

/// Coalesces requests to at most one rebuild in `SNAPSHOT_SECONDS`.
#[durable_object(alarm)]
pub struct SnapshotDO {
    state: State,
    env: Env,
    coalescer: RefCell<Option<Coalescer>>,
    /// When totals are next to be made, as far as this instance knows.
    totals_due_ms: Cell<Option<i64>>,
    building: Cell<bool>,
    /// What this instance published last.
    published: Cell<Option<u64>>,
}

impl DurableObject for SnapshotDO {
    fn new(state: State, env: Env) -> Self {
        telemetry::start(&env);
        let (coalescer, totals_due_ms) = (RefCell::new(None), Cell::new(None));
        let (building, published) = (Cell::new(false), Cell::new(None));
        Self { state, env, coalescer, totals_due_ms, building, published }
    }

    /// Takes a request for a snapshot; answers at once.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let _call = ObjectCall::begin();
        let body = request.bytes().await?;
        let Ok(reason) = serde_json::from_slice::<SnapshotReason>(&body) else {
            let problem = Problem::new(
                400,
                "invalid_reason",
                "The reason cannot be read",
                "expected a reason for a snapshot",
            );
            return http::problem(&problem)?.try_into();
        };
        self.load().await?;
        let decision = self.with_coalescer(|coalescer| coalescer.request(reason, now_ms()));
        if matches!(decision, SnapshotDecision::At(_)) {
            self.arm().await?;
        }
        let rebuilds = self.with_coalescer(|coalescer| coalescer.rebuilds());
        http::json(200, &SnapshotState { rebuilds, published: self.published.get() })?.try_into()
    }

    /// Rebuilds, then makes totals. Never fails: both are tried again by an alarm of their own.
    async fn alarm(&self) -> Result<Response> {
        let _call = ObjectCall::begin();
        self.load().await?;
        if self.building.replace(true) {
            // The platform runs one alarm at a time; a second one would mean a stuck first one.
            return Response::empty();
        }
        let totals_due_ms = self.totals_due_ms.take();
        if self.with_coalescer(|coalescer| coalescer.rings_at(now_ms(), totals_due_ms)) {
            self.with_coalescer(|coalescer| coalescer.begin(now_ms()));
            if let Err(error) = self.rebuild().await {
                tracing::warn!(%error, "the snapshot was not rebuilt and is tried again");
                self.with_coalescer(|coalescer| coalescer.failed(now_ms()));
            }
        }
        // Every alarm makes totals, whatever it was set for: one that was lost is no loss.
        self.totals_due_ms.set(totals::keep_up(&self.env).await);
        self.building.set(false);
        self.arm().await?;
        Response::empty()
    }
}

impl SnapshotDO {
    /// Sets the alarm to what comes first. Dying before: the cron asks again.
    async fn arm(&self) -> Result<()> {
        let rebuild = self.with_coalescer(|coalescer| coalescer.rebuilds().due_ms);
        match [rebuild, self.totals_due_ms.get()].into_iter().flatten().min() {
            Some(due) => {
                count(Operation::ObjectRowsWritten, 1);
                self.state.storage().set_alarm(alarm_time(due)).await
            }
            None => Ok(()),
        }
    }

    /// Loads when the last rebuild was. Two calls at once load the same.
    async fn load(&self) -> Result<()> {
        if self.coalescer.borrow().is_none() {
            count(Operation::ObjectRowsRead, 1);
            let last: Option<f64> = self.state.storage().get(LAST_KEY).await?;
            #[allow(clippy::cast_possible_truncation)]
            let last = last.map(|last| last as i64);
            let mut coalescer = self.coalescer.borrow_mut();
            coalescer.get_or_insert(Coalescer::new(config(&self.env).snapshot_every_ms, last));
        }
        Ok(())
    }

    fn with_coalescer<T>(&self, act: impl FnOnce(&mut Coalescer) -> T) -> T {
        let mut coalescer = self.coalescer.borrow_mut();
        act(coalescer.get_or_insert_with(|| Coalescer::new(config(&self.env).snapshot_every_ms, None)))
    }

    async fn rebuild(&self) -> Result<()> {
        let started = now_ms();
        let store = SnapshotStore::new(self.env.kv(KV)?);
        // 1. Read. Again: reads only.
        let prev = store.pointer().await?.map(|pointer| pointer.version);
        let snapshot =
            build(&Databases::open(&self.env).await?, next_version(prev, started), started).await?;
        // 2. Publish. Dying within leaves the pointer at the snapshot before. Again: a new version.
        let (paths, version) = (snapshot.paths.len(), snapshot.version);
        store.publish(&snapshot.into(), prev).await?;
        self.published.set(Some(version));
        let milliseconds = now_ms() - started;
        tracing::debug!(paths, milliseconds, "the snapshot was rebuilt");
        // 3. Remember when, so that an evicted object keeps its distance.
        #[allow(clippy::cast_precision_loss)]
        let last = started as f64;
        count(Operation::ObjectRowsWritten, 1);
        self.state.storage().put(LAST_KEY, last).await
    }
}
