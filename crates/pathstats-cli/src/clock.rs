//! The only place of this program that asks what time it is. Everything else takes time as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
// A native program has a clock. The ban is for the core, which also runs where there is none.
#[allow(clippy::disallowed_methods)]
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// A point on the monotonic clock, for measuring how long something took.
// The same reason as above.
#[allow(clippy::disallowed_methods)]
pub fn instant() -> Instant {
    Instant::now()
}
