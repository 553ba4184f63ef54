//! The audit's D1 statements, and a change made under them: see [`audited`].

use core::future::Future;

use pathstats_model::audit::{AuditEntry, AuditId, AUDIT_DELETED_AT_ONCE, AUDIT_KEPT_MS};
use pathstats_model::problem::Problem;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::Result;

use crate::database::{count, integer};
use crate::http::{self, Response};
use crate::metered::D1Database;

/// The table `audit_log`.
#[derive(Debug)]
pub struct AuditStore {
    d1: D1Database,
}

impl AuditStore {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// Writes an entry, and drops a few that are too old, in one transaction. An id is never written
    /// twice.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The entry may still be written.
    pub async fn write(&self, entry: &AuditEntry) -> Result<()> {
        const INSERT: &str = "INSERT INTO audit_log \
             (id, at, actor, via, action, target, request_id, status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        const DELETE: &str = "DELETE FROM audit_log WHERE id IN \
             (SELECT id FROM audit_log WHERE id < ?1 ORDER BY id LIMIT ?2)";
        let insert = self.d1.prepare(INSERT).bind(&[
            entry.id.as_str().into(),
            integer(entry.at_ms),
            entry.actor.as_str().into(),
            entry.via.as_str().into(),
            entry.action.as_str().into(),
            entry.target.as_deref().map_or(JsValue::NULL, JsValue::from),
            entry.request_id.as_str().into(),
            entry.status.map_or(JsValue::NULL, JsValue::from),
        ])?;
        let oldest = AuditId::from_time(entry.at_ms - AUDIT_KEPT_MS);
        let delete =
            self.d1.prepare(DELETE).bind(&[oldest.into(), count(u64::from(AUDIT_DELETED_AT_ONCE))])?;
        self.d1.batch(vec![insert, delete]).await?;
        Ok(())
    }

    /// Notes how a change ended. The first end stands.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The status may still be written.
    pub async fn end(&self, id: &AuditId, status: u16) -> Result<()> {
        const UPDATE: &str = "UPDATE audit_log SET status = ?2 WHERE id = ?1 AND status IS NULL";
        self.d1.prepare(UPDATE).bind(&[id.as_str().into(), status.into()])?.run().await?;
        Ok(())
    }

    /// Entries before this one, or the newest, newest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn page(&self, before: Option<&AuditId>, limit: u32) -> Result<Vec<AuditEntry>> {
        #[derive(Deserialize)]
        struct Row {
            id: String,
            at: f64,
            actor: String,
            via: String,
            action: String,
            target: Option<String>,
            request_id: String,
            status: Option<u16>,
        }
        const SELECT: &str = "SELECT id, at, actor, via, action, target, request_id, status FROM audit_log \
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        // A letter comes after all digits.
        let before = before.map_or("a", AuditId::as_str);
        let rows = self.d1.prepare(SELECT).bind(&[before.into(), count(u64::from(limit))])?.all().await?;
        let entry = |row: Row| {
            Some(AuditEntry {
                id: AuditId::parse(&row.id)?,
                // A time in milliseconds is far below 2^53.
                #[allow(clippy::cast_possible_truncation)]
                at_ms: row.at as i64,
                actor: row.actor,
                via: row.via,
                action: row.action,
                target: row.target,
                request_id: row.request_id,
                status: row.status,
            })
        };
        rows.results::<Row>()?
            .into_iter()
            .map(|row| entry(row).ok_or_else(|| "an id of audit_log is none".into()))
            .collect()
    }
}

/// Makes a change, with an entry of who asked for it.
///
/// # Errors
///
/// Those of the change.
pub async fn audited(
    store: &AuditStore,
    entry: &AuditEntry,
    change: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    // 1. The entry, without a status. No entry, no change. Dying here: an entry of what was not done, which
    // says that it is not known to have ended. A client that asks again gets an entry of its own.
    if let Err(error) = store.write(entry).await {
        tracing::error!(%error, "a change was not made: its audit entry was not written");
        let detail = "the audit takes no entries, so nothing was changed: try again later";
        let problem = Problem::new(503, "audit_unavailable", "The change could not be recorded", detail);
        return http::problem(&problem.retry_after(10));
    }
    // 2. The change. Dying here: it may be done, or half done, and the entry says just that.
    let answer = change.await;
    // 3. How it ended. Dying here: as above. Writing it again changes nothing.
    let status = answer.as_ref().map_or(500, Response::status);
    if let Err(error) = store.end(&entry.id, status).await {
        tracing::error!(%error, "the audit does not tell how a change ended");
    }
    answer
}
