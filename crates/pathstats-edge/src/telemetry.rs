//! Log lines: one JSON object a line, nothing personal.

use serde_json::{json, Map, Value};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Work was done.
    Info,
    /// Something failed and will be tried again.
    Warn,
    /// Something failed and a person should look.
    Error,
}

/// Writes a line: `level`, `message`, and the fields of `details` (a JSON object).
pub fn log(level: Level, message: &str, details: Value) {
    let mut line = Map::new();
    let name = match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    line.insert("level".to_owned(), json!(name));
    line.insert("message".to_owned(), json!(message));
    if let Value::Object(details) = details {
        line.extend(details);
    }
    let line = Value::Object(line).to_string();
    match level {
        Level::Info => worker::console_log!("{line}"),
        Level::Warn => worker::console_warn!("{line}"),
        Level::Error => worker::console_error!("{line}"),
    }
}

/// Writes a warning with an error.
pub fn warn(message: &str, error: &impl core::fmt::Display) {
    log(Level::Warn, message, json!({ "error": error.to_string() }));
}

/// Writes an error.
pub fn error(message: &str, error: &impl core::fmt::Display) {
    log(Level::Error, message, json!({ "error": error.to_string() }));
}
