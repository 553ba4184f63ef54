//! The archiver's configuration and bindings.

use pathstats_archive::config::ArchiveConfig;
use pathstats_edge::archive_rows::ArchiveRows;
use pathstats_edge::archive_store::ArchiveStore;
use pathstats_edge::bindings::{EnvVariables, KV, R2_ARCHIVE};
use pathstats_edge::databases::Databases;
use pathstats_model::config::ConfigError;
use worker::{Env, Result};

/// The configuration. A wrong variable archives nothing: deleting by a mistaken setting cannot be
/// taken back.
pub fn config(env: &Env) -> core::result::Result<ArchiveConfig, ConfigError> {
    ArchiveConfig::from_variables(&EnvVariables(env))
}

/// The databases, the bucket and KV.
pub async fn store(env: &Env) -> Result<ArchiveStore> {
    Ok(ArchiveStore::new(
        ArchiveRows::new(Databases::open(env).await?)?,
        env.bucket(R2_ARCHIVE)?,
        env.kv(KV)?,
    ))
}
