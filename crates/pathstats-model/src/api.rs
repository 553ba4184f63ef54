//! The HTTP API: its operations, what their parameters say, and what they answer.
//!
//! | | in |
//! | --- | --- |
//! | every operation, as a table that the Worker routes by and the OpenAPI document is made from | [`operations`] |
//! | names and values of a query | [`given`] |
//! | ranges of time, their hours and days, time zones | [`period`] |
//! | what is answered | [`answers`], [`session`], [`liveness`] |
//! | the whole system, searching | [`metrics`], [`search`] |
//! | figures with their bounds, and series of them | [`figures`], [`series`] |

pub mod answers;
pub mod figures;
pub mod given;
pub mod liveness;
pub mod metrics;
pub mod operations;
pub mod period;
pub mod search;
pub mod series;
pub mod session;
