//! The run that makes the totals of what changed, over a [`TotalsStore`].
//!
//! A run may die anywhere, run again, and meet another of its kind: each step is decided by what the
//! database holds at that moment, not by what a run remembers.

use serde::Serialize;

use super::{Period, Source, SourceRow, Total};
use crate::limits::{TOTALS_LISTED, TOTALS_PAGE_ROWS, TOTALS_SOON_MS};
use crate::retention::Budget;

/// Failures after which a run ends: the database is down, and the next run finds everything as it is.
const MOST_FAILURES: u32 = 3;

/// Queries that a pass needs to end in good order: what was read is written, or kept as a part.
const QUERIES_TO_END: u32 = 3;

/// A period whose total is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The period.
    pub period: Period,
    /// Whether the hours of its day are gone or about to go.
    pub purged: bool,
    /// The pass under way that a part was kept of.
    pub part_of: Option<i64>,
    /// When its next pass may begin, in milliseconds since the epoch.
    pub due_ms: i64,
}

/// Some rows of a source, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<SourceRow>,
    /// Whether there are none behind them.
    pub is_last: bool,
}

/// How far a pass came.
#[derive(Debug, Clone)]
pub struct Part {
    /// The last row that is in it.
    pub after: String,
    /// What the rows up to there come to.
    pub total: Total,
}

/// The run's I/O. Each call may be repeated with the same arguments at any time.
#[allow(async_fn_in_trait)]
pub trait TotalsStore {
    /// What went wrong; told to the log.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// Tells the operator what failed.
    fn report(&self, what: &str, error: &dyn core::fmt::Display);

    /// The periods to be made: first those that may be now, the newest first, then others. A pass of
    /// a period begins `every_ms` after the one before at the earliest; one that a part was kept of
    /// goes on at once. Left out is a day whose hours are gone while daily rows of it are still to
    /// be rolled up. One query.
    async fn waiting(&self, every_ms: i64, limit: usize) -> Result<Vec<Waiting>, Self::Error>;

    /// Forgets that hours were to be made that have no totals any more. One query.
    async fn forget_purged(&self) -> Result<(), Self::Error>;

    /// Begins a pass and tells its number, greater than that of any pass of this period before; what
    /// changes from now on needs another. `None` when the period is not to be made any more. One
    /// query.
    async fn begin(&self, period: Period) -> Result<Option<i64>, Self::Error>;

    /// The part that was kept of this pass; `None` when there is none, or it does not decode. One
    /// query.
    async fn part(&self, period: Period, pass: i64) -> Result<Option<Part>, Self::Error>;

    /// Rows of a source after `after`. One query.
    async fn rows(&self, source: Source, after: &str, limit: usize) -> Result<Page, Self::Error>;

    /// Keeps a part, while no later pass has begun. One query.
    async fn keep_part(&self, period: Period, pass: i64, part: &Part) -> Result<(), Self::Error>;

    /// Writes the total of a pass whole, unless that of a later one is there, or the hours of its day
    /// went since the pass began, and notes that the pass has ended: one transaction, three queries.
    /// What changed since it began stays to be made.
    async fn finish(&self, source: Source, pass: i64, total: &Total) -> Result<(), Self::Error>;
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Totals of hours made.
    pub hours: u32,
    /// Totals of days made.
    pub days: u32,
    /// Rows merged.
    pub rows: u64,
    /// Rows that do not decode; told to the log and left out.
    pub broken: u64,
    /// Steps that failed; told to the log. A later run tries them again.
    pub failures: u32,
    /// When something is to be done next, in milliseconds since the epoch; `None` when nothing is
    /// known to be.
    pub next_ms: Option<i64>,
}

/// How a step ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing of it is left.
    Finished,
    /// The budget is used up: the run ends here.
    Stopped,
}

/// Makes the totals of what changed, as far as the budget goes. Costs one query when nothing did.
pub async fn keep_up<S: TotalsStore>(store: &S, every_ms: i64, budget: Budget) -> Done {
    let mut run = Run { store, every_ms, budget, done: Done::default() };
    run.done.next_ms = run.all().await;
    run.done
}

/// When to go on: with the first that is due, and those that are due within a second of it. Passes that began a
/// moment apart would have an alarm each.
#[must_use]
pub fn together(due_ms: impl Iterator<Item = i64> + Clone) -> Option<i64> {
    let first = due_ms.clone().min()?;
    due_ms.filter(|due| *due <= first + TOTALS_SOON_MS).max()
}

struct Run<'a, S> {
    store: &'a S,
    every_ms: i64,
    budget: Budget,
    done: Done,
}

