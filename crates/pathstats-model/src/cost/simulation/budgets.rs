//! What the objects of the hours' budgets of paths do: each admits paths, and is asked for those that are not known.

use std::collections::BTreeMap;

use super::measured;
use super::object::EVICTED_AFTER_MS;
use crate::budget::admission::REPORT_MS;
use crate::budget::call::MAX_ASKED_PATHS;
use crate::budget::sample::SAMPLE_PATHS;
use crate::cost::operations::{Operation, Operations};

/// What is known of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    Admitted,
    Refused,
}

/// The budget of one hour.
#[derive(Debug, Default)]
struct Hour {
    paths: Vec<Known>,
    admitted: u32,
    refused: u64,
    /// Rows of its log.
    rows: u64,
    /// Of a row for what the sample of refused paths takes in, the share that is expected so far.
    sampled: f64,
    reported: Option<u64>,
    alarm_ms: Option<i64>,
    knows_alarm: bool,
    active_ms: i64,
}

/// The budgets of all hours, and one isolate that remembers what was admitted.
#[derive(Debug)]
pub(super) struct Budgets {
    /// Most paths of an hour; 0 for no limit.
    limit: u32,
    paths: u32,
    hours: BTreeMap<u32, Hour>,
}

impl Budgets {
    pub(super) const fn new(limit: u32, paths: u32) -> Self {
        Self { limit, paths, hours: BTreeMap::new() }
    }

    /// Where events of a path count, once it was asked for: the path, or the one behind the last, which is `(other)`.
    pub(super) fn place(&self, hour: u32, path: u32) -> u32 {
        let known = self.hours.get(&hour).and_then(|hour| hour.paths.get(path as usize));
        if self.limit > 0 && known == Some(&Known::Refused) {
            self.paths
        } else {
            path
        }
    }

    /// Asks for the distinct paths of a batch in one hour, those that are known left out.
    pub(super) fn ask(&mut self, hour: u32, paths: &[u32], now: i64, ops: &mut Operations) {
        let (limit, count) = (self.limit, self.paths as usize);
        let budget = self.hours.entry(hour).or_default();
        if limit == 0 {
            // The isolate remembers that there is no limit.
            if budget.rows == 0 {
                budget.begin(now, ops);
                budget.append(ops);
                budget.schedule(now, ops);
            }
            return;
        }
        budget.paths.resize(count, Known::Nothing);
        // What was refused is not remembered, and is asked for again.
        let known = &budget.paths;
        let unknown: Vec<usize> = paths.iter().map(|path| *path as usize).collect();
        let unknown: Vec<usize> =
            unknown.into_iter().filter(|path| known.get(*path) != Some(&Known::Admitted)).collect();
        for asked in unknown.chunks(MAX_ASKED_PATHS) {
            budget.begin(now, ops);
            if budget.decide(asked, limit) {
                budget.append(ops);
            }
            budget.schedule(now, ops);
        }
    }

    /// When the first alarm rings, and whose.
    pub(super) fn next(&self) -> Option<(i64, u32)> {
        self.hours.iter().filter_map(|(hour, budget)| Some((budget.alarm_ms?, *hour))).min()
    }

    /// An alarm: what the hour's budget came to is written.
    pub(super) fn alarm(&mut self, hour: u32, now: i64, ops: &mut Operations) {
        let Some(budget) = self.hours.get_mut(&hour) else { return };
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::FLUSH_MS);
        budget.wake(now, ops);
        ops.add(Operation::D1Queries, 1);
        ops.add(Operation::D1RowsWritten, 1);
        // The checkpoint, and the alarm for the end.
        ops.add(Operation::ObjectRowsWritten, 2);
        ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_CHECKPOINT);
        if budget.reported.is_some() {
            ops.add(Operation::D1RowsRead, measured::READ_TO_REPORT_A_BUDGET_AGAIN);
        }
        budget.reported = Some(budget.rows);
        (budget.alarm_ms, budget.knows_alarm) = (None, true);
    }
}

impl Hour {
    /// A call of it: as with every object, its log is read when it was evicted.
    fn begin(&mut self, now: i64, ops: &mut Operations) {
        ops.add(Operation::ObjectRequests, 1);
        ops.add(Operation::ObjectMs, measured::CALL_MS);
        if self.rows == 0 {
            // Whether the hour was counted before there was a budget: no row is there.
            ops.add(Operation::D1Queries, 1);
            ops.add(Operation::ObjectRowsRead, measured::rows_to_wake(0, true));
            self.active_ms = now;
        }
        self.wake(now, ops);
    }

    fn wake(&mut self, now: i64, ops: &mut Operations) {
        if now - self.active_ms > EVICTED_AFTER_MS {
            let rows = self.rows + u64::from(self.reported.is_some());
            ops.add(Operation::ObjectRowsRead, measured::rows_to_wake(rows, false));
            // It does not know of its alarm then, and sets it anew, to the same time.
            self.knows_alarm = false;
        }
        self.active_ms = now;
    }

