//! What running pathstats costs, and how far it goes.
//!
//! | to find | look in |
//! | --- | --- |
//! | what is billed, and counts of it | [`operations`] |
//! | what a unit costs, with its source | [`prices`] |
//! | a month's bill by line | [`bill`] |
//! | when a Worker adds up what it counted | [`meter`] |
//! | what `GET /admin/cost` answers | [`report`] |
//! | limits of the platform, with their source | [`platform`] |
//! | a load, and what it comes to | [`workload`], [`simulation`], [`daily`], [`outlook`] |

pub mod bill;
pub mod daily;
pub mod meter;
pub mod operations;
pub mod outlook;
pub mod platform;
pub mod prices;
pub mod report;
pub mod simulation;
pub mod workload;

pub use bill::{Bill, BillLine};
pub use operations::{Operation, Operations, Storage};
