//! What the one snapshot object does: rebuilds, and totals.

use std::collections::BTreeMap;

use super::draw::Paths;
use super::measured;
use super::object::EVICTED_AFTER_MS;
use crate::cost::operations::{Operation, Operations};
use crate::cost::workload::Settings;
use crate::limits::{SNAPSHOT_HOURS, SNAPSHOT_PATHS, TOTALS_PAGE_ROWS, TOTALS_QUERIES};
use crate::snapshot::{Coalescer, Rebuilds, SnapshotDecision, SnapshotReason};

/// Bytes of sketches that one query for totals reads at most, as in the store.
const TOTALS_READ_BYTES: u64 = 600_000;

/// Hours of a snapshot.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "24")]
const HOURS: u32 = SNAPSHOT_HOURS as u32;
/// Of those, the newest, which every rebuild reads.
const OPEN_HOURS: u32 = 2;

/// A period whose total is kept.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    /// Rows that it is made of.
    rows: u64,
    /// Whether it is noted as changed since its last pass.
    waits: bool,
    /// When its last pass began.
    pass_ms: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Upkeep {
    snapshot_every_ms: i64,
    totals_every_ms: i64,
    coalescer: Coalescer,
    known: Rebuilds,
    totals_due_ms: Option<i64>,
    alarm_ms: Option<i64>,
    active_ms: i64,
    rebuilds: u64,
    /// Rows of the 24 hours that are there.
    rows: u64,
    rows_before: u64,
    /// Events by path.
    events: Vec<u64>,
    /// Hours that have a row, by path, as bits: the current one first.
    hours_of: Vec<u32>,
    /// Whether a row of a settled hour was written since the path was merged.
    unsettled: Vec<bool>,
    /// By how many hours ago.
    hours: BTreeMap<u32, Period>,
    day: Period,
}

impl Upkeep {
    pub(super) fn new(settings: &Settings, paths: &Paths, rows_before: u64) -> Self {
        let count = paths.count() as usize;
        Self {
            snapshot_every_ms: settings.snapshot_every_ms,
            totals_every_ms: settings.totals_every_ms,
            coalescer: Coalescer::new(settings.snapshot_every_ms, None),
            known: Rebuilds::default(),
            totals_due_ms: None,
            alarm_ms: None,
            active_ms: i64::MIN / 2,
            rebuilds: 0,
            rows: rows_before,
            rows_before,
            events: vec![0; count],
            hours_of: vec![0; count],
            unsettled: vec![true; count],
            hours: BTreeMap::new(),
            day: Period::default(),
        }
    }

    pub(super) const fn alarm_ms(&self) -> Option<i64> {
        self.alarm_ms
    }

    pub(super) const fn rebuilds(&self) -> u64 {
        self.rebuilds
    }

    pub(super) fn counted(&mut self, path: u32) {
        if let Some(events) = self.events.get_mut(path as usize) {
            *events += 1;
        }
    }

    /// A row was written: what the triggers note with it.
    pub(super) fn flushed(&mut self, hours: u32, path: u32, first: bool, _now: i64, ops: &mut Operations) {
        let at = path as usize;
        if first {
            self.rows += 1;
            if let Some(of) = self.hours_of.get_mut(at) {
                *of |= 1 << hours.min(31);
            }
        }
        if hours > 1 {
            if let Some(unsettled) = self.unsettled.get_mut(at) {
                *unsettled = true;
            }
        }
        let hour = self.hours.entry(hours).or_default();
        hour.rows += u64::from(first);
        if !hour.waits {
            hour.waits = true;
            ops.add(Operation::D1RowsWritten, 1);
        }
        if self.rows == 1 {
            // The day is noted for the nightly roll-up.
            ops.add(Operation::D1RowsWritten, 1);
        }
    }

