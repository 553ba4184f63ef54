//! The D1 twin: what the statements of the Workers do, on maps.

use std::collections::btree_map::Entry;
use std::collections::BTreeMap;

use pathstats_model::aggregator::FlushRow;
use pathstats_model::calls::RowState;
use pathstats_model::ingest::{DeadLetter, SetAside};
use pathstats_model::stats::Counters;
use pathstats_model::{PathHour, TrafficEvent};

/// A row of `path_stats_hourly`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyRow {
    /// The counters' columns.
    pub counters: Counters,
    /// The statistics, counters and sketches.
    pub stats: Vec<u8>,
    /// Grows with every update.
    pub revision: u64,
    /// Set while no object knows the ids.
    pub sealed_at: Option<i64>,
}

/// The tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// `traffic_events`: the event's JSON by its id.
    pub raw: BTreeMap<String, String>,
    /// `path_stats_hourly` by the object's name.
    pub hourly: BTreeMap<String, HourlyRow>,
    /// `dead_letters` by id.
    pub dead_letters: BTreeMap<String, DeadLetter>,
    /// `dead_letters.first_seen` by id, in milliseconds.
    pub first_seen: BTreeMap<String, i64>,
    /// `ledger_duplicates` by the object's name.
    pub duplicates: BTreeMap<String, u64>,
    /// Statements that wrote an hourly row.
    pub flushes: u64,
}

impl Database {
    /// `INSERT OR IGNORE INTO traffic_events`.
    pub fn store_events(&mut self, events: &[&TrafficEvent]) {
        for event in events {
            let json = serde_json::to_string(event).unwrap();
            self.raw.entry(event.id.to_string()).or_insert(json);
        }
    }

    /// `INSERT OR IGNORE INTO dead_letters`.
    pub fn store_dead_letters(&mut self, letters: &[SetAside], now_ms: i64) {
        for SetAside { letter, .. } in letters {
            self.keep_letter(letter.clone(), now_ms);
        }
    }

    /// Keeps a letter, unless one of its id is there.
    pub fn keep_letter(&mut self, letter: DeadLetter, first_seen: i64) {
        self.first_seen.entry(letter.id.clone()).or_insert(first_seen);
        self.dead_letters.entry(letter.id.clone()).or_insert(letter);
    }

    /// `SELECT sealed_at FROM path_stats_hourly`.
    pub fn row_state(&self, key: &PathHour) -> RowState {
        match self.hourly.get(&key.to_string()) {
            None => RowState::Absent,
            Some(row) if row.sealed_at.is_some() => RowState::Sealed,
            Some(_) => RowState::Live,
        }
    }

    /// `INSERT … ON CONFLICT DO UPDATE SET …, sealed_at = NULL WHERE excluded.revision > revision`.
    /// Counters that shrink would be events lost, so that they stop the test.
    pub fn flush(&mut self, row: &FlushRow) {
        if row.duplicates > 0 {
            let told = self.duplicates.entry(row.key.to_string()).or_default();
            *told = row.duplicates.max(*told);
        }
        let new = HourlyRow {
            counters: row.stats.counters,
            stats: row.stats.to_bytes(),
            revision: row.revision,
            sealed_at: None,
        };
        match self.hourly.entry(row.key.to_string()) {
            Entry::Vacant(place) => {
                place.insert(new);
                self.flushes += 1;
            }
            Entry::Occupied(mut place) if new.revision > place.get().revision => {
                assert!(
                    new.counters.requests > place.get().counters.requests,
                    "a later revision of {} counts more",
                    row.key
                );
                place.insert(new);
                self.flushes += 1;
            }
            Entry::Occupied(_) => {}
        }
    }

    /// `UPDATE path_stats_hourly SET sealed_at = ? WHERE … AND revision = ?`: whether it found one.
    pub fn seal(&mut self, key: &PathHour, revision: u64, now_ms: i64) -> bool {
        match self.hourly.get_mut(&key.to_string()).filter(|row| row.revision == revision) {
            Some(row) => {
                row.sealed_at = Some(now_ms);
                true
            }
            None => false,
        }
    }

    /// The reason of each dead letter, by id.
    pub fn reasons(&self) -> BTreeMap<String, &'static str> {
        self.dead_letters.iter().map(|(id, letter)| (id.clone(), letter.reason)).collect()
    }

    /// The statistics of each hourly row, by name.
    pub fn statistics(&self) -> BTreeMap<String, Vec<u8>> {
        self.hourly.iter().map(|(name, row)| (name.clone(), row.stats.clone())).collect()
    }
}
