//! The columns of a file: names and meanings as in the table `traffic_events`.

use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, TypePtr};

/// `timestamp` and `is_error` follow from `id` and `status`: they are there for queries.
const MESSAGE: &str = "
message event {
  required binary id (STRING);
  required int64 timestamp (TIMESTAMP(MILLIS,true));
  required binary path (STRING);
  required binary method (STRING);
  required int32 status (INTEGER(16,false));
  optional double response_time;
  optional binary client_ip_hash (STRING);
  optional binary user_agent (STRING);
  optional binary country (STRING);
  required double sample_ratio;
  required boolean is_error;
}";

/// A column by its place in the schema.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// The event's id.
    Id,
    /// Milliseconds since the epoch.
    Timestamp,
    /// The path.
    Path,
    /// The method.
    Method,
    /// The status.
    Status,
    /// Milliseconds.
    ResponseTime,
    /// 16 hexadecimal digits.
    ClientIpHash,
    /// The user agent.
    UserAgent,
    /// Two letters.
    Country,
    /// The share of requests that was recorded.
    SampleRatio,
    /// A status of 400 and above.
    IsError,
}

/// The schema as a tree.
pub fn root() -> Result<TypePtr, ParquetError> {
    parse_message_type(MESSAGE).map(Arc::new)
}

/// The schema as columns.
pub fn descriptor() -> Result<SchemaDescPtr, ParquetError> {
    root().map(|root| Arc::new(SchemaDescriptor::new(root)))
}

/// How the rows of a group are sorted: by path, time, id.
pub fn sorting() -> Vec<SortingColumn> {
    [Column::Path, Column::Timestamp, Column::Id]
        .into_iter()
        .map(|column| SortingColumn { column_idx: column as i32, descending: false, nulls_first: false })
        .collect()
}
