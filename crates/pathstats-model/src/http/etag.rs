//! Entity tags: whether a client already has what it asks for (RFC 9110 sections 8.8.3 and 13.1.2).
//!
//! They are weak. The same answer may go out compressed or not, and those are not the same bytes.

use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Bytes of a digest that make a tag: by chance two of 2^48 bodies have the same.
const TAG_BYTES: usize = 12;

/// Longest `If-None-Match` that is read, in bytes: some sixty tags of ours.
const MAX_HEADER_BYTES: usize = 2_000;

/// The tag of a body.
#[must_use]
pub fn of_body(body: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let short: Vec<u8> = digest.into_iter().take(TAG_BYTES).collect();
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(short))
}

/// The tag of something that has a version and an answer that follows from it and from `question`: the
/// parameters as they were understood. For bodies that also tell something else, such as their age.
#[must_use]
pub fn of_version(version: u64, question: &str) -> String {
    of_body(format!("{version} {question}").as_bytes())
}

/// Whether the header `If-None-Match` names this tag, by weak comparison: the client has the answer.
#[must_use]
pub fn is_known(if_none_match: &str, tag: &str) -> bool {
    let header = if_none_match.trim();
    if header.len() > MAX_HEADER_BYTES {
        return false;
    }
    if header == "*" {
        return true;
    }
    let Some(own) = opaque(tag) else { return false };
    let mut rest = header;
    // A list: tags with commas between. A tag may hold commas itself, so it is read, not split.
    while let Some(tag) = opaque(rest) {
        if tag == own {
            return true;
        }
        let read = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(after) = read.get(tag.len() + 2..) else { return false };
        let Some(next) = after.trim_start().strip_prefix(',') else { return false };
        // Empty elements of a list count for nothing (RFC 9110 section 5.6.1.2).
        rest = next.trim_start_matches([' ', '\t', ',']);
    }
    false
}

/// What stands between the quotes of the tag at the beginning of a text.
fn opaque(text: &str) -> Option<&str> {
    text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?.split_once('"').map(|(opaque, _)| opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_that_of_its_body() {
        let tag = of_body(b"{}");
        assert_eq!(tag, "W/\"RBNvo1WzZ4oRRq0W\"", "pinned: the first 12 bytes of SHA-256");
        assert_ne!(of_body(b"{ }"), tag);
        assert_ne!(of_version(1, "a"), of_version(1, "b"));
        assert_ne!(of_version(1, "a"), of_version(2, "a"));
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = "W/\"abc\"";
        for known in [
            "W/\"abc\"",
            "\"abc\"",
            "*",
            " * ",
            "\"x\", W/\"abc\"",
            "\"x\",\"y\",\"abc\"",
            "\"a,b\" ,, W/\"abc\" , \"z\"",
            "\"\", \"abc\"",
        ] {
            assert!(is_known(known, tag), "{known}");
        }
        for other in [
            "",
            "abc",
            "\"abd\"",
            "W/\"ab\"",
            "\"abc",
            "\"x\" \"abc\"",
            "w/\"abc\"",
            "\"x\", *",
            "\"a,\"abc\"",
            "\"W/\"abc\"\"",
        ] {
            assert!(!is_known(other, tag), "{other}");
        }
        assert!(is_known("\"abc\"", "\"abc\"") && !is_known("\"abc\"", "no tag"));
        assert!(!is_known(&format!("{}\"abc\"", "\"x\",".repeat(600)), tag), "a long list is not read");
    }
}
