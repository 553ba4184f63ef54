//! The event's JSON: how it is read, and how it is written.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

use super::{check_path, cut, invalid, quote, response_time_us, EventError, TrafficEvent, EVENT_VERSION};
use crate::event_id::EventId;
use crate::limits::{MAX_METHOD_CHARS, MAX_USER_AGENT_CHARS, MIN_SAMPLE_RATIO};

/// The fields as they come, types right but values not yet looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    version: Option<u64>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    idempotent_id: Option<Cow<'a, str>>,
    timestamp: Option<i64>,
    #[serde(borrow)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    status: Option<u64>,
    response_time: Option<f64>,
    #[serde(borrow)]
    client_ip_hash: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    country: Option<Cow<'a, str>>,
    #[serde(borrow)]
    meta: Option<WireMeta<'a>>,
    sample_ratio: Option<f64>,
}

#[derive(Deserialize)]
struct WireMeta<'a> {
    #[serde(borrow)]
    country: Option<Cow<'a, str>>,
}

/// A row of `traffic_events`, column by column.
#[derive(Deserialize)]
struct Row<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    u64,
    Option<f64>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    f64,
);

impl TrafficEvent {
    /// Reads an event from its JSON text. Unknown fields are passed over.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, see [`EventError`].
    pub fn from_json(text: &str) -> Result<Self, EventError> {
        match serde_json::from_str::<Wire<'_>>(text) {
            Ok(wire) => Self::from_wire(wire),
            Err(error) => Err(explain(text, &error)),
        }
    }

    /// Reads an event from a row of `traffic_events`, as a JSON array of the columns `id`, `path`,
    /// `method`, `status`, `response_time`, `client_ip_hash`, `user_agent`, `country` and
    /// `sample_ratio`.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, see [`EventError`].
    pub fn from_row(text: &str) -> Result<Self, EventError> {
        let row: Row<'_> =
            serde_json::from_str(text).map_err(|error| EventError::NotJson(error.to_string()))?;
        let Row(id, path, method, status, response_time, client_ip_hash, user_agent, country, ratio) = row;
        let timestamp = id.parse::<EventId>().ok().map(EventId::timestamp_ms);
        Self::from_wire(Wire {
            version: None,
            id: Some(id),
            idempotent_id: None,
            timestamp,
            path: Some(path),
            method: Some(method),
            status: Some(status),
            response_time,
            client_ip_hash,
            user_agent,
            country,
            meta: None,
            sample_ratio: Some(ratio),
        })
    }

    fn from_wire(wire: Wire<'_>) -> Result<Self, EventError> {
        if let Some(version) = wire.version.filter(|v| *v != EVENT_VERSION) {
            return Err(invalid("version", &version, "1"));
        }
        let id_text = match (&wire.id, &wire.idempotent_id) {
            (Some(id), Some(other)) if id != other => {
                return Err(invalid("idempotentId", &quote(other), "the same value as `id`, or none"));
            }
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => return Err(EventError::Missing("id")),
        };
        let id: EventId = id_text
            .parse()
            .map_err(|_| invalid("id", &quote(id_text), "13 digits, '-', 8 lower-case hexadecimal digits"))?;
        let timestamp = wire.timestamp.ok_or(EventError::Missing("timestamp"))?;
        if timestamp != id.timestamp_ms() {
            return Err(invalid("timestamp", &timestamp, "the milliseconds that `id` begins with"));
        }
        let path = wire.path.ok_or(EventError::Missing("path"))?;
        check_path(&path)?;
        let method = wire.method.ok_or(EventError::Missing("method"))?;
        if !is_method(&method) {
            return Err(invalid(
                "method",
                &quote(&method),
                "an HTTP method of 1 to 20 letters, as in \"GET\"",
            ));
        }
        let status = wire.status.ok_or(EventError::Missing("status"))?;
        let status = u16::try_from(status)
            .ok()
            .filter(|s| (100..=599).contains(s))
            .ok_or_else(|| invalid("status", &status, "an HTTP status, 100 to 599"))?;
        let response_time_us = wire.response_time.map(response_time_us).transpose()?;
        let client_ip_hash = wire.client_ip_hash.as_deref().map(parse_ip_hash).transpose()?;
        let country = wire
            .country
            .or_else(|| wire.meta.and_then(|meta| meta.country))
            .map(|text| parse_country(&text))
            .transpose()?;
        let sample_ratio = wire.sample_ratio.unwrap_or(1.0);
        if !(MIN_SAMPLE_RATIO..=1.0).contains(&sample_ratio) {
            return Err(invalid("sampleRatio", &sample_ratio, "a number from 0.0001 to 1"));
        }
        Ok(Self {
            id,
            path: path.into_owned(),
            method: method.into_owned(),
            status,
            response_time_us,
            client_ip_hash,
            user_agent: wire.user_agent.map(|text| cut(&text, MAX_USER_AGENT_CHARS).to_owned()),
            country,
            sample_ratio,
        })
    }
}

