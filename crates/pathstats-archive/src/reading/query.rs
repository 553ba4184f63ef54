//! Events of one day that match, from the database and the archive, page by page.

use std::collections::VecDeque;
use std::io::Write;

use pathstats_model::hour::EventDate;
use pathstats_model::problem::Problem;
use pathstats_model::{EventId, TrafficEvent};

use super::day::Day;
use super::{Calls, Cursor, Library, QueryParameters, ReadError, Result, CHUNK_BYTES};

/// Calls of one answer: the platform gives an invocation 1,000 queries of D1.
pub const QUERY_CALLS: u32 = 500;
/// How long one answer looks, in milliseconds. A page takes some 20 ms of CPU, of which there are 30 s.
pub const QUERY_MS: i64 = 15_000;

/// Which statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// This one, 100 to 599.
    Exactly(u16),
    /// Those that begin with this digit, 1 to 5.
    Class(u16),
}

impl StatusFilter {
    /// Reads `404` or `5xx`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => Some(Self::Class(u16::from(class - b'0'))),
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(Self::Exactly),
            _ => None,
        }
    }

    const fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(wanted) => status == wanted,
            Self::Class(wanted) => status / 100 == wanted,
        }
    }
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of exactly this path; none for all.
    pub path: Option<String>,
    /// Those of these statuses; none for all.
    pub status: Option<StatusFilter>,
}

impl Filter {
    /// Whether an event is one of them.
    #[must_use]
    pub fn matches(&self, event: &TrafficEvent) -> bool {
        self.path.as_ref().is_none_or(|path| *path == event.path)
            && self.status.is_none_or(|status| status.matches(event.status))
    }
}

/// A query that is being answered, as one JSON object in chunks.
#[derive(Debug)]
pub struct Query {
    date: EventDate,
    filter: Filter,
    limit: u64,
    /// What its cursors are good for.
    scope: String,
    day: Day,
    /// Events that were read and not looked at.
    ahead: VecDeque<TrafficEvent>,
    /// Whether there is nothing beyond those.
    all_read: bool,
    /// The last event that was looked at, in this answer or the one before.
    at: Option<EventId>,
    calls: Calls,
    ends_at_ms: i64,
    found: u64,
    scanned: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Events,
    Over,
}

impl Query {
    /// Begins where the cursor says.
    ///
    /// # Errors
    ///
    /// 400 for a cursor that is none of this query.
    pub fn new(parameters: QueryParameters, now_ms: i64) -> core::result::Result<Self, Problem> {
        let QueryParameters { date, from_ms, to_ms, filter, limit, cursor } = parameters;
        let scope = scope(date, from_ms, to_ms, &filter);
        // One that was made up must not lead out of what is asked for.
        let within = |at: &EventId| (from_ms..to_ms).contains(&at.timestamp_ms());
        let at = match &cursor {
            None => None,
            Some(text) => Some(Cursor::parse(text, &scope).filter(within).ok_or_else(|| {
                let expected = "the `nextCursor` of an answer for the same date, from, to, path and status";
                Problem::parameter("cursor", text, expected)
            })?),
        };
        Ok(Self {
            date,
            filter,
            limit,
            scope,
            day: at.map_or_else(|| Day::new(date, from_ms, to_ms), |at| Day::after(date, at, to_ms)),
            ahead: VecDeque::new(),
            all_read: false,
            at,
            calls: Calls::new(QUERY_CALLS),
            ends_at_ms: now_ms + QUERY_MS,
            found: 0,
            scanned: 0,
            stage: Stage::Head,
        })
    }

