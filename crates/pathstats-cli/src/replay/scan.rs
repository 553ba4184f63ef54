//! All lines of all files, in order.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::identity::{self, Occurrences};
use super::input::Input;
use super::lines::{LineRead, Lines, MAX_LINE_BYTES};
use super::stop::Stop;
use crate::failure::Failure;
use crate::formats::detect::detect;
use crate::formats::{Format, Line, LineError};

/// A place between two lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the file.
    pub file: usize,
    /// How many of its lines lie before.
    pub line: u64,
    /// Checksum over these lines.
    pub checksum: u64,
}

/// A line, and where it stands.
pub struct Scanned<'a> {
    /// The place behind the line: its `line` is the line's own number, from 1.
    pub after: Position,
    /// The line.
    pub text: &'a str,
    /// What it holds.
    pub parsed: Result<Line<'a>, LineError>,
    /// Its digest.
    pub digest: u64,
    /// How often the line stood in its file before.
    pub occurrence: u32,
}

/// Reads files.
pub struct Scan<'a> {
    /// The files.
    pub inputs: &'a [Input],
    /// Their format; `None` is told by each file's first lines.
    pub format: Option<Format>,
    /// Ends the reading early.
    pub stop: &'a Stop,
    /// Counts the bytes read.
    pub bytes: Arc<AtomicU64>,
}

impl Scan<'_> {
    /// Hands each line behind `from` to `take`. Lines before are read, to know which of identical
    /// lines is which and to see that they are still the same; blank lines are passed over.
    pub fn each(
        &self,
        from: Position,
        mut take: impl FnMut(Scanned<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (index, input) in self.inputs.iter().enumerate().skip(from.file) {
            let from =
                if index == from.file { from } else { Position { file: index, ..Position::default() } };
            self.file(input, from, &mut take)?;
            if self.stop.is_requested() {
                break;
            }
        }
        Ok(())
    }

    fn file(
        &self,
        input: &Input,
        from: Position,
        take: &mut impl FnMut(Scanned<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let name = input.name();
        let cannot_open = |error| Failure::cannot(format_args!("read {name}"), error);
        let mut lines = input
            .open()
            .and_then(|source| Lines::new(source, Arc::clone(&self.bytes)))
            .map_err(cannot_open)?;
        let head = lines.head();
        let format = match self.format.or_else(|| detect(&head)) {
            Some(format) => format,
            None if head.trim().is_empty() => Format::Jsonl,
            None => {
                return Err(Failure::new(format!(
                    "{name}: no line at its beginning looks like a log format that is known: give --format common, combined, nginx, logpush or jsonl"
                )));
            }
        };
        let mut at = Position { file: from.file, ..Position::default() };
        let mut occurrences = Occurrences::default();
        let mut bytes = Vec::with_capacity(1 << 12);
        loop {
            if at.line == from.line && at.checksum != from.checksum {
                return Err(Failure::new(format!(
                    "{name} is not the file that the interrupted run read (its first {} lines differ): --restart begins anew",
                    at.line
                )));
            }
            let read = lines.next(&mut bytes).map_err(|error| {
                Failure::cannot(format_args!("read {name} beyond line {}", at.line), error)
            })?;
            let Some(read) = read else { break };
            at.line += 1;
            let digest = identity::line_digest(&bytes);
            at.checksum = identity::chain(at.checksum, digest);
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // Our own events have ids: which of identical lines one is does not matter.
            let occurrence = if format == Format::Jsonl { 0 } else { occurrences.before(digest) };
            if at.line <= from.line {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            let parsed = match read {
                LineRead::Whole => format.parse(&text),
                LineRead::TooLong => {
                    Err(LineError::new("line_too_long", format!("longer than {MAX_LINE_BYTES} bytes")))
                }
            };
            take(Scanned { after: at, text: &text, parsed, digest, occurrence })?;
            if self.stop.is_requested() {
                return Ok(());
            }
        }
        if at.line < from.line {
            return Err(Failure::new(format!(
                "{name} has {} lines, but the interrupted run had sent {}: --restart begins anew",
                at.line, from.line
            )));
        }
        Ok(())
    }
}
