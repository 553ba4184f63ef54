//! The three tiers that a snapshot is read from.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pathstats_edge::bindings::{KV, SNAPSHOT_DO, SNAPSHOT_OBJECT};
use pathstats_edge::cache;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::Databases;
use pathstats_edge::http::{self, post, Response};
use pathstats_edge::snapshot_build::build;
use pathstats_edge::snapshot_store::{know, known, SnapshotStore, StoredSnapshot};
use pathstats_edge::telemetry;
use pathstats_model::calls::SNAPSHOT_PATH;
use pathstats_model::freshness::{cache_use, CacheUse, CopyLabel, DataSource};
use pathstats_model::snapshot::{next_version, SnapshotReason, SnapshotState};
use worker::{Context, Delay, Env, ResponseBody, Result};

/// The cache's key. Never fetched: a name of ours.
const CACHE_KEY: &str = "https://pathstats.internal/snapshot";

/// How long the cache keeps a copy: an hour. Long past its freshness, so that an expired copy can be answered while it is
/// refreshed.
const CACHE_KEEPS: &str = "public, max-age=3600";

/// How often, and how far apart, a forced refresh looks for the new snapshot: a rebuild comes within
/// ten seconds, and work behind an answer may take thirty.
const REFRESH_TRIES: u32 = 40;
const REFRESH_PAUSE: Duration = Duration::from_millis(500);

/// Header of a cached copy: a [`CopyLabel`].
const COPY: &str = "X-Pathstats-Copy";

/// What is handed over whenever a copy is read or written.
pub const WORDS: [&str; 3] = [CACHE_KEEPS, CACHE_KEY, COPY];

thread_local! {
    /// The copy that this instance wrote last.
    static LAST_COPY: Cell<Option<CopyLabel>> = const { Cell::new(None) };
}

/// A snapshot, and where it was found.
#[derive(Debug)]
pub struct Found {
    /// What was found.
    pub snapshot: Rc<StoredSnapshot>,
    /// Where.
    pub source: DataSource,
    /// Whether it came from an expired copy, which is being refreshed.
    pub stale: bool,
    /// Until when the cache's copy is fresh, in milliseconds, when it came from there and is.
    pub fresh_until_ms: Option<i64>,
}

/// Finds the snapshot as the table of freshness says. With `refresh`, asks for a new one and
/// refreshes the cache behind the answer.
pub async fn find(env: &Env, context: &Context, fresh_for_ms: i64, refresh: bool) -> Result<Found> {
    let cached = read_cache().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the cache cannot be read");
        None
    });
    let used = cache_use(cached.as_ref().map(|(at, _)| *at), now_ms(), fresh_for_ms);
    let found = match (used, cached) {
        (CacheUse::Fresh, Some((at, snapshot))) => {
            let fresh_until_ms = Some(at + fresh_for_ms);
            Found { snapshot, source: DataSource::Cache, stale: false, fresh_until_ms }
        }
        (CacheUse::Stale, Some((_, snapshot))) => {
            Found { snapshot, source: DataSource::Cache, stale: true, fresh_until_ms: None }
        }
        _ => {
            let (snapshot, source) = below_cache(env).await?;
            let copy = due_copy(&snapshot);
            if copy.is_some() || source == DataSource::D1 {
                let (env, snapshot) = (env.clone(), Rc::clone(&snapshot));
                // Dying there, the next reader comes here again.
                context.wait_until(telemetry::behind_request(async move {
                    keep(&env, &snapshot, source, copy).await;
                }));
            }
            Found { snapshot, source, stale: false, fresh_until_ms: None }
        }
    };
    if refresh || found.stale {
        let (env, answered) = (env.clone(), Rc::clone(&found.snapshot));
        context.wait_until(telemetry::behind_request(async move {
            if let Err(error) = refresh_behind(&env, &answered, refresh).await {
                tracing::warn!(%error, "the snapshot was not refreshed");
            }
        }));
    }
    Ok(found)
}

/// KV, else D1.
async fn below_cache(env: &Env) -> Result<(Rc<StoredSnapshot>, DataSource)> {
    let store = SnapshotStore::new(env.kv(KV)?);
    match store.latest().await {
        Ok(Some(snapshot)) => return Ok((snapshot, DataSource::Kv)),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "KV cannot be read, so D1 answers"),
    }
    let now = now_ms();
    let snapshot = build(&Databases::open(env).await?, next_version(None, now), now).await?;
    Ok((Rc::new(snapshot.into()), DataSource::D1))
}

