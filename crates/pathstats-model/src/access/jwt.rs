//! JSON web tokens as Cloudflare Access makes them (RFC 7519, RFC 7515 section 3.1): what one must be
//! to be looked at, and what it must say to be accepted. The signature is another's to check:
//! [`Verifier`].
//!
//! Claims can only be had of a [`Verified`] token, and only [`Jwt::verify`] makes one.

use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::login::{is_plain, LoginConfig};
use crate::event::cut;

/// Longest token looked at, in bytes. A login's is one to two thousand; claims that an identity
/// provider adds make it longer, and all headers of a request together are 128 KB at most.
pub const MAX_JWT_BYTES: usize = 16_384;

/// Longest key id, in bytes. Access has 64.
pub const MAX_KEY_ID_BYTES: usize = 256;

/// How far clocks may differ, in seconds.
pub const LEEWAY_SECONDS: i64 = 60;

/// The only algorithm accepted. It is fixed, never taken from the token: a token that may choose could
/// choose `none`, or have the public key taken for a shared secret (RFC 8725 sections 2.1 and 3.1).
pub const ALGORITHM: &str = "RS256";

/// Why a login's token is refused. None of them echoes more of it than the name of an algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Longer than [`MAX_JWT_BYTES`].
    #[error("the login's token is longer than {MAX_JWT_BYTES} bytes")]
    TooLong,
    /// Not three parts of base64url.
    #[error("the login's token is not three parts of base64url with dots between them")]
    Shape,
    /// Its header is not the JSON of one.
    #[error("the header of the login's token cannot be read")]
    Header,
    /// Another algorithm than RS256.
    #[error("algorithm {0:?} of the login's token is not accepted: expected \"RS256\"")]
    Algorithm(String),
    /// Names no key, or none that could be one.
    #[error("the login's token names no key")]
    NoKey,
    /// Its key is none of the team's.
    #[error("the login's token is signed with a key that is not the team's")]
    UnknownKey,
    /// The signature is not of this key over this content.
    #[error("the signature of the login's token is not valid")]
    Signature,
    /// The claims are not the JSON of claims, or lack one.
    #[error("the claims of the login's token cannot be read: expected iss, aud, exp and type")]
    Claims,
    /// Made by another team.
    #[error("the login's token is not from this team")]
    Issuer,
    /// Made for another application.
    #[error("the login's token is for another application")]
    Audience,
    /// Not a token for an application.
    #[error("the login's token is not one for an application")]
    Kind,
    /// `exp` has passed.
    #[error("the login's token has expired: sign in again")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the login's token is not valid yet")]
    NotYetValid,
    /// Neither an e-mail address nor the name of a service token.
    #[error("the login's token names nobody")]
    NoName,
}

/// The keys cannot be had, so nothing can be said of any token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of Cloudflare Access cannot be had ({0})")]
pub struct KeysUnavailable(pub String);

/// What a [`Verifier`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The team's key of that id signed just this.
    Valid,
    /// It did not.
    Invalid,
    /// The team has no key of that id.
    UnknownKey,
}

/// Checks signatures with the team's keys, RSASSA-PKCS1-v1_5 with SHA-256 and nothing else.
// Used on one thread, by types that are known.
#[allow(async_fn_in_trait)]
pub trait Verifier {
    /// Whether `signature` is that of `signed` under the key of this id.
    ///
    /// # Errors
    ///
    /// When the keys cannot be had. That is never taken for a pass.
    async fn verify(&self, key_id: &str, signed: &[u8], signature: &[u8])
        -> Result<Verdict, KeysUnavailable>;
}

/// A token whose header was read and whose signature was not checked.
#[derive(Debug)]
pub struct Jwt<'a> {
    key_id: String,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

