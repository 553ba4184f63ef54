//! The price list of the platform's paid plan: every figure once, with what is included and where it stands.
//!
//! What is included is an account's, for all its Workers together. To bring the list up to date, open each
//! source, change what differs, and set [`AS_OF`].

use super::operations::{Operation, Operations, Storage};

/// When the figures below were last held against their sources.
pub const AS_OF: &str = "2026-11-21";

/// What the plan costs a month, in dollars.
pub const SUBSCRIPTION: f64 = 5.0;

/// Memory that an object is billed for, in GB: 128 MB, whatever it uses.
const OBJECT_GB: f64 = 0.128;

const WORKERS: &str = "https://developers.cloudflare.com/workers/platform/pricing/";
const QUEUES: &str = "https://developers.cloudflare.com/queues/platform/pricing/";
const D1: &str = "https://developers.cloudflare.com/d1/platform/pricing/";
const OBJECTS: &str = "https://developers.cloudflare.com/durable-objects/platform/pricing/";
const KV: &str = "https://developers.cloudflare.com/kv/platform/pricing/";
const R2: &str = "https://developers.cloudflare.com/r2/pricing/";

/// What a line of the bill is about.
#[derive(Debug, Clone, Copy)]
pub enum Quantity {
    /// These operations together, each so many units.
    Counts(&'static [Operation], f64),
    /// Bytes that lie somewhere the month through.
    Stored(fn(&Storage) -> u64),
}

/// One line of the price list.
#[derive(Debug, Clone, Copy)]
pub struct Price {
    /// The product.
    pub product: &'static str,
    /// What of it is billed.
    pub line: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// What is counted.
    pub quantity: Quantity,
    /// Units a month that the plan includes.
    pub included: f64,
    /// Dollars for so many units.
    pub dollars: f64,
    /// The units that [`dollars`](Self::dollars) buys.
    pub per: f64,
    /// The page that says so.
    pub source: &'static str,
}

const MILLION: f64 = 1e6;
const BILLION: f64 = 1e9;
/// Storage is billed by GB of a billion bytes.
const GB: f64 = 1e9;

const fn counts(
    product: &'static str,
    line: &'static str,
    operations: &'static [Operation],
    (included, dollars): (f64, f64),
    source: &'static str,
) -> Price {
    let quantity = Quantity::Counts(operations, 1.0);
    Price { product, line, unit: line, quantity, included, dollars, per: MILLION, source }
}

const fn stored(
    product: &'static str,
    of: fn(&Storage) -> u64,
    (included, dollars): (f64, f64),
    source: &'static str,
) -> Price {
    Price {
        product,
        line: "storage",
        unit: "GB-month",
        quantity: Quantity::Stored(of),
        included,
        dollars,
        per: 1.0,
        source,
    }
}

/// All lines, in the order of the bill.
pub const PRICES: &[Price] = &[
    counts("Workers", "requests", &[Operation::WorkerRequests], (10.0 * MILLION, 0.30), WORKERS),
    counts("Workers", "CPU ms", &[Operation::WorkerCpuMs], (30.0 * MILLION, 0.02), WORKERS),
    counts(
        "Queues",
        "operations",
        &[Operation::QueueWrites, Operation::QueueReads, Operation::QueueDeletes],
        (MILLION, 0.40),
        QUEUES,
    ),
    counts("D1", "rows read", &[Operation::D1RowsRead], (25.0 * BILLION, 0.001), D1),
    counts("D1", "rows written", &[Operation::D1RowsWritten], (50.0 * MILLION, 1.00), D1),
    stored("D1", |storage| storage.d1_bytes, (5.0, 0.75), D1),
    counts("Durable Objects", "requests", &[Operation::ObjectRequests], (MILLION, 0.15), OBJECTS),
    Price {
        product: "Durable Objects",
        line: "duration",
        unit: "GB-s",
        quantity: Quantity::Counts(&[Operation::ObjectMs], OBJECT_GB / 1_000.0),
        included: 400_000.0,
        dollars: 12.50,
        per: MILLION,
        source: OBJECTS,
    },
    counts("Durable Objects", "rows read", &[Operation::ObjectRowsRead], (25.0 * BILLION, 0.001), OBJECTS),
    counts(
        "Durable Objects",
        "rows written",
        &[Operation::ObjectRowsWritten],
        (50.0 * MILLION, 1.00),
        OBJECTS,
    ),
    stored("Durable Objects", |storage| storage.object_bytes, (5.0, 0.20), OBJECTS),
    counts("KV", "reads", &[Operation::KvReads], (10.0 * MILLION, 0.50), KV),
    counts("KV", "writes", &[Operation::KvWrites], (MILLION, 5.00), KV),
    stored("KV", |storage| storage.kv_bytes, (1.0, 0.50), KV),
    counts("R2", "class A", &[Operation::R2ClassA], (MILLION, 4.50), R2),
    counts("R2", "class B", &[Operation::R2ClassB], (10.0 * MILLION, 0.36), R2),
    stored("R2", |storage| storage.r2_bytes, (10.0, 0.015), R2),
];

impl Price {
    /// How many units these counts of a month and what is stored come to.
    #[must_use]
    // Counts of a month are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    pub fn units(&self, month: &Operations, storage: &Storage) -> f64 {
        match self.quantity {
            Quantity::Counts(operations, each) => {
                operations.iter().map(|operation| month.get(*operation) as f64 * each).sum()
            }
            Quantity::Stored(of) => of(storage) as f64 / GB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_billed_has_one_line_and_a_source() {
        let billed: Vec<Operation> = PRICES
            .iter()
            .filter_map(|price| match price.quantity {
                Quantity::Counts(operations, _) => Some(operations),
                Quantity::Stored(_) => None,
            })
            .flatten()
            .copied()
            .collect();
        for operation in Operation::ALL {
            let lines = billed.iter().filter(|other| **other == operation).count();
            let expected = usize::from(!matches!(operation, Operation::Events | Operation::D1Queries));
            assert_eq!(lines, expected, "{operation:?}");
        }
        assert!(PRICES.iter().all(|price| price.source.starts_with("https://developers.cloudflare.com/")));
    }

    #[test]
    fn an_object_is_billed_by_its_128_megabytes() {
        let price = PRICES.iter().find(|price| price.unit == "GB-s").unwrap();
        let hour = [(Operation::ObjectMs, 3_600_000)].into_iter().collect();
        assert!((price.units(&hour, &Storage::default()) - 460.8).abs() < 1e-9);
    }
}