    /// The next bytes of the answer, or none after its end.
    ///
    /// # Errors
    ///
    /// When the database or a page cannot be read: the answer must not look whole then.
    pub async fn next<L: Library>(&mut self, library: &L) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        match self.stage {
            Stage::Head => {
                // Writing to memory does not fail.
                let _ = write!(chunk, "{{\"date\":\"{}\",\"events\":[", self.date);
                self.stage = Stage::Events;
            }
            Stage::Events => {}
            Stage::Over => return Ok(None),
        }
        while chunk.len() < CHUNK_BYTES {
            if self.look(library, &mut chunk).await? {
                continue;
            }
            let at = self.at.filter(|_| !(self.all_read && self.ahead.is_empty()));
            let next = serde_json::to_string(&at.map(|at| Cursor::new(at, &self.scope).to_string()))?;
            let _ = write!(chunk, "],\"scanned\":{},\"nextCursor\":{next}}}", self.scanned);
            self.stage = Stage::Over;
            break;
        }
        Ok(Some(chunk))
    }

    /// Looks at some more events. `false` when the answer is to end: because all is looked at, enough is
    /// found, or no more may be spent.
    async fn look<L: Library>(&mut self, library: &L, chunk: &mut Vec<u8>) -> Result<bool> {
        if self.ahead.is_empty() && !self.read(library).await? {
            return Ok(false);
        }
        while self.found < self.limit {
            let Some(event) = self.ahead.pop_front() else { return Ok(true) };
            self.scanned += 1;
            self.at = Some(event.id);
            if self.filter.matches(&event) {
                if self.found > 0 {
                    chunk.push(b',');
                }
                serde_json::to_writer(&mut *chunk, &event)?;
                self.found += 1;
            }
        }
        // Whether there is more decides whether there is a cursor.
        Ok(self.ahead.is_empty())
    }

    /// Reads events ahead. `false` when there are none, or no more may be spent. Some always may, so that
    /// who asks again and again comes to the end.
    async fn read<L: Library>(&mut self, library: &L) -> Result<bool> {
        let is_first = self.scanned == 0;
        if self.all_read || !(is_first || library.now_ms() < self.ends_at_ms) {
            return Ok(false);
        }
        match self.day.next(library, &mut self.calls).await {
            Ok(Some(events)) => self.ahead = events.into(),
            Ok(None) => self.all_read = true,
            // What was looked at is told, and the next answer goes on from there.
            Err(ReadError::TooLarge(_)) if !is_first => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(!self.all_read)
    }
}

fn scope(date: EventDate, from_ms: i64, to_ms: i64, filter: &Filter) -> String {
    format!("{date} {from_ms} {to_ms} {filter:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

    #[test]
    fn a_cursor_does_not_lead_out_of_what_is_asked_for() {
        let date: EventDate = "2025-10-15".parse().unwrap();
        let (from_ms, to_ms) = (date.start_ms() + 10, date.start_ms() + 20);
        let begun = |at_ms: i64| {
            let after = EventId::from_parts(at_ms, 7).unwrap();
            let cursor = Cursor::new(after, &scope(date, from_ms, to_ms, &Filter::default())).to_string();
            let parameters = QueryParameters {
                date,
                from_ms,
                to_ms,
                filter: Filter::default(),
                limit: 1,
                cursor: Some(cursor),
            };
            Query::new(parameters, 0).map(|_| ()).map_err(|problem| problem.status)
        };
        assert_eq!([from_ms, to_ms - 1].map(begun), [Ok(()), Ok(())]);
        assert_eq!([from_ms - 1, to_ms].map(begun), [Err(400), Err(400)]);
    }

    #[test]
    fn a_filter_takes_a_path_exactly_and_a_status_or_its_class() {
        let event = TrafficEvent { path: "/a".to_owned(), status: 404, ..event(1) };
        let with = |path: Option<&str>, status: Option<&str>| Filter {
            path: path.map(str::to_owned),
            status: status.map(|text| StatusFilter::parse(text).unwrap()),
        };
        for (path, status, matches) in [
            (None, None, true),
            (Some("/a"), None, true),
            (Some("/a/"), None, false),
            (Some("/"), None, false),
            (None, Some("404"), true),
            (None, Some("403"), false),
            (None, Some("4xx"), true),
            (None, Some("5xx"), false),
            (Some("/a"), Some("4xx"), true),
            (Some("/b"), Some("4xx"), false),
        ] {
            assert_eq!(with(path, status).matches(&event), matches, "{path:?} {status:?}");
        }
        for text in ["", "4", "4xX", "0xx", "6xx", "099", "600", "4040", "+40", "xx4"] {
            assert_eq!(StatusFilter::parse(text), None, "{text}");
        }
    }
}
