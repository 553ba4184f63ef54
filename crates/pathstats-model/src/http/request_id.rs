//! What a request is called, in its answer and in the logs.

/// The header: in requests, in answers, and from Worker to Worker.
pub const REQUEST_ID: &str = "X-Request-Id";

/// Whether a client's own id may be used: `^[A-Za-z0-9._-]{8,64}$`. Long enough to be its own, and
/// nothing in it that could break a line of a log.
#[must_use]
pub fn is_acceptable(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The client's id, else one of these 128 random bits.
#[must_use]
pub fn choose(presented: Option<&str>, random: u128) -> String {
    presented.filter(|id| is_acceptable(id)).map_or_else(|| format!("{random:032x}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_when_it_is_one() {
        for id in ["12345678", "a.b_c-D9", &"x".repeat(64), "7335d417-61da-459d-899c-0a01c76a2f94"] {
            assert_eq!(choose(Some(id), 1), id);
        }
        for id in ["", "1234567", &"x".repeat(65), "with space", "line\nbreak", "quote\"quote", "ünïcödé!"]
        {
            assert_eq!(choose(Some(id), 1), "00000000000000000000000000000001", "{id}");
        }
        assert!(is_acceptable(&choose(None, u128::MAX)));
    }
}
