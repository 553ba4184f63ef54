//! `GET /health`: whether the api answers, and how old what it would answer is.

use futures_util::future::join;
use pathstats_edge::bindings::KV;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Response};
use pathstats_edge::snapshot_store::SnapshotStore;
use pathstats_model::api::liveness::Health;
use pathstats_model::freshness::staleness_seconds;
use pathstats_model::problem::Problem;
use worker::{Env, Result};

/// 200 while KV can be read, else 503.
pub async fn answer(env: &Env) -> Result<Response> {
    let ages = async {
        let store = SnapshotStore::new(env.kv(KV)?);
        let now = now_ms();
        let (heartbeat, pointer) = join(store.heartbeat(), store.pointer()).await;
        let heartbeat = heartbeat?.map(|at| staleness_seconds(at, now));
        let snapshot = pointer?.map(|pointer| staleness_seconds(pointer.updated_at, now));
        Ok::<_, worker::Error>((heartbeat, snapshot))
    };
    match ages.await {
        Ok((heartbeat, snapshot)) => {
            http::json(200, &Health::new(env!("CARGO_PKG_VERSION"), heartbeat, snapshot))
        }
        Err(error) => {
            tracing::error!(%error, "KV cannot be read");
            let problem = Problem::new(
                503,
                "kv_unreadable",
                "KV cannot be read",
                "the snapshot's store does not answer",
            );
            http::problem(&problem.retry_after(10))
        }
    }
}
