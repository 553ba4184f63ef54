//! A team's public keys: reading them, and when to ask for them.
//!
//! Access signs with one key for six weeks and goes on publishing it for seven days after that, and
//! publishes the next one before it signs with it. So a copy of an hour is right but for a
//! rotation by hand, and then a token names a key that the copy lacks.

use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::jwt::{ALGORITHM, MAX_KEY_ID_BYTES};

/// How long a copy of the keys is used, in milliseconds.
pub const KEYS_KEPT_MS: i64 = 3_600_000;

/// For a key id that the copy lacks the team is asked anew at most once in this time, in milliseconds:
/// whoever sends made-up ids must not make us send requests.
pub const UNKNOWN_KEY_MS: i64 = 60_000;

/// After a failure the team is not asked again for this long, in milliseconds. Meanwhile a login is
/// told at once that it cannot be checked, instead of waiting for [`KEYS_TIMEOUT_MS`].
pub const FAILURE_MS: i64 = 10_000;

/// The longest that the team may take to answer, in milliseconds.
pub const KEYS_TIMEOUT_MS: u32 = 5_000;

/// Largest answer, in bytes. Access sends some ten thousand: two keys, and each as a certificate too.
pub const MAX_KEYS_BYTES: usize = 65_536;

/// Most keys kept.
const MOST_KEYS: usize = 20;

/// Sizes of a modulus, in bytes: 2048 bits at least (RFC 7518 section 3.3), and 8192 at most, since
/// checking takes longer with the size.
const MODULUS_BYTES: core::ops::RangeInclusive<usize> = 256..=1024;

/// Longest public exponent, in bytes. It is 65537 everywhere.
const MAX_EXPONENT_BYTES: usize = 8;

/// A public RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its id.
    pub id: String,
    /// The modulus, base64url.
    pub n: String,
    /// The exponent, base64url.
    pub e: String,
}

/// The keys of a team, and when they were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// The team.
    pub team: String,
    /// Its keys.
    pub keys: Vec<PublicKey>,
    /// Milliseconds.
    pub fetched_at_ms: i64,
}

/// Why an answer holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not a set of keys.
    #[error("the answer is no set of keys")]
    NotKeys,
    /// None that RS256 could use.
    #[error("the answer holds no key for RS256")]
    NoUsableKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    n: String,
    e: String,
}

impl KeySet {
    /// Reads what a team publishes (RFC 7517 section 5). Keys of other kinds are left out.
    ///
    /// # Errors
    ///
    /// See [`KeysError`].
    pub fn parse(team: &str, body: &[u8], fetched_at_ms: i64) -> Result<Self, KeysError> {
        let published: Published = serde_json::from_slice(body).map_err(|_| KeysError::NotKeys)?;
        let keys: Vec<PublicKey> = published
            .keys
            .into_iter()
            .filter_map(|value| serde_json::from_value::<Key>(value).ok())
            .filter(Key::is_usable)
            .take(MOST_KEYS)
            .map(|key| PublicKey { id: key.kid, n: key.n, e: key.e })
            .collect();
        if keys.is_empty() {
            return Err(KeysError::NoUsableKey);
        }
        Ok(Self { team: team.to_owned(), keys, fetched_at_ms })
    }

    /// Whether the copy may still be used for this team. A time ahead of now is no age.
    #[must_use]
    pub fn is_fresh(&self, team: &str, now_ms: i64) -> bool {
        self.team == team && (0..KEYS_KEPT_MS).contains(&(now_ms - self.fetched_at_ms))
    }

    /// The key of this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn is_usable(&self) -> bool {
        let length = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len());
        self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == ALGORITHM)
            && self.used_for.as_deref().is_none_or(|used_for| used_for == "sig")
            && !self.kid.is_empty()
            && self.kid.len() <= MAX_KEY_ID_BYTES
            && MODULUS_BYTES.contains(&length(&self.n))
            && (1..=MAX_EXPONENT_BYTES).contains(&length(&self.e))
    }
}

