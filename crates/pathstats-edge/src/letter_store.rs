//! The D1 statements on dead letters: reading them, and what the consumer changes.

use pathstats_model::dead_letters::{
    Change, DiscardOrder, Discarded, Letter, LetterCursor, LetterDetails, LetterStore, LetterSummary,
    Outline, ReasonCount, MAX_DISCARDED, MAX_REMAINING, PREVIEW_CHARS,
};
use pathstats_model::health::LetterState;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{Error, Result};

use crate::clock::now_ms;
use crate::database::{count, integer, json_parameters};
use crate::ledger_store::booking_rows;
use crate::metered::{D1Database, D1PreparedStatement};

/// Reasons that are told. There are some ten; more come only from rows written by hand.
const MAX_REASONS: usize = 100;

/// Recent letters of a reason that are counted: from there on it is plainly too many.
const MAX_RECENT: usize = 10_000;

/// Where dead letters lie.
#[derive(Debug)]
pub struct D1LetterStore {
    d1: D1Database,
}

/// Events that a body says it holds: those of a packed message, or the one that an object is.
const EVENTS: &str = "CASE WHEN json_valid(body) THEN CASE WHEN json_type(body) = 'object' \
     THEN coalesce(json_array_length(body, '$.events'), 1) END END";

/// Length of a body in bytes.
const BYTES: &str = "length(CAST(body AS BLOB))";

#[derive(Deserialize)]
struct SummaryRow {
    id: String,
    reason: String,
    detail: String,
    attempts: u32,
    first_seen: f64,
    bytes: u64,
    events: Option<u64>,
    preview: String,
    /// Only where one letter is asked for.
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct OutlineRow {
    id: String,
    first_seen: f64,
    bytes: u64,
}

#[derive(Deserialize)]
struct CountRow {
    n: u64,
}

impl D1LetterStore {
    /// The letters behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// How many letters there are of each reason, and how many of them came since `since_ms`.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn reasons(&self, since_ms: i64) -> Result<Vec<LetterState>> {
        #[derive(Deserialize)]
        struct Row {
            reason: String,
            letters: u64,
            oldest: Option<f64>,
            recent: u64,
        }
        const SELECT: &str = "SELECT c.reason AS reason, c.letters AS letters, \
             (SELECT min(first_seen) FROM dead_letters WHERE reason = c.reason) AS oldest, \
             (SELECT count(*) FROM (SELECT 1 FROM dead_letters WHERE reason = c.reason AND first_seen >= ?1 LIMIT ?2)) \
             AS recent FROM dead_letter_counts c ORDER BY c.reason LIMIT ?3";
        let values = [integer(since_ms), count(MAX_RECENT as u64), count(MAX_REASONS as u64)];
        let rows = self.d1.prepare(SELECT).bind(&values)?.all().await?.results::<Row>()?;
        let reason = |row: Row| LetterState {
            count: ReasonCount {
                reason: row.reason,
                count: row.letters,
                oldest: row.oldest.map_or(since_ms, time_ms),
            },
            recent: row.recent,
        };
        Ok(rows.into_iter().map(reason).collect())
    }

