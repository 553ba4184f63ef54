//! A load, played through the decisions of the Workers: when a batch is full, when an object flushes, when the
//! snapshot is rebuilt and a total made. What is decided here is decided by the product's own code
//! ([`Cadence`](crate::cadence::Cadence), [`Coalescer`](crate::snapshot::Coalescer)); what a step costs is in
//! [`measured`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use super::operations::{Operation, Operations};
use super::workload::{Settings, Workload};
use crate::hour::HOUR_MS;
use crate::limits::{CHUNK_CALLS, HEARTBEAT_MS, QUEUE_BILLING_UNIT_BYTES};
use crate::snapshot::SnapshotReason;
use budgets::Budgets;
use delays::{Delays, Observed};
use draw::{Draws, Paths};
use object::Object;
use upkeep::{Flushed, Upkeep};

mod budgets;
pub mod delays;
pub mod draw;
pub mod measured;
pub mod object;
mod upkeep;

/// The part of a day that is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Events a second.
    pub per_second: f64,
    /// How long events come, in milliseconds; an hour at most.
    pub length_ms: i64,
    /// Whether everything that is set off is played to its end, the snapshot and totals among it. Otherwise these
    /// stop with the window, since the next one goes on with them.
    pub drain: bool,
    /// Rows of the hours before that a snapshot reads.
    pub rows_before: u64,
    /// The hour of the day that it is in, from 0 to 23: which late events are of the day before.
    pub hour_of_day: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// What the Workers did.
    pub operations: Operations,
    /// Batches taken in.
    pub batches: u64,
    /// Messages in them.
    pub messages: u64,
    /// Objects that counted anything: rows of path and hour.
    pub objects: u64,
    /// Calls of the busiest one.
    pub busiest_calls: u64,
    /// Rows in the objects' logs.
    pub updates: u64,
    /// Rows written to the database by objects.
    pub flushes: u64,
    /// Snapshots.
    pub rebuilds: u64,
}

/// An object, and when its alarm rings.
#[derive(Debug, Default)]
struct Placed {
    object: Object,
    alarm_ms: Option<i64>,
    /// Events, and those of them that were flushed.
    events: u64,
    flushed: u64,
}

/// A row on its way to the database.
#[derive(Debug, Clone, Copy)]
struct Flushing {
    ends_ms: i64,
    /// None once the database has it.
    row: Option<Flushed>,
    reason: SnapshotReason,
}

struct World<'a> {
    workload: &'a Workload,
    settings: &'a Settings,
    window: Window,
    paths: Paths,
    draws: Draws,
    objects: FxHashMap<u64, Placed>,
    alarms: BinaryHeap<Reverse<(i64, u64)>>,
    upkeep: Upkeep,
    budgets: Budgets,
    delays: Delays,
    /// Flushes that the database has not answered yet, the first to be answered first.
    flushing: VecDeque<Flushing>,
    /// When the database is done with those.
    flushed_ms: f64,
    beat_ms: Option<i64>,
    /// Path and hour of each event of a batch.
    scratch: Vec<u64>,
    out: Outcome,
}

/// Plays a window of a load from objects that are all new, as they are when an hour begins.
#[must_use]
pub fn play(workload: &Workload, settings: &Settings, window: Window) -> Outcome {
    play_as(workload, settings, window, None)
}

/// The same with batches that were seen, and with delays that were measured: a queue that falls behind hands out
/// others than one that keeps its pace.
#[must_use]
pub fn play_observed(workload: &Workload, settings: &Settings, window: Window, run: &Observed) -> Outcome {
    play_as(workload, settings, window, Some(run))
}

fn play_as(workload: &Workload, settings: &Settings, window: Window, observed: Option<&Observed>) -> Outcome {
    let delays = observed.map_or_else(Delays::default, |run| run.delays);
    let paths = Paths::new(workload.paths, workload.popularity);
    let mut world = World {
        workload,
        settings,
        window,
        upkeep: Upkeep::new(settings, &paths, window.rows_before, window.hour_of_day, delays),
        budgets: Budgets::new(settings.paths_per_hour, paths.count()),
        delays,
        paths,
        draws: Draws::new(20_251_015),
        flushing: VecDeque::new(),
        flushed_ms: 0.0,
        objects: FxHashMap::default(),
        alarms: BinaryHeap::new(),
        beat_ms: None,
        scratch: Vec::new(),
        out: Outcome::default(),
    };
    match observed {
        Some(run) => world.run_observed(&run.batches),
        None => world.run(),
    }
    let mut out = world.out;
    out.objects = world.objects.len() as u64;
    out.updates = world.objects.values().map(|placed| placed.object.updates).sum();
    out.busiest_calls = world.objects.values().map(|placed| placed.object.updates).max().unwrap_or(0);
    out.rebuilds = world.upkeep.rebuilds();
    out
}

/// What a message is billed as.
#[must_use]
pub fn units_of_message(workload: &Workload) -> u64 {
    let bytes = u64::from(workload.events_per_message) * u64::from(workload.bytes_per_event);
    bytes.div_ceil(QUEUE_BILLING_UNIT_BYTES as u64).max(1)
}

