//! Columns of a row group, written and read.

use std::io::Write;
use std::sync::Arc;

use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::serialized_reader::SerializedPageReader;
use ::parquet::file::writer::SerializedRowGroupWriter;
use bytes::Bytes;
use pathstats_model::TrafficEvent;

use super::schema::Column;

/// Writes all columns, in the schema's order.
pub fn write<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[&TrafficEvent],
) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text);
    required::<ByteArrayType, _>(group, rows, |event| ByteArray::from(event.id.to_string().into_bytes()))?;
    required::<Int64Type, _>(group, rows, |event| event.id.timestamp_ms())?;
    required::<ByteArrayType, _>(group, rows, |event| text(&event.path))?;
    required::<ByteArrayType, _>(group, rows, |event| text(&event.method))?;
    required::<Int32Type, _>(group, rows, |event| i32::from(event.status))?;
    optional::<DoubleType, _>(group, rows, TrafficEvent::response_time_ms)?;
    optional::<ByteArrayType, _>(group, rows, |event| {
        event.client_ip_hash_text().map(|hash| ByteArray::from(hash.into_bytes()))
    })?;
    optional::<ByteArrayType, _>(group, rows, |event| event.user_agent.as_deref().map(text))?;
    optional::<ByteArrayType, _>(group, rows, |event| event.country_text().map(text))?;
    required::<DoubleType, _>(group, rows, |event| event.sample_ratio)?;
    required::<BoolType, _>(group, rows, TrafficEvent::is_error)
}

fn required<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[&TrafficEvent],
    value: impl Fn(&TrafficEvent) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = rows.iter().map(|event| value(event)).collect();
    column::<T, W>(group, &values, None)
}

fn optional<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[&TrafficEvent],
    value: impl Fn(&TrafficEvent) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::with_capacity(rows.len());
    let mut values = Vec::with_capacity(rows.len());
    for event in rows {
        let value = value(event);
        levels.push(i16::from(value.is_some()));
        values.extend(value);
    }
    column::<T, W>(group, &values, Some(&levels))
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns than are written".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// The values of a column, and of an optional one for each row 1 where it has a value.
pub struct Values<T> {
    values: std::vec::IntoIter<T>,
    levels: std::vec::IntoIter<i16>,
}

impl<T> Values<T> {
    /// The next row's value, in a column where each has one.
    pub fn next(&mut self) -> Option<T> {
        self.values.next()
    }

    /// The next row's value, if it has one.
    pub fn next_optional(&mut self) -> Option<T> {
        if self.levels.next()? == 0 {
            return None;
        }
        self.values.next()
    }
}

/// Reads a column of a row group whose bytes these are. The metadata's offsets count from the first.
pub fn read<T: DataType>(
    bytes: &Arc<Bytes>,
    group: &RowGroupMetaData,
    column: Column,
) -> Result<Values<T::T>, ParquetError> {
    let metadata = group
        .columns()
        .get(column as usize)
        .filter(|metadata| metadata.column_type() == T::get_physical_type())
        .ok_or_else(|| ParquetError::General(format!("no column {column:?} of its type")))?;
    let rows = usize::try_from(group.num_rows())?;
    let pages = SerializedPageReader::new(Arc::clone(bytes), metadata, rows, None)?;
    let mut reader = ColumnReaderImpl::<T>::new(metadata.column_descr_ptr(), Box::new(pages));
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (read, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if read != rows {
        return Err(ParquetError::General(format!("column {column:?} has {read} of {rows} rows")));
    }
    Ok(Values { values: values.into_iter(), levels: levels.into_iter() })
}
