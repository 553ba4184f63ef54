//! Who may: bearer tokens, compared in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Fewest characters of a token.
pub const MIN_TOKEN_CHARS: usize = 16;

/// A token that callers must present.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

impl core::fmt::Debug for Token {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// Why a caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// No `Authorization: Bearer` header.
    #[error("no token: send `Authorization: Bearer <token>`")]
    Missing,
    /// Not the token.
    #[error("the token is not valid")]
    Wrong,
}

impl Token {
    /// A token from its configured text; `None` when it is shorter than 16 characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (text.chars().count() >= MIN_TOKEN_CHARS)
            .then(|| Self { digest: Sha256::digest(text.as_bytes()).into() })
    }

    /// Checks the value of an `Authorization` header (RFC 6750 section 2.1). Digests are compared,
    /// in constant time, so neither the content nor the length of the token shows in the time taken.
    ///
    /// # Errors
    ///
    /// See [`AccessError`].
    pub fn check(&self, authorization: Option<&str>) -> Result<(), AccessError> {
        let (scheme, presented) =
            authorization.and_then(|value| value.split_once(' ')).ok_or(AccessError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AccessError::Missing);
        }
        let digest: [u8; 32] = Sha256::digest(presented.trim().as_bytes()).into();
        if bool::from(digest.ct_eq(&self.digest)) {
            Ok(())
        } else {
            Err(AccessError::Wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_accepted() {
        let token = Token::new("a token of some length").unwrap();
        assert_eq!(token.check(Some("Bearer a token of some length")), Ok(()));
        assert_eq!(token.check(Some("bearer  a token of some length ")), Ok(()));
        assert_eq!(token.check(Some("Bearer a token of some lengtH")), Err(AccessError::Wrong));
        assert_eq!(token.check(Some("Bearer ")), Err(AccessError::Wrong));
        assert_eq!(token.check(Some("Basic a token of some length")), Err(AccessError::Missing));
        assert_eq!(token.check(Some("Bearer")), Err(AccessError::Missing));
        assert_eq!(token.check(None), Err(AccessError::Missing));
    }

    #[test]
    fn a_short_token_is_none_and_none_is_printed() {
        assert!(Token::new("short").is_none());
        assert_eq!(format!("{:?}", Token::new("a token of some length").unwrap()), "Token(secret)");
    }
}
