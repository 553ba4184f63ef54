//! Snapshots and the heartbeat in KV.

use std::cell::RefCell;
use std::rc::Rc;

use pathstats_model::limits::SNAPSHOT_TTL_SECONDS;
use pathstats_model::snapshot::{snapshot_key, Pointer, Snapshot, LATEST_KEY};
use serde::de::DeserializeOwned;
use worker::kv::KvStore;
use worker::Result;

use crate::telemetry::warn;

/// KV key of the heartbeat: milliseconds since the epoch, as text.
pub const HEARTBEAT_KEY: &str = "aggregator:heartbeat";

thread_local! {
    /// The snapshot that this isolate read last.
    static LAST_READ: RefCell<Option<Rc<Snapshot>>> = const { RefCell::new(None) };
}

/// Where snapshots lie.
#[derive(Debug)]
pub struct SnapshotStore {
    kv: KvStore,
}

impl SnapshotStore {
    /// The store in this namespace.
    #[must_use]
    pub const fn new(kv: KvStore) -> Self {
        Self { kv }
    }

    /// The pointer to the newest snapshot. One that does not read is told and passes for none: the
    /// next rebuild writes a new one.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn pointer(&self) -> Result<Option<Pointer>> {
        self.read(LATEST_KEY).await
    }

    /// The newest snapshot that can be read: the pointer's latest, else the one before. A snapshot never
    /// changes, so the one that was read last is not read again.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn latest(&self) -> Result<Option<Rc<Snapshot>>> {
        let Some(pointer) = self.pointer().await? else { return Ok(None) };
        let is_latest =
            |known: &Rc<Snapshot>| (known.version, known.updated_at) == (pointer.version, pointer.updated_at);
        let known = LAST_READ.with_borrow(|last| last.clone().filter(is_latest));
        if known.is_some() {
            return Ok(known);
        }
        for version in pointer.versions() {
            if let Some(snapshot) = self.read(&snapshot_key(version)).await? {
                let snapshot = Rc::new(snapshot);
                LAST_READ.set(Some(Rc::clone(&snapshot)));
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(text) = self.kv.get(key).text().await? else { return Ok(None) };
        Ok(serde_json::from_str(&text)
            .map_err(|broken| warn(&format!("{key} in KV does not read"), &broken))
            .ok())
    }

    /// Writes a snapshot, then the pointer to it. Dying between leaves the pointer at the one
    /// before; the next rebuild writes a new version.
    ///
    /// # Errors
    ///
    /// When KV refuses.
    pub async fn publish(&self, snapshot: &Snapshot, prev: Option<u64>) -> Result<()> {
        self.kv
            .put(&snapshot_key(snapshot.version), serde_json::to_string(snapshot)?)?
            .expiration_ttl(SNAPSHOT_TTL_SECONDS)
            .execute()
            .await?;
        let pointer = Pointer { version: snapshot.version, prev, updated_at: snapshot.updated_at };
        self.kv.put(LATEST_KEY, serde_json::to_string(&pointer)?)?.execute().await?;
        Ok(())
    }

    /// When the consumer last took a batch in.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn heartbeat(&self) -> Result<Option<i64>> {
        Ok(self.kv.get(HEARTBEAT_KEY).text().await?.and_then(|text| text.parse().ok()))
    }

    /// Writes the heartbeat.
    ///
    /// # Errors
    ///
    /// When KV refuses.
    pub async fn beat(&self, now_ms: i64) -> Result<()> {
        self.kv.put(HEARTBEAT_KEY, now_ms.to_string())?.execute().await?;
        Ok(())
    }
}
