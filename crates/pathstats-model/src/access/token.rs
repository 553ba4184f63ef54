//! [`Token`]: a bearer token, compared in constant time.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

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
        if bool::from(PresentedToken::read(authorization)?.is(self)) {
            Ok(())
        } else {
            Err(AccessError::Wrong)
        }
    }

    /// Whether two tokens are the same.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.digest.ct_eq(&other.digest).into()
    }
}

/// What a caller presented as its token.
pub(super) struct PresentedToken {
    digest: [u8; 32],
}

impl PresentedToken {
    /// Reads an `Authorization` header. Only a missing header or another scheme is told apart here.
    pub(super) fn read(authorization: Option<&str>) -> Result<Self, AccessError> {
        let (scheme, presented) =
            authorization.and_then(|value| value.split_once(' ')).ok_or(AccessError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AccessError::Missing);
        }
        Ok(Self { digest: Sha256::digest(presented.trim().as_bytes()).into() })
    }

    /// Whether it is this token: 32 bytes against 32 bytes, without an early end. The answer is no
    /// `bool` yet, so that several can be asked before any is looked at.
    pub(super) fn is(&self, token: &Token) -> Choice {
        self.digest.ct_eq(&token.digest)
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
    fn tokens_are_the_same_when_their_texts_are() {
        let token = |text| Token::new(text).unwrap();
        assert!(token("a token of some length").is_same_as(&token("a token of some length")));
        assert!(!token("a token of some length").is_same_as(&token("a token of some lengtH")));
    }

    #[test]
    fn a_short_token_is_none_and_none_is_printed() {
        assert!(Token::new("short").is_none());
        assert_eq!(format!("{:?}", Token::new("a token of some length").unwrap()), "Token(secret)");
    }
}
