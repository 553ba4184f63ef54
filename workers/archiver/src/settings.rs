//! The archiver's configuration and bindings.

use pathstats_archive::config::ArchiveConfig;
use pathstats_edge::archive_rows::ArchiveRows;
use pathstats_edge::archive_store::ArchiveStore;
use pathstats_edge::bindings::{EnvVariables, D1, KV, R2_ARCHIVE};
use pathstats_model::config::ConfigError;
use worker::{Env, Result};

/// The configuration. A wrong variable archives nothing: deleting by a mistaken setting cannot be
/// taken back.
pub fn config(env: &Env) -> core::result::Result<ArchiveConfig, ConfigError> {
    ArchiveConfig::from_variables(&EnvVariables(env))
}

/// The database, the bucket and KV.
pub fn store(env: &Env) -> Result<ArchiveStore> {
    Ok(ArchiveStore::new(ArchiveRows::new(env.d1(D1)?), env.bucket(R2_ARCHIVE)?, env.kv(KV)?))
}
