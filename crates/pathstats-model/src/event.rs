//! [`TrafficEvent`]: one request, as it crosses the queue and as it is validated at every border.

use crate::event_id::EventId;
use crate::hour::{HourBucket, PathHour};
use crate::limits::{MAX_FUTURE_MS, MAX_PATH_CHARS, MAX_RESPONSE_TIME_MS};

mod wire;

/// Version of the event's JSON form.
pub const EVENT_VERSION: u64 = 1;

/// One request. Every field is valid: a value of this type can be counted and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficEvent {
    /// Names the request and holds its time.
    pub id: EventId,
    /// The path, beginning with `/`, 512 characters at most, without control characters.
    pub path: String,
    /// The HTTP method, a token of 20 characters at most.
    pub method: String,
    /// The HTTP status, 100 to 599.
    pub status: u16,
    /// Time until the response's headers, in microseconds, up to one hour. The wire form is in
    /// milliseconds; whole microseconds make sums exact in any order.
    pub response_time_us: Option<u32>,
    /// The first 64 bits of the client address's keyed hash.
    pub client_ip_hash: Option<u64>,
    /// The user agent, 512 characters at most.
    pub user_agent: Option<String>,
    /// Two letters or digits, as the platform gives them (`CN`, `T1`, `XX`).
    pub country: Option<[u8; 2]>,
    /// The share of requests that was recorded where this one was, in `[0.0001, 1]`.
    pub sample_ratio: f64,
}

/// Why an event is refused. Each says which field, what came, and what is expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EventError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The JSON value is not an object.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// A required field is absent or null.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field has a value that it may not have.
    #[error("field `{field}` is {found}: expected {expected}")]
    Invalid {
        /// The field's name on the wire.
        field: &'static str,
        /// What came, cut to a readable length.
        found: String,
        /// What may come.
        expected: &'static str,
    },
    /// The event lies more than five minutes in the future.
    #[error("field `timestamp` is {ahead_seconds} s in the future: at most 300 s are accepted")]
    InFuture {
        /// How far ahead, in whole seconds.
        ahead_seconds: i64,
    },
}

impl EventError {
    /// A short, stable word for the reason, as `dead_letters.reason` and metrics hold it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::NotAnObject(_) => "not_an_object",
            Self::Missing(_) => "missing_field",
            Self::Invalid { .. } => "invalid_field",
            Self::InFuture { .. } => "in_future",
        }
    }
}

impl TrafficEvent {
    /// Refuses an event that lies more than five minutes after `now_ms`.
    ///
    /// # Errors
    ///
    /// [`EventError::InFuture`].
    pub fn check_time(&self, now_ms: i64) -> Result<(), EventError> {
        let ahead = self.id.timestamp_ms() - now_ms;
        if ahead > MAX_FUTURE_MS {
            Err(EventError::InFuture { ahead_seconds: ahead / 1000 })
        } else {
            Ok(())
        }
    }

    /// An error is a status of 400 and above.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.status >= 400
    }

    /// The hour that the event counts in.
    #[must_use]
    pub fn hour(&self) -> HourBucket {
        HourBucket::from_ms(self.id.timestamp_ms())
    }

    /// The path and hour that the event counts in.
    #[must_use]
    pub fn path_hour(&self) -> PathHour {
        PathHour { path: self.path.clone(), hour: self.hour() }
    }

    /// Response time in milliseconds.
    #[must_use]
    pub fn response_time_ms(&self) -> Option<f64> {
        self.response_time_us.map(us_to_ms)
    }

    /// The country as text.
    #[must_use]
    pub fn country_text(&self) -> Option<&str> {
        self.country.as_ref().and_then(|bytes| core::str::from_utf8(bytes).ok())
    }

    /// The client address's hash as 16 hexadecimal digits.
    #[must_use]
    pub fn client_ip_hash_text(&self) -> Option<String> {
        self.client_ip_hash.map(|hash| format!("{hash:016x}"))
    }
}

/// Milliseconds on the wire to whole microseconds.
///
/// # Errors
///
/// When the time is not a number in `[0, 3.6e6]`.
pub fn response_time_us(ms: f64) -> Result<u32, EventError> {
    if (0.0..=MAX_RESPONSE_TIME_MS).contains(&ms) {
        // In range: at most 3.6e9, below 2^32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok((ms * 1000.0).round() as u32)
    } else {
        Err(invalid("responseTime", &ms, "milliseconds from 0 to 3600000"))
    }
}

