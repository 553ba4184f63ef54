//! The platform's clock. It stands still between I/O, on purpose of the platform.

use core::future::Future;
use core::pin::pin;
use core::time::Duration;

use futures_util::future::{select, Either};
use wasm_bindgen::JsValue;
use worker::durable::ScheduledTime;
use worker::Delay;

/// Milliseconds since the epoch.
#[must_use]
pub fn now_ms() -> i64 {
    // A time in milliseconds is far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    let now = js_sys::Date::now() as i64;
    now
}

/// A moment, in milliseconds since the epoch, as an alarm takes it: a bare `i64` would be read as
/// an offset from now. It lies a millisecond ahead at the least, since an alarm set for this very
/// millisecond from within an alarm can be lost.
#[must_use]
pub fn alarm_time(at_ms: i64) -> ScheduledTime {
    // A time in milliseconds is far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let at = at_ms.max(now_ms() + 1) as f64;
    ScheduledTime::new(js_sys::Date::new(&JsValue::from_f64(at)))
}

/// What a future comes to within a time, or none. It is dropped then; what it began elsewhere may
/// still go on.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), Delay::from(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}
