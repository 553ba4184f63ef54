//! One object: an aggregator, its log in memory, and the platform's one alarm.

use std::cell::RefCell;

use pathstats_model::aggregator::{Aggregator, AggregatorError, Duplicates, Log, Stored, Tally};

use super::faults::{Faults, Outage, Step};
use super::CADENCE;

/// An object of one path and hour.
#[derive(Debug)]
pub struct Object {
    /// The logic, with what it has in memory.
    pub aggregator: Aggregator,
    /// What storage holds.
    pub stored: Stored,
    /// When the platform rings next.
    pub alarm: Option<i64>,
    /// Whether its alarm is under way. The platform rings one at a time.
    pub ringing: bool,
}

impl Default for Object {
    fn default() -> Self {
        Self { aggregator: Aggregator::new(CADENCE), stored: Stored::default(), alarm: None, ringing: false }
    }
}

impl Object {
    /// Calls the logic with its log.
    pub fn with_log<T>(
        &mut self,
        faults: &RefCell<Faults>,
        call: impl FnOnce(&mut Aggregator, &mut MemoryLog<'_>) -> Result<T, AggregatorError<Outage>>,
    ) -> Result<T, AggregatorError<Outage>> {
        call(&mut self.aggregator, &mut MemoryLog { stored: &mut self.stored, faults })
    }
}

/// A log in memory that fails as planned.
pub struct MemoryLog<'a> {
    stored: &'a mut Stored,
    faults: &'a RefCell<Faults>,
}

impl Log for MemoryLog<'_> {
    type Error = Outage;

    fn load(&self) -> Result<Stored, Outage> {
        self.faults.borrow_mut().fate(Step::Load).told(self.stored.clone())
    }

    fn append(&mut self, number: u64, row: &[u8]) -> Result<(), Outage> {
        let fate = self.faults.borrow_mut().fate(Step::Append);
        if fate.persists() {
            assert_eq!(number, self.stored.rows.len() as u64 + 1, "rows are numbered without gaps");
            self.stored.rows.push(row.to_vec());
        }
        fate.told(())
    }

    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Outage> {
        let fate = self.faults.borrow_mut().fate(Step::Checkpoint);
        if fate.persists() {
            self.stored.checkpoint = Some(bytes.to_vec());
        }
        fate.told(())
    }
}

impl Tally for MemoryLog<'_> {
    fn tally(&mut self, duplicates: Duplicates) -> Result<(), Outage> {
        let fate = self.faults.borrow_mut().fate(Step::Tally);
        if fate.persists() {
            self.stored.duplicates = duplicates;
        }
        fate.told(())
    }
}
