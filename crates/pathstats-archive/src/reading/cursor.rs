//! Where a query goes on.

use core::fmt;

use base16ct::lower::encode_string;
use pathstats_model::EventId;

/// Version of the cursor's bytes. Version 1 told a file, a page and an event.
const VERSION: u8 = 2;
/// Of the body, as hexadecimal digits: the version, the id's milliseconds and its hash.
const LENGTH: usize = 2 * (1 + 8 + 4);

/// Where a query goes on, as a client holds it: an opaque word, good for the query that it came from and
/// for no other. Its checksum is over the last event that was looked at and that query. It keeps nobody
/// from anything, and finds words that were cut, mixed up or made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor after an event, in the query that this text stands for.
    #[must_use]
    pub fn new(after: EventId, query: &str) -> Self {
        let mut body = vec![VERSION];
        body.extend_from_slice(&after.timestamp_ms().to_be_bytes());
        body.extend_from_slice(&after.hash().to_be_bytes());
        let check = checksum(&body, query).to_be_bytes();
        Self(encode_string(&body) + &encode_string(&check))
    }

    /// The event of a cursor, when it is one of this query.
    #[must_use]
    pub fn parse(text: &str, query: &str) -> Option<EventId> {
        // Longer than any.
        if text.len() > 64 {
            return None;
        }
        let timestamp_ms = i64::from_str_radix(text.get(2..18)?, 16).ok()?;
        let hash = u32::from_str_radix(text.get(18..LENGTH)?, 16).ok()?;
        let after = EventId::from_parts(timestamp_ms, hash).ok()?;
        // The one way to write it.
        (Self::new(after, query).0 == text).then_some(after)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn checksum(body: &[u8], query: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(query.as_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_query_alone() {
        let after = EventId::from_parts(1_760_486_400_123, 0xffff_0001).unwrap();
        let text = Cursor::new(after, "2025-10-15 /a 404").to_string();
        assert_eq!(text.len(), LENGTH + 8);
        assert_eq!(Cursor::parse(&text, "2025-10-15 /a 404"), Some(after));
        assert_eq!(Cursor::parse(&text, "2025-10-16 /a 404"), None);
        for at in 0..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, if text.get(at..=at) == Some("0") { "1" } else { "0" });
            assert_eq!(Cursor::parse(&other, "2025-10-15 /a 404"), None, "{other}");
            assert_eq!(Cursor::parse(text.get(..at).unwrap(), "2025-10-15 /a 404"), None);
        }
        for text in
            ["", "x", "🦀🦀🦀🦀🦀🦀🦀🦀🦀", &text.to_uppercase(), &format!("{text}0"), &"+0".repeat(17)]
        {
            assert_eq!(Cursor::parse(text, "2025-10-15 /a 404"), None, "{text}");
        }
    }
}
