//! What is billed, and counts of it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Something that is counted. Each but the first and [`D1Queries`](Operation::D1Queries) is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Events counted for the first time: what the rest is divided by.
    Events,
    /// Requests from outside, batches of the queue and crons. A call of a Worker to another is none.
    WorkerRequests,
    /// Milliseconds of processor time. No Worker can measure its own: known by a simulation alone.
    WorkerCpuMs,
    /// Messages written to the queue, in units of 64 KB.
    QueueWrites,
    /// Messages delivered, those that come again among them, in units of 64 KB.
    QueueReads,
    /// Messages acknowledged, in units of 64 KB.
    QueueDeletes,
    /// Statements run by D1.
    D1Queries,
    /// Rows that D1 read.
    D1RowsRead,
    /// Rows that D1 wrote or deleted.
    D1RowsWritten,
    /// Calls of Durable Objects, and their alarms.
    ObjectRequests,
    /// Milliseconds that calls and alarms of objects took.
    ObjectMs,
    /// Rows that objects read of their own storage.
    ObjectRowsRead,
    /// Rows that objects wrote to their own storage; an alarm that is set is one.
    ObjectRowsWritten,
    /// Keys read from KV.
    KvReads,
    /// Keys written to KV.
    KvWrites,
    /// Puts, lists, and the steps of an upload to R2.
    R2ClassA,
    /// Reads of R2.
    R2ClassB,
}

impl Operation {
    /// All, in the order in which they are declared.
    pub const ALL: [Self; 17] = [
        Self::Events,
        Self::WorkerRequests,
        Self::WorkerCpuMs,
        Self::QueueWrites,
        Self::QueueReads,
        Self::QueueDeletes,
        Self::D1Queries,
        Self::D1RowsRead,
        Self::D1RowsWritten,
        Self::ObjectRequests,
        Self::ObjectMs,
        Self::ObjectRowsRead,
        Self::ObjectRowsWritten,
        Self::KvReads,
        Self::KvWrites,
        Self::R2ClassA,
        Self::R2ClassB,
    ];

    /// Its name in the database and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::WorkerRequests => "worker_requests",
            Self::WorkerCpuMs => "worker_cpu_ms",
            Self::QueueWrites => "queue_writes",
            Self::QueueReads => "queue_reads",
            Self::QueueDeletes => "queue_deletes",
            Self::D1Queries => "d1_queries",
            Self::D1RowsRead => "d1_rows_read",
            Self::D1RowsWritten => "d1_rows_written",
            Self::ObjectRequests => "object_requests",
            Self::ObjectMs => "object_ms",
            Self::ObjectRowsRead => "object_rows_read",
            Self::ObjectRowsWritten => "object_rows_written",
            Self::KvReads => "kv_reads",
            Self::KvWrites => "kv_writes",
            Self::R2ClassA => "r2_class_a",
            Self::R2ClassB => "r2_class_b",
        }
    }

    /// The operation of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether it is a time, which depends on the machine, rather than a count.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::WorkerCpuMs | Self::ObjectMs)
    }
}

/// How often each operation happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operations([u64; Operation::ALL.len()]);

impl Operations {
    /// Nothing counted.
    pub const NONE: Self = Self([0; Operation::ALL.len()]);

    /// How often it happened.
    #[must_use]
    pub fn get(&self, operation: Operation) -> u64 {
        self.0.get(operation as usize).copied().unwrap_or_default()
    }

    /// Counts `more` of it.
    pub fn add(&mut self, operation: Operation, more: u64) {
        if let Some(count) = self.0.get_mut(operation as usize) {
            *count = count.saturating_add(more);
        }
    }

    /// Adds all counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (operation, more) in other.counted() {
            self.add(operation, more);
        }
    }

    /// What is not 0.
    pub fn counted(&self) -> impl Iterator<Item = (Operation, u64)> + '_ {
        Operation::ALL.into_iter().map(|operation| (operation, self.get(operation))).filter(|(_, n)| *n > 0)
    }

    /// All counts together, without times: whether there is enough to be written down.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = self.counted().filter(|(operation, _)| !operation.is_time());
        counts.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// So many times as much, rounded.
    #[must_use]
    // Counts of a month are far below 2^53, and never negative.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn times(&self, factor: f64) -> Self {
        Self(self.0.map(|count| (count as f64 * factor).round().max(0.0) as u64))
    }
}

impl FromIterator<(Operation, u64)> for Operations {
    fn from_iter<I: IntoIterator<Item = (Operation, u64)>>(counts: I) -> Self {
        let mut operations = Self::NONE;
        for (operation, count) in counts {
            operations.add(operation, count);
        }
        operations
    }
}

/// An object with a name for each operation.
impl Serialize for Operations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for operation in Operation::ALL {
            map.serialize_entry(operation.name(), &self.get(operation))?;
        }
        map.end()
    }
}

/// What lies where, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// In D1.
    pub d1_bytes: u64,
    /// In the objects' own storage.
    pub object_bytes: u64,
    /// In KV.
    pub kv_bytes: u64,
    /// In R2.
    pub r2_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_a_place_and_a_name_of_its_own() {
        for (at, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, at, "{operation:?}");
            assert_eq!(Operation::from_name(operation.name()), Some(operation));
        }
        assert_eq!(Operation::from_name("gold"), None);
    }

    #[test]
    fn the_table_has_a_column_for_each_operation_and_no_other() {
        let table = include_str!("../../../../migrations/0008_operations.sql");
        let columns: Vec<&str> = table
            .lines()
            .filter(|line| line.contains(" INTEGER NOT NULL"))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(columns, Operation::ALL.map(Operation::name));
    }

    #[test]
    fn counts_add_up_and_scale() {
        let mut all = Operations::NONE;
        all.add(Operation::KvReads, 3);
        all.merge(&[(Operation::KvReads, 4), (Operation::Events, 1)].into_iter().collect());
        assert_eq!((all.get(Operation::KvReads), all.total()), (7, 8));
        assert_eq!(all.times(1.5).get(Operation::KvReads), 11);
        all.add(Operation::KvReads, u64::MAX);
        assert_eq!(all.get(Operation::KvReads), u64::MAX, "a count never wraps");
    }
}
