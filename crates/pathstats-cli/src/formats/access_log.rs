//! Common Log Format, Combined Log Format, and nginx's Combined with `$request_time`.
//!
//! One reader for all three, since each is the one before with more at its end:
//! `client ident user [time] "request" status bytes "referer" "user agent" more…`.
//! Sources: Apache `mod_log_config`, nginx `ngx_http_log_module`.

use std::borrow::Cow;
use std::net::IpAddr;

use pathstats_model::event::response_time_us;

use super::timestamps::common_log_ms;
use super::{known, Format, LineError, Request};

/// Reads a line. `format` says which fields at the end are looked at.
pub fn parse(line: &str, format: Format) -> Result<Request<'_>, LineError> {
    let not_a_line =
        || LineError::new("not_a_log_line", "expected `client ident user [time] \"request\" status bytes`");
    let (head, rest) = line.split_once(" [").ok_or_else(not_a_line)?;
    let (time, rest) = rest.split_once(']').ok_or_else(not_a_line)?;
    let timestamp_ms = common_log_ms(time).ok_or_else(|| {
        LineError::new("bad_time", format!("time is {time:?}: expected as in \"15/Oct/2025:14:03:21 +0000\""))
    })?;
    let (request, rest) = quoted(rest).ok_or_else(not_a_line)?;
    let (method, target) = request_line(request).ok_or_else(|| {
        LineError::new(
            "no_request_line",
            format!("request is {request:?}: expected as in \"GET /path HTTP/1.1\""),
        )
    })?;
    let (status, rest) = word(rest);
    let status = status
        .parse::<u16>()
        .map_err(|_| LineError::new("bad_status", format!("status is {status:?}: expected 100 to 599")))?;
    let (_bytes, rest) = word(rest);
    let mut user_agent = None;
    let mut response_time = None;
    if format != Format::Common {
        if let Some((_referer, rest)) = quoted(rest) {
            if let Some((agent, rest)) = quoted(rest) {
                user_agent = known(unescape(agent));
                response_time = Some(rest).filter(|_| format == Format::Nginx).and_then(request_seconds);
            }
        }
    }
    Ok(Request {
        timestamp_ms,
        whole_second: true,
        client: Cow::Borrowed(client(head)),
        method: Cow::Borrowed(method),
        target: unescape(target),
        status,
        response_time_us: response_time.and_then(|seconds| response_time_us(seconds * 1000.0).ok()),
        user_agent,
        country: None,
        own_id: None,
    })
}

/// Which of the three formats shows most of what this line holds; `None` when it is none of them.
pub fn richest(line: &str) -> Option<Format> {
    let request = parse(line, Format::Nginx);
    match request {
        Ok(request) if request.response_time_us.is_some() => Some(Format::Nginx),
        Ok(_) => {
            // The user agent may be unknown ("-"), yet its place tells Combined from Common.
            let quotes = line.matches('"').count();
            Some(if quotes >= 6 { Format::Combined } else { Format::Common })
        }
        // Garbage sent to the port is logged with an empty request: a log line all the same.
        Err(error) if error.code == "no_request_line" => Some(Format::Combined),
        Err(_) => None,
    }
}

/// The client is the first word, or the second where a virtual host stands before it.
fn client(head: &str) -> &str {
    let mut words = head.split(' ');
    let first = words.next().unwrap_or_default();
    match words.next() {
        Some(second) if first.parse::<IpAddr>().is_err() && second.parse::<IpAddr>().is_ok() => second,
        _ => first,
    }
}

/// The next text in double quotes, still escaped, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(' ').strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// The next word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_once(' ').unwrap_or((text, ""))
}

/// Method and target. A target with raw spaces keeps them: the protocol is the last word.
fn request_line(request: &str) -> Option<(&str, &str)> {
    let (method, rest) = request.split_once(' ')?;
    let target = match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => target,
        _ => rest,
    };
    let target = target.trim();
    let plausible = !method.is_empty()
        && !target.is_empty()
        && method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    plausible.then_some((method, target))
}

/// `$request_time` in seconds from what follows the user agent: the value of `rt=` or
/// `request_time=` where there is one, and otherwise the largest bare number with three decimals,
/// since the request's time holds the upstream's.
fn request_seconds(tail: &str) -> Option<f64> {
    const LARGEST: f64 = 3_600.0;
    let mut largest: Option<f64> = None;
    for word in tail.split([' ', ',', '"', '[', ']', '|']).filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("rt" | "request_time", value)) => {
                return value.parse().ok().filter(|s| (0.0..=LARGEST).contains(s))
            }
            None if three_decimals(word) => {
                // Larger ones are `$msec`, a time of day.
                let seconds = word.parse::<f64>().ok().filter(|s| *s <= LARGEST);
                if seconds > largest {
                    largest = seconds;
                }
            }
            Some(_) | None => {}
        }
    }
    largest
}

