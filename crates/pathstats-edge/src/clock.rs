//! The platform's clock. It stands still between I/O, on purpose of the platform.

/// Milliseconds since the epoch.
#[must_use]
pub fn now_ms() -> i64 {
    // A time in milliseconds is far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    let now = js_sys::Date::now() as i64;
    now
}
