//! JSON Schema of types that serialise as something else than their fields.

use std::borrow::Cow;

use schemars::{json_schema, JsonSchema, Schema, SchemaGenerator};

use crate::dead_letters::{DiscardOrder, ReplayOrder, MAX_ID_BYTES, MAX_LETTERS, MAX_REASON_BYTES};
use crate::event::EVENT_VERSION;
use crate::hour::{EventDate, HourBucket};
use crate::limits::{MAX_METHOD_CHARS, MAX_PATH_CHARS, MAX_USER_AGENT_CHARS, MIN_SAMPLE_RATIO};
use crate::TrafficEvent;

impl JsonSchema for HourBucket {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HourBucket".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}$" })
    }
}

impl JsonSchema for EventDate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EventDate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
    }
}

impl JsonSchema for TrafficEvent {
    fn schema_name() -> Cow<'static, str> {
        "TrafficEvent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One request, as it was recorded. Fields that are not known are left out.",
            "type": "object",
            "properties": {
                "version": { "const": EVENT_VERSION },
                "id": { "type": "string", "description": "Names the request: its time, and eight hexadecimal digits." },
                "timestamp": { "type": "integer", "description": "Milliseconds since 1970." },
                "path": { "type": "string", "pattern": "^/", "maxLength": MAX_PATH_CHARS },
                "method": { "type": "string", "minLength": 1, "maxLength": MAX_METHOD_CHARS },
                "status": { "type": "integer", "minimum": 100, "maximum": 599 },
                "responseTime": { "type": "number", "minimum": 0, "description": "Milliseconds until the response's headers." },
                "clientIpHash": { "type": "string", "pattern": "^[0-9a-f]{16}$", "description": "A keyed hash of the client's address; the key changes with the UTC day." },
                "userAgent": { "type": "string", "maxLength": MAX_USER_AGENT_CHARS },
                "country": { "type": "string", "pattern": "^[A-Z0-9]{2}$" },
                "sampleRatio": { "type": "number", "minimum": MIN_SAMPLE_RATIO, "exclusiveMaximum": 1, "description": "The share of requests that was recorded where this one was." },
            },
            "required": ["version", "id", "timestamp", "path", "method", "status"],
        })
    }
}

/// Letters that are named. `all` may be there, and say no.
fn named_letters() -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "ids": {
                "type": "array",
                "items": { "type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES },
                "minItems": 1,
                "maxItems": MAX_LETTERS,
            },
            "all": { "enum": [false, null] },
            "reason": { "type": "null" },
            "cursor": { "type": "null" },
        },
        "required": ["ids"],
        "additionalProperties": false,
    })
}

fn reason() -> String {
    format!("^[!-~]{{1,{MAX_REASON_BYTES}}}$")
}

impl JsonSchema for ReplayOrder {
    fn schema_name() -> Cow<'static, str> {
        "ReplayOrder".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which letters are to be replayed: these, or the next hundred of all, or of one reason.",
            "oneOf": [
                named_letters(),
                {
                    "type": "object",
                    "properties": {
                        "all": { "const": true },
                        "reason": { "type": ["string", "null"], "pattern": reason() },
                        "cursor": { "type": ["string", "null"], "pattern": "^[0-9]{1,18}/", "description": "`nextCursor` of the call before." },
                        "ids": { "type": "null" },
                    },
                    "required": ["all"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for DiscardOrder {
    fn schema_name() -> Cow<'static, str> {
        "DiscardOrder".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which letters are to be thrown away: these, or the oldest thousand of a reason.",
            "oneOf": [
                named_letters(),
                {
                    "type": "object",
                    "properties": {
                        "all": { "const": true },
                        "reason": { "type": "string", "pattern": reason() },
                        "ids": { "type": "null" },
                        "cursor": { "type": "null" },
                    },
                    "required": ["all", "reason"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_just_the_fields_that_its_schema_tells() {
        let text = r#"{"id":"1760536800000-0000002a","timestamp":1760536800000,"path":"/a","method":"GET","status":200,"responseTime":1.5,
            "clientIpHash":"0123456789abcdef","userAgent":"curl","country":"NZ","sampleRatio":0.5}"#;
        let event = TrafficEvent::from_json(text).unwrap();
        let written = serde_json::to_value(&event).unwrap();
        let schema = serde_json::to_value(schemars::schema_for!(TrafficEvent)).unwrap();
        let told = schema["properties"].as_object().unwrap();
        assert!(written.as_object().unwrap().keys().eq(told.keys()), "{written} {told:?}");
    }
}