fn three_decimals(word: &str) -> bool {
    word.split_once('.').is_some_and(|(whole, decimals)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(whole) && digits(decimals) && decimals.len() == 3
    })
}

/// Takes back what Apache and nginx escape: `\xHH`, `\"`, `\\`, `\n` and the like. Bytes that are
/// no UTF-8 become U+FFFD.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (decoded, used) = match rest {
            [b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'\\', 0),
            },
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'r', ..] => (b'\r', 1),
            [other @ (b'"' | b'\\'), ..] => (*other, 1),
            _ => (b'\\', 0),
        };
        bytes.push(decoded);
        rest = rest.get(used..).unwrap_or_default();
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str =
        r#"203.0.113.9 - alice [15/Oct/2025:14:03:21 +0000] "GET /api/foo?x=1 HTTP/1.1" 200 512"#;
    const COMBINED: &str = r#"203.0.113.9 - - [15/Oct/2025:14:03:21 +0000] "GET /a HTTP/2.0" 404 - "https://example.com/" "Mozilla/5.0 (X11)""#;

    #[test]
    fn a_common_line_is_read() {
        let request = parse(COMMON, Format::Common).unwrap();
        assert_eq!(request.client, "203.0.113.9");
        assert_eq!((&*request.method, &*request.target, request.status), ("GET", "/api/foo?x=1", 200));
        assert_eq!(request.timestamp_ms, 1_760_537_001_000);
        assert!(request.whole_second && request.user_agent.is_none() && request.response_time_us.is_none());
    }

    #[test]
    fn a_combined_line_has_a_user_agent_unless_it_is_a_dash() {
        let request = parse(COMBINED, Format::Combined).unwrap();
        assert_eq!(request.user_agent.as_deref(), Some("Mozilla/5.0 (X11)"));
        let unknown = COMBINED.replace("Mozilla/5.0 (X11)", "-");
        assert_eq!(parse(&unknown, Format::Combined).unwrap().user_agent, None);
        assert_eq!(richest(&unknown), Some(Format::Combined));
    }

    #[test]
    fn the_request_time_is_found_in_its_usual_places() {
        for (tail, us) in [
            ("0.123", Some(123_000)),
            ("\"0.123\"", Some(123_000)),
            ("rt=0.123 uct=\"0.000\" uht=\"0.200\" urt=\"0.200\"", Some(123_000)),
            ("request_time=1.500", Some(1_500_000)),
            ("0.100 0.123", Some(123_000)),
            ("0.123 0.040, 0.070 .", Some(123_000)),
            ("\"198.51.100.7\" 0.123", Some(123_000)),
            ("0.123 -", Some(123_000)),
            ("1760537001.250 0.123", Some(123_000)),
            ("-", None),
            ("2.35", None),
            ("", None),
        ] {
            let line = format!("{COMBINED} {tail}");
            assert_eq!(parse(&line, Format::Nginx).unwrap().response_time_us, us, "{tail}");
            assert_eq!(parse(&line, Format::Combined).unwrap().response_time_us, None);
        }
    }

    #[test]
    fn escapes_are_taken_back() {
        let line = COMMON.replace("/api/foo?x=1", r"/\xF0\x9F\xA6\x80/a b/\x22\\x%2F\xZZ");
        assert_eq!(parse(&line, Format::Common).unwrap().target, "/🦀/a b/\"\\x%2F\\xZZ");
        let line = COMBINED.replace("Mozilla/5.0 (X11)", r#"a \"quoted\" agent"#);
        assert_eq!(parse(&line, Format::Combined).unwrap().user_agent.as_deref(), Some("a \"quoted\" agent"));
    }

    #[test]
    fn a_virtual_host_may_stand_before_the_client() {
        let line = format!("example.com:443 {COMMON}");
        assert_eq!(parse(&line, Format::Common).unwrap().client, "203.0.113.9");
        let line = COMMON.replace("203.0.113.9", "host.example.net");
        assert_eq!(parse(&line, Format::Common).unwrap().client, "host.example.net");
    }

    #[test]
    fn what_is_no_request_says_why() {
        for (line, code) in [
            ("hello", "not_a_log_line"),
            ("", "not_a_log_line"),
            (r#"1.2.3.4 - - [15/Oct/2025] "GET / HTTP/1.1" 200 1"#, "bad_time"),
            (r#"1.2.3.4 - - [15/Oct/2025:14:03:21 +0000] "-" 408 0"#, "no_request_line"),
            (r#"1.2.3.4 - - [15/Oct/2025:14:03:21 +0000] "\x16\x03\x01" 400 0"#, "no_request_line"),
            (r#"1.2.3.4 - - [15/Oct/2025:14:03:21 +0000] "GET / HTTP/1.1" - 1"#, "bad_status"),
            (r#"1.2.3.4 - - [15/Oct/2025:14:03:21 +0000] "GET / HTTP/1.1"#, "not_a_log_line"),
        ] {
            assert_eq!(parse(line, Format::Combined).unwrap_err().code, code, "{line}");
        }
    }
}
