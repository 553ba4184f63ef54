//! Names and values of a URL's query.

use std::borrow::Cow;

use crate::event::cut;
use crate::hour::EventDate;
use crate::limits::{MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS};
use crate::problem::Problem;

use super::operations::Parameter;

/// Most bytes of all names and values: a path of 512 characters, each of which takes four bytes, and
/// room.
const MAX_QUERY_BYTES: usize = 4_000;

type Result<T> = core::result::Result<T, Problem>;

/// The names and values that came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<(String, String)>);

impl Given {
    /// Takes them, when each is known and given once.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        known: &[Parameter],
    ) -> Result<Self> {
        let mut given: Vec<(String, String)> = Vec::new();
        let mut bytes = 0;
        for (name, value) in pairs {
            bytes += name.len() + value.len();
            if bytes > MAX_QUERY_BYTES {
                let detail = format!("{MAX_QUERY_BYTES} bytes at most");
                return Err(Problem::new(400, "query_too_long", "The query is too long", detail));
            }
            if !known.iter().any(|parameter| parameter.name == name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                let expected = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let detail = format!("parameter `{}`: expected {expected}", cut(&name, 80));
                return Err(Problem::new(400, "unknown_parameter", "A parameter is not known", detail));
            }
            if given.iter().any(|(other, _)| *other == name) {
                return Err(Problem::parameter(&name, &value, "to be given once"));
            }
            given.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(given))
    }

    /// The value of a name, as it came.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// What a value says, or none when it is not given.
    ///
    /// # Errors
    ///
    /// When `parse` finds nothing in it.
    pub fn optional<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| Problem::parameter(name, text, expected))
    }

    /// What a value says that must be given.
    ///
    /// # Errors
    ///
    /// When it is not given, or `parse` finds nothing in it.
    pub fn required<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        self.optional(name, expected, parse)?.ok_or_else(|| {
            let detail = format!("parameter `{name}` is missing: expected {expected}");
            Problem::new(400, "missing_parameter", "A parameter is missing", detail)
        })
    }
}

impl Given {
    /// A whole number in a range, or the default.
    ///
    /// # Errors
    ///
    /// When it is none or out of range.
    pub fn number(&self, name: &str, default: u32, range: core::ops::RangeInclusive<u32>) -> Result<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let value = self.optional(name, &expected, |text| number(text).filter(|n| range.contains(n)))?;
        Ok(value.unwrap_or(default))
    }

    /// `true` or `false`; false when it is not given.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn flag(&self, name: &str) -> Result<bool> {
        let value = self.optional(name, "true or false", |text| text.parse().ok())?;
        Ok(value.unwrap_or(false))
    }
}

/// Milliseconds of a time: thirteen digits, a day, or ISO 8601 in UTC.
#[must_use]
pub fn moment(text: &str) -> Option<i64> {
    let digits = |text: &str, width: usize| {
        let all = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| text.parse::<i64>().ok()).flatten()
    };
    let ms = match text.split_once('T') {
        None => digits(text, 13).or_else(|| Some(text.parse::<EventDate>().ok()?.start_ms()))?,
        Some((date, time)) => {
            let date: EventDate = date.parse().ok()?;
            let mut parts = time.strip_suffix('Z')?.split(':');
            let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
            let (seconds, millis) =
                match parts.next().map(|part| part.split_once('.').unwrap_or((part, "000"))) {
                    None => (0, 0),
                    Some((seconds, millis)) => (digits(seconds, 2)?, digits(millis, 3)?),
                };
            if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
                return None;
            }
            date.start_ms() + ((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis
        }
    };
    // Events have such times and no others.
    (MIN_TIMESTAMP_MS..=MAX_TIMESTAMP_MS).contains(&ms).then_some(ms)
}

/// Digits alone: no sign.
#[must_use]
pub fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_forms() {
        let at = 1_760_536_800_000;
        for text in ["1760536800000", "2025-10-15T14:00Z", "2025-10-15T14:00:00Z", "2025-10-15T14:00:00.000Z"]
        {
            assert_eq!(moment(text), Some(at), "{text}");
        }
        assert_eq!(moment("2025-10-15"), Some(at - 14 * 3_600_000));
        assert_eq!(moment("2025-10-15T23:59:59.999Z"), Some(at + 10 * 3_600_000 - 1));
        for text in [
            "",
            "now",
            "1760536800",
            "17605368000000",
            "+760536800000",
            "2025-10-15T14",
            "2025-10-15T14Z",
            "2025-10-15T14:00:00",
            "2025-10-15T24:00Z",
            "2025-10-15T14:60Z",
            "2025-10-15T14:00:60Z",
            "2025-10-15T14:00:00.1Z",
            "2025-10-15T14:00:00+00:00",
            "2025-02-30",
            "1999-01-01",
            "2025-10-15T14:00:00:00Z",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
