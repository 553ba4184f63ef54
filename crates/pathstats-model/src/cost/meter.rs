//! When an instance adds up in the database what it counted.
//!
//! Counting costs nothing: numbers in memory. Adding them up is one query and one row, so it is done seldom,
//! and only for so much that the row does not matter.

use super::operations::Operations;

/// An instance adds its counts up at most once in this time.
pub const METER_MS: i64 = 300_000;

/// Operations that are worth a row: with it, the meter adds a thousandth at most.
const WORTH_A_ROW: u64 = 1_000;

/// How many times the least time an instance with few operations waits.
const PATIENCE: i64 = 12;

/// Whether to add up now. An instance that dies first loses what it counted since.
#[must_use]
pub fn is_due(counted: &Operations, last_ms: i64, now_ms: i64, every_ms: i64) -> bool {
    let waited = now_ms - last_ms;
    let total = counted.total();
    (waited >= every_ms && total >= WORTH_A_ROW) || (waited >= every_ms * PATIENCE && total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::operations::Operation;

    #[test]
    fn many_operations_are_added_up_soon_few_late_and_none_never() {
        let of = |count| [(Operation::D1RowsRead, count)].into_iter().collect::<Operations>();
        let due = |count, waited| is_due(&of(count), 7, 7 + waited, METER_MS);
        assert!(due(1_000, METER_MS) && !due(1_000, METER_MS - 1));
        assert!(!due(999, METER_MS) && due(999, 12 * METER_MS) && due(1, 12 * METER_MS));
        assert!(!due(0, 100 * METER_MS));
    }
}
