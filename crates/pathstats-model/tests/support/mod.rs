//! A world in memory: a D1 twin, objects over in-memory logs, a queue, and a plan of faults.
#![allow(dead_code, unused_imports, reason = "each test binary takes what it needs of the world")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken world shall stop its test"
)]

pub mod alerts;
pub mod budget;
pub mod database;
pub mod events;
pub mod executor;
pub mod faults;
pub mod letters;
pub mod object;
pub mod queue;
pub mod recount;
pub mod spread;
pub mod world;

pub use events::{event, json, json_with, packed_message};
pub use queue::Queue;
pub use world::World;

use pathstats_model::cadence::Cadence;

/// The cadence that the Workers have by default.
pub const CADENCE: Cadence = Cadence { flush_after_ms: 30_000, forward_after_ms: 10_000 };

/// A Friday afternoon, ten minutes into its hour.
pub const NOW: i64 = 1_760_537_400_000;
