//! [`EventId`]: the name of one request, for ever the same however often it is delivered.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

use crate::limits::{MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS};

/// `{timestamp}-{hash8}`: 13 digits of milliseconds since the epoch, a dash, and the first eight
/// hexadecimal digits of SHA-256 over `clientIP:path:requestId`.
///
/// Ids order by time, so a day of events is a range of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    timestamp_ms: i64,
    hash: u32,
}

/// Why a text is not an event id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an event id: expected 13 digits, '-', 8 lower-case hexadecimal digits, as in \"1730956800000-a1b2c3d4\"")]
pub struct EventIdError {
    text: String,
}

impl EventId {
    /// Length of an id's text.
    pub const LEN: usize = 22;

    /// The id of the request `request_id` for `path` from `client_ip` at `timestamp_ms`.
    ///
    /// # Errors
    ///
    /// When `timestamp_ms` does not have 13 digits.
    pub fn derive(
        timestamp_ms: i64,
        client_ip: &str,
        path: &str,
        request_id: &str,
    ) -> Result<Self, EventIdError> {
        let mut sha = Sha256::new();
        for part in [client_ip, ":", path, ":", request_id] {
            sha.update(part.as_bytes());
        }
        let digest = sha.finalize();
        let hash = digest.iter().take(4).fold(0, |hash: u32, byte| (hash << 8) | u32::from(*byte));
        Self::from_parts(timestamp_ms, hash)
    }

    /// An id from its two parts.
    ///
    /// # Errors
    ///
    /// When `timestamp_ms` does not have 13 digits.
    pub fn from_parts(timestamp_ms: i64, hash: u32) -> Result<Self, EventIdError> {
        if (MIN_TIMESTAMP_MS..=MAX_TIMESTAMP_MS).contains(&timestamp_ms) {
            Ok(Self { timestamp_ms, hash })
        } else {
            Err(EventIdError { text: format!("{timestamp_ms}-{hash:08x}") })
        }
    }

    /// Milliseconds since the epoch, 13 digits.
    #[must_use]
    pub const fn timestamp_ms(self) -> i64 {
        self.timestamp_ms
    }

    /// The eight hexadecimal digits as a number.
    #[must_use]
    pub const fn hash(self) -> u32 {
        self.hash
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.timestamp_ms, self.hash)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EventIdError { text: text.chars().take(64).collect() };
        let (digits, hex) = text.split_once('-').ok_or_else(wrong)?;
        let all_digits = digits.len() == 13 && digits.bytes().all(|b| b.is_ascii_digit());
        let all_hex = hex.len() == 8 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !all_digits || !all_hex {
            return Err(wrong());
        }
        let timestamp_ms = digits.parse().map_err(|_| wrong())?;
        let hash = u32::from_str_radix(hex, 16).map_err(|_| wrong())?;
        Self::from_parts(timestamp_ms, hash).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id: EventId = "1730956800000-a1b2c3d4".parse().unwrap();
        assert_eq!(id.timestamp_ms(), 1_730_956_800_000);
        assert_eq!(id.hash(), 0xa1b2_c3d4);
        assert_eq!(id.to_string(), "1730956800000-a1b2c3d4");
        assert_eq!(id.to_string().len(), EventId::LEN);
    }

    #[test]
    fn an_id_derives_from_address_path_and_request() {
        // printf '203.0.113.9:/api/foo:8f2c' | sha256sum
        let id = EventId::derive(1_730_956_800_000, "203.0.113.9", "/api/foo", "8f2c").unwrap();
        assert_eq!(id.to_string(), "1730956800000-1ec8b0bc");
    }

    #[test]
    fn what_is_not_an_id_is_refused_with_the_form_expected() {
        for text in [
            "",
            "1730956800000",
            "1730956800000-",
            "173095680000-a1b2c3d4",
            "1730956800000-A1B2C3D4",
            "1730956800000-a1b2c3d",
            "1730956800000-a1b2c3d45",
            "0000000000000-a1b2c3d4",
            "+730956800000-a1b2c3d4",
            "1730956800000-+1b2c3d4",
            "1730956800000_a1b2c3d4",
        ] {
            let error = text.parse::<EventId>().unwrap_err();
            assert!(error.to_string().contains("expected 13 digits"), "{text}: {error}");
        }
        assert!(EventId::from_parts(999_999_999_999, 0).is_err());
        assert!(EventId::from_parts(10_000_000_000_000, 0).is_err());
    }
}
