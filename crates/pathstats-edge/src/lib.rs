//! Adapters between the decisions of `pathstats-model` and the Workers platform.
//!
//! Everything here does I/O and decides nothing. It is tested inside workerd with real bindings.

pub mod access;
pub mod alert_run;
pub mod alert_store;
pub mod analytics;
pub mod answer_cache;
pub mod archive_rows;
pub mod archive_store;
pub mod at_once;
pub mod audit_store;
pub mod bindings;
pub mod budget_calls;
pub mod budget_store;
pub mod capacity_store;
pub mod clock;
pub mod counted_as;
pub mod daily_store;
pub mod database;
pub mod databases;
pub mod fan_out;
pub mod health_sources;
pub mod health_store;
pub mod http;
pub mod layout_store;
pub mod ledger;
pub mod ledger_store;
pub mod letter_store;
pub mod metered;
pub mod microtasks;
pub mod object_log;
pub mod path_sums;
pub mod queue;
pub mod queues;
pub mod random;
pub mod series_store;
pub mod snapshot_build;
pub mod snapshot_rows;
pub mod snapshot_store;
pub mod telemetry;
mod text_rows;
pub mod totals;
pub mod totals_store;
pub mod usage;
pub mod usage_store;
pub mod webhook;
pub mod worker_call;
