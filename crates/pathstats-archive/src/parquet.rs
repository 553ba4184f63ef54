//! Pages as row groups of an Apache Parquet file: typed columns, which analytical programs read.
//!
//! A file is [`header`], then the bytes of its pages, then [`footer`]. Each page is encoded alone, so a
//! file is written page by page in the memory of one page, and goes on after a crash. Of each page
//! the metadata is kept until the end: it is the footer of a file that holds this page alone, so that
//! `header`, a page's bytes and its metadata one after another are a Parquet file too.
//!
//! Parquet's own pages may have checksums, but the library writes none, and it may panic on bytes
//! that are not Parquet. So nothing is handed to it before a checksum of ours has been held against it:
//! the footer has one in front of it, where other readers see a gap, and names one for each row group.

mod columns;
mod footer;
mod reader;
mod rows;
mod schema;

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, GzipLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::ColumnPath;
use bytes::Bytes;
use pathstats_model::TrafficEvent;

use crate::page::{Encoded, PageError};
use footer::{Footer, Group};
pub use reader::{Reader, ReaderError, RowGroup};

/// The file's first bytes, and its last.
const MAGIC: &[u8; 4] = b"PAR1";
/// Where a page lies in a file that holds it alone.
const ALONE_AT: u64 = MAGIC.len() as u64;

/// What a file begins with.
#[must_use]
pub fn header() -> &'static [u8] {
    MAGIC
}

/// Events as one row group, sorted by path and time. The same events, in any order, give the same bytes.
///
/// # Errors
///
/// [`PageError::Corrupt`]; writing to memory does not fail.
pub fn encode(events: &[TrafficEvent]) -> Result<Encoded, PageError> {
    let mut rows: Vec<&TrafficEvent> = events.iter().collect();
    // An id begins with its time.
    rows.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.id.cmp(&b.id)));
    let mut file = Vec::with_capacity(events.len() * 24);
    let mut writer = SerializedFileWriter::new(&mut file, schema::root()?, Arc::new(properties()?))?;
    let mut group = writer.next_row_group()?;
    columns::write(&mut group, &rows)?;
    let metadata = Arc::unwrap_or_clone(group.close()?);
    writer.flush().map_err(ParquetError::from)?;
    drop(writer);
    let bytes = file.split_off(MAGIC.len());
    let group = Group { metadata, crc32: crc32fast::hash(&bytes) };
    Ok(Encoded { bytes, metadata: footer::write(vec![group])? })
}

/// What a file ends with: where each of its pages lies, and what is in it.
///
/// # Errors
///
/// [`PageError::Corrupt`] when a page's metadata is not what [`encode`] gave.
pub fn footer<'a>(pages: impl IntoIterator<Item = (u64, &'a [u8])>) -> Result<Vec<u8>, PageError> {
    let groups = pages.into_iter().enumerate().map(|(number, (offset, metadata))| {
        let Group { metadata, crc32 } = Footer::parse(metadata)?.alone()?;
        Ok(Group { metadata: footer::relocate(&metadata, offset, number)?, crc32 })
    });
    footer::write(groups.collect::<Result<_, PageError>>()?)
}

/// The events of a page, by id.
///
/// # Errors
///
/// [`PageError::Corrupt`] when the bytes or the metadata are not what [`encode`] gave, and
/// [`PageError::Event`] for a row that is no event.
pub fn decode(metadata: &[u8], bytes: &[u8]) -> Result<Vec<TrafficEvent>, PageError> {
    let group = Footer::parse(metadata)?.alone()?;
    group.decode(Bytes::copy_from_slice(bytes))
}

/// How columns are written. Bytes are those of 200,000 generated events in pages of 8,192.
fn properties() -> Result<WriterProperties, PageError> {
    let level = GzipLevel::try_new(6)?;
    let columns = WriterProperties::builder()
        .set_created_by(footer::CREATED_BY.to_owned())
        .set_compression(Compression::GZIP(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_sorting_columns(Some(schema::sorting()));
    // Most values are another in each row: a dictionary would hold them all.
    let columns = ["id", "timestamp", "response_time"]
        .into_iter()
        .fold(columns, |columns, name| columns.set_column_dictionary_enabled(ColumnPath::from(name), false));
    // Rows beside each other begin alike: 1.73 MB instead of 1.96 MB, and 0.52 MB instead of 0.67 MB.
    // Response times are best left as they are: 0.72 MB, and 1.30 MB with their bytes split.
    Ok(columns
        .set_column_encoding(ColumnPath::from("id"), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding(ColumnPath::from("timestamp"), Encoding::DELTA_BINARY_PACKED)
        .build())
}

/// The library's errors, as errors of a page.
impl From<ParquetError> for PageError {
    fn from(error: ParquetError) -> Self {
        Self::Corrupt(error.to_string())
    }
}
