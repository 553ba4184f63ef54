//! What the one snapshot object does: rebuilds, and totals.

use std::collections::BTreeMap;

use super::draw::Paths;
use super::measured;
use super::object::EVICTED_AFTER_MS;
use crate::cost::operations::{Operation, Operations};
use crate::cost::workload::Settings;
use crate::limits::{SNAPSHOT_HOURS, SNAPSHOT_PATHS, TOTALS_PAGE_ROWS, TOTALS_QUERIES};
use crate::snapshot::{Coalescer, Rebuilds, SnapshotDecision, SnapshotReason};
use crate::snapshot_memo::{OPEN_HOURS, PATHS_AN_HOUR};

/// Bytes of sketches that one query for totals reads at most, as in the store.
const TOTALS_READ_BYTES: u64 = 600_000;

/// Hours of a snapshot.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "24")]
const HOURS: u32 = SNAPSHOT_HOURS as u32;
/// Of those, the newest, which every rebuild reads.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2")]
const OPEN: u32 = OPEN_HOURS as u32;

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

#[derive(Debug)]
pub(super) struct Upkeep {
    snapshot_every_ms: i64,
    totals_every_ms: i64,
    hour_of_day: u32,
    coalescer: Coalescer,
    known: Rebuilds,
    totals_due_ms: Option<i64>,
    alarm_ms: Option<i64>,
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
    pub(super) fn new(settings: &Settings, paths: &Paths, rows_before: u64, hour_of_day: u32) -> Self {
        let count = paths.count() as usize;
        Self {
            snapshot_every_ms: settings.snapshot_every_ms,
            totals_every_ms: settings.totals_every_ms,
            hour_of_day,
            coalescer: Coalescer::new(settings.snapshot_every_ms, None),
            known: Rebuilds::default(),
            totals_due_ms: None,
            alarm_ms: None,
            active_ms: i64::MIN / 2,
            rebuilds: 0,
            rows_before: rows_before / u64::from(HOURS - 1),
            events: vec![0; count],
            hours_of: vec![0; count],
            unsettled: vec![true; count],
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
        let busiest = self.busiest();
        let unsettled: Vec<usize> =
            busiest.iter().copied().filter(|path| self.unsettled.get(*path) == Some(&true)).collect();
        // The passes, the counters, and the two open hours of each path.
        ops.add(Operation::D1Queries, 3);
        let mut read = self.passes_and_counters() + self.sketches(&busiest, 0..OPEN);
        // The settled hours of those that changed.
        if !unsettled.is_empty() {
            ops.add(Operation::D1Queries, 1);
            read += self.sketches(&unsettled, OPEN..HOURS);
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

    /// Rows that are read to learn whether settled hours changed, and which paths are the busiest. As the builder
    /// does, see [`snapshot_memo`](crate::snapshot_memo).
    fn passes_and_counters(&mut self) -> u64 {
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
        if !self.crowded {
            let known = stands && self.remembered == Some(self.passes);
            let hours = if known { OPEN } else { HOURS };
            let most = PATHS_AN_HOUR as u64;
            let rows: Vec<u64> = (0..hours).map(|hour| self.rows_of(hour)).filter(|rows| *rows > 0).collect();
            // Each hour's place; its rows, and the one behind them, which the newest has not.
            read += u64::from(hours) + rows.iter().map(|rows| (rows + 1).min(most + 1)).sum::<u64>();
            read -= u64::from(rows.first().is_some_and(|rows| *rows <= most));
            if rows.iter().all(|rows| *rows <= most) {
                if stands {
                    self.remembered = Some(self.passes);
                }
                return read;
            }
            (self.crowded, self.remembered) = (true, None);
        }
        let rows: u64 = (0..HOURS).map(|hour| self.rows_of(hour)).sum();
        read + rows * measured::READ_TO_RANK_A_ROW + self.hours_of.len() as u64
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
        paths.sort_by_key(|path| core::cmp::Reverse(self.events.get(*path).copied().unwrap_or_default()));
        paths.truncate(SNAPSHOT_PATHS);
        paths
    }

    /// Makes the totals that are due. Tells when the next is.
    fn totals(&mut self, now: i64, ops: &mut Operations) -> Option<i64> {
        let every = self.totals_every_ms;
        let due = |period: &Period| period.pass_ms.map_or(0, |pass| pass + every);
        loop {
            let waiting = self.hours.values().chain(self.days.values()).filter(|period| period.waits);
            let (mut read, mut next) = (0, None::<i64>);
            for period in waiting {
                read += measured::READ_TO_LIST_A_TOTAL + u64::from(period.pass_ms.is_some());
                next = Some(next.map_or(due(period), |next| next.min(due(period))));
            }
            ops.add(Operation::D1Queries, 1);
            ops.add(Operation::D1RowsRead, read.max(measured::READ_TO_LIST_NOTHING));
            if next.is_none_or(|next| next > now) {
                return next;
            }
            // What is listed is made, the newest first, and each day behind its hours.
            let is_due = |period: &Period| period.waits && due(period) <= now;
            let hours: Vec<u32> =
                self.hours.iter().filter(|(_, hour)| is_due(hour)).map(|(at, _)| *at).collect();
            let days: Vec<u32> = self.days.iter().filter(|(_, day)| is_due(day)).map(|(at, _)| *at).collect();
            for at in hours {
                self.make_hour(at, now, ops);
            }
            for at in days {
                let before = if at == 0 { self.hour_of_day } else { 24 };
                let Some(day) = self.days.get_mut(&at) else { continue };
                day.rows = day.rows.max(if self.rows_before > 0 { u64::from(before) } else { 0 });
                day.bytes = day.rows * FULL_BYTES;
                make(day, now, at > 0, ops);
            }
        }
    }

    fn make_hour(&mut self, at: u32, now: i64, ops: &mut Operations) {
        let (day, has_later) = (self.day_of(at), self.hours.range(..at).any(|(_, hour)| hour.rows > 0));
        let rows = self.rows_of(at);
        let Some(hour) = self.hours.get_mut(&at) else { return };
        let is_new = hour.pass_ms.is_none();
        let mut whole = Period { rows, bytes: hour.bytes / hour.rows.max(1) * rows, ..*hour };
        make(&mut whole, now, has_later, ops);
        ops.add(Operation::D1RowsRead, measured::READ_TO_NOTE_A_DAY);
        (hour.waits, hour.pass_ms) = (whole.waits, whole.pass_ms);
        self.passes += u64::from((OPEN..HOURS).contains(&at));
        // Its day is noted with it.
        if let Some(day) = self.days.get_mut(&day) {
            day.rows += u64::from(is_new);
            if !day.waits {
                day.waits = true;
                ops.add(Operation::D1RowsWritten, 1);
            }
        }
    }
}

/// Bytes of full sketches.
const FULL_BYTES: u64 = 16_000;

/// Bytes of a row's sketches: 200, and 12 a request until they are full.
fn bytes_of(events: u64) -> u64 {
    FULL_BYTES.min(200 + 12 * events)
}

/// One pass over a period. `has_later`: whether rows of a later one follow its own.
fn make(period: &mut Period, now: i64, has_later: bool, ops: &mut Operations) {
    let was_made = period.pass_ms.is_some();
    period.waits = false;
    period.pass_ms = Some(now);
    let most = TOTALS_PAGE_ROWS as u64;
    let mean_bytes = (period.bytes / period.rows.max(1)).max(1);
    let (mut left, mut pages, mut read) = (period.rows, 0, 0);
    loop {
        let listed = left.min(most);
        let rows = listed.min((TOTALS_READ_BYTES / mean_bytes).max(1));
        pages += 1;
        read += listed * measured::READ_TO_MEASURE_A_ROW + rows * measured::READ_TO_MERGE_A_ROW;
        read += measured::READ_TO_LIMIT_A_PAGE + u64::from(has_later && listed < most);
        left -= rows;
        if rows == listed && listed < most {
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
    ops.add(Operation::D1RowsRead, read + measured::READ_TO_END_A_TOTAL + u64::from(was_made));
    ops.add(Operation::D1RowsWritten, 3);
}
