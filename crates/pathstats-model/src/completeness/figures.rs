//! The terms of an hour, and what they come to.

use serde::{Deserialize, Serialize};

/// What was found of an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Raw events, in the database or in the archive.
    pub stored: u64,
    /// Requests of all hourly rows.
    pub counted: u64,
    /// Events that came to an object that had them.
    pub duplicates: u64,
    /// Letters that are no event, or none that could be counted.
    pub dead: u64,
    /// Events that came after the hour was sealed.
    pub late: u64,
    /// Events of messages that ran out of attempts. Some may have been stored, and some counted.
    pub exhausted: Exhausted,
}

/// Events of messages that ran out of attempts, each once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exhausted {
    /// All.
    pub events: u64,
    /// Those that have a raw row.
    pub stored: u64,
    /// Those that their object has counted.
    pub counted: u64,
}

/// An hour of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LedgerEntry"))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Deliveries of events that left something behind.
    pub received: u64,
    /// Events counted.
    pub counted: u64,
    /// Deliveries of events that were counted before.
    pub duplicates: u64,
    /// What lies in dead letters or was discarded from there, and is not counted.
    pub dead_lettered: u64,
    /// Events that came after their hour was sealed.
    pub refused_late: u64,
}

impl Entry {
    /// Received, less all that is accounted for: above zero when events are stored and not counted,
    /// below when more is counted than was stored.
    #[must_use]
    pub fn difference(&self) -> i64 {
        let accounted = self.counted + self.duplicates + self.dead_lettered + self.refused_late;
        i64::try_from(i128::from(self.received) - i128::from(accounted)).unwrap_or(i64::MAX)
    }

    /// Adds another hour's.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            counted: self.counted + other.counted,
            duplicates: self.duplicates + other.duplicates,
            dead_lettered: self.dead_lettered + other.dead_lettered,
            refused_late: self.refused_late + other.refused_late,
        }
    }
}

impl From<Figures> for Entry {
    fn from(found: Figures) -> Self {
        let Exhausted { events, stored, counted } = found.exhausted;
        Self {
            // What was stored has its raw row, whatever letter it lies in besides.
            received: found.stored
                + found.duplicates
                + found.dead
                + found.late
                + events.saturating_sub(stored),
            counted: found.counted,
            duplicates: found.duplicates,
            dead_lettered: found.dead + events.saturating_sub(counted),
            refused_late: found.late,
        }
    }
}
