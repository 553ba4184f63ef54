//! What the one snapshot object does: rebuilds, and totals.

use std::collections::BTreeMap;

use super::delays::Delays;
use super::draw::Paths;
use super::measured;
use super::object::EVICTED_AFTER_MS;
use crate::cost::operations::{Operation, Operations};
use crate::cost::workload::Settings;
use crate::limits::{SNAPSHOT_HOURS, SNAPSHOT_PATHS};
use crate::snapshot::{Coalescer, Rebuilds, SnapshotDecision, SnapshotReason};
use crate::snapshot_asks::{Asks, MOST_FOLLOWING};
use crate::snapshot_memo::{OPEN_HOURS, PATHS_AN_HOUR};
use crate::snapshot_passing::MOST_BYTES;

mod totals;

/// Hours of a snapshot.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "24")]
const HOURS: u32 = SNAPSHOT_HOURS as u32;
/// Of those, the newest, which every rebuild reads.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2")]
const OPEN: u32 = OPEN_HOURS as u32;
/// Settled hours whose counters are read at once.
#[allow(clippy::cast_possible_truncation, reason = "6")]
const HOURS_PER_READ: u32 = crate::snapshot_passing::HOURS_PER_READ as u32;

/// A period whose total is kept.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    /// Rows that it is made of.
    rows: u64,
    /// Bytes of their sketches.
    bytes: u64,
    /// Whether it is noted as changed since its last pass.
    waits: bool,
    /// When its last pass began.
    pass_ms: Option<i64>,
}

/// A row that was written by a flush.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flushed {
    /// How many hours ago its hour is.
    pub hours: u32,
    /// Its path.
    pub path: u32,
    /// Its events before; none when the row is new.
    pub before: Option<u64>,
    /// Its events now.
    pub events: u64,
}

/// What a rebuild found out before it merges.
struct Found {
    rows_read: u64,
    /// Whether the statistics of settled hours came with their counters.
    settled_in_passing: bool,
}

#[derive(Debug)]
pub(super) struct Upkeep {
    snapshot_every_ms: i64,
    totals_every_ms: i64,
    hour_of_day: u32,
    delays: Delays,
    coalescer: Coalescer,
    asks: Asks,
    /// When the call under way is answered, and with what.
    answer: Option<(i64, Rebuilds)>,
    /// How often the one who asks did so for others.
    following: u32,
    totals_due_ms: Option<i64>,
    alarm_ms: Option<i64>,
    busy_until_ms: i64,
    active_ms: i64,
    rebuilds: u64,
    /// Rows of each hour before, which are there from the beginning and have their totals.
    rows_before: u64,
    /// Events in rows, by path.
    events: Vec<u64>,
    /// Hours that have a row, by path, as bits: the current one first.
    hours_of: Vec<u32>,
    /// Whether a row of a settled hour was written since the path was merged.
    unsettled: Vec<bool>,
    /// The paths of the last snapshot.
    expected: Vec<usize>,
    /// By how many hours ago.
    hours: BTreeMap<u32, Period>,
    /// By how many days ago.
    days: BTreeMap<u32, Period>,
    /// Totals of settled hours that were made: which passes these are of.
    passes: u64,
    /// The passes at which the counters of settled hours were remembered.
    remembered: Option<u64>,
    /// Whether an hour had more paths than are remembered.
    crowded: bool,
}

impl Upkeep {
    pub(super) fn new(
        settings: &Settings,
        paths: &Paths,
        rows_before: u64,
        hour_of_day: u32,
        delays: Delays,
    ) -> Self {
        // Behind the last path is `(other)`.
        let count = paths.count() as usize + 1;
        Self {
            snapshot_every_ms: settings.snapshot_every_ms,
            totals_every_ms: settings.totals_every_ms,
            hour_of_day,
            coalescer: Coalescer::new(settings.snapshot_every_ms, None),
            delays,
            asks: Asks::NONE,
            answer: None,
            following: 0,
            totals_due_ms: None,
            alarm_ms: None,
            busy_until_ms: i64::MIN,
            active_ms: i64::MIN / 2,
            rebuilds: 0,
            rows_before: rows_before / u64::from(HOURS - 1),
            events: vec![0; count],
            hours_of: vec![0; count],
            unsettled: vec![true; count],
            expected: Vec::new(),
            hours: BTreeMap::new(),
            days: BTreeMap::new(),
            passes: 0,
            remembered: None,
            crowded: false,
        }
    }

    pub(super) const fn alarm_ms(&self) -> Option<i64> {
        self.alarm_ms
    }

    pub(super) const fn rebuilds(&self) -> u64 {
        self.rebuilds
    }

