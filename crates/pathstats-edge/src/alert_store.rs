//! The alerts' D1 statements.

use pathstats_model::alerts::answers::{DeliveryShown, Found, HistoryQuery, LAST_DELIVERIES};
use pathstats_model::alerts::delivery::{next_ms, Ending, Pending, DELETED_AT_ONCE, LEASE_MS};
use pathstats_model::alerts::notification::Notification;
use pathstats_model::alerts::run::{AlertLog, Change, Loaded};
use pathstats_model::alerts::sample::{slot, slots, Sample};
use pathstats_model::alerts::silence::Silence;
use pathstats_model::alerts::KEPT_MS;
use serde::Deserialize;
use worker::Result;

use crate::database::{count, integer};
use crate::metered::{D1Database, D1PreparedStatement};

/// Most notifications that wait and are looked at in one run.
const MAX_WAITING: u64 = 200;

/// Most rows of states and silences: rules that are no more leave theirs.
const MAX_ROWS: u64 = 500;

/// The tables of alerts.
#[derive(Debug)]
pub struct AlertStore {
    d1: D1Database,
}

#[derive(Deserialize)]
struct StateRow {
    rule: String,
    state: String,
    revision: u64,
}

#[derive(Deserialize)]
struct SilenceRow {
    rule: String,
    until: f64,
    reason: String,
    by: String,
    created_at: f64,
}

#[derive(Deserialize)]
struct SampleRow {
    at: f64,
    sample: String,
}

impl AlertStore {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// How all stands.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or a state does not read.
    pub async fn found(&self, now_ms: i64) -> Result<Found> {
        #[derive(Deserialize)]
        struct Row {
            body: String,
            status: String,
            attempts: u32,
            answer: Option<String>,
        }
        const LAST: &str = "SELECT body, status, attempts, answer FROM alert_notifications \
             ORDER BY at DESC, rule LIMIT ?1";
        // The newest is one of the last minutes: their slots are looked up, not searched.
        const NEWEST: &str =
            "SELECT at, sample FROM alert_samples WHERE slot IN (SELECT value FROM json_each(?1)) \
             ORDER BY at DESC LIMIT 1";
        let recent: Vec<i64> = (-2..=60).map(|ago| slot(now_ms - ago * 60_000)).collect();
        let answers = self
            .d1
            .batch(vec![
                self.states()?,
                self.silences(now_ms)?,
                self.d1.prepare(LAST).bind(&[count(u64::from(LAST_DELIVERIES))])?,
                self.d1.prepare(NEWEST).bind(&[serde_json::to_string(&recent)?.into()])?,
            ])
            .await?;
        let mut answers = answers.into_iter();
        let mut next = || answers.next().ok_or("D1 answered too little");
        let states = next()?.results::<StateRow>()?;
        let silences = next()?.results::<SilenceRow>()?;
        let deliveries = next()?.results::<Row>()?;
        let newest = next()?.results::<SampleRow>()?;
        let delivery = |row: Row| {
            let told: Notification = serde_json::from_str(&row.body)?;
            Ok(DeliveryShown {
                id: told.id,
                rule: told.rule,
                state: told.state,
                level: told.level,
                summary: told.summary,
                at: told.at,
                status: row.status,
                attempts: row.attempts,
                answer: row.answer,
            })
        };
        let state = |row: StateRow| Ok((row.rule, serde_json::from_str(&row.state)?));
        Ok(Found {
            states: states.into_iter().map(state).collect::<Result<_>>()?,
            silences: silences.into_iter().map(silence).collect(),
            deliveries: deliveries.into_iter().map(delivery).collect::<Result<_>>()?,
            newest: newest.first().map(sample).transpose()?,
        })
    }

    /// Samples of a page and one more, oldest first.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or a sample does not read.
    pub async fn samples(&self, query: &HistoryQuery) -> Result<Vec<Sample>> {
        // A slot may still hold a minute of two weeks before.
        const SELECT: &str = "SELECT at, sample FROM alert_samples WHERE slot BETWEEN ?1 AND ?2 \
             AND at >= ?3 AND at < ?4 ORDER BY slot LIMIT ?5";
        let wanted = query.limit as usize + 1;
        let mut found: Vec<Sample> = Vec::new();
        for (first, last) in slots(query.page_from_ms, query.to_ms) {
            if found.len() >= wanted {
                break;
            }
            let values = [
                integer(first),
                integer(last),
                integer(query.page_from_ms),
                integer(query.to_ms),
                count((wanted - found.len()) as u64),
            ];
            let rows = self.d1.prepare(SELECT).bind(&values)?.all().await?.results::<SampleRow>()?;
            for row in &rows {
                found.push(sample(row)?);
            }
        }
        Ok(found)
    }