    /// Letters behind a place, all by id or those of a reason by the time they were first seen.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn page(
        &self,
        reason: Option<&str>,
        after: Option<&LetterCursor>,
        limit: usize,
    ) -> Result<Vec<LetterSummary>> {
        let columns = format!(
            "id, reason, detail, attempts, first_seen, {BYTES} AS bytes, {EVENTS} AS events, \
             substr(body, 1, {PREVIEW_CHARS}) AS preview"
        );
        let rows = self.behind_with(&columns, reason, after, limit)?.all().await?.results::<SummaryRow>()?;
        Ok(rows.into_iter().map(summary).collect())
    }

    /// One letter, with its body.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn letter(&self, id: &str) -> Result<Option<LetterDetails>> {
        let select = format!(
            "SELECT id, reason, detail, attempts, first_seen, {BYTES} AS bytes, {EVENTS} AS events, \
             substr(body, 1, {PREVIEW_CHARS}) AS preview, body FROM dead_letters WHERE id = ?1"
        );
        let rows = self.d1.prepare(select).bind(&[id.into()])?.all().await?.results::<SummaryRow>()?;
        let details = |mut row: SummaryRow| {
            let body = core::mem::take(&mut row.body);
            LetterDetails { letter: summary(row), body }
        };
        Ok(rows.into_iter().next().map(details))
    }

    /// Throws letters away. Again: those that went are no longer there.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The letters may still have gone.
    pub async fn discard(&self, order: &DiscardOrder) -> Result<Discarded> {
        const GIVE_UP_THESE: &str = "UPDATE ledger_letters SET discarded_at = ?2 \
             WHERE letter IN (SELECT value FROM json_each(?1)) AND discarded_at IS NULL";
        const GIVE_UP_OF_REASON: &str = "UPDATE ledger_letters SET discarded_at = ?3 \
             WHERE letter IN (SELECT id FROM dead_letters WHERE reason = ?1 ORDER BY first_seen, id LIMIT ?2) \
             AND discarded_at IS NULL";
        const THESE: &str =
            "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?1)) RETURNING 1 AS n";
        const OF_REASON: &str = "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters \
             WHERE reason = ?1 ORDER BY first_seen, id LIMIT ?2) RETURNING 1 AS n";
        const LEFT: &str = "SELECT letters AS n FROM dead_letter_counts WHERE reason = ?1";
        match order {
            DiscardOrder::Ids(ids) => {
                let ids = JsValue::from(serde_json::to_string(ids)?);
                // What they stand for stays in the ledger, as given up.
                let give_up = self.d1.prepare(GIVE_UP_THESE).bind(&[ids.clone(), integer(now_ms())])?;
                let delete = self.d1.prepare(THESE).bind(&[ids])?;
                let results = self.d1.batch(vec![give_up, delete]).await?;
                let [_, gone] = results.as_slice() else { return Err(unexpected()) };
                let discarded = gone.results::<CountRow>()?.len() as u64;
                Ok(Discarded { discarded, remaining: 0 })
            }
            DiscardOrder::Reason(reason) => {
                let reason = JsValue::from(reason.as_str());
                let most = count(MAX_DISCARDED as u64);
                let values = [reason.clone(), most.clone(), integer(now_ms())];
                let give_up = self.d1.prepare(GIVE_UP_OF_REASON).bind(&values)?;
                let delete = self.d1.prepare(OF_REASON).bind(&[reason.clone(), most])?;
                let left = self.d1.prepare(LEFT).bind(&[reason])?;
                let results = self.d1.batch(vec![give_up, delete, left]).await?;
                let [_, gone, left] = results.as_slice() else { return Err(unexpected()) };
                let left = left.results::<CountRow>()?.first().map_or(0, |row| row.n);
                Ok(Discarded { discarded: gone.results::<CountRow>()?.len() as u64, remaining: left })
            }
        }
    }

    /// Letters behind a place. All are listed by their primary key; those of a reason by the index, so
    /// that letters of other reasons are not read.
    fn behind_with(
        &self,
        columns: &str,
        reason: Option<&str>,
        after: Option<&LetterCursor>,
        limit: usize,
    ) -> Result<D1PreparedStatement> {
        let limit = count(limit as u64);
        match reason {
            None => {
                let select = format!("SELECT {columns} FROM dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2");
                self.d1.prepare(select).bind(&[after.map_or("", |after| after.id.as_str()).into(), limit])
            }
            Some(reason) => {
                let select = format!(
                    "SELECT {columns} FROM dead_letters WHERE reason = ?1 AND (first_seen, id) > (?2, ?3) \
                     ORDER BY first_seen, id LIMIT ?4"
                );
                let [first_seen, id] = place(after);
                self.d1.prepare(select).bind(&[reason.into(), first_seen, id, limit])
            }
        }
    }
}

impl LetterStore for D1LetterStore {
    type Error = Error;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn report(&self, what: &str, error: &Error) {
        tracing::warn!(%error, "{what}");
    }

    async fn find(&self, ids: &[String]) -> Result<Vec<Outline>> {
        let select = format!(
            "SELECT id, first_seen, {BYTES} AS bytes FROM dead_letters \
             WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id"
        );
        let statement = self.d1.prepare(select).bind(&[serde_json::to_string(ids)?.into()])?;
        Ok(statement.all().await?.results::<OutlineRow>()?.into_iter().map(outline).collect())
    }