    /// Asks for a snapshot, unless what is known tells that asking changes nothing.
    pub(super) fn ask(&mut self, reason: SnapshotReason, now: i64, ops: &mut Operations) {
        if !self.known.needs_asking(reason, self.snapshot_every_ms, now) {
            return;
        }
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::CALL_MS);
        self.wake(now, ops);
        if matches!(self.coalescer.request(reason, now), SnapshotDecision::At(_)) {
            self.arm(now, ops);
        }
        self.known = self.coalescer.rebuilds();
    }

    fn wake(&mut self, now: i64, ops: &mut Operations) {
        if now - self.active_ms > EVICTED_AFTER_MS {
            self.coalescer = Coalescer::new(self.snapshot_every_ms, self.coalescer.last_ms);
            self.totals_due_ms = None;
            ops.add(Operation::ObjectRowsRead, 1);
        }
        self.active_ms = now;
    }

    fn arm(&mut self, now: i64, ops: &mut Operations) {
        if let Some(due) = [self.coalescer.due_ms, self.totals_due_ms].into_iter().flatten().min() {
            self.alarm_ms = Some(due.max(now + 1));
            ops.add(Operation::ObjectRowsWritten, 1);
        }
    }

    /// Its alarm: a rebuild if one is due, then totals.
    pub(super) fn alarm(&mut self, now: i64, ops: &mut Operations) {
        self.alarm_ms = None;
        ops.add(Operation::ObjectRequests, 1);
        self.wake(now, ops);
        let totals_due_ms = self.totals_due_ms.take();
        if self.coalescer.rings_at(now, totals_due_ms) {
            self.coalescer.begin(now);
            self.rebuild(ops);
        }
        self.totals_due_ms = self.totals(now, ops);
        self.arm(now, ops);
    }

    fn rebuild(&mut self, ops: &mut Operations) {
        self.rebuilds += 1;
        ops.add(Operation::KvReads, 1);
        ops.add(Operation::KvWrites, 2);
        ops.add(Operation::ObjectRowsWritten, 1);
        ops.add(Operation::ObjectMs, measured::REBUILD_MS + self.rows / measured::ROWS_READ_A_MS);
        let busiest = self.busiest();
        ops.add(Operation::D1Queries, 2);
        ops.add(Operation::D1RowsRead, self.rows * measured::READ_TO_RANK_A_ROW);
        // The two open hours of each, and the settled ones of those that changed.
        ops.add(Operation::D1RowsRead, self.sketches(&busiest, 0..OPEN_HOURS));
        let unsettled: Vec<usize> =
            busiest.iter().copied().filter(|path| self.unsettled.get(*path) == Some(&true)).collect();
        if !unsettled.is_empty() {
            ops.add(Operation::D1Queries, 1);
            ops.add(Operation::D1RowsRead, self.sketches(&unsettled, OPEN_HOURS..HOURS));
            if self.rows_before > 0 {
                // Rows of the hours before are there too, one an hour.
                ops.add(Operation::D1RowsRead, unsettled.len() as u64 * u64::from(HOURS - OPEN_HOURS));
            }
        }
        // What is remembered of paths that are busy no more is forgotten.
        self.unsettled.fill(true);
        for path in busiest {
            if let Some(unsettled) = self.unsettled.get_mut(path) {
                *unsettled = false;
            }
        }
    }

    /// Rows that are read to find the sketches of these paths in a range of hours.
    fn sketches(&self, paths: &[usize], hours: core::ops::Range<u32>) -> u64 {
        let pairs = paths.len() as u64 * u64::from(hours.end - hours.start);
        let there = |path: &usize| {
            let bits = self.hours_of.get(*path).copied().unwrap_or_default();
            hours.clone().filter(|hour| bits >> hour & 1 == 1).count() as u64
        };
        paths.len() as u64 + pairs + 1 + paths.iter().map(there).sum::<u64>() * measured::READ_TO_FIND
    }

    /// The paths of a snapshot: those with rows, the busiest first.
    fn busiest(&self) -> Vec<usize> {
        let mut paths: Vec<usize> =
            self.hours_of.iter().enumerate().filter(|(_, bits)| **bits != 0).map(|(path, _)| path).collect();
        paths.sort_by_key(|path| core::cmp::Reverse(self.events.get(*path).copied().unwrap_or_default()));
        paths.truncate(SNAPSHOT_PATHS);
        paths
    }

    /// Makes the totals that are due. Tells when the next is.
    fn totals(&mut self, now: i64, ops: &mut Operations) -> Option<i64> {
        let every = self.totals_every_ms;
        let due = |period: &Period| period.pass_ms.map_or(0, |pass| pass + every);
        let mean_bytes = self.mean_bytes();
        loop {
            let waiting = self.hours.values().chain([&self.day]).filter(|period| period.waits);
            let (mut count, mut next) = (0, None::<i64>);
            for period in waiting {
                count += 1;
                next = Some(next.map_or(due(period), |next| next.min(due(period))));
            }
            ops.add(Operation::D1Queries, 1);
            ops.add(Operation::D1RowsRead, count * measured::READ_TO_LIST_A_TOTAL);
            if next.is_none_or(|next| next > now) {
                return next;
            }
            let totals = self.hours.len() as u64;
            for hour in self.hours.values_mut() {
                if hour.waits && due(hour) <= now {
                    make(hour, now, mean_bytes, ops);
                    // Its day is noted with it.
                    if !self.day.waits {
                        self.day.waits = true;
                        ops.add(Operation::D1RowsWritten, 1);
                    }
                }
            }
            self.day.rows = totals;
            if self.day.waits && due(&self.day) <= now {
                make(&mut self.day, now, mean_bytes, ops);
            }
        }
    }

    /// Bytes of an hour's sketches in the mean: 200, and 12 a request until they are full.
    fn mean_bytes(&self) -> u64 {
        const FULL: u64 = 16_000;
        let (mut bytes, mut rows) = (0, 0);
        for (events, bits) in self.events.iter().zip(&self.hours_of) {
            if *bits != 0 {
                bytes += FULL.min(200 + 12 * events);
                rows += 1;
            }
        }
        bytes.checked_div(rows).unwrap_or(FULL)
    }
}

/// One pass over a period.
fn make(period: &mut Period, now: i64, mean_bytes: u64, ops: &mut Operations) {
    period.waits = false;
    period.pass_ms = Some(now);
    let listed = TOTALS_PAGE_ROWS as u64;
    let page = (TOTALS_READ_BYTES / mean_bytes.max(1)).clamp(1, listed);
    let (mut left, mut pages, mut read) = (period.rows, 0, 0);
    loop {
        let rows = if left < listed && left <= page { left } else { left.min(page) };
        pages += 1;
        read += left.min(listed) * measured::READ_TO_MEASURE_A_ROW + rows * measured::READ_TO_MERGE_A_ROW;
        left -= rows;
        if left == 0 {
            break;
        }
    }
    // What one alarm cannot read is kept and gone on with a second later.
    let parts = pages / u64::from(TOTALS_QUERIES - 5);
    ops.add(Operation::ObjectRequests, parts);
    ops.add(Operation::ObjectRowsWritten, parts);
    ops.add(Operation::D1RowsWritten, parts * 2);
    // Begin, read, write, end.
    ops.add(Operation::D1Queries, 1 + pages + 3 + parts * 3);
    ops.add(Operation::D1RowsRead, read + measured::READ_TO_END_A_TOTAL);
    ops.add(Operation::D1RowsWritten, 3);
}