    /// Writes a silence in the place of the rule's earlier one, and drops those that ended.
    ///
    /// # Errors
    ///
    /// When D1 refuses. It may still be written; writing it again changes nothing.
    pub async fn silence(&self, silence: &Silence) -> Result<()> {
        const WRITE: &str = "INSERT OR REPLACE INTO alert_silences (rule, until, reason, by, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)";
        let created = integer(silence.created_ms);
        let write = self.d1.prepare(WRITE).bind(&[
            silence.rule.as_str().into(),
            integer(silence.until_ms),
            silence.reason.as_str().into(),
            silence.by.as_str().into(),
            created.clone(),
        ])?;
        let ended = self.d1.prepare("DELETE FROM alert_silences WHERE until <= ?1").bind(&[created])?;
        self.d1.batch(vec![ended, write]).await?;
        Ok(())
    }

    /// Ends a silence; `false` when none held.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn unsilence(&self, rule: &str, now_ms: i64) -> Result<bool> {
        const DELETE: &str = "DELETE FROM alert_silences WHERE rule = ?1 AND until > ?2";
        let done = self.d1.prepare(DELETE).bind(&[rule.into(), integer(now_ms)])?.run().await?;
        Ok(done.meta()?.and_then(|meta| meta.changes).unwrap_or(0) == 1)
    }

    fn states(&self) -> Result<D1PreparedStatement> {
        self.d1.prepare("SELECT rule, state, revision FROM alert_states LIMIT ?1").bind(&[count(MAX_ROWS)])
    }

    fn silences(&self, now_ms: i64) -> Result<D1PreparedStatement> {
        const SELECT: &str = "SELECT rule, until, reason, by, created_at FROM alert_silences \
             WHERE until > ?1 ORDER BY rule LIMIT ?2";
        self.d1.prepare(SELECT).bind(&[integer(now_ms), count(MAX_ROWS)])
    }
}

impl AlertLog for AlertStore {
    type Error = worker::Error;

    async fn load(&self, now_ms: i64) -> Result<Loaded> {
        let answers = self.d1.batch(vec![self.states()?, self.silences(now_ms)?]).await?;
        let mut answers = answers.into_iter();
        let states = answers.next().ok_or("D1 answered too little")?.results::<StateRow>()?;
        let silences = answers.next().ok_or("D1 answered too little")?.results::<SilenceRow>()?;
        let state = |row: StateRow| Ok((row.rule, serde_json::from_str(&row.state)?, row.revision));
        Ok(Loaded {
            states: states.into_iter().map(state).collect::<Result<_>>()?,
            silences: silences.into_iter().map(silence).collect(),
        })
    }