    async fn behind(
        &self,
        reason: Option<&str>,
        after: Option<&LetterCursor>,
        limit: usize,
    ) -> Result<(Vec<Outline>, u64)> {
        const ALL: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM dead_letters WHERE id > ?1 LIMIT ?2)";
        const OF_REASON: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM dead_letters \
             WHERE reason = ?1 AND (first_seen, id) > (?2, ?3) LIMIT ?4)";
        let list = self.behind_with(&format!("id, first_seen, {BYTES} AS bytes"), reason, after, limit)?;
        let most = count(MAX_REMAINING as u64);
        let [first_seen, id] = place(after);
        let waiting = match reason {
            None => self.d1.prepare(ALL).bind(&[id, most])?,
            Some(reason) => self.d1.prepare(OF_REASON).bind(&[reason.into(), first_seen, id, most])?,
        };
        let results = self.d1.batch(vec![list, waiting]).await?;
        let [list, waiting] = results.as_slice() else { return Err(unexpected()) };
        let outlines = list.results::<OutlineRow>()?.into_iter().map(outline).collect();
        Ok((outlines, waiting.results::<CountRow>()?.first().map_or(0, |row| row.n)))
    }

    async fn bodies(&self, ids: &[&str]) -> Result<Vec<Letter>> {
        #[derive(Deserialize)]
        struct Row {
            id: String,
            body: String,
            attempts: u32,
        }
        const SELECT: &str = "SELECT id, body, attempts FROM dead_letters \
             WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id";
        let statement = self.d1.prepare(SELECT).bind(&[serde_json::to_string(ids)?.into()])?;
        let letter = |row: Row| Letter { id: row.id, body: row.body, attempts: row.attempts };
        Ok(statement.all().await?.results::<Row>()?.into_iter().map(letter).collect())
    }

    async fn settle(&self, changes: &[Change]) -> Result<()> {
        // Added first: each looks for the letter that it comes from, which goes last. What an added one stands
        // for is booked before it, so that it is booked once.
        const BOOK: &str = "INSERT OR IGNORE INTO ledger_letters (letter, hour_bucket, kind, events, keys) \
             SELECT b.value ->> 0, b.value ->> 1, b.value ->> 2, b.value ->> 3, b.value ->> 4 FROM json_each(?1) b \
             WHERE NOT EXISTS (SELECT 1 FROM dead_letters WHERE id = b.value ->> 0) \
             AND EXISTS (SELECT 1 FROM json_each(?2) c JOIN dead_letters l ON l.id = c.value ->> 0 \
             WHERE c.value ->> 1 = b.value ->> 0)";
        const ADD: &str =
            "INSERT OR IGNORE INTO dead_letters (id, reason, detail, body, attempts, first_seen) \
             SELECT j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, l.attempts + 1, l.first_seen \
             FROM json_each(?1) j JOIN dead_letters l ON l.id = j.value ->> 0";
        const KEEP: &str = "UPDATE dead_letters SET reason = j.value ->> 1, detail = j.value ->> 2, \
             attempts = attempts + 1 FROM json_each(?1) j WHERE dead_letters.id = j.value ->> 0";
        const REMOVE: &str = "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?1))";
        let itself = |change: &'_ Change| change.letters.iter().position(|letter| letter.id == change.id);
        let added = changes.iter().flat_map(|change| {
            let others = change.letters.iter().filter(|letter| letter.id != change.id);
            others.map(|l| (&change.id, &l.id, l.reason, &l.detail, &l.body))
        });
        let kept = changes
            .iter()
            .filter_map(|change| change.letters.get(itself(change)?))
            .map(|letter| (&letter.id, letter.reason, &letter.detail));
        let removed = changes.iter().filter(|change| itself(change).is_none()).map(|change| &change.id);
        let mut statements = Vec::new();
        let new = || {
            changes.iter().flat_map(|change| change.letters.iter().filter(|letter| letter.id != change.id))
        };
        let sources: Vec<(&str, &str)> = changes
            .iter()
            .flat_map(|change| change.letters.iter().map(|letter| (change.id.as_str(), letter.id.as_str())))
            .collect();
        let sources = JsValue::from(serde_json::to_string(&sources)?);
        for rows in booking_rows(new(), now_ms())? {
            statements.push(self.d1.prepare(BOOK).bind(&[rows.into(), sources.clone()])?);
        }
        for (sql, parameters) in [
            (ADD, json_parameters(added)?),
            (KEEP, json_parameters(kept)?),
            (REMOVE, json_parameters(removed)?),
        ] {
            for parameter in parameters {
                statements.push(self.d1.prepare(sql).bind(&[parameter.into()])?);
            }
        }
        self.d1.batch(statements).await?;
        Ok(())
    }
}

/// A place as the statements take it; before all letters when there is none.
fn place(after: Option<&LetterCursor>) -> [JsValue; 2] {
    after.map_or_else(
        || [integer(-1), "".into()],
        |after| [integer(after.first_seen_ms), after.id.as_str().into()],
    )
}

fn summary(row: SummaryRow) -> LetterSummary {
    LetterSummary {
        id: row.id,
        reason: row.reason,
        detail: row.detail,
        attempts: row.attempts,
        first_seen: time_ms(row.first_seen),
        bytes: row.bytes,
        events: row.events,
        preview: row.preview,
    }
}

fn outline(row: OutlineRow) -> Outline {
    Outline { id: row.id, first_seen_ms: time_ms(row.first_seen), bytes: row.bytes }
}

/// A time in milliseconds is far below 2^53.
#[allow(clippy::cast_possible_truncation)]
const fn time_ms(value: f64) -> i64 {
    value as i64
}

fn unexpected() -> Error {
    Error::RustError("D1 answered another number of statements".to_owned())
}