impl World<'_> {
    fn count(&mut self, operation: Operation, more: u64) {
        self.out.operations.add(operation, more);
    }

    /// Requests of the window, and the time from one to the next.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an hour's requests are far below 2^53"
    )]
    fn requests(&self) -> (u64, f64) {
        let per_request = f64::from(self.workload.events_per_message * self.workload.messages_per_request);
        let gap_ms = per_request / self.window.per_second * 1_000.0;
        ((self.window.length_ms as f64 / gap_ms).round() as u64, gap_ms)
    }

    /// A request to the producer.
    fn request(&mut self) {
        let messages = u64::from(self.workload.messages_per_request);
        self.count(Operation::WorkerRequests, 1);
        self.count(Operation::QueueWrites, messages * units_of_message(self.workload));
    }

    fn run_observed(&mut self, batches: &[(i64, i64, u32)]) {
        (0..self.requests().0).for_each(|_| self.request());
        for (began, took, messages) in batches {
            self.batch(*messages, *began, *took);
        }
        self.ring_until(i64::MAX);
    }

    fn run(&mut self) {
        let messages = self.workload.messages_per_request;
        let (requests, gap_ms) = self.requests();
        let (mut waiting, mut since_ms) = (0_u32, 0_i64);
        for number in 0..requests {
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within an hour")]
            let now = (number as f64 * gap_ms) as i64;
            if waiting > 0 && since_ms + self.settings.batch_wait_ms < now {
                self.batch(waiting, since_ms + self.settings.batch_wait_ms, 0);
                waiting = 0;
            }
            self.request();
            if waiting == 0 {
                since_ms = now;
            }
            waiting += messages;
            while waiting >= self.settings.batch_messages {
                self.batch(self.settings.batch_messages, now, 0);
                waiting -= self.settings.batch_messages;
                since_ms = now;
            }
        }
        if waiting > 0 {
            self.batch(waiting, since_ms + self.settings.batch_wait_ms, 0);
        }
        self.ring_until(i64::MAX);
    }

    /// A batch is taken in. Its calls are made in chunks, which end one after another in the time that it takes.
    fn batch(&mut self, messages: u32, now: i64, took_ms: i64) {
        self.ring_until(now);
        let units = u64::from(messages) * units_of_message(self.workload);
        let events = messages * self.workload.events_per_message;
        self.out.batches += 1;
        self.out.messages += u64::from(messages);
        self.count(Operation::WorkerRequests, 1);
        self.count(Operation::QueueReads, units);
        self.count(Operation::QueueDeletes, units);
        self.count(Operation::Events, u64::from(events));
        self.count(Operation::D1Queries, 1);
        self.count(Operation::D1RowsRead, u64::from(events) * measured::READ_TO_STORE_AN_EVENT);
        self.count(Operation::D1RowsWritten, u64::from(events));
        if self.beat_ms.is_none_or(|last| now - last >= HEARTBEAT_MS) {
            self.beat_ms = Some(now);
            self.count(Operation::KvReads, 1);
            self.count(Operation::KvWrites, 1);
        }
        let mut keys = core::mem::take(&mut self.scratch);
        keys.clear();
        for _ in 0..events {
            let path = self.paths.draw(&mut self.draws);
            let is_late = self.workload.late_share > 0.0 && self.draws.share() < self.workload.late_share;
            let hours = if is_late { 1 + self.draws.below(self.workload.late_hours) } else { 0 };
            keys.push(u64::from(hours) << 32 | u64::from(path));
        }
        self.admit(&mut keys, now);
        let groups: Vec<(u64, u64)> = keys
            .chunk_by(|a, b| a == b)
            .filter_map(|group| Some((*group.first()?, group.len() as u64)))
            .collect();
        #[allow(clippy::cast_possible_wrap, reason = "groups of a batch")]
        let chunks = groups.len().div_ceil(CHUNK_CALLS) as i64;
        for (chunk, number) in groups.chunks(CHUNK_CALLS).zip(1_i64..) {
            let at = now + took_ms * number / chunks.max(1);
            self.ring_until(at);
            for (key, events) in chunk {
                self.call(*key, *events, at);
            }
        }
        self.scratch = keys;
    }

    /// Asks the budgets for paths that are not known, and puts refused ones in their hour's `(other)`. Sorted.
    fn admit(&mut self, keys: &mut [u64], now: i64) {
        keys.sort_unstable();
        for events in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            let mut paths: Vec<u32> = events.iter().map(|key| parts(*key).1).collect();
            paths.dedup();
            let hours = events.first().map_or(0, |key| parts(*key).0);
            self.budgets.ask(hours, &paths, now, &mut self.out.operations);
        }
        for key in keys.iter_mut() {
            let (hours, path) = parts(*key);
            *key = u64::from(hours) << 32 | u64::from(self.budgets.place(hours, path));
        }
        keys.sort_unstable();
    }

    /// A group is counted by its object.
    fn call(&mut self, key: u64, events: u64, now: i64) {
        let placed = self.objects.entry(key).or_default();
        placed.events += events;
        let is_new = placed.object.updates == 0;
        let woken = placed.object.wake(now);
        let alarm = placed.object.update(self.settings.cadence, now);
        if let Some(at) = alarm {
            placed.alarm_ms = Some(at);
            self.alarms.push(Reverse((at, key)));
        }
        let ops = &mut self.out.operations;
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::CALL_MS);
        ops.add(Operation::ObjectRowsWritten, 1 + u64::from(alarm.is_some()));
        if let Some(rows) = woken {
            ops.add(Operation::ObjectRowsRead, measured::rows_to_wake(rows, is_new));
        }
        ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_APPEND);
        if is_new {
            ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_CREATE);
            ops.add(Operation::ObjectRowsWritten, measured::ROWS_WRITTEN_TO_CREATE);
        }
    }

    /// Every alarm and every flush's end up to `until`, in order.
    fn ring_until(&mut self, until: i64) {
        loop {
            let object = self.alarms.peek().map(|Reverse((at, _))| *at);
            let flushed = self.flushing.front().map(|flushing| flushing.ends_ms);
            let ends =
                self.window.drain || self.upkeep.alarm_ms().is_none_or(|at| at <= self.window.length_ms);
            let snapshot = self.upkeep.alarm_ms().filter(|_| ends);
            let answer = self.upkeep.answer_ms();
            let budget = self.budgets.next();
            let all = [object, flushed, snapshot, answer, budget.map(|(at, _)| at)];
            let Some(first) = all.into_iter().flatten().min() else { return };
            if first > until {
                return;
            }
            if answer == Some(first) {
                self.upkeep.answered(first, &mut self.out.operations);
            } else if let Some((_, hour)) = budget.filter(|(at, _)| *at == first) {
                self.budgets.alarm(hour, first, &mut self.out.operations);
            } else if snapshot == Some(first) {
                // The database takes one statement after another: what is on its way is there before it is read.
                for row in self.flushing.iter_mut().filter_map(|flushing| flushing.row.take()) {
                    self.upkeep.flushed(row, &mut self.out.operations);
                }
                self.upkeep.alarm(first, &mut self.out.operations);
            } else if flushed == Some(first) {
                self.end_flush();
            } else {
                self.ring();
            }
        }
    }

    /// The database has a row: who wrote it asks for a snapshot.
    fn end_flush(&mut self) {
        let Some(Flushing { ends_ms, row, reason }) = self.flushing.pop_front() else { return };
        let ops = &mut self.out.operations;
        if let Some(row) = row {
            self.upkeep.flushed(row, ops);
        }
        self.upkeep.ask(reason, ends_ms, ops);
    }

    /// An object's alarm.
    fn ring(&mut self) {
        let Some(Reverse((now, key))) = self.alarms.pop() else { return };
        let Some(placed) = self.objects.get_mut(&key).filter(|placed| placed.alarm_ms == Some(now)) else {
            return;
        };
        placed.alarm_ms = None;
        let woken = placed.object.wake(now);
        let flush = placed.object.alarm(now);
        let ops = &mut self.out.operations;
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::FLUSH_MS);
        if let Some(rows) = woken {
            ops.add(Operation::ObjectRowsRead, measured::rows_to_wake(rows, false));
        }
        let Some(flush) = flush else { return };
        self.out.flushes += 1;
        // The checkpoint, and the alarm for the seal.
        ops.add(Operation::ObjectRowsWritten, 2);
        ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_CHECKPOINT);
        ops.add(Operation::D1Queries, 1);
        ops.add(Operation::D1RowsWritten, 1);
        let (hours, path) = parts(key);
        let reason = if flush.asks { SnapshotReason::TenthUpdate } else { SnapshotReason::Flush };
        let before = (!flush.first).then_some(placed.flushed);
        placed.flushed = placed.events;
        // The database takes one at a time.
        #[allow(clippy::cast_precision_loss, reason = "times within an hour")]
        let earliest = (now + self.delays.flush_ms) as f64;
        self.flushed_ms = earliest.max(self.flushed_ms + self.delays.query_ms);
        #[allow(clippy::cast_possible_truncation, reason = "times within an hour")]
        let ends_ms = self.flushed_ms.ceil() as i64;
        let row = Flushed { hours, path, before, events: placed.events };
        self.flushing.push_back(Flushing { ends_ms, row: Some(row), reason });
    }
}

/// How many hours ago, and which path.
#[allow(clippy::cast_possible_truncation, reason = "a path is the lower half of the key")]
const fn parts(key: u64) -> (u32, u32) {
    ((key >> 32) as u32, key as u32)
}

/// An hour of the day that has as many hours behind it as before it.
pub const NOON: u32 = 12;

/// An hour: the longest window.
pub const LONGEST_MS: i64 = HOUR_MS;

#[cfg(test)]
mod tests;
