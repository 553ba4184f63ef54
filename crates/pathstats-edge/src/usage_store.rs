//! The D1 statements of the cost meter.

use pathstats_model::cost::report::{MeteredHours, WorkerOperations};
use pathstats_model::cost::{Operation, Operations};
use pathstats_model::HourBucket;
use serde::Deserialize;
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;
use worker::Result;

use crate::database::count;
use crate::metered::D1Database;

/// The table of operations.
#[derive(Debug)]
pub struct UsageStore {
    d1: D1Database,
}

impl UsageStore {
    /// The table behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1) }
    }

    /// Adds counts to an hour of a Worker.
    ///
    /// # Errors
    ///
    /// When D1 refuses. The counts may still have been added: they are told to be estimates.
    pub async fn add(&self, hour: HourBucket, worker: &str, counts: &Operations) -> Result<()> {
        let names = Operation::ALL.map(Operation::name);
        let places: Vec<String> = (3..names.len() + 3).map(|at| format!("?{at}")).collect();
        let sums = names.map(|name| format!("{name} = {name} + excluded.{name}"));
        let upsert = format!(
            "INSERT INTO operations_hourly (hour_bucket, worker, {}) VALUES (?1, ?2, {}) \
             ON CONFLICT (hour_bucket, worker) DO UPDATE SET {}",
            names.join(", "),
            places.join(", "),
            sums.join(", ")
        );
        let mut values: Vec<JsValue> = vec![hour.to_string().into(), worker.into()];
        values.extend(Operation::ALL.map(|operation| count(counts.get(operation))));
        self.d1.prepare(upsert).bind(&values)?.run().await?;
        Ok(())
    }

    /// What the Workers did in the hours from `from` to `to`, both included, and what is stored now. Reads a row
    /// a Worker and hour, and one a day that is archived.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn metered(&self, from: HourBucket, to: HourBucket) -> Result<MeteredHours> {
        #[derive(Deserialize)]
        struct Row {
            worker: String,
            hours: u64,
            first: HourBucket,
            #[serde(flatten)]
            counts: Map<String, Value>,
        }
        #[derive(Deserialize)]
        struct Archived {
            bytes: u64,
        }
        const ARCHIVED: &str = "SELECT coalesce(sum(file_size_bytes), 0) AS bytes FROM archive_metadata";
        let sums = Operation::ALL.map(Operation::name).map(|name| format!("sum({name}) AS {name}"));
        let select = format!(
            "SELECT worker, count(*) AS hours, min(hour_bucket) AS first, {} FROM operations_hourly \
             WHERE hour_bucket BETWEEN ?1 AND ?2 GROUP BY worker ORDER BY worker",
            sums.join(", ")
        );
        let hours = self.d1.prepare(select).bind(&[from.to_string().into(), to.to_string().into()])?;
        let results = self.d1.batch(vec![hours, self.d1.prepare(ARCHIVED)]).await?;
        let mut metered = MeteredHours::default();
        let Some(first) = results.first() else { return Ok(metered) };
        for row in first.results::<Row>()? {
            metered.first = Some(metered.first.map_or(row.first, |first| first.min(row.first)));
            let count = |name: &str| row.counts.get(name).and_then(Value::as_f64).unwrap_or_default();
            // Counts are far below 2^53, and never negative.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let counts = Operation::ALL.into_iter().map(|of| (of, count(of.name()) as u64)).collect();
            metered.workers.push(WorkerOperations { worker: row.worker, hours: row.hours, counts });
        }
        // The size comes with every statement.
        metered.storage.d1_bytes = first.meta()?.and_then(|meta| meta.size_after).unwrap_or(0) as u64;
        if let Some(archived) = results.get(1) {
            metered.storage.r2_bytes = archived.results::<Archived>()?.first().map_or(0, |row| row.bytes);
        }
        Ok(metered)
    }

    /// Forgets hours before this one. Again: there is nothing more to forget.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn forget_before(&self, hour: HourBucket) -> Result<()> {
        const DELETE: &str = "DELETE FROM operations_hourly WHERE hour_bucket < ?1";
        self.d1.prepare(DELETE).bind(&[hour.to_string().into()])?.run().await?;
        Ok(())
    }
}