    async fn commit(
        &self,
        sample: &Sample,
        changes: &[Change],
        has_receiver: bool,
        writer: &str,
    ) -> Result<()> {
        const SAMPLE: &str = "INSERT INTO alert_samples (slot, at, sample) VALUES (?1, ?2, ?3) \
             ON CONFLICT (slot) DO UPDATE SET at = excluded.at, sample = excluded.sample \
             WHERE excluded.at > alert_samples.at";
        const STATE: &str =
            "INSERT INTO alert_states (rule, state, revision, writer) VALUES (?1, ?2, ?3 + 1, ?4) \
             ON CONFLICT (rule) DO UPDATE SET state = excluded.state, revision = excluded.revision, \
             writer = excluded.writer WHERE alert_states.revision = ?3";
        // Only if it was this run that wrote the state.
        const NOTIFICATION: &str =
            "INSERT OR IGNORE INTO alert_notifications (at, rule, body, status, attempts, next_at, leased_until) \
             SELECT ?1, ?2, ?3, ?4, 0, ?1, 0 FROM alert_states WHERE rule = ?2 AND revision = ?5 + 1 AND writer = ?6";
        const OLD: &str = "DELETE FROM alert_notifications WHERE (at, rule) IN \
             (SELECT at, rule FROM alert_notifications WHERE at < ?1 ORDER BY at LIMIT ?2)";
        let at = integer(sample.at_ms);
        let mut statements = vec![self.d1.prepare(SAMPLE).bind(&[
            integer(slot(sample.at_ms)),
            at.clone(),
            sample.stored().into(),
        ])?];
        for change in changes {
            let (rule, revision) = (change.rule.as_str(), count(change.revision));
            let state = serde_json::to_string(&change.state)?;
            let values = [rule.into(), state.into(), revision.clone(), writer.into()];
            statements.push(self.d1.prepare(STATE).bind(&values)?);
            if let Some(notification) = &change.notification {
                let status = if has_receiver { "pending" } else { "unsent" };
                let body = serde_json::to_string(notification)?;
                let values = [at.clone(), rule.into(), body.into(), status.into(), revision, writer.into()];
                statements.push(self.d1.prepare(NOTIFICATION).bind(&values)?);
            }
        }
        if changes.iter().any(|change| change.notification.is_some()) {
            let values = [integer(sample.at_ms - KEPT_MS), count(u64::from(DELETED_AT_ONCE))];
            statements.push(self.d1.prepare(OLD).bind(&values)?);
        }
        self.d1.batch(statements).await?;
        Ok(())
    }

    async fn waiting(&self, now_ms: i64) -> Result<Vec<Pending>> {
        #[derive(Deserialize)]
        struct Row {
            at: f64,
            rule: String,
            body: String,
            attempts: u32,
            next_at: f64,
            leased_until: f64,
        }
        const SELECT: &str =
            "SELECT at, rule, body, attempts, next_at, leased_until FROM alert_notifications \
             WHERE at > ?1 AND status = 'pending' ORDER BY at, rule LIMIT ?2";
        let values = [integer(now_ms - 24 * 3_600_000), count(MAX_WAITING)];
        let rows = self.d1.prepare(SELECT).bind(&values)?.all().await?.results::<Row>()?;
        let pending = |row: Row| Pending {
            at_ms: ms(row.at),
            rule: row.rule,
            attempts: row.attempts,
            next_ms: ms(row.next_at),
            leased_until_ms: ms(row.leased_until),
            body: row.body,
        };
        Ok(rows.into_iter().map(pending).collect())
    }

    async fn claim(&self, pending: &Pending, minute_ms: i64, clock_ms: i64) -> Result<bool> {
        const UPDATE: &str = "UPDATE alert_notifications SET attempts = attempts + 1, next_at = ?4, \
             leased_until = ?5 WHERE at = ?1 AND rule = ?2 AND status = 'pending' AND attempts = ?3";
        let next = integer(next_ms(pending.attempts, minute_ms));
        let lease = integer(clock_ms + LEASE_MS);
        let values =
            [integer(pending.at_ms), pending.rule.as_str().into(), pending.attempts.into(), next, lease];
        let done = self.d1.prepare(UPDATE).bind(&values)?.run().await?;
        Ok(done.meta()?.and_then(|meta| meta.changes).unwrap_or(0) == 1)
    }

    async fn end(&self, pending: &Pending, attempts: u32, ending: Ending, answer: &str) -> Result<()> {
        const UPDATE: &str = "UPDATE alert_notifications SET status = ?4, answer = ?5, leased_until = 0 \
             WHERE at = ?1 AND rule = ?2 AND status = 'pending' AND (attempts = ?3 OR ?4 = 'sent')";
        let at = integer(pending.at_ms);
        let rule = pending.rule.as_str().into();
        let values = [at, rule, attempts.into(), ending.status().into(), answer.into()];
        self.d1.prepare(UPDATE).bind(&values)?.run().await?;
        Ok(())
    }
}

fn silence(row: SilenceRow) -> Silence {
    Silence {
        rule: row.rule,
        until_ms: ms(row.until),
        reason: row.reason,
        by: row.by,
        created_ms: ms(row.created_at),
    }
}

fn sample(row: &SampleRow) -> Result<Sample> {
    Sample::from_stored(ms(row.at), &row.sample).map_err(|error| error.to_string().into())
}

/// A time in milliseconds is far below 2^53.
#[allow(clippy::cast_possible_truncation)]
fn ms(at: f64) -> i64 {
    at as i64
}