/// What is known of a team's keys, and of asking for them, in one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeysKnown {
    /// The last copy.
    pub set: Option<KeySet>,
    /// When the team was last asked, in milliseconds, whatever came of it.
    pub asked_at_ms: Option<i64>,
    /// When asking last failed, in milliseconds. Cleared by a success.
    pub failed_at_ms: Option<i64>,
}

/// What to do about a key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUse {
    /// Check the signature with this key.
    Use(PublicKey),
    /// Ask the team, then look again.
    Ask,
    /// The team has no such key.
    Unknown,
    /// The team was asked a moment ago and did not answer.
    Unavailable,
}

impl KeysKnown {
    /// What to do about this key id now. An expired copy is none: a key that was withdrawn must not
    /// work for as long as an attacker can keep the team's answer away.
    #[must_use]
    pub fn decide(&self, team: &str, key_id: &str, now_ms: i64) -> KeyUse {
        let within = |at: Option<i64>, ms: i64| at.is_some_and(|at| (0..ms).contains(&(now_ms - at)));
        let Some(set) = self.set.as_ref().filter(|set| set.is_fresh(team, now_ms)) else {
            // Requests that come while another one asks do ask too: there is nothing to answer with,
            // and a future of another request must not be awaited.
            return if within(self.failed_at_ms, FAILURE_MS) { KeyUse::Unavailable } else { KeyUse::Ask };
        };
        match set.key(key_id) {
            Some(key) => KeyUse::Use(key.clone()),
            None if within(self.failed_at_ms, FAILURE_MS) => KeyUse::Unavailable,
            // Another instance may have fetched this copy a moment ago: that counts as asking.
            None if within(self.asked_at_ms, UNKNOWN_KEY_MS)
                || within(Some(set.fetched_at_ms), UNKNOWN_KEY_MS) =>
            {
                KeyUse::Unknown
            }
            None => KeyUse::Ask,
        }
    }

    /// The team is about to be asked. Noted before the answer, so that the next request does not ask too;
    /// should this one die, an unknown key stays unknown for a minute.
    pub fn ask(&mut self, now_ms: i64) {
        self.asked_at_ms = Some(now_ms);
    }

    /// The team answered, or a copy was found that is newer than ours.
    pub fn found(&mut self, set: KeySet) {
        if self
            .set
            .as_ref()
            .is_none_or(|known| known.team != set.team || known.fetched_at_ms <= set.fetched_at_ms)
        {
            self.set = Some(set);
        }
        self.failed_at_ms = None;
    }

