//! The events of an archive, one after another, whichever format it has.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use pathstats_archive::name::Format;
use pathstats_archive::page::PageError;
use pathstats_archive::parquet::{Reader, ReaderError, RowGroup};
use pathstats_model::TrafficEvent;

use super::members::Members;
use super::source::{self, Archive};
use crate::failure::Failure;
use crate::replay::lines::{LineRead, Lines, MAX_LINE_BYTES};

/// Where something stands in an archive, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line.
    Line(u64),
    /// A row group, and its row where one is to blame. Events come by id, rows lie by path.
    RowGroup(usize, Option<usize>),
    /// The file as such.
    File,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}: "),
            Self::RowGroup(group, Some(row)) => write!(f, "row group {group}, row {row}: "),
            Self::RowGroup(group, None) => write!(f, "row group {group}: "),
            Self::File => Ok(()),
        }
    }
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{what}")]
pub struct Problem {
    place: Place,
    what: String,
}

impl Problem {
    /// Something is wrong at a place.
    pub fn new(place: Place, what: impl fmt::Display) -> Self {
        Self { place, what: what.to_string() }
    }
}

/// Reads an archive. After a problem it goes on behind it, if there is a behind.
pub struct Events {
    inner: Inner,
    bytes: Arc<AtomicU64>,
}

enum Inner {
    Jsonl {
        lines: Lines,
        line: u64,
        buffer: Vec<u8>,
    },
    Parquet {
        reader: Reader<File>,
        groups: Vec<RowGroup>,
        next: usize,
        rest: std::vec::IntoIter<TrafficEvent>,
    },
    Broken(Problem),
    Ended,
}

impl Events {
    /// Opens an archive. What is wrong with its content is told as the first item.
    pub fn open(archive: &Archive) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::cannot(format_args!("read {}", archive.name), error);
        let bytes = Arc::new(AtomicU64::new(0));
        let inner = match source::format(&archive.path).map_err(cannot)? {
            Some(Format::Jsonl) => {
                let counted =
                    Counted { inner: File::open(&archive.path).map_err(cannot)?, count: Arc::clone(&bytes) };
                let members = Members::new(BufReader::with_capacity(1 << 16, counted));
                let lines = Lines::new(members, Arc::default()).map_err(cannot)?;
                Inner::Jsonl { lines, line: 0, buffer: Vec::with_capacity(1 << 10) }
            }
            None if source::is_export(&archive.path).map_err(cannot)? => {
                let counted =
                    Counted { inner: File::open(&archive.path).map_err(cannot)?, count: Arc::clone(&bytes) };
                let lines = Lines::new(BufReader::new(counted), Arc::default()).map_err(cannot)?;
                Inner::Jsonl { lines, line: 0, buffer: Vec::with_capacity(1 << 10) }
            }
            Some(Format::Parquet) => match parquet(archive) {
                Ok((reader, groups)) => {
                    Inner::Parquet { reader, groups, next: 0, rest: Vec::new().into_iter() }
                }
                Err(ReaderError::Io(error)) => return Err(cannot(error)),
                Err(error) => Inner::Broken(Problem::new(Place::File, error)),
            },
            None => {
                let what = if archive.bytes == 0 {
                    "it is empty"
                } else {
                    "it begins neither as gzip, nor as Parquet, nor as a JSON line"
                };
                Inner::Broken(Problem::new(Place::File, what))
            }
        };
        Ok(Self { inner, bytes })
    }

    /// Bytes of the file that were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Passes over row groups without an event from `from_ms` on and before `to_ms`.
    pub fn within(mut self, from_ms: Option<i64>, to_ms: Option<i64>) -> Self {
        if let Inner::Parquet { groups, .. } = &mut self.inner {
            for group in groups {
                let outside = group.ids.is_some_and(|(first, last)| {
                    from_ms.is_some_and(|from| last.timestamp_ms() < from)
                        || to_ms.is_some_and(|to| first.timestamp_ms() >= to)
                });
                // A group of no records is not read.
                group.records = if outside { 0 } else { group.records };
            }
        }
        self
    }
}

/// Opens a Parquet archive.
pub fn parquet(archive: &Archive) -> Result<(Reader<File>, Vec<RowGroup>), ReaderError> {
    let reader = Reader::open(File::open(&archive.path)?)?;
    let groups = reader.groups()?;
    Ok((reader, groups))
}

impl Iterator for Events {
    type Item = Result<(Place, TrafficEvent), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.inner {
            Inner::Jsonl { lines, line, buffer } => {
                let place = Place::Line(*line + 1);
                match lines.next(buffer) {
                    Ok(Some(read)) => {
                        *line += 1;
                        Some(event(place, read, buffer))
                    }
                    Ok(None) => None,
                    Err(error) => {
                        let problem = Problem::new(Place::File, format_args!("{error} (behind line {line})"));
                        self.inner = Inner::Ended;
                        Some(Err(problem))
                    }
                }
            }
            Inner::Parquet { reader, groups, next, rest } => loop {
                if let Some(event) = rest.next() {
                    return Some(Ok((Place::RowGroup(*next, None), event)));
                }
                let group = groups.get(*next)?;
                self.bytes.store(group.offset + group.length, Ordering::Relaxed);
                let skip = group.records == 0;
                *next += 1;
                if skip {
                    continue;
                }
                match reader.read(*next - 1) {
                    Ok(events) => *rest = events.unwrap_or_default().into_iter(),
                    Err(error) => return Some(Err(of_group(*next, error))),
                }
            },
            Inner::Broken(_) => match std::mem::replace(&mut self.inner, Inner::Ended) {
                Inner::Broken(problem) => Some(Err(problem)),
                _ => None,
            },
            Inner::Ended => None,
        }
    }
}

fn event(place: Place, read: LineRead, line: &[u8]) -> Result<(Place, TrafficEvent), Problem> {
    if read == LineRead::TooLong {
        return Err(Problem::new(place, format_args!("longer than {MAX_LINE_BYTES} bytes")));
    }
    let text = std::str::from_utf8(line).map_err(|_| Problem::new(place, "no UTF-8 text"))?;
    let event = TrafficEvent::from_json(text).map_err(|error| Problem::new(place, error))?;
    Ok((place, event))
}

fn of_group(number: usize, error: ReaderError) -> Problem {
    match error {
        ReaderError::Group { error: PageError::Event { line, error }, .. } => {
            Problem::new(Place::RowGroup(number, Some(line)), error)
        }
        ReaderError::Group { error, .. } => Problem::new(Place::RowGroup(number, None), error),
        error => Problem::new(Place::RowGroup(number, None), error),
    }
}

/// Counts the bytes that are read.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The events as JSON lines, for whoever reads those.
pub struct JsonLines {
    events: Events,
    line: Vec<u8>,
    taken: usize,
}

impl JsonLines {
    /// The lines of an archive.
    pub fn new(events: Events) -> Self {
        Self { events, line: Vec::new(), taken: 0 }
    }
}

impl Read for JsonLines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.line.len() {
            self.line.clear();
            self.taken = 0;
            let Some(item) = self.events.next() else { return Ok(0) };
            let (_, event) = item.map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))?;
            serde_json::to_writer(&mut self.line, &event)?;
            self.line.push(b'\n');
        }
        let mut rest = self.line.get(self.taken..).unwrap_or_default();
        let read = rest.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}