impl<S: TotalsStore> Run<'_, S> {
    fn may(&mut self, queries: u32) -> bool {
        self.budget.take(queries, self.store.now_ms())
    }

    /// Works until nothing is due; tells when something is next.
    async fn all(&mut self) -> Option<i64> {
        loop {
            if !self.may(1) {
                return Some(self.store.now_ms() + TOTALS_SOON_MS);
            }
            // Reading may be repeated. It is read again until nothing is due: an hour that was made
            // has its day made.
            let waiting = match self.store.waiting(self.every_ms, TOTALS_LISTED).await {
                Ok(waiting) => waiting,
                Err(error) => {
                    return Some(self.failed("the totals that are to be made cannot be read", &error))
                }
            };
            let now = self.store.now_ms();
            let due: Vec<Waiting> = waiting.iter().filter(|waiting| waiting.due_ms <= now).copied().collect();
            if due.is_empty() {
                return together(waiting.iter().map(|waiting| waiting.due_ms));
            }
            if let Some(next) = self.make_all(&due).await {
                return Some(next);
            }
        }
    }

    /// Makes what is due; tells when to go on if the run is to end here.
    async fn make_all(&mut self, due: &[Waiting]) -> Option<i64> {
        let is_forgotten = |waiting: &Waiting| Source::of(waiting.period, waiting.purged).is_none();
        if due.iter().any(is_forgotten) && self.may(1) {
            // Again, or late: there is nothing more to forget.
            if let Err(error) = self.store.forget_purged().await {
                return Some(self.failed("hours that have no totals are still to be made", &error));
            }
        }
        for waiting in due {
            let Some(source) = Source::of(waiting.period, waiting.purged) else { continue };
            match self.make(source, waiting.part_of).await {
                Ok(Pace::Finished) => {}
                Ok(Pace::Stopped) => return Some(self.store.now_ms() + TOTALS_SOON_MS),
                Err(error) => {
                    let again = self.failed(&format!("the total of {} was not made", waiting.period), &error);
                    if self.done.failures >= MOST_FAILURES {
                        return Some(again);
                    }
                }
            }
        }
        None
    }

    /// Notes a failure; tells when to try again.
    fn failed(&mut self, what: &str, error: &S::Error) -> i64 {
        self.done.failures += 1;
        self.store.report(what, error);
        self.store.now_ms() + self.every_ms
    }

    async fn make(&mut self, source: Source, part_of: Option<i64>) -> Result<Pace, S::Error> {
        let period = source.period();
        // Two to begin, one to read.
        if !self.may(2) || self.budget.queries <= QUERIES_TO_END {
            return Ok(Pace::Stopped);
        }
        // 1. Begin a pass, or go on with the one that a part was kept of. Dying after: the period is
        //    still to be made, and a later pass begins anew or goes on with the part. Again: a pass
        //    of a greater number, whose total is the one that stays.
        let kept = match part_of {
            Some(pass) => self.store.part(period, pass).await?.map(|part| (pass, part)),
            None => None,
        };
        let (pass, mut part) = match kept {
            Some(kept) => kept,
            None => match self.store.begin(period).await? {
                Some(pass) => (pass, Part { after: String::new(), total: Total::default() }),
                None => return Ok(Pace::Finished),
            },
        };
        loop {
            if self.budget.queries <= QUERIES_TO_END || !self.may(1) {
                // What is kept of a later pass, or of one that has ended, changes nothing.
                self.store.keep_part(period, pass, &part).await?;
                return Ok(Pace::Stopped);
            }
            // 2. Read, page by page. May be repeated. A row that changes after it was read has marked
            //    the period as changed, since it changed after the pass began.
            let page = self.store.rows(source, &part.after, TOTALS_PAGE_ROWS).await?;
            self.add(&mut part, &page.rows);
            if page.is_last {
                break;
            }
        }
        // 3. Write. Dying before: as after 1. Again: the total of this pass is there, and stays.
        self.budget.queries = self.budget.queries.saturating_sub(QUERIES_TO_END);
        self.store.finish(source, pass, &part.total).await?;
        match period {
            Period::Hour(_) => self.done.hours += 1,
            Period::Day(_) => self.done.days += 1,
        }
        Ok(Pace::Finished)
    }

    fn add(&mut self, part: &mut Part, rows: &[SourceRow]) {
        for row in rows {
            if let Err(error) = part.total.add(row) {
                self.done.broken += 1;
                self.store.report(&format!("{} is left out of a total", row.key), &error);
            }
            part.after.clone_from(&row.key);
        }
        self.done.rows += rows.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_within_a_second_shares_an_alarm_and_nothing_comes_early() {
        let due = |list: &[i64]| together(list.iter().copied());
        assert_eq!(due(&[60_000, 60_040, 60_900]), Some(60_900));
        assert_eq!(due(&[61_500, 60_000]), Some(60_000));
        assert_eq!(due(&[]), None);
    }
}
