//! Names under which Workers add up what they did.

/// The producer, and whoever records by the collector.
pub const THE_PRODUCER: &str = "producer";
/// The consumer and its objects.
pub const THE_CONSUMER: &str = "consumer";
/// The api.
pub const THE_API: &str = "api";
/// The archiver.
pub const THE_ARCHIVER: &str = "archiver";
