//! A month's bill, line by line.

use serde::{Deserialize, Serialize};

use super::operations::{Operations, Storage};
use super::prices::{Price, AS_OF, PRICES, SUBSCRIPTION};

/// Days of the month that a bill is of.
pub const MONTH_DAYS: f64 = 30.0;

/// What a month costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// The day of the price list, UTC.
    pub prices_as_of: String,
    /// What the plan itself costs, in dollars.
    pub subscription_dollars: f64,
    /// Every line of the price list.
    pub lines: Vec<BillLine>,
    /// The plan and all lines, in dollars.
    pub total_dollars: f64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BillLine {
    /// The product.
    pub product: String,
    /// What of it is billed.
    pub line: String,
    /// The unit.
    pub unit: String,
    /// Units in the month.
    pub quantity: f64,
    /// Of those, how many the plan includes at most.
    pub included: f64,
    /// Dollars for `per` units beyond.
    pub price_dollars: f64,
    /// The units that the price is for.
    pub per: f64,
    /// What the line comes to, in dollars.
    pub dollars: f64,
}

impl Bill {
    /// Of a month's operations, and what is stored the month through.
    #[must_use]
    pub fn of_month(month: &Operations, storage: &Storage) -> Self {
        let lines: Vec<BillLine> = PRICES.iter().map(|price| BillLine::new(price, month, storage)).collect();
        let total = SUBSCRIPTION + lines.iter().map(|line| line.dollars).sum::<f64>();
        Self {
            prices_as_of: AS_OF.to_owned(),
            subscription_dollars: SUBSCRIPTION,
            lines,
            total_dollars: cents(total),
        }
    }

    /// What a product comes to, in dollars.
    #[must_use]
    pub fn of_product(&self, product: &str) -> f64 {
        cents(self.lines.iter().filter(|line| line.product == product).map(|line| line.dollars).sum())
    }
}

impl BillLine {
    fn new(price: &Price, month: &Operations, storage: &Storage) -> Self {
        let quantity = price.units(month, storage);
        let dollars = (quantity - price.included).max(0.0) / price.per * price.dollars;
        Self {
            product: price.product.to_owned(),
            line: price.line.to_owned(),
            unit: price.unit.to_owned(),
            quantity: cents(quantity),
            included: price.included,
            price_dollars: price.dollars,
            per: price.per,
            dollars: cents(dollars),
        }
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::operations::Operation;

    #[test]
    fn what_is_included_is_free_and_the_rest_is_billed_by_the_unit() {
        let month = [
            (Operation::QueueWrites, 30_000_000),
            (Operation::QueueReads, 30_000_000),
            (Operation::QueueDeletes, 30_000_000),
            (Operation::D1RowsWritten, 50_000_000),
            (Operation::ObjectRequests, 1_500_000),
            (Operation::ObjectMs, 6_250_000_000),
        ]
        .into_iter()
        .collect();
        let storage = Storage { d1_bytes: 7_000_000_000, ..Storage::default() };
        let bill = Bill::of_month(&month, &storage);
        let dollars = |product: &str| bill.of_product(product);
        // (90 M - 1 M) at 0.40; 2 GB at 0.75; half a million at 0.15 and 400,000 GB-s at 12.50.
        assert_eq!((dollars("Queues"), dollars("D1"), dollars("Durable Objects")), (35.6, 1.5, 5.08));
        assert_eq!((dollars("KV"), dollars("R2"), dollars("Workers")), (0.0, 0.0, 0.0));
        assert!((bill.total_dollars - 47.18).abs() < 1e-9, "{}", bill.total_dollars);
    }

    #[test]
    fn nothing_costs_the_subscription() {
        let bill = Bill::of_month(&Operations::NONE, &Storage::default());
        assert!((bill.total_dollars - SUBSCRIPTION).abs() < 1e-9);
        assert_eq!(serde_json::from_str::<Bill>(&serde_json::to_string(&bill).unwrap()).unwrap(), bill);
    }
}
