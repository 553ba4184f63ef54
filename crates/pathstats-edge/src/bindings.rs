//! Names of bindings and variables, once. A test holds them against the wrangler configs.

use pathstats_model::config::Variables;
use worker::Env;

pub use crate::counted_as;

/// The D1 database. Further ones are `D1_1`, `D1_2` and so on: see [`databases`](crate::databases).
pub const D1: &str = "D1";
/// The KV namespace of snapshots and the heartbeat.
pub const KV: &str = "KV";
/// The R2 bucket of archives.
pub const R2_ARCHIVE: &str = "R2_ARCHIVE";
/// The queue of events: the producer fills it, the api asks how much waits. Further ones are `TRAFFIC_QUEUE_1`,
/// `TRAFFIC_QUEUE_2` and so on: see [`queues`](crate::queues).
pub const TRAFFIC_QUEUE: &str = "TRAFFIC_QUEUE";
/// The objects that count, one a path and hour.
pub const AGGREGATOR_DO: &str = "AGGREGATOR_DO";
/// The objects that admit paths, one an hour.
pub const BUDGET_DO: &str = "BUDGET_DO";
/// The object that rebuilds the snapshot.
pub const SNAPSHOT_DO: &str = "SNAPSHOT_DO";
/// The Analytics Engine dataset.
pub const TRAFFIC_ANALYTICS: &str = "TRAFFIC_ANALYTICS";
/// The Worker that the producer proxies.
pub const ORIGIN: &str = "ORIGIN";
/// The api, from other Workers.
pub const API: &str = "API";
/// The archiver, from the api.
pub const ARCHIVER: &str = "ARCHIVER";
/// The consumer, from itself and from the api.
pub const CONSUMER: &str = "CONSUMER";
/// Limits the events recorded for one client address.
pub const RECORD_LIMIT: &str = "RECORD_LIMIT";
/// Limits failed tries of the ingest token.
pub const COLLECT_LIMIT: &str = "COLLECT_LIMIT";
/// Limits failed tries of the api's tokens.
pub const SIGN_IN_LIMIT: &str = "SIGN_IN_LIMIT";

/// Name of the one [`SNAPSHOT_DO`] object.
pub const SNAPSHOT_OBJECT: &str = "snapshot";

/// Ending of the name of the queue of messages whose attempts are used up.
pub const DEAD_LETTER_QUEUE_ENDING: &str = "-dlq";

/// Variables and secrets of a Worker.
#[derive(Debug, Clone, Copy)]
pub struct EnvVariables<'a>(pub &'a Env);

impl Variables for EnvVariables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.var(name).ok().map(|value| value.to_string())
    }
}
