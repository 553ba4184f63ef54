//! What `GET /admin/cost` answers: what ran, and what a month of it costs.

use serde::{Deserialize, Serialize};

use super::bill::{Bill, MONTH_DAYS};
use super::operations::{Operation, Operations, Storage};
use super::simulation::measured::worker_cpu_ms;
use crate::api::period::Hours;
use crate::hour::{HourBucket, DAY_MS, HOUR_MS};

/// What the meter has of a range of hours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeteredHours {
    /// The first hour that anything was added up in.
    pub first: Option<HourBucket>,
    /// By Worker.
    pub workers: Vec<WorkerOperations>,
    /// What is stored now. Objects and KV cannot be asked.
    pub storage: Storage,
}

/// What one Worker did.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerOperations {
    /// Its name.
    pub worker: String,
    /// Hours in which it added up anything.
    pub hours: u64,
    /// What it did.
    pub counts: Operations,
}

/// What ran, and what a month of it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Cost"))]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// The first hour, UTC.
    pub from: HourBucket,
    /// The first hour that is not part of it, UTC.
    pub to: HourBucket,
    /// Hours that the counts are of: from when the meter began, up to now.
    pub hours: f64,
    /// Events counted for the first time.
    pub events: u64,
    /// Each operation, all Workers together.
    pub operations: Vec<OperationCount>,
    /// The same by Worker.
    pub workers: Vec<WorkerCounts>,
    /// Size of the database.
    pub d1_bytes: u64,
    /// Size of the archive.
    pub r2_bytes: u64,
    /// What 30 days at this rate cost; `null` while nothing was metered.
    pub month: Option<Bill>,
}

/// How often an operation happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperationCount {
    /// Its name.
    pub operation: String,
    /// How often.
    pub count: u64,
    /// How often for a million events; `null` without events.
    pub per_million_events: Option<f64>,
    /// Whether it was estimated from the others, since no Worker can measure it.
    pub estimated: bool,
}

/// What one Worker did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkerCounts {
    /// Its name; the consumer's objects are with the consumer.
    pub worker: String,
    /// Each operation that happened.
    pub operations: Vec<OperationCount>,
}

impl CostReport {
    /// Of what was metered. The month is thirty days of what the covered hours had.
    #[must_use]
    pub fn new(hours: Hours, metered: &MeteredHours, now_ms: i64) -> Self {
        let mut all = Operations::NONE;
        for worker in &metered.workers {
            all.merge(&worker.counts);
        }
        all.add(Operation::WorkerCpuMs, worker_cpu_ms(&all));
        let events = all.get(Operation::Events);
        let covered_ms = metered.first.map_or(0, |first| {
            (hours.to.start_ms().min(now_ms) - hours.from.start_ms().max(first.start_ms())).max(60_000)
        });
        #[allow(clippy::cast_precision_loss, reason = "a time in milliseconds is far below 2^53")]
        let (covered, month) = (covered_ms as f64, MONTH_DAYS * DAY_MS as f64);
        #[allow(clippy::cast_precision_loss, reason = "an hour")]
        let covered_hours = (covered / HOUR_MS as f64 * 100.0).round() / 100.0;
        Self {
            from: hours.from,
            to: hours.to,
            hours: covered_hours,
            events,
            operations: Operation::ALL.map(|of| OperationCount::new(of, all.get(of), events)).to_vec(),
            workers: metered.workers.iter().map(|worker| WorkerCounts::new(worker, events)).collect(),
            d1_bytes: metered.storage.d1_bytes,
            r2_bytes: metered.storage.r2_bytes,
            month: (covered > 0.0).then(|| Bill::of_month(&all.times(month / covered), &metered.storage)),
        }
    }
}

impl OperationCount {
    fn new(operation: Operation, count: u64, events: u64) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let share = (events > 0).then(|| (count as f64 * 1e6 / events as f64).round());
        Self {
            operation: operation.name().to_owned(),
            count,
            per_million_events: share,
            estimated: operation == Operation::WorkerCpuMs,
        }
    }
}

impl WorkerCounts {
    fn new(worker: &WorkerOperations, events: u64) -> Self {
        let counted = worker.counts.counted().map(|(of, count)| OperationCount::new(of, count, events));
        Self { worker: worker.worker.clone(), operations: counted.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str) -> Hours {
        Hours { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn a_month_is_projected_from_the_hours_that_were_metered() {
        let counts = [(Operation::Events, 1_000_000), (Operation::D1RowsWritten, 1_100_000)];
        let metered = MeteredHours {
            first: Some("2025-10-15T04".parse().unwrap()),
            workers: vec![WorkerOperations {
                worker: "consumer".to_owned(),
                hours: 10,
                counts: counts.into_iter().collect(),
            }],
            storage: Storage { r2_bytes: 110_000_000_000, ..Storage::default() },
        };
        let range = hours("2025-10-14T14", "2025-10-15T15");
        // Ten hours and a half: from 04:00, when the meter began, to half past two.
        let now = range.to.start_ms() - HOUR_MS / 2;
        let report = CostReport::new(range, &metered, now);
        assert!((report.hours - 10.5).abs() < 1e-9);
        let rows = report.operations.iter().find(|count| count.operation == "d1_rows_written").unwrap();
        assert_eq!((rows.count, rows.per_million_events), (1_100_000, Some(1_100_000.0)));
        let bill = report.month.clone().unwrap();
        // 1.1 M rows in 10.5 h are 75.43 M in 720 h; 50 M are included.
        assert_eq!((bill.of_product("D1"), bill.of_product("R2")), (25.43, 1.5));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<CostReport>(&json).unwrap(), report);
    }

    #[test]
    fn a_meter_that_has_nothing_projects_nothing() {
        let report = CostReport::new(hours("2025-10-14T14", "2025-10-15T15"), &MeteredHours::default(), 0);
        assert_eq!((report.month, report.events, report.operations[0].per_million_events), (None, 0, None));
    }
}