    /// A row was written: what the triggers note with it.
    pub(super) fn flushed(&mut self, row: Flushed, ops: &mut Operations) {
        let at = row.path as usize;
        if let Some(events) = self.events.get_mut(at) {
            *events += row.events - row.before.unwrap_or(0);
        }
        if let Some(of) = self.hours_of.get_mut(at).filter(|_| row.hours < HOURS) {
            *of |= 1 << row.hours;
        }
        if let Some(unsettled) = self.unsettled.get_mut(at).filter(|_| row.hours >= OPEN) {
            *unsettled = true;
        }
        let day = self.day_of(row.hours);
        if !self.hours.contains_key(&row.hours) {
            ops.add(Operation::D1RowsWritten, measured::WRITTEN_TO_NOTE_AN_HOUR);
        }
        let hour = self.hours.entry(row.hours).or_default();
        hour.rows += u64::from(row.before.is_none());
        hour.bytes += bytes_of(row.events) - row.before.map_or(0, bytes_of);
        if !hour.waits {
            hour.waits = true;
            ops.add(Operation::D1RowsWritten, 1);
        }
        let is_noted = self.days.contains_key(&day) || self.rows_before > 0;
        self.days.entry(day).or_default();
        if !is_noted {
            // The day is noted for the nightly roll-up.
            ops.add(Operation::D1RowsWritten, 1);
        }
    }

    /// How many days ago an hour is.
    const fn day_of(&self, hours: u32) -> u32 {
        hours.saturating_sub(self.hour_of_day).div_ceil(24)
    }

    /// Asks for a snapshot, unless what is known tells that asking changes nothing, or another object is asking.
    pub(super) fn ask(&mut self, reason: SnapshotReason, now: i64, ops: &mut Operations) {
        if let Some(reason) = self.asks.begin(reason, self.snapshot_every_ms, now) {
            self.following = 0;
            self.call(reason, now, ops);
        }
    }

