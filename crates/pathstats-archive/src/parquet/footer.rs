//! The footer: a checksum, the metadata of all row groups, its length and the magic bytes.

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use bytes::Bytes;
use core::ops::Range;
use pathstats_model::TrafficEvent;

use super::{rows, schema, ALONE_AT, MAGIC};
use crate::page::PageError;

/// Who wrote the file.
pub const CREATED_BY: &str = "pathstats";
/// The key of the format's version, and the version.
const FORMAT: (&str, &str) = ("pathstats.format", "1");
/// The key of the row groups' CRC-32, in eight hexadecimal digits each, in their order.
const CHECKSUMS: &str = "pathstats.crc32";
/// The version of Parquet that is declared: readers of version 1 read these files.
const PARQUET_VERSION: i32 = 1;

/// Stands before the footer, followed by the CRC-32 of its metadata.
const CHECK: &[u8; 4] = b"pstc";
/// Length of the checksum and what stands before it.
const CHECK_BYTES: usize = 8;
/// Length of what follows the metadata: its length and the magic bytes.
pub const TAIL_BYTES: usize = 8;

/// A row group.
#[derive(Debug)]
pub struct Group {
    /// What the library knows of it.
    pub metadata: RowGroupMetaData,
    /// CRC-32 of its bytes.
    pub crc32: u32,
}

/// A footer whose checksum was held against it.
#[derive(Debug)]
pub struct Footer {
    /// The row groups, in order.
    pub groups: Vec<Group>,
}

/// Writes a footer.
pub fn write(groups: Vec<Group>) -> Result<Vec<u8>, PageError> {
    let rows = groups.iter().map(|group| group.metadata.num_rows()).sum();
    let checksums: Vec<String> = groups.iter().map(|group| format!("{:08x}", group.crc32)).collect();
    let keys = vec![
        KeyValue::new(FORMAT.0.to_owned(), FORMAT.1.to_owned()),
        KeyValue::new(CHECKSUMS.to_owned(), checksums.join(",")),
    ];
    let about = FileMetaData::new(
        PARQUET_VERSION,
        rows,
        Some(CREATED_BY.to_owned()),
        Some(keys),
        schema::descriptor()?,
        None,
    );
    let groups = groups.into_iter().map(|group| group.metadata).collect();
    let metadata = ParquetMetaData::new(about, groups);
    let mut written = Vec::with_capacity(2_048);
    ParquetMetaDataWriter::new(&mut written, &metadata).finish()?;
    let thrift = written.len().checked_sub(TAIL_BYTES).and_then(|end| written.get(..end));
    let crc32 = crc32fast::hash(thrift.ok_or_else(|| corrupt("a footer without an end"))?);
    let mut footer = Vec::with_capacity(CHECK_BYTES + written.len());
    footer.extend_from_slice(CHECK);
    footer.extend_from_slice(&crc32.to_le_bytes());
    footer.extend_from_slice(&written);
    Ok(footer)
}

/// Length of the whole footer, of which these are the last bytes.
pub fn length(tail: [u8; TAIL_BYTES]) -> Result<u64, PageError> {
    let [l0, l1, l2, l3, magic @ ..] = tail;
    if magic != *MAGIC {
        return Err(corrupt("it does not end as a Parquet file does: cut short, or no Parquet file"));
    }
    Ok(u64::from(u32::from_le_bytes([l0, l1, l2, l3])) + (CHECK_BYTES + TAIL_BYTES) as u64)
}

