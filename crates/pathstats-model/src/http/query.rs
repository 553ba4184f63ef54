//! What an address must not hold: addresses stay in histories, in logs and in the `Referer` of links.

use crate::problem::Problem;

/// Longest query, in bytes.
pub const MAX_QUERY_BYTES: usize = 4_000;

/// Names under which people put a token into an address, in lower case and with `_`.
const TOKEN_NAMES: [&str; 7] =
    ["token", "access_token", "api_key", "apikey", "auth_token", "read_token", "admin_token"];

/// What to answer to an address whose query has a parameter of this (decoded) name, if it must not be
/// there. The value is not looked at, so that it cannot be told.
#[must_use]
pub fn refuse(name: &str) -> Option<Problem> {
    let plain = name.trim().to_ascii_lowercase().replace('-', "_");
    let known = TOKEN_NAMES.iter().find(|known| **known == plain)?;
    let detail = format!(
        "parameter `{known}`: a token in an address ends up in logs. Send `Authorization: Bearer <token>`, \
         and replace the token that was sent"
    );
    Some(Problem::new(400, "token_in_address", "A token must not be in the address", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_address_is_refused_by_its_name() {
        for name in ["token", "access_token", "api_key", "Access-Token", "API_KEY", "apiKey", " token"] {
            let problem = refuse(name).unwrap();
            assert_eq!(problem.status, 400);
            assert!(problem.detail.contains("Authorization: Bearer"), "{}", problem.detail);
        }
        for name in ["path", "tokens", "cursor", "tok", "", "from"] {
            assert_eq!(refuse(name), None, "{name}");
        }
    }
}