    /// The team did not answer.
    pub fn failed(&mut self, now_ms: i64) {
        self.failed_at_ms = Some(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "https://our-team.cloudflareaccess.com";
    const NOW: i64 = 1_760_536_800_000;

    fn modulus(bytes: usize) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(vec![0xc5; bytes])
    }

    fn set(ids: &[&str], fetched_at_ms: i64) -> KeySet {
        let keys: Vec<_> = ids
            .iter()
            .map(|id| serde_json::json!({"kid": id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus(256), "e": "AQAB"}))
            .collect();
        let body =
            serde_json::json!({"keys": keys, "public_cert": {"kid": "x", "cert": "…"}, "public_certs": []});
        KeySet::parse(TEAM, body.to_string().as_bytes(), fetched_at_ms).unwrap()
    }

    #[test]
    fn only_keys_for_rs256_are_kept() {
        let key = |changes: serde_json::Value| {
            let mut key = serde_json::json!({"kid": "a", "kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus(256), "e": "AQAB"});
            for (name, value) in changes.as_object().unwrap() {
                key[name] = value.clone();
            }
            let body = serde_json::json!({ "keys": [key] }).to_string();
            KeySet::parse(TEAM, body.as_bytes(), NOW)
        };
        assert_eq!(key(serde_json::json!({})).unwrap().keys.len(), 1);
        assert_eq!(key(serde_json::json!({"alg": null, "use": null})).unwrap().keys.len(), 1);
        for changes in [
            serde_json::json!({"kty": "oct", "k": "c2VjcmV0"}),
            serde_json::json!({"kty": "EC"}),
            serde_json::json!({"alg": "HS256"}),
            serde_json::json!({"alg": "none"}),
            serde_json::json!({"use": "enc"}),
            serde_json::json!({"kid": ""}),
            serde_json::json!({"kid": "k".repeat(257)}),
            serde_json::json!({"n": modulus(128)}),
            serde_json::json!({"n": modulus(1025)}),
            serde_json::json!({"n": "not/base64url+"}),
            serde_json::json!({"e": ""}),
            serde_json::json!({"e": modulus(9)}),
        ] {
            assert_eq!(key(changes.clone()), Err(KeysError::NoUsableKey), "{changes}");
        }
        for body in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(KeySet::parse(TEAM, body.as_bytes(), NOW), Err(KeysError::NotKeys), "{body}");
        }
    }

    #[test]
    fn keys_are_used_for_an_hour_then_asked_for() {
        let mut known = KeysKnown::default();
        assert_eq!(known.decide(TEAM, "a", NOW), KeyUse::Ask);
        known.ask(NOW);
        assert_eq!(known.decide(TEAM, "a", NOW), KeyUse::Ask, "there is nothing to answer with yet");
        known.found(set(&["a", "b"], NOW));
        assert!(matches!(known.decide(TEAM, "b", NOW + KEYS_KEPT_MS - 1), KeyUse::Use(key) if key.id == "b"));
        assert_eq!(known.decide(TEAM, "b", NOW + KEYS_KEPT_MS), KeyUse::Ask);
        assert_eq!(known.decide("https://other.cloudflareaccess.com", "b", NOW), KeyUse::Ask);
        assert_eq!(known.decide(TEAM, "b", NOW - 1), KeyUse::Ask, "a copy from the future is none");
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_a_minute() {
        let mut known = KeysKnown::default();
        known.found(set(&["a"], NOW));
        assert_eq!(known.decide(TEAM, "new", NOW + 59_999), KeyUse::Unknown);
        let later = NOW + 60_000;
        assert_eq!(known.decide(TEAM, "new", later), KeyUse::Ask);
        known.ask(later);
        assert_eq!(known.decide(TEAM, "new", later), KeyUse::Unknown, "another request is asking");
        assert_eq!(known.decide(TEAM, "new", later + 59_999), KeyUse::Unknown);
        assert!(matches!(known.decide(TEAM, "a", later), KeyUse::Use(_)), "known keys work meanwhile");
        known.found(set(&["a", "new"], later));
        assert!(matches!(known.decide(TEAM, "new", later), KeyUse::Use(_)));
    }

    #[test]
    fn a_team_that_did_not_answer_is_left_alone_for_ten_seconds() {
        let mut known = KeysKnown::default();
        known.failed(NOW);
        assert_eq!(known.decide(TEAM, "a", NOW + 9_999), KeyUse::Unavailable);
        assert_eq!(known.decide(TEAM, "a", NOW + 10_000), KeyUse::Ask);
        known.found(set(&["a"], NOW + 10_000));
        known.failed(NOW + 20_000);
        assert!(matches!(known.decide(TEAM, "a", NOW + 20_001), KeyUse::Use(_)), "a fresh copy is enough");
        assert_eq!(known.decide(TEAM, "new", NOW + 20_001), KeyUse::Unavailable, "not for what it lacks");
        assert_eq!(known.decide(TEAM, "a", NOW + 10_000 + KEYS_KEPT_MS), KeyUse::Ask, "an old one is not");
    }

    #[test]
    fn an_older_copy_does_not_replace_a_newer_one() {
        let mut known = KeysKnown::default();
        known.found(set(&["new"], NOW + 5));
        known.found(set(&["old"], NOW));
        assert_eq!(known.set.as_ref().unwrap().keys[0].id, "new");
        known.found(set(&["newer"], NOW + 6));
        assert_eq!(known.set.as_ref().unwrap().keys[0].id, "newer");
    }
}