impl Footer {
    /// Reads what [`write`] wrote.
    pub fn parse(footer: &[u8]) -> Result<Self, PageError> {
        let (rest, tail) =
            footer.split_last_chunk::<TAIL_BYTES>().ok_or_else(|| corrupt("the footer is cut short"))?;
        if length(*tail)? != footer.len() as u64 {
            return Err(corrupt("the footer has another length than it says"));
        }
        let (check, thrift) =
            rest.split_first_chunk::<CHECK_BYTES>().ok_or_else(|| corrupt("the footer is cut short"))?;
        let [m0, m1, m2, m3, crc32 @ ..] = *check;
        if [m0, m1, m2, m3] != *CHECK {
            return Err(corrupt("the footer has no checksum: corrupted, or not written by pathstats"));
        }
        if u32::from_le_bytes(crc32) != crc32fast::hash(thrift) {
            return Err(corrupt("the footer does not have the checksum that it was written with"));
        }
        let metadata = ParquetMetaDataReader::decode_metadata(thrift)?;
        let about = metadata.file_metadata();
        if key(about, FORMAT.0)? != FORMAT.1 {
            return Err(corrupt("a later version of the format: a newer pathstats reads it"));
        }
        if about.schema() != schema::root()?.as_ref() {
            return Err(corrupt("it has other columns than events"));
        }
        let checksums = key(about, CHECKSUMS)?;
        let checksums: Vec<u32> = checksums
            .split(',')
            .filter(|text| !text.is_empty())
            .map(|text| u32::from_str_radix(text, 16))
            .collect::<Result<_, _>>()
            .map_err(|_| corrupt("a checksum that is no hexadecimal number"))?;
        let groups: Vec<_> = metadata.row_groups().to_vec();
        if groups.len() != checksums.len() {
            return Err(corrupt("it has not one checksum a row group"));
        }
        let groups = groups.into_iter().zip(checksums);
        Ok(Self { groups: groups.map(|(metadata, crc32)| Group { metadata, crc32 }).collect() })
    }

    /// The row group of a page's metadata, where it is alone.
    pub fn alone(mut self) -> Result<Group, PageError> {
        match (self.groups.pop(), self.groups.is_empty()) {
            (Some(group), true) if group.place()?.start == ALONE_AT => Ok(group),
            _ => Err(corrupt("it is not the metadata of one page")),
        }
    }
}

impl Group {
    /// Where the row group lies in its file.
    pub fn place(&self) -> Result<Range<u64>, PageError> {
        place(&self.metadata)
    }

    /// The events of the row group, whose bytes these are.
    pub fn decode(&self, bytes: Bytes) -> Result<Vec<TrafficEvent>, PageError> {
        let place = self.place()?;
        if place.end - place.start != bytes.len() as u64 || crc32fast::hash(&bytes) != self.crc32 {
            return Err(corrupt("the row group does not have the checksum that it was written with"));
        }
        rows::events(bytes, &relocate(&self.metadata, 0, 0)?)
    }
}

/// The same row group at another place in another file.
pub fn relocate(
    group: &RowGroupMetaData,
    offset: u64,
    number: usize,
) -> Result<RowGroupMetaData, ParquetError> {
    let from = i64::try_from(place_of_first(group)?)?;
    let offset = i64::try_from(offset)?;
    let moved = |at: i64| {
        (at - from).checked_add(offset).ok_or_else(|| ParquetError::General("an offset too large".to_owned()))
    };
    let columns = group.columns().iter().map(|column| {
        column
            .clone()
            .into_builder()
            .set_data_page_offset(moved(column.data_page_offset())?)
            .set_dictionary_page_offset(column.dictionary_page_offset().map(moved).transpose()?)
            .build()
    });
    group
        .clone()
        .into_builder()
        .set_column_metadata(columns.collect::<Result<_, _>>()?)
        .set_file_offset(offset)
        .set_ordinal(i32::try_from(number)?)
        .build()
}

/// The columns lie one after another, in their order.
fn place(group: &RowGroupMetaData) -> Result<Range<u64>, PageError> {
    let start = place_of_first(group)?;
    let mut end = start;
    for column in group.columns() {
        let at = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let length = u64::try_from(column.compressed_size()).ok();
        let next = length.and_then(|length| end.checked_add(length));
        end = next.filter(|_| u64::try_from(at) == Ok(end)).ok_or_else(|| corrupt("columns that overlap"))?;
    }
    Ok(start..end)
}

fn place_of_first(group: &RowGroupMetaData) -> Result<u64, ParquetError> {
    let first = group.columns().first();
    let at = first.map(|column| column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset()));
    let at = at.ok_or_else(|| ParquetError::General("a row group without columns".to_owned()))?;
    Ok(u64::try_from(at)?)
}

fn key<'a>(about: &'a FileMetaData, name: &str) -> Result<&'a str, PageError> {
    let keys = about.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    keys.iter()
        .find(|pair| pair.key == name)
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(|| PageError::Corrupt(format!("its metadata has no {name}")))
}

fn corrupt(what: &str) -> PageError {
    PageError::Corrupt(what.to_owned())
}