/// Writes what was found to the tiers above. Should one refuse, that is told, and the answer still stands.
async fn keep(env: &Env, snapshot: &StoredSnapshot, source: DataSource, copy: Option<CopyLabel>) {
    if source == DataSource::D1 {
        let written = async { SnapshotStore::new(env.kv(KV)?).publish(snapshot, None).await };
        if let Err(error) = written.await {
            tracing::warn!(%error, "the snapshot was not written to KV");
        }
    }
    write_cache_or_warn(copy, snapshot).await;
}

/// Brings the cache up to date. When a reader forced it, with the snapshot that is made for that: an old one must not
/// pass for fresh. Should that take longer, the cached copy expires as ever.
async fn refresh_behind(env: &Env, answered: &StoredSnapshot, forced: bool) -> Result<()> {
    if forced {
        if let Some(newer) = rebuilt(env, answered.version).await? {
            write_cache_or_warn(due_copy(&newer), &newer).await;
        }
        return Ok(());
    }
    let (snapshot, source) = below_cache(env).await?;
    // For about a minute KV may show an older pointer here than one that was seen already.
    if snapshot.version < answered.version {
        write_cache_or_warn(due_copy(answered), answered).await;
    } else {
        keep(env, &snapshot, source, due_copy(&snapshot)).await;
    }
    Ok(())
}

/// Asks the snapshot object for a rebuild, and waits for a snapshot newer than that. Which one it is the object tells: it
/// is new in KV, and read at once, while a pointer that was read here lately stays as it was for about a minute.
///
/// Dying within, the object makes it all the same. Asked again, it makes one more, ten seconds later.
async fn rebuilt(env: &Env, answered: u64) -> Result<Option<Rc<StoredSnapshot>>> {
    let stub = env.durable_object(SNAPSHOT_DO)?.get_by_name(SNAPSHOT_OBJECT)?;
    let store = SnapshotStore::new(env.kv(KV)?);
    let mut reason = SnapshotReason::Refresh;
    for _ in 0..REFRESH_TRIES {
        let request = post(SNAPSHOT_PATH, &serde_json::to_vec(&reason)?)?;
        let state: SnapshotState = stub.fetch_with_request(request).await?.json().await?;
        if let Some(version) = state.published.filter(|version| *version > answered) {
            if let Some(snapshot) = store.version(version).await? {
                return Ok(Some(snapshot));
            }
        }
        reason = SnapshotReason::Look;
        Delay::from(REFRESH_PAUSE).await;
    }
    Ok(None)
}

async fn read_cache() -> Result<Option<(i64, Rc<StoredSnapshot>)>> {
    let Some(copy) = cache::find(CACHE_KEY).await? else { return Ok(None) };
    // A copy of another release that does not read is no copy.
    let label = copy.header(COPY).and_then(|text| text.parse::<CopyLabel>().ok());
    let Some(CopyLabel { cached_at_ms, version, updated_at_ms }) = label else { return Ok(None) };
    if let Some(snapshot) = known(version, updated_at_ms) {
        return Ok(Some((cached_at_ms, snapshot)));
    }
    let text = worker::Response::from_body(http::gzip::unpack(copy.into_body())?)?.text().await?;
    Ok(StoredSnapshot::from_text(text).ok().map(|snapshot| (cached_at_ms, know(snapshot))))
}

/// What is to be written on a copy, unless this instance wrote or writes the same.
///
/// Said before the copy is there: who comes meanwhile writes none. Dying before it is, the instance's memory is gone too,
/// and the next reader writes it; refused, whoever comes a second later does.
fn due_copy(snapshot: &StoredSnapshot) -> Option<CopyLabel> {
    let label =
        CopyLabel { cached_at_ms: now_ms(), version: snapshot.version, updated_at_ms: snapshot.updated_at };
    if !label.is_due_after(LAST_COPY.get()) {
        return None;
    }
    LAST_COPY.set(Some(label));
    Some(label)
}

/// Writes a copy, if one is due.
async fn write_cache_or_warn(copy: Option<CopyLabel>, snapshot: &StoredSnapshot) {
    let Some(label) = copy else { return };
    let written = async {
        // Without `Content-Encoding`: the bytes are kept as they are, whatever the cache makes of that.
        let copy = Response::new(200, ResponseBody::Body(snapshot.packed().await?.to_vec()))
            .with_header("Cache-Control", CACHE_KEEPS)
            .with_header(COPY, label.to_string());
        // Two writers at once are one copy, the later one's.
        cache::keep(CACHE_KEY, copy).await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "the cache was not written");
    }
}
