//! Events of one archived day that match, page by page.

use std::io::Write;

use pathstats_model::hour::EventDate;
use pathstats_model::problem::Problem;
use pathstats_model::TrafficEvent;

use super::pages::Pages;
use super::{Calls, Cursor, Library, Position, QueryParameters, Result, CHUNK_BYTES};
use crate::page::MAX_PAGE_EVENTS;
use crate::record::{DayRecord, FileRecord};

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
    /// Whole files of the day, in order.
    files: Vec<FileRecord>,
    /// The file that is read, by its place in `files`.
    file: usize,
    at: Position,
    pages: Option<Pages>,
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
    /// 404 for a day without a whole file, and 400 for a cursor that is none of this query.
    pub fn new(
        parameters: QueryParameters,
        record: Option<&DayRecord>,
        now_ms: i64,
    ) -> core::result::Result<Self, Problem> {
        let QueryParameters { date, filter, limit, cursor } = parameters;
        let originals = record.into_iter().flat_map(DayRecord::originals);
        let files: Vec<FileRecord> = originals.filter(|file| file.is_whole()).cloned().collect();
        let Some(first) = files.first() else {
            let detail =
                format!("no file of {date} is whole: `/admin/archive/status?date={date}` tells more");
            return Err(Problem::new(404, "no_such_archive", "There is no archive of the day", detail));
        };
        let scope = format!("{date} {filter:?}");
        let (file, at) = match &cursor {
            None => (0, Position { supplement: first.path.supplement, page: 0, event: 0 }),
            Some(text) => find(text, &scope, &files).ok_or_else(|| {
                let expected = "the `nextCursor` of an answer for the same date, path and status";
                Problem::parameter("cursor", text, expected)
            })?,
        };
        Ok(Self {
            date,
            filter,
            limit,
            scope,
            files,
            file,
            at,
            pages: None,
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
    /// When a page cannot be read: the answer must not look whole then.
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
            if self.page(library, &mut chunk).await? {
                continue;
            }
            let next = self.rest().map(|position| Cursor::new(position, &self.scope).to_string());
            let next = serde_json::to_string(&next)?;
            let _ = write!(chunk, "],\"scanned\":{},\"nextCursor\":{next}}}", self.scanned);
            self.stage = Stage::Over;
            break;
        }
        Ok(Some(chunk))
    }

    /// Looks at one more page. `false` when the answer is to end: because all is looked at, enough is
    /// found, or no more may be spent.
    async fn page<L: Library>(&mut self, library: &L, chunk: &mut Vec<u8>) -> Result<bool> {
        if self.found >= self.limit || self.rest().is_none() || !self.may_read(library) {
            return Ok(false);
        }
        let Some(file) = self.files.get(self.file) else { return Ok(false) };
        let pages = self.pages.get_or_insert_with(|| Pages::of(file, self.at.page));
        pages.look_up(library, &mut self.calls).await?;
        let events = pages.read(library, &mut self.calls).await?;
        let from = usize::try_from(self.at.event).unwrap_or(usize::MAX);
        for event in events.iter().skip(from) {
            if self.found >= self.limit {
                return Ok(false);
            }
            self.scanned += 1;
            self.at.event += 1;
            if self.filter.matches(event) {
                if self.found > 0 {
                    chunk.push(b',');
                }
                serde_json::to_writer(&mut *chunk, event)?;
                self.found += 1;
            }
        }
        pages.pass();
        self.at = Position { page: self.at.page + 1, event: 0, ..self.at };
        Ok(true)
    }

    /// Where there is more to look at. Goes on to the next file after the last page of one.
    fn rest(&mut self) -> Option<Position> {
        while self.at.page >= self.files.get(self.file)?.pages {
            self.file += 1;
            self.pages = None;
            self.at = Position { supplement: self.files.get(self.file)?.path.supplement, page: 0, event: 0 };
        }
        Some(self.at)
    }

    /// Whether a page may be read: its look-up and its bytes. One always is, so that who asks again and
    /// again comes to the end.
    fn may_read<L: Library>(&self, library: &L) -> bool {
        self.scanned == 0 && self.calls.left == QUERY_CALLS
            || (self.calls.left >= 2 && library.now_ms() < self.ends_at_ms)
    }
}

/// The file and the position of a cursor.
fn find(text: &str, scope: &str, files: &[FileRecord]) -> Option<(usize, Position)> {
    let at = Cursor::parse(text, scope)?;
    let index = files.iter().position(|file| file.path.supplement == at.supplement)?;
    let file = files.get(index)?;
    let within = at.page < file.pages && usize::try_from(at.event).is_ok_and(|event| event < MAX_PAGE_EVENTS);
    within.then_some((index, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

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
