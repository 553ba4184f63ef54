//! Snapshots and the heartbeat in KV.

use core::cell::{OnceCell, RefCell};
use core::ops::Deref;
use std::rc::Rc;

use pathstats_model::cost::Operation;
use pathstats_model::limits::SNAPSHOT_TTL_SECONDS;
use pathstats_model::snapshot::{snapshot_key, Pointer, Snapshot, LATEST_KEY};
use worker::kv::KvStore;
use worker::Result;

use crate::http::gzip;
use crate::usage::count;

/// KV key of the heartbeat: milliseconds since the epoch, as text.
pub const HEARTBEAT_KEY: &str = "aggregator:heartbeat";

thread_local! {
    /// The snapshot that this isolate read last.
    static LAST_READ: RefCell<Option<Rc<StoredSnapshot>>> = const { RefCell::new(None) };
}

/// A snapshot, with its text as it lies in KV, and that packed as it lies in the cache. Each is made once.
#[derive(Debug)]
pub struct StoredSnapshot {
    snapshot: Snapshot,
    text: OnceCell<String>,
    packed: OnceCell<Vec<u8>>,
}

impl StoredSnapshot {
    /// Reads what was stored.
    ///
    /// # Errors
    ///
    /// When the text is not a snapshot's.
    pub fn from_text(text: String) -> serde_json::Result<Self> {
        let snapshot = serde_json::from_str(&text)?;
        Ok(Self { snapshot, text: OnceCell::from(text), packed: OnceCell::new() })
    }

    /// The text, made when it is asked for.
    ///
    /// # Errors
    ///
    /// When the snapshot holds what JSON has no form for.
    pub fn text(&self) -> serde_json::Result<&str> {
        if let Some(text) = self.text.get() {
            return Ok(text);
        }
        let text = serde_json::to_string(&self.snapshot)?;
        Ok(self.text.get_or_init(|| text))
    }

    /// The text as a file of gzip.
    ///
    /// # Errors
    ///
    /// As [`Self::text`], and when the runtime cannot pack.
    pub async fn packed(&self) -> Result<&[u8]> {
        if let Some(packed) = self.packed.get() {
            return Ok(packed);
        }
        let packed = gzip::pack(self.text()?.as_bytes()).await?.beginning_with(b"");
        // Two at once pack the same.
        Ok(self.packed.get_or_init(|| packed))
    }
}

impl From<Snapshot> for StoredSnapshot {
    fn from(snapshot: Snapshot) -> Self {
        Self { snapshot, text: OnceCell::new(), packed: OnceCell::new() }
    }
}

impl Deref for StoredSnapshot {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// The snapshot that this isolate read last, when it is that one: a snapshot never changes.
#[must_use]
pub fn known(version: u64, updated_at: i64) -> Option<Rc<StoredSnapshot>> {
    let is_it = |known: &Rc<StoredSnapshot>| (known.version, known.updated_at) == (version, updated_at);
    LAST_READ.with_borrow(|last| last.clone().filter(is_it))
}

/// Remembers a snapshot as the one that this isolate read last.
pub fn know(snapshot: StoredSnapshot) -> Rc<StoredSnapshot> {
    let snapshot = Rc::new(snapshot);
    LAST_READ.set(Some(Rc::clone(&snapshot)));
    snapshot
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
        self.read(LATEST_KEY, |text| serde_json::from_str(&text)).await
    }

    /// The newest snapshot that can be read: the pointer's latest, else the one before. The one that was read
    /// last is not read again.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn latest(&self) -> Result<Option<Rc<StoredSnapshot>>> {
        let Some(pointer) = self.pointer().await? else { return Ok(None) };
        if let Some(known) = known(pointer.version, pointer.updated_at) {
            return Ok(Some(known));
        }
        for version in pointer.versions() {
            if let Some(snapshot) = self.version(version).await? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    /// The snapshot of this version, if it is there.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn version(&self, version: u64) -> Result<Option<Rc<StoredSnapshot>>> {
        Ok(self.read(&snapshot_key(version), StoredSnapshot::from_text).await?.map(know))
    }

    async fn read<T>(
        &self,
        key: &str,
        parse: impl FnOnce(String) -> serde_json::Result<T>,
    ) -> Result<Option<T>> {
        count(Operation::KvReads, 1);
        let Some(text) = self.kv.get(key).text().await? else { return Ok(None) };
        Ok(parse(text)
            .map_err(|broken| tracing::warn!(error = %broken, key, "a value in KV does not read"))
            .ok())
    }

    /// Writes a snapshot, then the pointer to it. Dying between leaves the pointer at the one
    /// before; the next rebuild writes a new version.
    ///
    /// # Errors
    ///
    /// When KV refuses.
    pub async fn publish(&self, snapshot: &StoredSnapshot, prev: Option<u64>) -> Result<()> {
        count(Operation::KvWrites, 1);
        self.kv
            .put(&snapshot_key(snapshot.version), snapshot.text()?)?
            .expiration_ttl(SNAPSHOT_TTL_SECONDS)
            .execute()
            .await?;
        let pointer = Pointer { version: snapshot.version, prev, updated_at: snapshot.updated_at };
        count(Operation::KvWrites, 1);
        self.kv.put(LATEST_KEY, serde_json::to_string(&pointer)?)?.execute().await?;
        Ok(())
    }

    /// When the consumer last took a batch in.
    ///
    /// # Errors
    ///
    /// When KV cannot be read.
    pub async fn heartbeat(&self) -> Result<Option<i64>> {
        count(Operation::KvReads, 1);
        Ok(self.kv.get(HEARTBEAT_KEY).text().await?.and_then(|text| text.parse().ok()))
    }

    /// Writes the heartbeat.
    ///
    /// # Errors
    ///
    /// When KV refuses.
    pub async fn beat(&self, now_ms: i64) -> Result<()> {
        count(Operation::KvWrites, 1);
        self.kv.put(HEARTBEAT_KEY, now_ms.to_string())?.execute().await?;
        Ok(())
    }
}