/// The wire form: JSON in camelCase, absent fields left out.
impl Serialize for TrafficEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &EVENT_VERSION)?;
        map.serialize_entry("id", &format_args!("{}", self.id))?;
        map.serialize_entry("timestamp", &self.id.timestamp_ms())?;
        map.serialize_entry("path", &self.path)?;
        map.serialize_entry("method", &self.method)?;
        map.serialize_entry("status", &self.status)?;
        if let Some(ms) = self.response_time_ms() {
            map.serialize_entry("responseTime", &ms)?;
        }
        if let Some(hash) = self.client_ip_hash {
            map.serialize_entry("clientIpHash", &format_args!("{hash:016x}"))?;
        }
        if let Some(agent) = &self.user_agent {
            map.serialize_entry("userAgent", agent)?;
        }
        if let Some(country) = self.country_text() {
            map.serialize_entry("country", country)?;
        }
        if self.sample_ratio < 1.0 {
            map.serialize_entry("sampleRatio", &self.sample_ratio)?;
        }
        map.end()
    }
}

/// A token of RFC 9110 section 5.6.2, limited in length.
fn is_method(text: &str) -> bool {
    (1..=MAX_METHOD_CHARS).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn parse_ip_hash(text: &str) -> Result<u64, EventError> {
    let hex = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    u64::from_str_radix(text, 16)
        .ok()
        .filter(|_| hex)
        .ok_or_else(|| invalid("clientIpHash", &quote(text), "16 lower-case hexadecimal digits"))
}

fn parse_country(text: &str) -> Result<[u8; 2], EventError> {
    <[u8; 2]>::try_from(text.as_bytes())
        .ok()
        .filter(|code| code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
        .ok_or_else(|| invalid("country", &quote(text), "two upper-case letters or digits, as in \"CN\""))
}

/// The slow way, taken only for what did not read as an event: finds the field to blame.
fn explain(text: &str, error: &serde_json::Error) -> EventError {
    type Accepts = fn(&Value) -> bool;
    const FIELDS: [(&str, &str, Accepts); 13] = [
        ("version", "1", Value::is_u64),
        ("id", "a string", Value::is_string),
        ("idempotentId", "a string", Value::is_string),
        ("timestamp", "whole milliseconds since 1970", Value::is_i64),
        ("path", "a string", Value::is_string),
        ("method", "a string", Value::is_string),
        ("status", "an HTTP status, 100 to 599", Value::is_u64),
        ("responseTime", "milliseconds from 0 to 3600000", Value::is_number),
        ("clientIpHash", "a string", Value::is_string),
        ("userAgent", "a string", Value::is_string),
        ("country", "a string", Value::is_string),
        ("meta", "an object", Value::is_object),
        ("sampleRatio", "a number from 0.0001 to 1", Value::is_number),
    ];
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return EventError::NotJson(error.to_string()),
    };
    let Value::Object(fields) = &value else {
        return EventError::NotAnObject(kind(&value));
    };
    for (field, expected, accepts) in FIELDS {
        if let Some(found) = fields.get(field).filter(|v| !v.is_null() && !accepts(v)) {
            return invalid(field, &cut(&found.to_string(), 80), expected);
        }
    }
    EventError::NotJson(error.to_string())
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
