//! Names under which Workers add up what they did.

/// The producer, and whoever records by the collector.
pub const PRODUCER: &str = "producer";
/// The consumer and its objects.
pub const CONSUMER: &str = "consumer";
/// The api.
pub const API: &str = "api";
/// The archiver.
pub const ARCHIVER: &str = "archiver";