    fn call(&mut self, reason: SnapshotReason, now: i64, ops: &mut Operations) {
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::CALL_MS);
        self.wake(now, ops);
        if matches!(self.coalescer.request(reason, now), SnapshotDecision::At(_)) {
            self.arm(now, ops);
        }
        self.answer = Some((now + self.delays.ask_ms, self.coalescer.rebuilds()));
    }

    pub(super) fn answer_ms(&self) -> Option<i64> {
        self.answer.map(|(at, _)| at)
    }

    /// The call under way is answered: who made it may ask once more, for those that flushed meanwhile.
    pub(super) fn answered(&mut self, now: i64, ops: &mut Operations) {
        let Some((_, known)) = self.answer.take() else { return };
        let Some(reason) = self.asks.answered(known, self.snapshot_every_ms, now) else { return };
        if self.following == MOST_FOLLOWING {
            self.asks.leave(reason);
        } else {
            self.following += 1;
            self.call(reason, now, ops);
        }
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
            self.alarm_ms = Some(due.max(now + 1).max(self.busy_until_ms) + self.delays.ring_ms);
            ops.add(Operation::ObjectRowsWritten, 1);
        }
    }

    /// Its alarm: a rebuild if one is due, then totals.
    pub(super) fn alarm(&mut self, now: i64, ops: &mut Operations) {
        self.alarm_ms = None;
        ops.add(Operation::ObjectRequests, 1);
        self.wake(now, ops);
        let totals_due_ms = self.totals_due_ms.take();
        let mut now = now;
        if self.coalescer.rings_at(now, totals_due_ms) {
            self.coalescer.begin(now);
            self.rebuild(ops);
            ops.add(Operation::ObjectMs, measured::REBUILD_MS);
            now += self.delays.rebuild_ms;
        }
        self.totals_due_ms = self.totals(now, ops);
        // One alarm at a time: what is asked for meanwhile waits for its end.
        self.busy_until_ms = now;
        self.arm(now, ops);
    }

    fn rebuild(&mut self, ops: &mut Operations) {
        self.rebuilds += 1;
        ops.add(Operation::KvReads, 1);
        ops.add(Operation::KvWrites, 2);
        ops.add(Operation::ObjectRowsWritten, 1);
        let busiest = self.busiest();
        let expected = core::mem::replace(&mut self.expected, busiest.clone());
        let found = self.passes_and_counters(expected.len() as u64, busiest.len() as u64, ops);
        let mut read = found.rows_read;
        // The open hours of those that did not come in passing, and of those that changed the settled ones.
        let comes = |path: &usize| bytes_of(self.events_of(*path)) <= MOST_BYTES as u64;
        let came_open = |path: &usize| !self.crowded && expected.contains(path) && comes(path);
        // What was merged before does not come again: where it changed, it is looked up.
        let came_settled = |path: &usize| found.settled_in_passing && comes(path);
        let open: Vec<usize> = busiest.iter().copied().filter(|path| !came_open(path)).collect();
        let unsettled = busiest.iter().copied().filter(|path| self.unsettled.get(*path) == Some(&true));
        let unsettled: Vec<usize> = unsettled.filter(|path| !came_settled(path)).collect();
        for (paths, hours) in [(&open, 0..OPEN), (&unsettled, OPEN..HOURS)] {
            if !paths.is_empty() {
                ops.add(Operation::D1Queries, 1);
                read += self.sketches(paths, hours);
            }
        }
        ops.add(Operation::D1RowsRead, read);
        // What is remembered of paths that are busy no more is forgotten.
        self.unsettled.fill(true);
        for path in busiest {
            if let Some(unsettled) = self.unsettled.get_mut(path) {
                *unsettled = false;
            }
        }
    }

    fn events_of(&self, path: usize) -> u64 {
        self.events.get(path).copied().unwrap_or_default()
    }

    /// Rows of an hour, by how many hours ago it is.
    fn rows_of(&self, hours: u32) -> u64 {
        let written = self.hours.get(&hours).map_or(0, |hour| hour.rows);
        if hours == 0 {
            written
        } else {
            // Late events of a path mostly find its row there.
            written.max(self.rows_before)
        }
    }

    /// Learns whether settled hours changed, and which paths are the busiest. As the builder does, see
    /// [`snapshot_memo`](crate::snapshot_memo): with the statistics of so many paths that are `expected`, or where
    /// none is of `busiest` once the open hours were read.
    fn passes_and_counters(&mut self, expected: u64, busiest: u64, ops: &mut Operations) -> Found {
        let settled = self.hours.range(OPEN..HOURS);
        let stands = !settled.clone().any(|(_, hour)| hour.waits);
        // The day that waits is listed before its hours, and skipped.
        let today = self.days.get(&0).is_some_and(|day| day.waits) && (1..23).contains(&self.hour_of_day);
        let mut read = 1 + u64::from(today);
        if stands {
            let made = settled.filter(|(_, hour)| hour.pass_ms.is_some()).count() as u64;
            let before = if self.rows_before > 0 { u64::from(HOURS - OPEN) } else { 0 };
            read += measured::READ_TO_KNOW_PASSES - 1 + made.max(before);
        }
        ops.add(Operation::D1Queries, 1);
        if !self.crowded {
            ops.add(Operation::D1Queries, 1);
            let (rows, mut fits) = self.counters(0..OPEN);
            read += rows + expected;
            let is_known = stands && self.remembered == Some(self.passes);
            let along = if expected == 0 { busiest } else { 0 };
            // The oldest first, some at a time.
            let mut before = HOURS;
            while fits && !is_known && before > OPEN {
                let from = OPEN.max(before.saturating_sub(HOURS_PER_READ));
                ops.add(Operation::D1Queries, 1);
                let (rows, fit) = self.counters(from..before);
                read += rows + along;
                (fits, before) = (fit, from);
            }
            if fits {
                if stands {
                    self.remembered = Some(self.passes);
                }
                return Found { rows_read: read, settled_in_passing: along > 0 };
            }
            (self.crowded, self.remembered) = (true, None);
        }
        ops.add(Operation::D1Queries, 1);
        let rows: u64 = (0..HOURS).map(|hour| self.rows_of(hour)).sum();
        let rows_read = read + rows * measured::READ_TO_RANK_A_ROW + (self.hours_of.len() as u64 - 1);
        Found { rows_read, settled_in_passing: false }
    }

    /// Rows that are read for the counters of some hours, and whether none has too many: each hour's place; its rows,
    /// and the one behind them, which the newest has not.
    fn counters(&self, hours: core::ops::Range<u32>) -> (u64, bool) {
        let most = PATHS_AN_HOUR as u64;
        let places = u64::from(hours.end - hours.start);
        let of_hour = |hour| match (hour, self.rows_of(hour)) {
            (_, 0) => 0,
            (0, rows) if rows <= most => rows,
            (_, rows) => (rows + 1).min(most + 1),
        };
        let fits = hours.clone().all(|hour| self.rows_of(hour) <= most);
        (places + hours.map(of_hour).sum::<u64>(), fits)
    }

    /// Rows that are read to find the sketches of these paths in a range of hours: the place of each path and each
    /// hour in the parameters, and what is found.
    fn sketches(&self, paths: &[usize], hours: core::ops::Range<u32>) -> u64 {
        let pairs = paths.len() as u64 * u64::from(hours.end - hours.start);
        let there = |path: &usize| {
            let bits = self.hours_of.get(*path).copied().unwrap_or_default();
            let is_there = |hour: &u32| bits >> hour & 1 == 1 || (*hour > 0 && self.rows_before > 0);
            hours.clone().filter(is_there).count() as u64
        };
        paths.len() as u64 + pairs + paths.iter().map(there).sum::<u64>()
    }

    /// The paths of a snapshot: those with rows, the busiest first.
    fn busiest(&self) -> Vec<usize> {
        let mut paths: Vec<usize> =
            self.hours_of.iter().enumerate().filter(|(_, bits)| **bits != 0).map(|(path, _)| path).collect();
        paths.sort_by_key(|path| core::cmp::Reverse(self.events_of(*path)));
        paths.truncate(SNAPSHOT_PATHS);
        paths
    }
}

/// Bytes of full sketches.
const FULL_BYTES: u64 = 16_000;

/// Bytes of a row's sketches: 200, and 12 a request until they are full.
fn bytes_of(events: u64) -> u64 {
    FULL_BYTES.min(200 + 12 * events)
}
