//! How long a message waits before it is delivered again.

use crate::limits::REPLAY_HORIZON_MS;

/// Longest wait, in seconds.
pub const MAX_DELAY_SECONDS: u32 = 3_600;

/// Attempts after which the queue gives a message to the dead-letter queue: the `max_retries` of
/// the wrangler configs, which a test holds to it.
pub const MAX_RETRIES: u32 = 10;

/// `base · 2^attempts` seconds, 3,600 at most, where `attempts` counts the deliveries that failed
/// before this one: 60, 120, 240 and so on for a base of 60.
#[must_use]
pub fn delay_seconds(base_seconds: u32, failed_before: u32) -> u32 {
    let factor = 1u32.checked_shl(failed_before).unwrap_or(u32::MAX);
    base_seconds.saturating_mul(factor).clamp(1, MAX_DELAY_SECONDS)
}

const _: () = assert!(
    (MAX_RETRIES as i64) * (MAX_DELAY_SECONDS as i64) * 1000 < REPLAY_HORIZON_MS,
    "a message must end its retries while the objects still know its ids"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<u32> = (0..8).map(|n| delay_seconds(60, n)).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(delay_seconds(60, 1000), MAX_DELAY_SECONDS);
        assert_eq!(delay_seconds(0, 3), 1);
    }
}
