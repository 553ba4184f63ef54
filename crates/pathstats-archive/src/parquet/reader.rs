//! Reads whole files, row group by row group.

use std::io::{self, Read, Seek, SeekFrom};

use ::parquet::file::statistics::Statistics;
use pathstats_model::{EventId, TrafficEvent};

use super::footer::{self, Footer, Group, TAIL_BYTES};
use super::schema::Column;
use super::MAGIC;
use crate::page::PageError;

/// A footer is never larger: it has some two kilobytes a row group.
const MAX_FOOTER_BYTES: u64 = 256 << 20;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The file cannot be read from.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A row group is not what was written.
    #[error("row group {group}: {error}")]
    Group {
        /// From 1.
        group: usize,
        /// What is wrong; its `line` is the row, from 1.
        error: PageError,
    },
}

/// A row group, as the footer describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length, in bytes.
    pub length: u64,
    /// Events in it.
    pub records: u64,
    /// The least and the greatest id.
    pub ids: Option<(EventId, EventId)>,
}

/// Reads a file.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    groups: Vec<Group>,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads the footer.
    ///
    /// # Errors
    ///
    /// [`ReaderError::Page`] when the file is not one that this module wrote, whole.
    pub fn open(mut source: R) -> Result<Self, ReaderError> {
        let corrupt = |what: &str| PageError::Corrupt(what.to_owned());
        let end = source.seek(SeekFrom::End(0))?;
        if end < (MAGIC.len() + TAIL_BYTES) as u64 {
            return Err(corrupt("it is too short for a Parquet file").into());
        }
        let mut magic = [0; MAGIC.len()];
        source.seek(SeekFrom::Start(0))?;
        source.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(corrupt("it does not begin as a Parquet file does").into());
        }
        let mut tail = [0; TAIL_BYTES];
        source.seek(SeekFrom::Start(end - TAIL_BYTES as u64))?;
        source.read_exact(&mut tail)?;
        let length = footer::length(tail)?;
        let start = end.checked_sub(length).filter(|_| length <= MAX_FOOTER_BYTES);
        let start = start.ok_or_else(|| corrupt("the footer has another length than it says"))?;
        let Footer { groups } = Footer::parse(&bytes(&mut source, start, length)?)?;
        // All that lies between the magic bytes and the footer belongs to a row group.
        let mut next = MAGIC.len() as u64;
        for group in &groups {
            let place = group.place()?;
            if place.start != next {
                return Err(corrupt("the row groups do not follow each other").into());
            }
            next = place.end;
        }
        if next != start {
            return Err(corrupt("the row groups do not reach up to the footer").into());
        }
        Ok(Self { source, groups })
    }

    /// The row groups, in order.
    ///
    /// # Errors
    ///
    /// None for a file that was opened.
    pub fn groups(&self) -> Result<Vec<RowGroup>, ReaderError> {
        let describe = |group: &Group| {
            let place = group.place()?;
            Ok(RowGroup {
                offset: place.start,
                length: place.end - place.start,
                records: u64::try_from(group.metadata.num_rows()).unwrap_or_default(),
                ids: ids(group),
            })
        };
        self.groups.iter().map(describe).collect()
    }

    /// The events of the row group `number` (from 0), by id. `None` beyond the last.
    ///
    /// # Errors
    ///
    /// See [`ReaderError`].
    pub fn read(&mut self, number: usize) -> Result<Option<Vec<TrafficEvent>>, ReaderError> {
        let Some(group) = self.groups.get(number) else { return Ok(None) };
        let place = group.place()?;
        let bytes = bytes(&mut self.source, place.start, place.end - place.start)?;
        let events = group.decode(bytes.into());
        events.map(Some).map_err(|error| ReaderError::Group { group: number + 1, error })
    }
}

/// Reads a piece of a file.
fn bytes(source: &mut (impl Read + Seek), start: u64, length: u64) -> Result<Vec<u8>, ReaderError> {
    source.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    source.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(PageError::Corrupt("it ends within a row group".to_owned()).into())
    }
}

fn ids(group: &Group) -> Option<(EventId, EventId)> {
    let Some(Statistics::ByteArray(ids)) = group.metadata.columns().get(Column::Id as usize)?.statistics()
    else {
        return None;
    };
    let id = |bytes: &[u8]| core::str::from_utf8(bytes).ok()?.parse().ok();
    Some((id(ids.min_bytes_opt()?)?, id(ids.max_bytes_opt()?)?))
}
