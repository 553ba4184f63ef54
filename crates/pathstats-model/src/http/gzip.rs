//! One packed body under several beginnings.
//!
//! The same answer begins differently by where it came from. Its rest is packed once: a file of gzip
//! (RFC 1952) may hold the beginning as stored blocks and the rest as it was packed, since a stored
//! block ends on a byte (RFC 1951 section 3.2.4).

use crc32fast::Hasher;

/// Longest stored block, in bytes: its length has 16 bits.
const MAX_BLOCK_BYTES: usize = 65_535;

/// Header of a file: deflate, no name, no time, of an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The rest of a body, packed.
#[derive(Debug, Clone)]
pub struct PackedRest {
    deflated: Vec<u8>,
    check: Hasher,
    bytes: u32,
}

impl PackedRest {
    /// The rest of a body, and the same as a stream of deflate (RFC 1951).
    #[must_use]
    pub fn new(rest: &[u8], deflated: Vec<u8>) -> Self {
        let mut check = Hasher::new();
        check.update(rest);
        Self { deflated, check, bytes: length(rest) }
    }

    /// The packed bytes: the same for the same rest, as long as the same program packs.
    #[must_use]
    pub fn deflated(&self) -> &[u8] {
        &self.deflated
    }

    /// The whole body as a file of gzip.
    #[must_use]
    pub fn beginning_with(&self, beginning: &[u8]) -> Vec<u8> {
        let mut check = Hasher::new();
        check.update(beginning);
        check.combine(&self.check);
        let mut file = Vec::with_capacity(HEADER.len() + 5 + beginning.len() + self.deflated.len() + 8);
        file.extend_from_slice(&HEADER);
        for block in beginning.chunks(MAX_BLOCK_BYTES) {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            // Not the last block, and stored: three bits, and the rest of their byte.
            file.push(0);
            file.extend_from_slice(&length.to_le_bytes());
            file.extend_from_slice(&(!length).to_le_bytes());
            file.extend_from_slice(block);
        }
        file.extend_from_slice(&self.deflated);
        file.extend_from_slice(&check.finalize().to_le_bytes());
        file.extend_from_slice(&self.bytes.wrapping_add(length(beginning)).to_le_bytes());
        file
    }
}

/// A length as the format keeps it: modulo 2^32.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len() as u64 & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use flate2::read::GzDecoder;
    use flate2::write::DeflateEncoder;
    use flate2::Compression;
    use proptest::prelude::*;

    use super::*;

    fn packed(rest: &[u8]) -> PackedRest {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(rest).unwrap();
        PackedRest::new(rest, encoder.finish().unwrap())
    }

    fn unpacked(file: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        let mut decoder = GzDecoder::new(file);
        // The decoder holds length and check against what it read.
        decoder.read_to_end(&mut body).unwrap();
        assert!(decoder.into_inner().is_empty(), "one file, and nothing after it");
        body
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_under_each_beginning(
            rest in prop::collection::vec(any::<u8>(), 0..5_000),
            beginnings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        ) {
            let packed = packed(&rest);
            for beginning in beginnings {
                prop_assert_eq!(unpacked(&packed.beginning_with(&beginning)), [beginning, rest.clone()].concat());
            }
        }
    }

    #[test]
    fn a_beginning_may_be_longer_than_a_block() {
        for bytes in [0, 1, MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + 1, 3 * MAX_BLOCK_BYTES] {
            let long = vec![b'x'; bytes];
            assert_eq!(unpacked(&packed(b"y").beginning_with(&long)), [&long[..], b"y"].concat());
        }
    }
}
