//! What a value of a query may be, as JSON Schema.

use pathstats_model::api::operations::{Form, Parameter};
use pathstats_model::limits::MAX_PATH_CHARS;
use serde_json::{json, Value};

/// A parameter of the query.
#[must_use]
pub fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema(parameter.form),
    })
}

/// What a value may be.
#[must_use]
pub fn schema(form: Form) -> Value {
    let mut schema = match form {
        Form::Integer { least, most, .. } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Choice { words, .. } => json!({ "type": "string", "enum": words }),
        Form::Flag => json!({ "type": "boolean", "default": false }),
        Form::Text(most) => json!({ "type": "string", "maxLength": most }),
        Form::Word(most) => {
            json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": "^[!-~]+$" })
        }
        Form::Path => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_PATH_CHARS,
            "pattern": "^/[^\\u0000-\\u001f\\u007f-\\u009f]*$",
            "examples": ["/users/:id"],
        }),
        Form::Row => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_PATH_CHARS,
            "pattern": "^(/[^\\u0000-\\u001f\\u007f-\\u009f]*|\\(other\\)|\\(not found\\))$",
            "examples": ["/users/:id", "(other)"],
        }),
        Form::Moment => json!({
            "type": "string",
            "minLength": 8,
            "maxLength": 64,
            "examples": ["2025-10-15T14:00:00Z", "2025-10-15", "1760536800000"],
        }),
        Form::Date => json!({
            "type": "string",
            "format": "date",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "examples": ["2025-10-15"],
        }),
        Form::Cursor => json!({ "type": "string", "minLength": 1 }),
        Form::TimeZone => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "examples": ["UTC", "Europe/Berlin", "Asia/Shanghai"],
        }),
        Form::Share => {
            json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "examples": [0.999] })
        }
        Form::StatusOrClass => {
            json!({ "type": "string", "pattern": "^[1-5]([0-9]{2}|xx)$", "examples": ["404", "5xx"] })
        }
    };
    let default = match form {
        Form::Integer { default, .. } => default.map(Value::from),
        Form::Choice { default, .. } => default.map(Value::from),
        _ => None,
    };
    if let (Some(default), Some(schema)) = (default, schema.as_object_mut()) {
        schema.insert("default".to_owned(), default);
    }
    schema
}
