//! Records the requests of a Rust Worker as pathstats events, in three lines:
//!
//! ```ignore
//! #[event(fetch)]
//! async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
//!     let recorder = Recorder::from_env(&env)?;
//!     let started = recorder.start(request.inner());
//!     let response = answer(request).await?;
//!     recorder.record(&context, started, response.status_code());
//!     Ok(response)
//! }
//! ```
//!
//! The Worker needs the bindings `TRAFFIC_QUEUE` (a producer of the queue `traffic-events`) and
//! `D1` (the outbox), and the secret `IP_HASH_SECRET`. `RECORD_LIMIT`, a rate limit, is used if
//! it is there. The variables are those of [`RecorderConfig`](pathstats_model::config::RecorderConfig).
//! Recording runs in `waitUntil`: the client never waits for statistics, and no failure reaches it.
//!
//! What cannot be recorded is told by [`tracing`]: with [`log_to_console`] at the beginning of a request it is
//! written as lines of JSON, and a Worker with a subscriber of its own finds it there.

mod drops;
mod outbox;
mod recorder;

pub use drops::{count_drops, DropReason};
pub use outbox::{deliver_events, Delivered};
pub use pathstats_edge::telemetry::start as log_to_console;
pub use recorder::{Recorder, RecorderError, Started};
