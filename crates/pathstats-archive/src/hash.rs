//! SHA-256 that can wait in a record between two runs.

use base16ct::lower::{decode_vec, encode_string};
use digest::common::hazmat::{DeserializeStateError, SerializableState, SerializedState};
use sha2::{Digest, Sha256};

/// A running SHA-256.
#[derive(Debug, Clone, Default)]
pub struct RunningHash(Sha256);

impl RunningHash {
    /// Goes on from a state that [`state`](Self::state) gave; from the beginning when it is empty.
    ///
    /// # Errors
    ///
    /// When the text is no state.
    pub fn resume(state: &str) -> Result<Self, DeserializeStateError> {
        if state.is_empty() {
            return Ok(Self::default());
        }
        let bytes = decode_vec(state).map_err(|_| DeserializeStateError)?;
        let state =
            SerializedState::<Sha256>::try_from(bytes.as_slice()).map_err(|_| DeserializeStateError)?;
        Sha256::deserialize(&state).map(Self)
    }

    /// Takes bytes up.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What [`resume`](Self::resume) goes on from, in hexadecimal.
    #[must_use]
    pub fn state(&self) -> String {
        encode_string(&self.0.serialize())
    }

    /// The hash of all bytes, in hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        encode_string(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_goes_on_where_it_was() {
        let mut whole = RunningHash::default();
        whole.update(&[7; 1000]);
        let mut hash = RunningHash::resume("").unwrap();
        for piece in [&[7; 1][..], &[7; 63], &[7; 64], &[7; 872]] {
            hash.update(piece);
            hash = RunningHash::resume(&hash.state()).unwrap();
        }
        assert_eq!(hash.finish(), whole.finish());
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(RunningHash::default().finish(), empty);
    }

    #[test]
    fn another_text_is_refused() {
        for text in ["zz", "00", "0", &"ff".repeat(104)] {
            assert!(RunningHash::resume(text).is_err(), "{text}");
        }
    }
}
