//! Client addresses become keyed hashes under a key of the day: the address is never stored, and
//! hashes of different days cannot be joined.

use core::net::{IpAddr, Ipv4Addr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::hour::EventDate;

/// Fewest bytes of the secret: 128 bits, the least that RFC 2104 section 3 lets a key be with
/// half a SHA-256 of strength.
pub const MIN_SECRET_BYTES: usize = 16;

/// Why a secret is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("IP_HASH_SECRET has {found} bytes: expected 16 at least (try `openssl rand -hex 32`)")]
pub struct SecretError {
    found: usize,
}

/// Hashes client addresses. Salts rotate daily by themselves: the key of a day is derived from the
/// secret and the UTC date.
#[derive(Clone)]
pub struct IpHasher {
    secret: Vec<u8>,
}

impl core::fmt::Debug for IpHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("IpHasher(secret)")
    }
}

impl IpHasher {
    /// A hasher under this secret.
    ///
    /// # Errors
    ///
    /// When the secret is shorter than 16 bytes.
    pub fn new(secret: &str) -> Result<Self, SecretError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(SecretError { found: secret.len() });
        }
        Ok(Self { secret: secret.as_bytes().to_vec() })
    }

    /// The first 64 bits of HMAC-SHA-256 over the canonical address, under the key of `date`.
    /// `None` when the text is not an address.
    #[must_use]
    pub fn hash(&self, address: &str, date: EventDate) -> Option<u64> {
        let address = canonical(address)?;
        let key = hmac(&self.secret, format!("pathstats client address {date}").as_bytes());
        let tag = hmac(&key, address.to_string().as_bytes());
        Some(tag.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte)))
    }
}

/// IPv4 mapped into IPv6 is the IPv4 address: one client, one hash.
fn canonical(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.trim().parse().ok()?;
    Some(match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, |v4: Ipv4Addr| IpAddr::V4(v4)),
        IpAddr::V4(_) => address,
    })
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length is accepted: longer ones are hashed first (RFC 2104 section 2).
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => Sha256::digest(message).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn day(text: &str) -> EventDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_hash_is_pinned() {
        // python3: hmac(hmac(secret, b"pathstats client address 2025-10-15"), b"203.0.113.9")[:8]
        let hasher = IpHasher::new(SECRET).unwrap();
        let hash = hasher.hash("203.0.113.9", day("2025-10-15")).unwrap();
        assert_eq!(format!("{hash:016x}"), "2b4c4cfeb98e8eb6");
    }

    #[test]
    fn a_client_is_the_same_all_day_and_another_the_next() {
        let hasher = IpHasher::new(SECRET).unwrap();
        let today = hasher.hash("203.0.113.9", day("2025-10-15"));
        assert_eq!(today, hasher.hash(" 203.0.113.9", day("2025-10-15")));
        assert_eq!(today, hasher.hash("::ffff:203.0.113.9", day("2025-10-15")));
        assert_ne!(today, hasher.hash("203.0.113.9", day("2025-10-16")));
        assert_ne!(today, hasher.hash("203.0.113.10", day("2025-10-15")));
        assert_ne!(
            today,
            IpHasher::new("another secret of 16").unwrap().hash("203.0.113.9", day("2025-10-15"))
        );
        assert_eq!(
            hasher.hash("2001:DB8:0::1", day("2025-10-15")),
            hasher.hash("2001:db8::1", day("2025-10-15"))
        );
    }

    #[test]
    fn what_is_not_an_address_has_no_hash_and_a_short_secret_is_refused() {
        let hasher = IpHasher::new(SECRET).unwrap();
        assert_eq!(hasher.hash("unknown", day("2025-10-15")), None);
        assert_eq!(hasher.hash("", day("2025-10-15")), None);
        assert!(IpHasher::new("short").is_err());
        assert!(!format!("{hasher:?}").contains("0123"), "the secret is never printed");
    }
}