/// Whole microseconds as milliseconds, the nearest `f64`.
#[must_use]
pub fn us_to_ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

/// Whether the text may be an event's path.
///
/// # Errors
///
/// [`EventError::Invalid`] with what is wrong.
pub fn check_path(path: &str) -> Result<(), EventError> {
    if !path.starts_with('/') {
        return Err(invalid("path", &quote(path), "a text that begins with '/'"));
    }
    if path.len() > MAX_PATH_CHARS && path.chars().count() > MAX_PATH_CHARS {
        return Err(invalid("path", &format!("{} characters long", path.chars().count()), "512 at most"));
    }
    if path.chars().any(char::is_control) {
        return Err(invalid("path", &quote(path), "a text without control characters"));
    }
    Ok(())
}

fn invalid(field: &'static str, found: &impl ToString, expected: &'static str) -> EventError {
    EventError::Invalid { field, found: found.to_string(), expected }
}

/// A text in quotes, cut to what a log line can carry.
fn quote(text: &str) -> String {
    let short = cut(text, 80);
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

/// The first `chars` characters of a text.
#[must_use]
pub fn cut(text: &str, chars: usize) -> &str {
    if text.len() <= chars {
        return text;
    }
    text.char_indices().nth(chars).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const MINIMAL: &str = r#"{"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/api/foo","method":"GET","status":200}"#;
    const FULL: &str = r#"{"version":1,"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/api/foo","method":"GET","status":200,"responseTime":12.5,"clientIpHash":"0123456789abcdef","userAgent":"curl/8","country":"CN","sampleRatio":0.25}"#;

    fn with(field: &str, value: &str) -> Result<TrafficEvent, EventError> {
        let mut json: serde_json::Map<String, Value> = serde_json::from_str(MINIMAL).unwrap();
        json.insert(field.to_owned(), serde_json::from_str(value).unwrap());
        TrafficEvent::from_json(&Value::Object(json).to_string())
    }

    #[test]
    fn the_wire_form_is_pinned() {
        let event = TrafficEvent::from_json(FULL).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), FULL);
        let event = TrafficEvent::from_json(MINIMAL).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), MINIMAL.replacen('{', "{\"version\":1,", 1));
    }

    #[test]
    fn a_row_reads_as_the_event_it_was_stored_from() {
        let row =
            r#"["1730956800000-a1b2c3d4","/api/foo","GET",200,12.5,"0123456789abcdef","curl/8","CN",0.25]"#;
        assert_eq!(TrafficEvent::from_row(row), TrafficEvent::from_json(FULL));
        let row = r#"["1730956800000-a1b2c3d4","/api/foo","GET",200,null,null,null,null,1]"#;
        assert_eq!(TrafficEvent::from_row(row), TrafficEvent::from_json(MINIMAL));
        let wrong = row.replace("\"GET\",200", "\"GET\",99");
        assert!(TrafficEvent::from_row(&wrong).unwrap_err().to_string().contains("`status` is 99"));
        assert!(matches!(TrafficEvent::from_row("[1]"), Err(EventError::NotJson(_))));
    }

    #[test]
    fn older_names_are_accepted() {
        let old = MINIMAL
            .replace("\"id\"", "\"idempotentId\"")
            .replace("\"status\"", "\"meta\":{\"country\":\"NZ\"},\"status\"");
        let event = TrafficEvent::from_json(&old).unwrap();
        assert_eq!(event.country_text(), Some("NZ"));
        assert_eq!(event.id.to_string(), "1730956800000-a1b2c3d4");
        assert!(with("idempotentId", "\"1730956800000-00000000\"").is_err(), "two different ids");
    }

    #[test]
    fn unknown_and_null_fields_are_passed_over() {
        assert!(with("future", "[1]").is_ok());
        assert_eq!(with("responseTime", "null").unwrap().response_time_us, None);
    }

    #[test]
    fn each_required_field_is_named_when_missing() {
        for field in ["id", "timestamp", "path", "method", "status"] {
            let mut json: serde_json::Map<String, Value> = serde_json::from_str(MINIMAL).unwrap();
            json.remove(field);
            let error = TrafficEvent::from_json(&Value::Object(json).to_string()).unwrap_err();
            assert_eq!(error.to_string(), format!("field `{field}` is missing"));
        }
    }

    #[test]
    fn each_wrong_value_says_what_came_and_what_may_come() {
        for (field, value, says) in [
            ("version", "2", "field `version` is 2: expected 1"),
            ("id", "\"x\"", "field `id` is \"x\": expected 13 digits"),
            ("id", "7", "field `id` is 7: expected a string"),
            ("timestamp", "1730956800001", "expected the milliseconds that `id` begins with"),
            ("timestamp", "1730956800000.5", "expected whole milliseconds"),
            ("path", "\"api\"", "begins with '/'"),
            ("path", "\"/a\\u0000b\"", "without control characters"),
            ("method", "\"\"", "expected an HTTP method"),
            ("method", "\"GET /\"", "expected an HTTP method"),
            ("status", "99", "field `status` is 99: expected an HTTP status, 100 to 599"),
            ("status", "600", "field `status` is 600"),
            ("status", "-1", "field `status` is -1"),
            ("status", "\"200\"", "field `status` is \"200\": expected an HTTP status"),
            ("responseTime", "-0.5", "field `responseTime` is -0.5: expected milliseconds from 0 to 3600000"),
            ("responseTime", "3600000.1", "field `responseTime`"),
            ("responseTime", "\"NaN\"", "field `responseTime` is \"NaN\""),
            ("clientIpHash", "\"0123456789ABCDEF\"", "16 lower-case hexadecimal digits"),
            ("clientIpHash", "\"+123456789abcdef\"", "16 lower-case hexadecimal digits"),
            ("country", "\"cn\"", "two upper-case letters"),
            ("sampleRatio", "0", "field `sampleRatio` is 0: expected a number from 0.0001 to 1"),
            ("sampleRatio", "1.5", "field `sampleRatio` is 1.5"),
            ("meta", "1", "field `meta` is 1: expected an object"),
        ] {
            let error = with(field, value).unwrap_err().to_string();
            assert!(error.contains(says), "{field} = {value}: {error}");
        }
    }

    #[test]
    fn what_is_not_an_event_at_all_is_told_apart() {
        assert_eq!(TrafficEvent::from_json("[]").unwrap_err(), EventError::NotAnObject("an array"));
        assert_eq!(TrafficEvent::from_json("{").unwrap_err().code(), "not_json");
        assert_eq!(TrafficEvent::from_json(&FULL.replace("12.5", "NaN")).unwrap_err().code(), "not_json");
        assert_eq!(TrafficEvent::from_json("").unwrap_err().code(), "not_json");
    }

    #[test]
    fn odd_paths_are_paths() {
        for path in ["/a:b", "/a%2Fb", "/a b", "/🦀/é", "//", "/"] {
            assert_eq!(with("path", &serde_json::to_string(path).unwrap()).unwrap().path, path);
        }
        let longest = format!("/{}", "é".repeat(MAX_PATH_CHARS - 1));
        assert!(check_path(&longest).is_ok());
        assert!(check_path(&format!("{longest}é")).is_err());
    }

    #[test]
    fn times_are_kept_in_whole_microseconds() {
        assert_eq!(response_time_us(0.0), Ok(0));
        assert_eq!(response_time_us(12.345_678_9), Ok(12_346));
        assert_eq!(response_time_us(MAX_RESPONSE_TIME_MS), Ok(3_600_000_000));
        assert!(response_time_us(f64::NAN).is_err());
        assert!(response_time_us(f64::INFINITY).is_err());
    }

    #[test]
    fn the_far_past_is_an_import_and_the_future_is_refused() {
        let event = TrafficEvent::from_json(MINIMAL).unwrap();
        let at = event.id.timestamp_ms();
        assert!(event.check_time(at + 400 * 86_400_000).is_ok());
        assert!(event.check_time(at - MAX_FUTURE_MS).is_ok());
        let error = event.check_time(at - 86_400_000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "field `timestamp` is 86400 s in the future: at most 300 s are accepted"
        );
    }
}
