//! [`Ledger`]: the ids that a path and hour has counted, exact, eight bytes each.

use std::hash::{BuildHasherDefault, Hasher};

use crate::packed::LedgerKey;

/// Remembers every event counted. Exact: no false positives, as a Bloom filter would have, since
/// each of those would be an event lost.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    keys: std::collections::HashSet<LedgerKey, BuildHasherDefault<KeyHasher>>,
}

impl Ledger {
    /// Records the key; `false` when it was there.
    pub fn insert(&mut self, key: LedgerKey) -> bool {
        self.keys.insert(key)
    }

    /// Whether the key was recorded.
    #[must_use]
    pub fn contains(&self, key: LedgerKey) -> bool {
        self.keys.contains(&key)
    }

    /// How many events were recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// One multiplication (Fibonacci hashing: Knuth, "The Art of Computer Programming" vol. 3,
/// section 6.4). A key's lower half is a piece of SHA-256 already.
#[derive(Debug, Clone, Copy, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (self.0 ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once() {
        let mut ledger = Ledger::default();
        assert!(ledger.is_empty());
        assert!(ledger.insert(7));
        assert!(!ledger.insert(7));
        assert!(ledger.insert(7 << 32));
        assert!(ledger.contains(7) && !ledger.contains(8));
        assert_eq!(ledger.len(), 2);
    }

    #[test]
    fn a_million_keys_that_differ_in_one_half_alone_are_told_apart() {
        let mut ledger = Ledger::default();
        for n in 0..500_000u64 {
            assert!(ledger.insert(n));
            assert!(ledger.insert((n + 1) << 32));
        }
        assert_eq!(ledger.len(), 1_000_000);
    }
}
