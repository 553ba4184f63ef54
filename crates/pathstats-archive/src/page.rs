//! Pages: the unit in which a day is read, compressed, verified and deleted.
//!
//! A page is a run of events that follow each other by id. In a file it is a piece that can be read
//! on its own: a whole gzip member, or a row group. Gzip members one after another are one gzip file
//! (RFC 1952 section 2.2), so `gunzip` reads the whole, and a reader that has the index begins
//! anywhere.

use pathstats_model::{EventId, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::name::Format;
use crate::{jsonl, parquet};

/// Most events of a page.
pub const MAX_PAGE_EVENTS: usize = 8_192;
/// Most bytes of a page's JSON lines. It bounds memory, and the compressed page, which waits in a
/// row of D1 between two parts (2 MB at most).
pub const PAGE_BYTES: usize = 1_500_000;

/// Where a page lies in its file, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Its number in the file, from 0.
    pub number: u32,
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length in the file, in bytes.
    pub length: u64,
    /// Events in it, at least one.
    pub records: u32,
    /// The least id.
    #[serde(with = "id_text")]
    pub first_id: EventId,
    /// The greatest id.
    #[serde(with = "id_text")]
    pub last_id: EventId,
    /// CRC-32 of its bytes in the file.
    pub crc32: u32,
    /// What a reader needs beside the bytes: of a row group its metadata, of a gzip member nothing.
    #[serde(skip)]
    pub metadata: Vec<u8>,
}

/// A page's bytes, before their place in the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes as they will lie in the file.
    pub bytes: Vec<u8>,
    /// See [`Page::metadata`].
    pub metadata: Vec<u8>,
}

/// Why a page cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The bytes are not what was written.
    #[error("page {page}: the bytes do not have the checksum that they were written with")]
    Checksum {
        /// The page's number.
        page: u32,
    },
    /// The bytes do not decompress or decode.
    #[error("cannot be read: {0}")]
    Corrupt(String),
    /// A line is no event.
    #[error("line {line} is no event: {error}")]
    Event {
        /// From 1, within the page.
        line: usize,
        /// What is wrong.
        error: pathstats_model::event::EventError,
    },
}

impl Page {
    /// Describes encoded events as the page `number` at `offset`. `None` when there are no events.
    #[must_use]
    pub fn describe(number: u32, offset: u64, events: &[TrafficEvent], encoded: &Encoded) -> Option<Self> {
        let ids = events.iter().map(|event| event.id);
        Some(Self {
            number,
            offset,
            length: encoded.bytes.len() as u64,
            records: u32::try_from(events.len()).ok()?,
            first_id: ids.clone().min()?,
            last_id: ids.max()?,
            crc32: crc32fast::hash(&encoded.bytes),
            metadata: encoded.metadata.clone(),
        })
    }

    /// First byte after the page.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Holds bytes against the checksum that the page was written with.
    ///
    /// # Errors
    ///
    /// [`PageError::Checksum`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), PageError> {
        if bytes.len() as u64 == self.length && crc32fast::hash(bytes) == self.crc32 {
            Ok(())
        } else {
            Err(PageError::Checksum { page: self.number })
        }
    }

    /// Checks the page's bytes and decodes its events, by id.
    ///
    /// # Errors
    ///
    /// When they are not what was written, or no events of that format.
    pub fn decode(&self, format: Format, bytes: &[u8]) -> Result<Vec<TrafficEvent>, PageError> {
        self.check(bytes)?;
        match format {
            Format::Jsonl => jsonl::decode(bytes),
            Format::Parquet => parquet::decode(&self.metadata, bytes),
        }
    }
}

mod id_text {
    use pathstats_model::EventId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
