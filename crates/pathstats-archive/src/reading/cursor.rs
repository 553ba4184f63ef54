//! Where a query goes on.

use base16ct::lower::encode_string;
use core::fmt;

/// Version of the cursor's bytes.
const VERSION: u8 = 1;

/// The next event to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The file, by its number of supplement.
    pub supplement: u32,
    /// The page of the file.
    pub page: u32,
    /// The event of the page, from 0.
    pub event: u32,
}

/// A position as a client holds it: an opaque word, good for the query that it came from and for no
/// other. Its checksum is over the position and that query. It keeps nobody from anything, and finds
/// words that were cut, mixed up or made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor of a position, in the query that this text stands for.
    #[must_use]
    pub fn new(position: Position, query: &str) -> Self {
        let body = body(position);
        let check = checksum(&body, query).to_be_bytes();
        Self(encode_string(&body) + &encode_string(&check))
    }

    /// The position of a cursor, when it is one of this query.
    #[must_use]
    pub fn parse(text: &str, query: &str) -> Option<Position> {
        // Longer than any.
        if text.len() > 64 {
            return None;
        }
        let number = |from: usize| u32::from_str_radix(text.get(from..from + 8)?, 16).ok();
        let position = Position { supplement: number(2)?, page: number(10)?, event: number(18)? };
        // The one way to write it.
        (Self::new(position, query).0 == text).then_some(position)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn body(position: Position) -> Vec<u8> {
    let mut body = vec![VERSION];
    for number in [position.supplement, position.page, position.event] {
        body.extend_from_slice(&number.to_be_bytes());
    }
    body
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
        let position = Position { supplement: 2, page: 70_000, event: 8_191 };
        let text = Cursor::new(position, "2025-10-15 /a 404").to_string();
        assert_eq!(text.len(), 34);
        assert_eq!(Cursor::parse(&text, "2025-10-15 /a 404"), Some(position));
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