impl<'a> Jwt<'a> {
    /// Reads a token. The algorithm is looked at before anything else of it.
    ///
    /// # Errors
    ///
    /// See [`JwtError`].
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        if text.len() > MAX_JWT_BYTES {
            return Err(JwtError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Shape)?;
        // A fourth part would be in `claims`, and a dot is no base64url.
        let header = decode(header)?;
        // Two members of one name are an error, so there is no second `alg` to read.
        let header: Header = serde_json::from_slice(&header).map_err(|_| JwtError::Header)?;
        if header.alg != ALGORITHM {
            return Err(JwtError::Algorithm(cut(&header.alg, 20).to_owned()));
        }
        // `crit` names extensions that must be understood (RFC 7515 section 4.1.11). None is.
        if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
            return Err(JwtError::Header);
        }
        let key_id =
            header.kid.filter(|id| !id.is_empty() && id.len() <= MAX_KEY_ID_BYTES).ok_or(JwtError::NoKey)?;
        Ok(Self { key_id, signed, signature: decode(signature)?, claims: decode(claims)? })
    }

    /// Has the signature checked.
    ///
    /// # Errors
    ///
    /// `Ok(Err)` when it is not valid, `Err` when that cannot be told.
    pub async fn verify(
        self,
        verifier: &impl Verifier,
    ) -> Result<Result<Verified, JwtError>, KeysUnavailable> {
        let verdict = verifier.verify(&self.key_id, self.signed.as_bytes(), &self.signature).await?;
        Ok(match verdict {
            Verdict::Valid => Ok(Verified { claims: self.claims }),
            Verdict::Invalid => Err(JwtError::Signature),
            Verdict::UnknownKey => Err(JwtError::UnknownKey),
        })
    }
}

/// The claims of a token whose signature is valid.
#[derive(Debug)]
pub struct Verified {
    claims: Vec<u8>,
}

/// Whom a token names, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who it is.
    pub name: LoginName,
    /// Milliseconds.
    pub expires_at_ms: i64,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginName {
    /// A person, by e-mail address.
    Email(String),
    /// A service token, by its common name.
    Service(String),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audiences,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    #[serde(rename = "type")]
    kind: String,
    email: Option<String>,
    common_name: Option<String>,
}

/// One string, or several (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

impl Verified {
    /// Holds the claims against what is configured and the time.
    ///
    /// # Errors
    ///
    /// See [`JwtError`].
    pub fn login(&self, config: &LoginConfig, now_ms: i64) -> Result<Login, JwtError> {
        let claims: Claims = serde_json::from_slice(&self.claims).map_err(|_| JwtError::Claims)?;
        if claims.iss != config.team() {
            return Err(JwtError::Issuer);
        }
        let is_for_us = match &claims.aud {
            Audiences::One(audience) => config.is_audience(audience),
            Audiences::Several(audiences) => audiences.iter().any(|audience| config.is_audience(audience)),
        };
        if !is_for_us {
            return Err(JwtError::Audience);
        }
        // The team's own session has the type `org`; it is for no application.
        if claims.kind != "app" {
            return Err(JwtError::Kind);
        }
        let now = now_ms.div_euclid(1000);
        if now >= claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(JwtError::Expired);
        }
        let begins = claims.nbf.unwrap_or(i64::MIN).max(claims.iat.unwrap_or(i64::MIN));
        if begins > now.saturating_add(LEEWAY_SECONDS) {
            return Err(JwtError::NotYetValid);
        }
        // An empty text is what the other kind of login has there.
        let stated = |name: Option<String>| name.filter(|name| !name.is_empty());
        let name = match (stated(claims.email), stated(claims.common_name)) {
            (Some(email), _) => LoginName::Email(email.to_ascii_lowercase()),
            (None, Some(service)) => LoginName::Service(service),
            (None, None) => return Err(JwtError::NoName),
        };
        let (LoginName::Email(text) | LoginName::Service(text)) = &name;
        if !is_plain(text) {
            return Err(JwtError::NoName);
        }
        Ok(Login { name, expires_at_ms: claims.exp.saturating_mul(1000) })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    if part.is_empty() {
        return Err(JwtError::Shape);
    }
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Shape)
}
