//! How long to wait before a body is sent again.

use std::time::Duration;

/// The first wait. Each further one is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait, whatever the destination asks for.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest wait of our own choice.
const LONGEST_OWN: Duration = Duration::from_secs(30);

/// The wait before attempt `attempt` (1 is the first repetition). What the destination asks for
/// (`Retry-After`) is kept; otherwise the wait doubles. `random` spreads the senders over the
/// upper half of the wait, so that they do not all come back at once.
pub fn delay(attempt: u32, retry_after: Option<Duration>, random: u64) -> Duration {
    if let Some(asked) = retry_after {
        return asked.min(LONGEST);
    }
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST_OWN);
    let half = doubled / 2;
    let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(random % spread)
}

/// `Retry-After` in seconds. A date is not read: the wait then is our own.
pub fn retry_after(header: Option<&str>) -> Option<Duration> {
    header?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_spread_over_their_upper_half() {
        for (attempt, longest_ms) in [(1, 250), (2, 500), (4, 2_000), (8, 30_000), (40, 30_000)] {
            for random in [0, 12_345_678_901, u64::MAX] {
                let ms = delay(attempt, None, random).as_millis();
                assert!((longest_ms / 2..=longest_ms).contains(&ms), "{attempt}: {ms}");
            }
        }
    }

    #[test]
    fn what_the_destination_asks_for_is_kept_within_a_minute() {
        assert_eq!(delay(5, retry_after(Some("2")), 9), Duration::from_secs(2));
        assert_eq!(delay(1, retry_after(Some("0")), 9), Duration::ZERO);
        assert_eq!(delay(1, retry_after(Some("86400")), 9), LONGEST);
        assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
