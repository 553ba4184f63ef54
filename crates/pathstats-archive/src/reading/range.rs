//! Which bytes of a file are wanted (RFC 9110 section 14).

/// What the header `Range` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it: no range, several, or one that is not understood, all of which the standard allows
    /// to be answered so.
    Whole,
    /// Some bytes, at least one, all of them within the file.
    Part {
        /// The first.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Bytes that the file does not have: 416.
    Beyond,
}

impl ByteRange {
    /// Reads the header, for a file of so many bytes.
    #[must_use]
    pub fn parse(header: Option<&str>, bytes: u64) -> Self {
        header.and_then(|header| Self::one(header, bytes)).unwrap_or(Self::Whole)
    }

    fn one(header: &str, bytes: u64) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (offset, length) = match (first, last) {
            ("", last) => {
                let length = number(last)?.min(bytes);
                (bytes - length, length)
            }
            (first, "") => (number(first)?, u64::MAX),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first, last.checked_sub(first)?.saturating_add(1))
            }
        };
        let length = length.min(bytes.saturating_sub(offset));
        Some(if length == 0 { Self::Beyond } else { Self::Part { offset, length } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_everything_else_is_the_whole() {
        let part = |offset, length| ByteRange::Part { offset, length };
        for (header, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 10)),
            ("Bytes=10-", part(10, 90)),
            ("bytes=90-1000", part(90, 10)),
            ("bytes=-5", part(95, 5)),
            ("bytes=-500", part(0, 100)),
            ("bytes=100-", ByteRange::Beyond),
            ("bytes=-0", ByteRange::Beyond),
            ("bytes=99999999999999999999-", ByteRange::Beyond),
            ("bytes=5-4", ByteRange::Whole),
            ("bytes=0-1,5-6", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
            ("", ByteRange::Whole),
        ] {
            assert_eq!(ByteRange::parse(Some(header), 100), expected, "{header}");
        }
        assert_eq!(ByteRange::parse(None, 100), ByteRange::Whole);
        assert_eq!(ByteRange::parse(Some("bytes=0-"), 0), ByteRange::Beyond);
    }
}
