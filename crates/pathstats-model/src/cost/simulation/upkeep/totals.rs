//! The totals that the snapshot object makes behind a rebuild.

use super::{measured, Operation, Operations, Period, Upkeep, FULL_BYTES, HOURS, OPEN};
use crate::limits::{TOTALS_PAGE_ROWS, TOTALS_QUERIES, TOTALS_SOON_MS};
use crate::totals::together;

/// Bytes of sketches that one query for totals reads at most, as in the store.
const TOTALS_READ_BYTES: u64 = 600_000;

impl Upkeep {
    /// Makes the totals that are due. Tells when the next is.
    pub(super) fn totals(&mut self, now: i64, ops: &mut Operations) -> Option<i64> {
        /// What is kept of an alarm's queries to write a total, and what each takes beside its pages and these.
        const TO_END: u32 = 3;
        const TO_BEGIN: u32 = 2;
        let every = self.totals_every_ms;
        let mut queries = TOTALS_QUERIES;
        let due = |period: &Period| period.pass_ms.map_or(0, |pass| pass + every);
        loop {
            let waiting = self.hours.values().chain(self.days.values()).filter(|period| period.waits);
            let (mut read, mut dues) = (0, Vec::new());
            for period in waiting {
                read += measured::READ_TO_LIST_A_TOTAL + u64::from(period.pass_ms.is_some());
                dues.push(due(period));
            }
            let Some(left) = queries.checked_sub(1) else { return Some(now + TOTALS_SOON_MS) };
            queries = left;
            ops.add(Operation::D1Queries, 1);
            ops.add(Operation::D1RowsRead, read.max(measured::READ_TO_LIST_NOTHING));
            if dues.iter().all(|due| *due > now) {
                return together(dues.into_iter());
            }
            // What is listed is made, the newest first, and each day behind its hours.
            let is_due = |period: &Period| period.waits && due(period) <= now;
            let hours: Vec<u32> =
                self.hours.iter().filter(|(_, hour)| is_due(hour)).map(|(at, _)| *at).collect();
            let days: Vec<u32> = self.days.iter().filter(|(_, day)| is_due(day)).map(|(at, _)| *at).collect();
            // What an alarm has no queries left for is gone on with a second later.
            let mut may = || {
                let has = queries > TO_BEGIN + TO_END;
                queries = queries.saturating_sub(TO_BEGIN + 1 + TO_END);
                has
            };
            for at in hours {
                if !may() {
                    return Some(now + TOTALS_SOON_MS);
                }
                self.make_hour(at, now, ops);
            }
            for at in days {
                if !may() {
                    return Some(now + TOTALS_SOON_MS);
                }
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
