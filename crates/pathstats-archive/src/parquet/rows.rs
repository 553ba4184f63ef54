//! From columns back to events, each held against the rules that hold for events everywhere.

use std::sync::Arc;

use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::file::metadata::RowGroupMetaData;
use bytes::Bytes;
use pathstats_model::event::EventError;
use pathstats_model::limits::MIN_SAMPLE_RATIO;
use pathstats_model::TrafficEvent;

use super::columns::{read, Values};
use super::schema::Column;
use crate::page::PageError;

/// All columns of a row group, from which rows are taken one after another.
struct Rows {
    id: Values<ByteArray>,
    timestamp: Values<i64>,
    path: Values<ByteArray>,
    method: Values<ByteArray>,
    status: Values<i32>,
    response_time: Values<f64>,
    client_ip_hash: Values<ByteArray>,
    user_agent: Values<ByteArray>,
    country: Values<ByteArray>,
    sample_ratio: Values<f64>,
    is_error: Values<bool>,
    /// A row as the model reads it.
    json: Vec<u8>,
}

/// The events of a row group, by id. The metadata's offsets count from the bytes' first.
pub fn events(bytes: Bytes, group: &RowGroupMetaData) -> Result<Vec<TrafficEvent>, PageError> {
    let bytes = &Arc::new(bytes);
    let mut rows = Rows {
        id: read::<ByteArrayType>(bytes, group, Column::Id)?,
        timestamp: read::<Int64Type>(bytes, group, Column::Timestamp)?,
        path: read::<ByteArrayType>(bytes, group, Column::Path)?,
        method: read::<ByteArrayType>(bytes, group, Column::Method)?,
        status: read::<Int32Type>(bytes, group, Column::Status)?,
        response_time: read::<DoubleType>(bytes, group, Column::ResponseTime)?,
        client_ip_hash: read::<ByteArrayType>(bytes, group, Column::ClientIpHash)?,
        user_agent: read::<ByteArrayType>(bytes, group, Column::UserAgent)?,
        country: read::<ByteArrayType>(bytes, group, Column::Country)?,
        sample_ratio: read::<DoubleType>(bytes, group, Column::SampleRatio)?,
        is_error: read::<BoolType>(bytes, group, Column::IsError)?,
        json: Vec::with_capacity(512),
    };
    let count = usize::try_from(group.num_rows()).map_err(|error| PageError::Corrupt(error.to_string()))?;
    let mut events = (1..=count)
        .map(|row| rows.event().map_err(|error| PageError::Event { line: row, error }))
        .collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| event.id);
    Ok(events)
}

impl Rows {
    fn event(&mut self) -> Result<TrafficEvent, EventError> {
        let timestamp = self.timestamp.next().ok_or(EventError::Missing("timestamp"))?;
        let is_error = self.is_error.next().ok_or(EventError::Missing("isError"))?;
        let sample_ratio = self.sample_ratio.next().ok_or(EventError::Missing("sampleRatio"))?;
        let response_time = self.response_time.next_optional();
        // JSON has no such numbers: they would read as null, and so as absent.
        if let Some(ms) = response_time.filter(|ms| !ms.is_finite()) {
            return Err(invalid("responseTime", &ms, "milliseconds from 0 to 3600000"));
        }
        let row = (
            text("id", self.id.next().as_ref())?,
            text("path", self.path.next().as_ref())?,
            text("method", self.method.next().as_ref())?,
            self.status.next(),
            response_time,
            text("clientIpHash", self.client_ip_hash.next_optional().as_ref())?,
            text("userAgent", self.user_agent.next_optional().as_ref())?,
            text("country", self.country.next_optional().as_ref())?,
            sample_ratio,
        );
        self.json.clear();
        let not_json = |error: String| EventError::NotJson(error);
        serde_json::to_writer(&mut self.json, &row).map_err(|error| not_json(error.to_string()))?;
        let json = core::str::from_utf8(&self.json).map_err(|error| not_json(error.to_string()))?;
        let mut event = TrafficEvent::from_row(json)?;
        if event.id.timestamp_ms() != timestamp {
            return Err(invalid("timestamp", &timestamp, "the milliseconds that `id` begins with"));
        }
        if event.is_error() != is_error {
            return Err(invalid("isError", &is_error, "whether `status` is 400 and above"));
        }
        // As it was stored, to the last bit: on its way through JSON it may change there.
        event.sample_ratio = sample_ratio.clamp(MIN_SAMPLE_RATIO, 1.0);
        Ok(event)
    }
}

fn text(field: &'static str, value: Option<&ByteArray>) -> Result<Option<String>, EventError> {
    value
        .map(|value| {
            let text = value.as_utf8().map_err(|_| invalid(field, &"no UTF-8", "text"))?;
            Ok(text.to_owned())
        })
        .transpose()
}

fn invalid(field: &'static str, found: &impl ToString, expected: &'static str) -> EventError {
    EventError::Invalid { field, found: found.to_string(), expected }
}