    /// Admits what there is room for. Tells whether anything is to be written.
    fn decide(&mut self, asked: &[usize], limit: u32) -> bool {
        let (admitted, mut refused) = (self.admitted, 0_u32);
        for path in asked {
            match self.paths.get_mut(*path) {
                Some(known) if *known == Known::Nothing && self.admitted < limit => {
                    *known = Known::Admitted;
                    self.admitted += 1;
                }
                Some(known) if *known == Known::Nothing => {
                    *known = Known::Refused;
                    refused += 1;
                    self.refused += 1;
                }
                _ => {}
            }
        }
        // The n-th distinct path comes to be of a sample of k with a chance of k in n.
        #[allow(clippy::cast_precision_loss, reason = "a million paths at most")]
        let chance = (SAMPLE_PATHS as f64 / self.refused.max(1) as f64).min(1.0);
        self.sampled += 1.0 - (1.0 - chance).powf(f64::from(refused));
        let is_sampled = self.sampled >= 1.0;
        self.sampled -= f64::from(u8::from(is_sampled));
        self.admitted > admitted || is_sampled
    }

    fn append(&mut self, ops: &mut Operations) {
        self.rows += 1;
        ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_APPEND);
        ops.add(Operation::ObjectRowsWritten, 1);
        if self.rows == 1 {
            ops.add(Operation::ObjectRowsRead, measured::ROWS_READ_TO_CREATE);
            ops.add(Operation::ObjectRowsWritten, measured::ROWS_WRITTEN_TO_CREATE);
        }
    }

    /// Its alarm, when it must change.
    fn schedule(&mut self, now: i64, ops: &mut Operations) {
        let is_told = self.reported == Some(self.rows);
        if self.knows_alarm && (is_told || self.alarm_ms.is_some()) {
            return;
        }
        // That of an hour whose figures are told is for its end, days later.
        self.alarm_ms = (!is_told).then(|| self.alarm_ms.unwrap_or(now + REPORT_MS));
        self.knows_alarm = true;
        ops.add(Operation::ObjectRowsWritten, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(budgets: &mut Budgets, paths: &[u32], now: i64) -> Operations {
        let mut ops = Operations::NONE;
        budgets.ask(0, paths, now, &mut ops);
        ops
    }

    #[test]
    fn an_admitted_path_is_asked_for_once_and_a_refused_one_every_time() {
        let mut budgets = Budgets::new(2, 10);
        let first = ask(&mut budgets, &[1, 2], 0);
        assert_eq!(first.get(Operation::ObjectRequests), 1);
        // Its table, its row, and its alarm.
        assert_eq!(first.get(Operation::ObjectRowsWritten), measured::ROWS_WRITTEN_TO_CREATE + 2);
        assert_eq!(ask(&mut budgets, &[1, 2], 1), Operations::NONE);
        for now in 2..5 {
            assert_eq!(ask(&mut budgets, &[2, 3], now).get(Operation::ObjectRequests), 1);
        }
        assert_eq!([1, 2, 3].map(|path| budgets.place(0, path)), [1, 2, 10]);
    }

    #[test]
    fn without_a_limit_an_hour_is_asked_once() {
        let mut budgets = Budgets::new(0, 10);
        assert_eq!(ask(&mut budgets, &[1, 2], 0).get(Operation::ObjectRequests), 1);
        assert_eq!(ask(&mut budgets, &[3], 1), Operations::NONE);
        assert_eq!(budgets.place(0, 3), 3);
    }

    #[test]
    fn a_scanner_of_a_million_paths_is_a_call_a_batch_and_few_rows() {
        let mut budgets = Budgets::new(100, 1_000_000);
        let (mut all, paths) = (Operations::NONE, (0..1_000_000).collect::<Vec<u32>>());
        for (batch, paths) in paths.chunks(1_000).enumerate() {
            #[allow(clippy::cast_possible_wrap)]
            all.merge(&ask(&mut budgets, paths, batch as i64));
        }
        assert_eq!(all.get(Operation::ObjectRequests), 1_000);
        let rows = all.get(Operation::ObjectRowsWritten);
        // The b-th batch brings one of the 200 smallest hashes with a chance of 1 - (1 - 0.2 / b)^1000.
        let expected: f64 = (1..=1_000).map(|batch| 1.0 - (1.0 - 0.2 / f64::from(batch)).powi(1_000)).sum();
        #[allow(clippy::cast_precision_loss)]
        let off = (rows as f64 - expected).abs();
        assert!(off < 10.0, "{rows} rows, {expected} expected");
    }

    #[test]
    fn what_it_came_to_is_told_a_minute_later_and_not_again_unless_it_changes() {
        let mut budgets = Budgets::new(5, 10);
        ask(&mut budgets, &[1], 1_000);
        assert_eq!(budgets.next(), Some((1_000 + REPORT_MS, 0)));
        let mut ops = Operations::NONE;
        budgets.alarm(0, 1_000 + REPORT_MS, &mut ops);
        assert_eq!((ops.get(Operation::D1RowsWritten), budgets.next()), (1, None));
        // It was evicted, and reads its log and its checkpoint.
        let ops = ask(&mut budgets, &[2], 200_000);
        assert_eq!(ops.get(Operation::ObjectRowsRead), measured::rows_to_wake(2, false) + 1);
        assert_eq!(budgets.next(), Some((200_000 + REPORT_MS, 0)));
    }
}
