//! The raw events, in all databases together.

use std::collections::VecDeque;

use pathstats_archive::store::{Batch, Deleted};
use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, TrafficEvent};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{Error, Result};

use super::ArchiveRows;
use crate::at_once::{all_at_once, at_once};
use crate::database::{count, integer};
use crate::metered::D1Database;

/// Fewest rows that are asked for at once: as many of the widest as fit in a value of D1 (2 MB).
const FEWEST_ROWS: usize = 256;

/// Events of a day in one database, read as they are needed.
struct Source<'a> {
    d1: &'a D1Database,
    rows: VecDeque<TrafficEvent>,
    after: Option<EventId>,
    is_read: bool,
}

#[derive(Deserialize)]
struct Count {
    n: u64,
}

impl ArchiveRows {
    /// See [`Store::events`](pathstats_archive::store::Store::events). Several databases are read as one: each
    /// its share first, and more of those that come to their end before the others do.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or a row is no event: then its text is told.
    pub async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Result<Batch> {
        if self.further.is_empty() {
            let (events, is_last) = self.read(&self.d1, date, after, limit).await?;
            return Ok(Batch { is_last, events });
        }
        let share = limit / (self.further.len() + 1);
        // Paths are spread by chance: few shares are an eighth larger than the mean.
        let share = share + share / 8 + 16;
        let read = self.every().map(|d1| self.read(d1, date, after, share));
        let mut sources: Vec<Source<'_>> = all_at_once(read)
            .await?
            .into_iter()
            .zip(self.every())
            .map(|((events, is_read), d1)| {
                let after = events.last().map_or(after, |event| Some(event.id));
                Source { d1, rows: events.into(), after, is_read }
            })
            .collect();
        let mut events: Vec<TrafficEvent> = Vec::with_capacity(limit);
        while events.len() < limit {
            for source in &mut sources {
                if source.rows.is_empty() && !source.is_read {
                    let wanted = limit - events.len() + 16;
                    let (rows, is_read) = self.read(source.d1, date, source.after, wanted).await?;
                    source.after = rows.last().map_or(source.after, |event| Some(event.id));
                    (source.rows, source.is_read) = (rows.into(), is_read);
                }
            }
            let first = sources.iter_mut().filter(|source| !source.rows.is_empty());
            let first = first.min_by_key(|source| source.rows.front().map(|event| event.id));
            let Some(event) = first.and_then(|source| source.rows.pop_front()) else { break };
            // An id that was given to two paths: one database would have kept the first to come.
            if events.last().is_none_or(|last| last.id < event.id) {
                events.push(event);
            }
        }
        Ok(Batch { is_last: events.len() < limit, events })
    }

