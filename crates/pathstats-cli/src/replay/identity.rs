//! What makes a line's event the same event each time it is sent: its digest, and which of the
//! identical lines of its file it is.

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

/// How many different lines are remembered at least. Identical lines bear the same time, so they
/// stand near each other; remembering all of a file would take memory without bound.
const REMEMBERED: usize = 1 << 18;

/// The first 64 bits of a line's SHA-256.
pub fn line_digest(line: &[u8]) -> u64 {
    Sha256::digest(line).iter().take(8).fold(0, |digest, byte| (digest << 8) | u64::from(*byte))
}

/// Counts identical lines of a file, among the last 262,144 different ones at least.
#[derive(Debug, Default)]
pub struct Occurrences {
    recent: FxHashMap<u64, u32>,
    older: FxHashMap<u64, u32>,
}

impl Occurrences {
    /// How often the line was met before.
    pub fn before(&mut self, digest: u64) -> u32 {
        if let Some(count) = self.recent.get_mut(&digest) {
            *count += 1;
            return *count;
        }
        let count = self.older.get(&digest).map_or(0, |count| count + 1);
        if self.recent.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(digest, count);
        count
    }
}

/// The id of a request whose server gave it none.
pub fn request_id(digest: u64, occurrence: u32) -> String {
    format!("{digest:016x}#{occurrence}")
}

/// Logs with times in whole seconds: each event gets a millisecond within its second, which its
/// line decides. Otherwise a thousand requests of one second would share one millisecond, and the
/// eight digits that tell their ids apart would meet each other a thousand times as often.
pub fn millisecond(digest: u64) -> i64 {
    i64::try_from(digest % 1_000).unwrap_or_default()
}

/// A checksum over all lines so far, in order: tells whether a file is still the one it was.
pub fn chain(checksum: u64, digest: u64) -> u64 {
    (checksum.rotate_left(5) ^ digest).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_lines_are_numbered() {
        let mut occurrences = Occurrences::default();
        assert_eq!([1, 2, 1, 1, 2].map(|digest| occurrences.before(digest)), [0, 0, 1, 2, 1]);
    }

    #[test]
    fn lines_are_remembered_over_a_quarter_of_a_million_others_in_bounded_memory() {
        let mut occurrences = Occurrences::default();
        assert_eq!(occurrences.before(7), 0);
        for digest in 1_000..1_000 + REMEMBERED as u64 - 1 {
            occurrences.before(digest);
        }
        assert_eq!(occurrences.before(7), 1);
        for digest in 2_000_000..4_000_000 {
            occurrences.before(digest);
        }
        assert!(occurrences.recent.len() + occurrences.older.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn a_digest_is_pinned() {
        // printf hello | sha256sum
        assert_eq!(line_digest(b"hello"), 0x2cf2_4dba_5fb0_a30e);
        assert_eq!(request_id(0x2cf2, 3), "0000000000002cf2#3");
        assert_ne!(chain(chain(0, 1), 2), chain(chain(0, 2), 1));
    }
}
