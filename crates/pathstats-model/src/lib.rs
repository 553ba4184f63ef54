//! The vocabulary and every decision of pathstats.
//!
//! Nothing here does I/O: no clock, no randomness, no `worker` crate. Time is an argument. What a
//! Worker decides, it decides by a function of this crate, so that it is tested natively.
//!
//! | to find | look in |
//! | --- | --- |
//! | what an event is, and why one is refused | [`event`], [`event_id`], [`message`] |
//! | what is recorded of a request | [`path_policy`], [`client_ip`], [`sampling`] |
//! | hours, days and keys | [`hour`] |
//! | what is counted | [`stats`], [`cells`], [`latency`], [`clients`] |
//! | exactly once | [`ingest`], [`aggregator`], [`ledger`], [`packed`] |
//! | how many paths an hour may have | [`budget`] |
//! | when things happen | [`cadence`], [`backoff`], [`snapshot`], [`snapshot_memo`], [`snapshot_passing`], [`freshness`] |
//! | the whole system over time | [`totals`] |
//! | how long things stay | [`retention`], [`rollup`], [`capacity`] |
//! | which database holds what, where there are several | [`sharding`] |
//! | what could not be counted, and trying it again | [`dead_letters`] |
//! | whether all that came is accounted for | [`completeness`] |
//! | whether all is well, and who is told when it is not | [`health`], [`alerts`] |
//! | what Prometheus and Analytics Engine are told | [`exposition`], [`analytics`] |
//! | what it costs, how far it goes | [`cost`] |
//! | what crosses between Workers | [`calls`], [`problem`] |
//! | what every HTTP answer has in common | [`http`] |
//! | who may do what, and what was done | [`access`], [`audit`] |
//! | limits and configuration | [`limits`], [`config`] |

pub mod access;
pub mod aggregator;
pub mod alerts;
pub mod analytics;
pub mod api;
pub mod audit;
pub mod backoff;
pub mod budget;
pub mod cadence;
pub mod calls;
pub mod capacity;
pub mod cells;
pub mod client_ip;
pub mod clients;
pub mod completeness;
pub mod config;
pub mod cost;
pub mod dead_letters;
pub mod event;
pub mod event_id;
pub mod exposition;
pub mod freshness;
pub mod health;
pub mod hour;
pub mod http;
pub mod ingest;
pub mod latency;
pub mod ledger;
pub mod limits;
pub mod log_level;
pub mod message;
pub mod packed;
pub mod path_policy;
pub mod problem;
pub mod recent;
pub mod retention;
pub mod rollup;
pub mod sampling;
#[cfg(feature = "schema")]
mod schema;
pub mod sharding;
pub mod snapshot;
pub mod snapshot_asks;
pub mod snapshot_memo;
pub mod snapshot_passing;
pub mod stats;
pub mod totals;

pub use event::{EventError, TrafficEvent};
pub use event_id::EventId;
pub use hour::{EventDate, HourBucket, PathHour};
pub use stats::PathHourStats;
