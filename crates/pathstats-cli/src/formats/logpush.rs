//! Cloudflare Logpush, dataset `http_requests`, as NDJSON.
//!
//! Source: Cloudflare's field reference of the dataset. Fields not named here are passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use pathstats_model::event::response_time_us;

use super::timestamps::{count_ms, logpush_ms};
use super::{known, LineError, Request};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    edge_start_timestamp: Option<Value>,
    #[serde(borrow)]
    client_request_path: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ClientRequestURI")]
    client_request_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_request_method: Option<Cow<'a, str>>,
    edge_response_status: Option<u16>,
    origin_response_duration_ms: Option<f64>,
    edge_time_to_first_byte_ms: Option<f64>,
    #[serde(borrow, rename = "ClientIP")]
    client_ip: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "RayID")]
    ray_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_request_user_agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_country: Option<Cow<'a, str>>,
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Request<'_>, LineError> {
    let fields: Fields<'_> = serde_json::from_str(line)
        .map_err(|error| LineError::new("not_json", format!("not Logpush JSON: {error}")))?;
    let missing = |field: &str| LineError::new("missing_field", format!("field `{field}` is missing"));
    let time = fields.edge_start_timestamp.ok_or_else(|| missing("EdgeStartTimestamp"))?;
    let (timestamp_ms, whole_second) = match &time {
        Value::Number(number) => number.as_i64().and_then(count_ms),
        Value::String(text) => logpush_ms(text),
        _ => None,
    }
    .ok_or_else(|| {
        LineError::new(
            "bad_time",
            format!("EdgeStartTimestamp is {time}: expected RFC 3339, or unix seconds or nanoseconds"),
        )
    })?;
    let target = fields
        .client_request_path
        .and_then(known)
        .or_else(|| fields.client_request_uri.and_then(known))
        .ok_or_else(|| missing("ClientRequestPath"))?;
    // What the client waited for is measured at the edge when nothing was asked of the origin.
    let response_time = fields
        .origin_response_duration_ms
        .filter(|ms| *ms > 0.0)
        .or(fields.edge_time_to_first_byte_ms)
        .or(fields.origin_response_duration_ms);
    Ok(Request {
        timestamp_ms,
        whole_second,
        client: fields.client_ip.unwrap_or_default(),
        method: fields.client_request_method.and_then(known).ok_or_else(|| missing("ClientRequestMethod"))?,
        target,
        status: fields.edge_response_status.ok_or_else(|| missing("EdgeResponseStatus"))?,
        response_time_us: response_time.and_then(|ms| response_time_us(ms).ok()),
        user_agent: fields.client_request_user_agent.and_then(known),
        country: fields.client_country.as_deref().and_then(country),
        own_id: fields.ray_id.and_then(known),
    })
}

/// Two letters or digits in either case; anything else is an unknown country.
fn country(text: &str) -> Option<[u8; 2]> {
    let code = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
    code.iter().all(u8::is_ascii_alphanumeric).then(|| code.map(|byte| byte.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"EdgeStartTimestamp":"2025-10-15T14:03:21Z","ClientRequestPath":"/api/foo","ClientRequestURI":"/api/foo?x=1","ClientRequestMethod":"GET","EdgeResponseStatus":200,"OriginResponseDurationMs":12.5,"ClientIP":"2001:db8::1","RayID":"98f0c1d2e3f4a5b6","ClientRequestUserAgent":"curl/8","ClientCountry":"nz","CacheCacheStatus":"miss"}"#;

    #[test]
    fn a_line_is_read() {
        let request = parse(LINE).unwrap();
        assert_eq!((&*request.method, &*request.target, request.status), ("GET", "/api/foo", 200));
        assert_eq!((request.timestamp_ms, request.whole_second), (1_760_537_001_000, true));
        assert_eq!(request.response_time_us, Some(12_500));
        assert_eq!(request.country, Some(*b"NZ"));
        assert_eq!(request.own_id.as_deref(), Some("98f0c1d2e3f4a5b6"));
        assert_eq!((&*request.client, request.user_agent.as_deref()), ("2001:db8::1", Some("curl/8")));
    }

    #[test]
    fn times_come_in_three_forms() {
        for (time, ms) in [
            ("1760537001", 1_760_537_001_000),
            ("1760537001250000000", 1_760_537_001_250),
            ("\"2025-10-15T14:03:21.250Z\"", 1_760_537_001_250),
        ] {
            let line = LINE.replace("\"2025-10-15T14:03:21Z\"", time);
            assert_eq!(parse(&line).unwrap().timestamp_ms, ms, "{time}");
        }
    }

    #[test]
    fn the_uri_stands_in_for_the_path_and_the_edge_for_the_origin() {
        let line = LINE.replace("\"ClientRequestPath\":\"/api/foo\",", "");
        assert_eq!(parse(&line).unwrap().target, "/api/foo?x=1");
        let line = LINE.replace(
            "\"OriginResponseDurationMs\":12.5",
            "\"OriginResponseDurationMs\":0,\"EdgeTimeToFirstByteMs\":3",
        );
        assert_eq!(parse(&line).unwrap().response_time_us, Some(3_000));
        let line = LINE.replace("\"nz\"", "\"unknown\"");
        assert_eq!(parse(&line).unwrap().country, None);
    }

    #[test]
    fn what_is_no_request_says_why() {
        for (line, code) in [
            (LINE.replace("EdgeStartTimestamp", "Other"), "missing_field"),
            (LINE.replace("ClientRequestMethod", "Other"), "missing_field"),
            (LINE.replace("EdgeResponseStatus", "Other"), "missing_field"),
            (LINE.replace("\"2025-10-15T14:03:21Z\"", "\"soon\""), "bad_time"),
            (LINE.replace(":200,", ":\"200\","), "not_json"),
            ("{".to_owned(), "not_json"),
        ] {
            assert_eq!(parse(&line).unwrap_err().code, code, "{line}");
        }
    }
}
