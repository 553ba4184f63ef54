//! Times as logs write them.

use time::{Date, Month};

use crate::moment::rfc3339_ms;

/// Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// Milliseconds since the epoch of Common Log Format's `15/Oct/2025:14:03:21 +0200`.
pub fn common_log_ms(text: &str) -> Option<i64> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_once(':')?;
    let (clock, zone) = rest.split_once(' ')?;
    let mut parts = clock.split(':');
    let mut part = |limit: i64| digits(parts.next()?, 2).filter(|value| *value < limit);
    // A leap second is written 60: it counts as the next minute's first.
    let (hour, minute, second) = (part(24)?, part(60)?, part(61)?);
    if parts.next().is_some() {
        return None;
    }
    let month = match month {
        "Jan" => Month::January,
        "Feb" => Month::February,
        "Mar" => Month::March,
        "Apr" => Month::April,
        "May" => Month::May,
        "Jun" => Month::June,
        "Jul" => Month::July,
        "Aug" => Month::August,
        "Sep" => Month::September,
        "Oct" => Month::October,
        "Nov" => Month::November,
        "Dec" => Month::December,
        _ => return None,
    };
    let year = i32::try_from(digits(year, 4)?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(digits(day, 2)?).ok()?).ok()?;
    let days = i64::from(date.to_julian_day()) - EPOCH_JULIAN_DAY;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - zone_seconds(zone)?;
    Some(seconds * 1000)
}

/// Seconds east of UTC of `+0200`.
fn zone_seconds(text: &str) -> Option<i64> {
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let hours = digits(text.get(1..3)?, 2)?;
    let minutes = digits(text.get(3..)?, 2)?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

fn digits(text: &str, width: usize) -> Option<i64> {
    let all = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// A time of Logpush, by its size: RFC 3339, or a count of seconds, milliseconds, microseconds or
/// nanoseconds. Gives milliseconds, and whether the text holds no more than the second.
pub fn logpush_ms(text: &str) -> Option<(i64, bool)> {
    if let Ok(count) = text.parse::<i64>() {
        return count_ms(count);
    }
    let ms = rfc3339_ms(text)?;
    Some((ms, !text.contains('.')))
}

/// Counts of different units differ by a factor of 1000, and all times from 2001 to 2286 lie
/// within a factor of ten: the number of digits tells the unit.
pub fn count_ms(count: i64) -> Option<(i64, bool)> {
    match count {
        1_000_000_000..=9_999_999_999 => Some((count * 1000, true)),
        1_000_000_000_000..=9_999_999_999_999 => Some((count, false)),
        1_000_000_000_000_000..=9_999_999_999_999_999 => Some((count / 1000, false)),
        1_000_000_000_000_000_000.. => Some((count / 1_000_000, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_log_time_counts_its_zone() {
        assert_eq!(common_log_ms("15/Oct/2025:14:03:21 +0000"), Some(1_760_537_001_000));
        assert_eq!(common_log_ms("15/Oct/2025:16:03:21 +0200"), Some(1_760_537_001_000));
        assert_eq!(common_log_ms("15/Oct/2025:08:33:21 -0530"), Some(1_760_537_001_000));
        assert_eq!(common_log_ms("29/Feb/2024:00:00:00 +0000"), Some(1_709_164_800_000));
        for text in [
            "",
            "15/Okt/2025:14:03:21 +0000",
            "32/Oct/2025:14:03:21 +0000",
            "29/Feb/2025:00:00:00 +0000",
            "15/Oct/2025:24:03:21 +0000",
            "15/Oct/2025:14:03 +0000",
            "15/Oct/2025:14:03:21",
            "15/Oct/2025:14:03:21 é200",
        ] {
            assert_eq!(common_log_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_logpush_time_is_told_by_its_size() {
        assert_eq!(logpush_ms("2025-10-15T14:03:21Z"), Some((1_760_537_001_000, true)));
        assert_eq!(logpush_ms("2025-10-15T14:03:21.250Z"), Some((1_760_537_001_250, false)));
        assert_eq!(logpush_ms("1760537001"), Some((1_760_537_001_000, true)));
        assert_eq!(logpush_ms("1760537001250"), Some((1_760_537_001_250, false)));
        assert_eq!(logpush_ms("1760537001250999999"), Some((1_760_537_001_250, false)));
        assert_eq!(logpush_ms("17"), None);
        assert_eq!(logpush_ms("soon"), None);
    }
}
