//! Times and durations as people write them in options.

use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use pathstats_model::EventDate;

/// Milliseconds since the epoch of an RFC 3339 text.
pub fn rfc3339_ms(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// RFC 3339 in UTC, with milliseconds: `2026-11-21T08:30:00.250Z`.
pub fn to_rfc3339(ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|at| at.to_offset(UtcOffset::UTC).format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{ms} ms"))
}

/// A whole number and a unit: `90s`, `15m`, `6h`, `30d`, `2w`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is not a duration: expected a whole number and s, m, h, d or w, as in \"6h\"");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|s| *s < 1 << 32).map(Duration::from_secs).ok_or_else(wrong)
}

/// A moment: `now`, RFC 3339, a date (its midnight in UTC), or a duration ago (`2h`).
pub fn parse_moment(text: &str, now_ms: i64) -> Result<i64, String> {
    if text == "now" {
        return Ok(now_ms);
    }
    if let Some(ms) = rfc3339_ms(text) {
        return Ok(ms);
    }
    if let Ok(date) = text.parse::<EventDate>() {
        return Ok(date.start_ms());
    }
    let ago = parse_duration(text).map_err(|_| {
        format!("{text:?} is not a time: expected \"2026-11-21T08:30:00Z\", \"2026-11-21\", \"2h\" (ago) or \"now\"")
    })?;
    Ok(now_ms - i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
}

/// A duration for people: `3.2 s`, `4 min 10 s`, `2 h 5 min`.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=59 => format!("{:.1} s", duration.as_secs_f64()),
        60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_249_800_000; // 2026-11-21T08:30:00Z

    #[test]
    fn a_moment_can_be_written_in_four_ways() {
        assert_eq!(to_rfc3339(NOW), "2026-11-21T08:30:00Z");
        for (text, ms) in [
            ("now", NOW),
            ("2026-11-21T08:30:00Z", NOW),
            ("2026-11-21T09:30:00.250+01:00", NOW + 250),
            ("2026-11-21", NOW - 8 * 3_600_000 - 1_800_000),
            ("2h", NOW - 7_200_000),
            ("0s", NOW),
        ] {
            assert_eq!(parse_moment(text, NOW), Ok(ms), "{text}");
        }
        for text in ["", "yesterday", "2h3m", "-2h", "2y", "h", "2026-13-01", "99999999999w"] {
            assert!(parse_moment(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(in_words(Duration::from_millis(3_210)), "3.2 s");
        assert_eq!(in_words(Duration::from_secs(250)), "4 min 10 s");
        assert_eq!(in_words(Duration::from_secs(7_500)), "2 h 5 min");
    }
}