    /// Raw events of one database, and whether there are no more. The rows come as one text: a value a row would
    /// cross one by one.
    async fn read(
        &self,
        d1: &D1Database,
        date: EventDate,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<(Vec<TrafficEvent>, bool)> {
        #[derive(Deserialize)]
        struct Rows {
            rows: Option<String>,
            n: usize,
        }
        const SELECT: &str = "SELECT group_concat(line, char(10)) AS rows, count(*) AS n FROM (\
             SELECT json_array(id, path, method, status, response_time, client_ip_hash, user_agent, \
             country, sample_ratio) AS line FROM traffic_events WHERE id > ?1 AND id < ?2 \
             ORDER BY id LIMIT ?3)";
        let (start, end) = bounds(date);
        let from = after.map_or(start, |id| id.to_string());
        let mut limit = limit;
        let rows: Rows = loop {
            let values = [from.as_str().into(), end.as_str().into(), count(limit as u64)];
            match self.query_in(d1, SELECT, &values).await {
                Ok(result) => {
                    let rows = result.results::<Rows>()?.into_iter().next();
                    break rows.ok_or_else(|| Error::RustError("no row of counts".to_owned()))?;
                }
                // Wide rows do not fit into one value together: fewer do.
                Err(_) if limit > FEWEST_ROWS => limit = FEWEST_ROWS.max(limit / 4),
                Err(error) => return Err(error),
            }
        };
        let events: Vec<TrafficEvent> = rows
            .rows
            .unwrap_or_default()
            .lines()
            .map(|line| {
                TrafficEvent::from_row(line).map_err(|error| {
                    Error::RustError(format!("a row of traffic_events is no event: {error}: {line}"))
                })
            })
            .collect::<Result<_>>()?;
        if events.len() != rows.n || !events.is_sorted_by(|a, b| a.id < b.id) {
            return Err(Error::RustError("rows of traffic_events came out of order".to_owned()));
        }
        let is_last = rows.n < limit;
        Ok((events, is_last))
    }

    /// Whether there is a raw event of the day.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn has_events(&self, date: EventDate) -> Result<bool> {
        const SELECT: &str = "SELECT 1 AS found FROM traffic_events WHERE id > ?1 AND id < ?2 LIMIT 1";
        let (start, end) = bounds(date);
        for result in self.query_every(SELECT, &[start.into(), end.into()]).await? {
            if !result.results::<serde_json::Value>()?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The days that have raw events, oldest first, at most `limit`: a look-up each.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn days_with_events(&self, limit: usize) -> Result<Vec<EventDate>> {
        let mut days = all_at_once(self.every().map(|d1| self.days_in(d1, limit))).await?.concat();
        days.sort_unstable();
        days.dedup();
        days.truncate(limit);
        Ok(days)
    }

    /// The same of one database, counted from 0.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read, or there is no such database.
    pub async fn days_with_events_in(&self, database: usize, limit: usize) -> Result<Vec<EventDate>> {
        let d1 = self.every().nth(database).ok_or("there is no such database")?;
        self.days_in(d1, limit).await
    }

    async fn days_in(&self, d1: &D1Database, limit: usize) -> Result<Vec<EventDate>> {
        #[derive(Deserialize)]
        struct Row {
            start: i64,
        }
        const SELECT: &str = "WITH RECURSIVE days (start) AS (\
             SELECT CAST(substr(min(id), 1, 13) AS INTEGER) / 86400000 * 86400000 FROM traffic_events \
             UNION ALL \
             SELECT (SELECT CAST(substr(min(id), 1, 13) AS INTEGER) / 86400000 * 86400000 \
             FROM traffic_events WHERE id >= CAST(start + 86400000 AS TEXT)) FROM days WHERE start IS NOT NULL \
             ) SELECT start FROM days WHERE start IS NOT NULL LIMIT ?1";
        let rows = self.query_in(d1, SELECT, &[count(limit as u64)]).await?;
        Ok(rows.results::<Row>()?.into_iter().map(|row| EventDate::from_ms(row.start)).collect())
    }

    /// Has each database but the first know who has the day. The lease of the first one decides: of two that
    /// write here it is the later one's name that stays, since its time is the greater.
    pub(super) async fn tell_owner(&self, date: EventDate, owner: &str, until_ms: i64) -> Result<()> {
        const TELL: &str = "INSERT INTO archive_leases (date, owner, until) VALUES (?1, ?2, ?3) \
             ON CONFLICT (date) DO UPDATE SET owner = excluded.owner, until = excluded.until \
             WHERE excluded.until >= until OR owner = excluded.owner";
        let values = [date.to_string().into(), owner.into(), integer(until_ms)];
        all_at_once(self.further.iter().map(|d1| self.query_in(d1, TELL, &values))).await?;
        Ok(())
    }

    /// See [`Store::delete_range`](pathstats_archive::store::Store::delete_range).
    ///
    /// Of several databases each is counted first. They hold the expected rows together, and nobody else deletes
    /// any: as many as expected, and they are those. Then each deletes as many as it was counted to hold, or
    /// none. One that got an event meanwhile deletes none, and what is left is deleted by its ids.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The rows may still be deleted, in some databases or in all.
    pub async fn delete_range(
        &self,
        date: EventDate,
        owner: &str,
        first: EventId,
        last: EventId,
        records: u32,
    ) -> Result<Deleted> {
        let range = [JsValue::from(first.to_string()), JsValue::from(last.to_string())];
        let records = u64::from(records);
        if self.further.is_empty() {
            return self.delete_in(&self.d1, date, owner, &range, records).await;
        }
        let counts = all_at_once(self.every().map(|d1| self.rows_in(d1, &range))).await?;
        if counts.iter().sum::<u64>() != records {
            return Ok(Deleted::Nothing);
        }
        let each = self.every().zip(counts).filter(|(_, held)| *held > 0);
        let deletes = each.map(|(d1, held)| self.delete_in(d1, date, owner, &range, held));
        let mut outcome = Deleted::Exactly;
        // All of them, also when one fails: none is dropped half-way.
        for result in at_once(deletes).await {
            if result? == Deleted::Nothing {
                outcome = Deleted::Nothing;
            }
        }
        Ok(outcome)
    }

    /// Deletes a range of one database if it holds so many rows. The second statement fails when the first
    /// deleted another number of rows or the run has lost its lease, and takes it back with it. Asking either in
    /// the first one would read each row once more.
    async fn delete_in(
        &self,
        d1: &D1Database,
        date: EventDate,
        owner: &str,
        range: &[JsValue],
        records: u64,
    ) -> Result<Deleted> {
        const DELETE: &str = "DELETE FROM traffic_events WHERE id >= ?1 AND id <= ?2";
        const GUARD: &str = "SELECT CASE WHEN changes() = ?1 \
             AND EXISTS (SELECT 1 FROM archive_leases WHERE date = ?2 AND owner = ?3) \
             THEN 1 ELSE json('another number of rows, or another run') END";
        let held = [count(records), date.to_string().into(), owner.into()];
        match self.transaction_in(d1, &[(DELETE, range), (GUARD, &held)]).await {
            Ok(_) => Ok(Deleted::Exactly),
            Err(error) => {
                // As many as expected: it failed for another reason.
                if self.rows_in(d1, range).await? == records {
                    Err(error)
                } else {
                    Ok(Deleted::Nothing)
                }
            }
        }
    }

    async fn rows_in(&self, d1: &D1Database, range: &[JsValue]) -> Result<u64> {
        const COUNT: &str = "SELECT count(*) AS n FROM traffic_events WHERE id >= ?1 AND id <= ?2";
        let held = self.query_in(d1, COUNT, range).await?.results::<Count>()?;
        Ok(held.first().ok_or("D1 answered no row")?.n)
    }

    /// Deletes raw events by their ids, wherever they stand.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The rows may still be deleted.
    pub async fn delete_ids(&self, ids: &[EventId]) -> Result<u64> {
        const DELETE: &str = "DELETE FROM traffic_events WHERE id IN (SELECT value FROM json_each(?1))";
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut deleted = 0;
        for result in self.query_every(DELETE, &[serde_json::to_string(&ids)?.into()]).await? {
            deleted += result.meta()?.and_then(|meta| meta.changes).unwrap_or(0) as u64;
        }
        Ok(deleted)
    }
}

/// What lies before and after all ids of a day.
fn bounds(date: EventDate) -> (String, String) {
    (date.start_ms().to_string(), date.end_ms().to_string())
}
