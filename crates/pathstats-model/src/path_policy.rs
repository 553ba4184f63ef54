//! From a request's target to the path that it counts under.

use core::fmt::Write as _;
use core::str::FromStr;

use crate::limits::MAX_PATH_CHARS;

pub mod templates;

/// Which segments are replaced by a placeholder, so that a million users are one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathPolicy {
    /// Decimal numbers become `:id`.
    pub numbers: bool,
    /// UUIDs (RFC 9562, with dashes) become `:uuid`.
    pub uuids: bool,
    /// Hexadecimal texts of 16 digits and more, with at least one digit 0–9, become `:hash`.
    pub hashes: bool,
}

/// Why a policy's text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rule for ids in paths: expected \"off\", or some of \"number\", \"uuid\", \"hash\" separated by commas")]
pub struct PathPolicyError(String);

impl Default for PathPolicy {
    fn default() -> Self {
        Self { numbers: true, uuids: true, hashes: true }
    }
}

impl FromStr for PathPolicy {
    type Err = PathPolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut policy = Self { numbers: false, uuids: false, hashes: false };
        if text.trim() == "off" {
            return Ok(policy);
        }
        for rule in text.split(',').map(str::trim) {
            match rule {
                "number" => policy.numbers = true,
                "uuid" => policy.uuids = true,
                "hash" => policy.hashes = true,
                _ => return Err(PathPolicyError(rule.to_owned())),
            }
        }
        Ok(policy)
    }
}

impl PathPolicy {
    /// The path that `target` counts under: query and fragment dropped, dot segments (RFC 3986
    /// section 5.2.4, also written `%2e`) and duplicate slashes resolved, ids replaced, control
    /// characters percent-encoded, cut to 512 characters. Other percent-encoding stays: `%2F` is
    /// not a separator. Applying it twice changes nothing.
    #[must_use]
    pub fn apply(&self, target: &str) -> String {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let mut segments: Vec<&str> = Vec::new();
        let mut ends_open = true;
        for segment in path.split('/') {
            ends_open = false;
            match dots(segment) {
                Dots::None if segment.is_empty() => ends_open = true,
                Dots::None => segments.push(self.placeholder(segment).unwrap_or(segment)),
                Dots::Current => ends_open = true,
                Dots::Parent => {
                    segments.pop();
                    ends_open = true;
                }
            }
        }
        let mut kept = String::with_capacity(path.len() + 1);
        for segment in &segments {
            kept.push('/');
            kept.push_str(segment);
        }
        if ends_open || kept.is_empty() {
            kept.push('/');
        }
        limit(encode_controls(kept))
    }

    /// What a segment becomes, if it is an id.
    pub(crate) fn placeholder(self, segment: &str) -> Option<&'static str> {
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = || segment.bytes().all(|b| b.is_ascii_digit());
        if self.numbers && segment.len() <= 20 && digits() {
            Some(":id")
        } else if self.uuids && is_uuid(segment) {
            Some(":uuid")
        } else if self.hashes
            && segment.len() >= 16
            && hex(segment)
            && segment.bytes().any(|b| b.is_ascii_digit())
        {
            Some(":hash")
        } else {
            None
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

enum Dots {
    None,
    Current,
    Parent,
}

/// `.`, `..` and their percent-encoded forms, as the WHATWG URL standard reads them.
fn dots(segment: &str) -> Dots {
    if segment.len() > 6 || !segment.starts_with(['.', '%']) {
        return Dots::None;
    }
    match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "." => Dots::Current,
        ".." => Dots::Parent,
        _ => Dots::None,
    }
}

fn encode_controls(path: String) -> String {
    if !path.chars().any(char::is_control) {
        return path;
    }
    let mut encoded = String::with_capacity(path.len() + 8);
    for char in path.chars() {
        if char.is_control() {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                // Writing to a `String` never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(char);
        }
    }
    encoded
}

/// Cuts at 512 characters, never within a percent-encoded byte.
fn limit(mut path: String) -> String {
    let Some((end, _)) = path.char_indices().nth(MAX_PATH_CHARS) else {
        return path;
    };
    path.truncate(end);
    if let Some(at) = path.rfind('%').filter(|at| path.len() - at < 3) {
        path.truncate(at);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::check_path;
    use proptest::prelude::*;

    #[test]
    fn targets_become_paths() {
        let policy = PathPolicy::default();
        for (target, path) in [
            ("/api/foo?x=1#y", "/api/foo"),
            ("/", "/"),
            ("", "/"),
            ("?q", "/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/../..", "/"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/users/42/posts/7", "/users/:id/posts/:id"),
            ("/u/550e8400-e29b-41d4-a716-446655440000", "/u/:uuid"),
            ("/f/d41d8cd98f00b204e9800998ecf8427e.js", "/f/d41d8cd98f00b204e9800998ecf8427e.js"),
            ("/f/d41d8cd98f00b204e9800998ecf8427e", "/f/:hash"),
            ("/f/deadbeefdeadbeef", "/f/deadbeefdeadbeef"),
            ("/a%2Fb/c:d/e f/🦀", "/a%2Fb/c:d/e f/🦀"),
            ("/...", "/..."),
            ("/v2/items", "/v2/items"),
            ("/a\nb", "/a%0Ab"),
        ] {
            assert_eq!(policy.apply(target), path, "{target}");
        }
    }

    #[test]
    fn rules_can_be_off() {
        let off: PathPolicy = "off".parse().unwrap();
        assert_eq!(off.apply("/users/42"), "/users/42");
        let some: PathPolicy = "uuid, hash".parse().unwrap();
        assert_eq!(some.apply("/users/42"), "/users/42");
        assert!("numbers".parse::<PathPolicy>().unwrap_err().to_string().contains("\"numbers\""));
    }

    #[test]
    fn a_long_path_is_cut_between_characters_and_encoded_bytes() {
        let policy = PathPolicy::default();
        let cut = policy.apply(&format!("/{}", "é".repeat(600)));
        assert_eq!(cut.chars().count(), MAX_PATH_CHARS);
        let cut = policy.apply(&format!("/{}%F0%9F", "a".repeat(MAX_PATH_CHARS - 3)));
        assert_eq!(cut.len(), MAX_PATH_CHARS - 2);
        assert!(cut.ends_with('a'));
    }

    proptest! {
        #[test]
        fn any_target_becomes_a_valid_path_and_stays_it(target in "\\PC{0,40}|(/[a-z0-9.%?#\\x00-\\x1f]{0,12}){0,60}") {
            let policy = PathPolicy::default();
            let path = policy.apply(&target);
            prop_assert_eq!(check_path(&path), Ok(()));
            prop_assert_eq!(policy.apply(&path), path);
        }
    }
}
