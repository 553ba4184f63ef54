//! Bodies for `POST /collect`, within its limits.

use pathstats_model::limits::{MAX_COLLECT_BYTES, MAX_COLLECT_EVENTS};
use pathstats_model::{EventId, TrafficEvent};
use serde::Serialize;

use super::scan::Position;

/// Refused lines kept in a batch, in bytes: a file of nothing but garbage stays in bounded memory.
const MAX_REFUSED_BYTES: usize = 256 * 1024;
/// A batch ends after so many lines, even if all lie outside of the times asked for.
const MAX_LINES: u64 = 100_000;

/// A line that was not sent, or an event that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Index of its file.
    #[serde(skip)]
    pub file: usize,
    /// Its line, from 1.
    pub line: u64,
    /// A stable word for the reason.
    pub reason: &'static str,
    /// The particulars.
    pub detail: String,
    /// The line as it came, or the event as it was sent.
    pub text: String,
}

/// Lines of the log that belong together: their events are sent as one body.
#[derive(Debug, Default)]
pub struct Batch {
    /// Its number, from 0.
    pub number: u64,
    /// Events, one a line.
    pub body: Vec<u8>,
    /// File and line of each event.
    pub origins: Vec<(usize, u64)>,
    /// Lines that are no events.
    pub refused: Vec<Refused>,
    /// Lines, blank ones not counted.
    pub lines: u64,
    /// Lines outside of the times asked for.
    pub outside: u64,
    /// Times of the first and last event.
    pub span: Option<(i64, i64)>,
    /// The place behind its last line.
    pub end: Position,
    refused_bytes: usize,
}

impl Batch {
    /// An empty batch with this number, whose lines begin at `from`.
    pub fn new(number: u64, from: Position) -> Self {
        Self { number, end: from, ..Self::default() }
    }

    /// Whether the event's text still fits in, when at most `most` events may.
    pub fn has_room(&self, json: &str, most: usize) -> bool {
        self.origins.len() < most.min(MAX_COLLECT_EVENTS) && self.body.len() + json.len() < MAX_COLLECT_BYTES
    }

    /// Adds an event.
    pub fn push(&mut self, event: &TrafficEvent, json: &str, origin: (usize, u64)) {
        self.body.extend_from_slice(json.as_bytes());
        self.body.push(b'\n');
        self.origins.push(origin);
        let at = EventId::timestamp_ms(event.id);
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Adds a line that is no event.
    pub fn refuse(&mut self, refused: Refused) {
        self.refused_bytes += refused.text.len() + refused.detail.len();
        self.refused.push(refused);
    }

    /// Whether it ends here although more events would fit.
    pub const fn is_full(&self) -> bool {
        self.refused_bytes >= MAX_REFUSED_BYTES || self.lines >= MAX_LINES
    }

    /// Whether it holds nothing at all.
    pub const fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The event at this index, as it was sent.
    pub fn event(&self, index: usize) -> String {
        let line = self.body.split(|byte| *byte == b'\n').nth(index).unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_the_limits_of_collect() {
        let json = r#"{"version":1,"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/api/foo","method":"GET","status":200}"#;
        let event = TrafficEvent::from_json(json).unwrap();
        let mut batch = Batch::default();
        while batch.has_room(json, usize::MAX) {
            batch.push(&event, json, (0, 1));
        }
        assert!(batch.body.len() <= MAX_COLLECT_BYTES && batch.origins.len() <= MAX_COLLECT_EVENTS);
        assert!(batch.body.len() > MAX_COLLECT_BYTES - 2 * json.len());
        assert_eq!(batch.event(3), json);
        let mut small = Batch::default();
        small.push(&event, json, (0, 1));
        assert!(!small.has_room(json, 1));
    }

    #[test]
    fn refused_lines_end_a_batch() {
        let mut batch = Batch::default();
        let text = "x".repeat(1_000);
        while !batch.is_full() {
            batch.refuse(Refused {
                file: 0,
                line: 1,
                reason: "not_json",
                detail: String::new(),
                text: text.clone(),
            });
        }
        assert!(batch.refused.len() < 300);
    }
}
