//! What the api's health asks for: it alone has neither the configuration nor the records for it.

use futures_util::future::join;
use pathstats_archive::config::ArchiveConfig;
use pathstats_edge::archive_rows::{ArchiveRows, MAX_DAYS};
use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::Databases;
use pathstats_edge::health_store::HealthStore;
use pathstats_edge::http::{self, Response};
use pathstats_model::health::{archive_state, ArchiveState, ArchiverState};
use worker::{Env, Result};

use crate::capacity;

/// Answers what can be found out; what cannot is left out. Reads only.
pub async fn answer(env: &Env, config: &ArchiveConfig) -> Result<Response> {
    let (capacity, archive) = join(capacity::known(env), archive(env, config)).await;
    let archive =
        archive.inspect_err(|error| tracing::error!(%error, "the archive cannot be looked at")).ok();
    http::json(200, &ArchiverState { capacity, archive })
}

async fn archive(env: &Env, config: &ArchiveConfig) -> Result<ArchiveState> {
    let in_database = ArchiveRows::new(Databases::open(env).await?)?.days_with_events(MAX_DAYS).await?;
    let archived = HealthStore::new(env.d1(D1)?).archived_days(MAX_DAYS).await?;
    Ok(archive_state(&in_database, &archived, config.raw_days, now_ms()))
}
