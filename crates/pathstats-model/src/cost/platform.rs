//! Limits of the platform's paid plan that a growing load meets, with their source.

const QUEUES: &str = "https://developers.cloudflare.com/queues/platform/limits/";
const D1: &str = "https://developers.cloudflare.com/d1/platform/limits/";
const OBJECTS: &str = "https://developers.cloudflare.com/durable-objects/platform/limits/";
const KV: &str = "https://developers.cloudflare.com/kv/platform/limits/";

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub name: &'static str,
    /// The most.
    pub most: f64,
    /// The unit.
    pub unit: &'static str,
    /// The page that says so.
    pub source: &'static str,
    /// What to do about it, in a few words.
    pub remedy: &'static str,
}

/// Messages a second that one queue takes.
pub const QUEUE_MESSAGES: Limit = Limit {
    name: "messages of the queue",
    most: 5_000.0,
    unit: "messages/s",
    source: QUEUES,
    remedy: "more events in a message (POST /collect), or several queues",
};

/// Consumer invocations of one queue that run at once.
pub const CONSUMERS: Limit = Limit {
    name: "consumers at once",
    most: 250.0,
    unit: "invocations",
    source: QUEUES,
    remedy: "several queues",
};

/// Size of a database.
pub const D1_SIZE: Limit = Limit {
    name: "size of the database",
    most: 10e9,
    unit: "bytes",
    source: D1,
    remedy: "shorter retention, or several databases",
};

/// A database works on one query at a time.
pub const D1_TIME: Limit = Limit {
    name: "time of the database",
    most: 1.0,
    unit: "s of work a second",
    source: D1,
    remedy: "a slower snapshot, fewer paths, or several databases",
};

/// Requests a second that one object takes.
pub const OBJECT_REQUESTS: Limit = Limit {
    name: "calls of the busiest object",
    most: 1_000.0,
    unit: "requests/s",
    source: OBJECTS,
    remedy: "more events in a batch, or sampling of that route",
};

/// Writes a second to one key.
pub const KV_KEY: Limit = Limit {
    name: "writes of the snapshot's pointer",
    most: 1.0,
    unit: "writes/s",
    source: KV,
    remedy: "SNAPSHOT_SECONDS of 2 or more",
};
