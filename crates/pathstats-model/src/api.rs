//! The HTTP API: its operations, what their parameters say, and what they answer.
//!
//! | | in |
//! | --- | --- |
//! | every operation, as a table that the Worker routes by and the OpenAPI document is made from | [`operations`] |
//! | names and values of a query | [`given`] |
//! | ranges of time, their hours and days, time zones | [`period`] |
//! | figures with their bounds | [`figures`] |

pub mod figures;
pub mod given;
pub mod operations;
pub mod period;
