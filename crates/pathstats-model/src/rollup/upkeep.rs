//! The run that rolls days up and deletes what is old, over a [`DailyStore`].
//!
//! A run may die anywhere, run again, and meet another of its kind: each step is decided by what the
//! database holds at that moment, not by what a run remembers.

use serde::Serialize;

use super::{merge, reads, writes, DailyRow, Lacking, Part};
use crate::hour::EventDate;
use crate::retention::{Budget, Horizons};

/// Paths listed at once: at most 4 MB with the longest paths, some hundred kilobytes commonly. Each
/// list reads the day's rows once.
const LIST_PATHS: usize = 2_000;

/// Paths whose hourly rows are deleted in one transaction: at most 2,400 rows.
const PURGE_PATHS: usize = 100;

/// Rows deleted in one statement.
const DELETE_ROWS: usize = 1_000;

/// Failures after which a run ends: the database is down, and the next run finds everything as it is.
const MOST_FAILURES: u32 = 3;

/// A day that something is to be done for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingDay {
    /// The day.
    pub date: EventDate,
    /// The pass under way, if its rows are to be rolled up.
    pub pass: Option<i64>,
    /// Whether its hourly rows are to be deleted.
    pub purge: bool,
}

/// The run's I/O. Each call may be repeated with the same arguments at any time.
#[allow(async_fn_in_trait)]
pub trait DailyStore {
    /// What went wrong; told to the log.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// Tells the operator what failed.
    fn report(&self, what: &str, error: &dyn core::fmt::Display);

    /// Begins a pass for every day that has ended and changed, and marks the days whose hourly rows
    /// are to go. What changes from now on needs another pass. Two queries.
    async fn begin(&self, horizons: Horizons) -> Result<(), Self::Error>;

    /// The days with a pass under way or with hourly rows to go, oldest first. One query.
    async fn waiting(&self) -> Result<Vec<WaitingDay>, Self::Error>;

    /// Paths of a day after `after` whose daily row lacks something, in order. One query.
    async fn lacking(&self, date: EventDate, after: &str, limit: usize) -> Result<Vec<Lacking>, Self::Error>;

    /// Keeps the daily rows of these paths beside as bases, where there is none yet and no hourly
    /// row is in them. One query.
    async fn keep_bases(&self, date: EventDate, paths: &[&str]) -> Result<(), Self::Error>;

    /// The hourly rows of these paths and hours, and their bases, as of one moment. One query.
    async fn parts(&self, date: EventDate, listed: &[Lacking]) -> Result<Vec<Part>, Self::Error>;

    /// Writes daily rows whole, each only if its hourly rows are still as they were read, and none of
    /// it was deleted since it was listed. One query.
    async fn write(&self, date: EventDate, rows: &[DailyRow]) -> Result<(), Self::Error>;

    /// Notes that a pass came to its end. One query.
    async fn end_pass(&self, date: EventDate, pass: i64) -> Result<(), Self::Error>;

    /// Notes that the hourly rows of a day are about to go: its hours have no totals from now on, and
    /// its own is made of its daily rows (see [`totals`](crate::totals)). One transaction, five
    /// queries.
    async fn end_hourly_totals(&self, date: EventDate) -> Result<(), Self::Error>;

    /// Paths of a day after `after` whose hourly rows may go, in order: all are sealed, and the
    /// daily row has their fingerprint. One query.
    async fn purgeable(&self, date: EventDate, after: &str, limit: usize)
        -> Result<Vec<String>, Self::Error>;

    /// Deletes the hourly rows of those paths that still may go, and their bases, and notes it in
    /// their daily rows, in one transaction; tells how many hourly rows went. Three queries.
    async fn purge(&self, date: EventDate, paths: &[String]) -> Result<u64, Self::Error>;

    /// Deletes sealed hourly rows of a day that has no daily rows any more. One query.
    async fn purge_unkept(&self, date: EventDate, limit: usize) -> Result<u64, Self::Error>;

    /// Notes that everything of a day that may go has gone; forgets the day when it has no hourly
    /// row left. Two queries.
    async fn end_purge(&self, date: EventDate) -> Result<(), Self::Error>;

    /// Deletes daily rows of days before this one, oldest first, and their bases and totals. One
    /// transaction, seven queries.
    async fn purge_daily(&self, before: EventDate, limit: usize) -> Result<u64, Self::Error>;
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RetentionDone"))]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Days whose pass came to its end.
    pub days_rolled_up: u32,
    /// Daily rows written.
    pub daily_rows_written: u64,
    /// Parts that do not decode; told to the log.
    pub broken: u64,
    /// Hourly rows deleted.
    pub hourly_rows_deleted: u64,
    /// Daily rows deleted.
    pub daily_rows_deleted: u64,
    /// Steps that failed; told to the log. The next run tries them again.
    pub failures: u32,
    /// Whether nothing is left to do until the next night.
    pub complete: bool,
}

impl Done {
    /// What was done in two databases together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            days_rolled_up: self.days_rolled_up + other.days_rolled_up,
            daily_rows_written: self.daily_rows_written + other.daily_rows_written,
            broken: self.broken + other.broken,
            hourly_rows_deleted: self.hourly_rows_deleted + other.hourly_rows_deleted,
            daily_rows_deleted: self.daily_rows_deleted + other.daily_rows_deleted,
            failures: self.failures + other.failures,
            complete: self.complete && other.complete,
        }
    }
}

/// How a step ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing of it is left.
    Finished,
    /// The budget is used up, or the database is down: the run ends here.
    Stopped,
}

/// What the night does: begins a pass for the days that changed, and goes on.
pub async fn nightly<S: DailyStore>(store: &S, horizons: Horizons, mut budget: Budget) -> Done {
    if budget.take(2, store.now_ms()) {
        // Dying after: the passes are under way, and any later run goes on with them. Again: days
        // that have not changed since keep their pass. Failing: what was begun before goes on.
        if let Err(error) = store.begin(horizons).await {
            store.report("no pass was begun", &error);
            let mut done = go_on(store, horizons, budget).await;
            done.failures += 1;
            done.complete = false;
            return done;
        }
    }
    go_on(store, horizons, budget).await
}

/// Goes on with what the last night began. Costs eight queries when nothing is left.
pub async fn go_on<S: DailyStore>(store: &S, horizons: Horizons, budget: Budget) -> Done {
    let mut run = Run { store, horizons, budget, done: Done::default() };
    let pace = run.all().await;
    run.done.complete = pace == Pace::Finished && run.done.failures == 0;
    run.done
}

struct Run<'a, S> {
    store: &'a S,
    horizons: Horizons,
    budget: Budget,
    done: Done,
}

impl<S: DailyStore> Run<'_, S> {
    fn may(&mut self, queries: u32) -> bool {
        self.budget.take(queries, self.store.now_ms())
    }

    async fn all(&mut self) -> Pace {
        if !self.may(1) {
            return Pace::Stopped;
        }
        // Reading may be repeated.
        let waiting = self.store.waiting().await;
        let Some(waiting) = self.noted("the days that wait cannot be read", waiting) else {
            return Pace::Stopped;
        };
        // The newest day first: yesterday is asked for more than what was imported of last year.
        for day in waiting.iter().rev() {
            let Some(pass) = day.pass.filter(|_| day.date >= self.horizons.daily_from) else { continue };
            let step = self.roll_up(day.date, pass).await;
            match self.noted(&format!("{} is not rolled up to the end", day.date), step) {
                Some(Pace::Stopped) => return Pace::Stopped,
                None if self.done.failures >= MOST_FAILURES => return Pace::Stopped,
                Some(Pace::Finished) | None => {}
            }
        }
        let old = |day: &&WaitingDay| day.purge && day.date < self.horizons.hourly_from;
        for day in waiting.iter().filter(old).copied().collect::<Vec<_>>() {
            let step = self.purge(day.date).await;
            match self.noted(&format!("old hourly rows of {} are still there", day.date), step) {
                Some(Pace::Stopped) => return Pace::Stopped,
                None if self.done.failures >= MOST_FAILURES => return Pace::Stopped,
                Some(Pace::Finished) | None => {}
            }
        }
        let step = self.purge_daily().await;
        self.noted("old daily rows are still there", step).unwrap_or(Pace::Stopped)
    }

    fn noted<T>(&mut self, what: &str, step: Result<T, S::Error>) -> Option<T> {
        step.map_err(|error| {
            self.done.failures += 1;
            self.store.report(what, &error);
        })
        .ok()
    }

    /// Writes the daily rows that lack something. A run that dies here is gone on with: the rows it
    /// wrote lack nothing any more, and the pass has not ended.
    async fn roll_up(&mut self, date: EventDate, pass: i64) -> Result<Pace, S::Error> {
        let mut after = String::new();
        loop {
            if !self.may(1) {
                return Ok(Pace::Stopped);
            }
            // 1. List. Reading may be repeated. Rows that come after the list came after the pass
            //    began: they have marked the day as changed, for the next night.
            let listed = self.store.lacking(date, &after, LIST_PATHS).await?;
            for page in reads(&listed) {
                if self.merge_page(date, page).await? == Pace::Stopped {
                    return Ok(Pace::Stopped);
                }
            }
            match listed.last() {
                Some(last) if listed.len() == LIST_PATHS => after.clone_from(&last.path),
                _ => break,
            }
        }
        if !self.may(1) {
            return Ok(Pace::Stopped);
        }
        // 5. The pass has ended. Dying before repeats the list, which is then empty. Again: nothing
        //    changes. A pass that was begun after this one keeps the day waiting.
        self.store.end_pass(date, pass).await?;
        self.done.days_rolled_up += 1;
        Ok(Pace::Finished)
    }

    async fn merge_page(&mut self, date: EventDate, page: &[Lacking]) -> Result<Pace, S::Error> {
        if !self.may(2) {
            return Ok(Pace::Stopped);
        }
        let bare: Vec<&str> = page.iter().filter(|p| p.needs_base).map(|p| p.path.as_str()).collect();
        // 2. Keep what holds the deleted hours. Dying after: base and daily row say the same, and
        //    nothing but step 4 changes either. Again: bases that are there stay.
        if !bare.is_empty() {
            self.store.keep_bases(date, &bare).await?;
        }
        // 3. Read, all hours of a path and its base as of one moment. May be repeated.
        let parts = self.store.parts(date, page).await?;
        let (rows, broken) = merge(&parts, page);
        for part in &broken {
            self.store.report("left out of a daily row", part);
        }
        self.done.broken += broken.len() as u64;
        // 4. Write. Again: the same row. A row that has changed since step 3 has marked the day as
        //    changed, and is left to the next pass; another run that deleted hourly rows has changed
        //    `purged_at`.
        for some in writes(&rows) {
            if !self.may(1) {
                // The next list has them again.
                return Ok(Pace::Stopped);
            }
            self.store.write(date, some).await?;
            self.done.daily_rows_written += some.len() as u64;
        }
        Ok(Pace::Finished)
    }

    /// Deletes the hourly rows of a day that may go. Those that may not stay for a later night.
    async fn purge(&mut self, date: EventDate) -> Result<Pace, S::Error> {
        let unkept = date < self.horizons.daily_from;
        let mut after = String::new();
        if !self.may(5) {
            return Ok(Pace::Stopped);
        }
        // Before the first row goes: a total that is made of what is left would lack it. Dying after:
        // rows are there whose hours have no totals. Again: nothing changes.
        self.store.end_hourly_totals(date).await?;
        loop {
            if !self.may(4) {
                return Ok(Pace::Stopped);
            }
            // What has gone is gone; what is left is found again. So dying and repeating change nothing.
            if unkept {
                let gone = self.store.purge_unkept(date, DELETE_ROWS).await?;
                self.done.hourly_rows_deleted += gone;
                if gone < DELETE_ROWS as u64 {
                    break;
                }
                continue;
            }
            let paths = self.store.purgeable(date, &after, PURGE_PATHS).await?;
            let Some(last) = paths.last() else { break };
            after.clone_from(last);
            // One transaction: a row that changed since the list was read is not sealed any more, or
            // has another revision, and stays.
            self.done.hourly_rows_deleted += self.store.purge(date, &paths).await?;
            if paths.len() < PURGE_PATHS {
                break;
            }
        }
        if !self.may(2) {
            return Ok(Pace::Stopped);
        }
        // Dying before: the list is read again, and is empty. An hourly row that comes now is either
        // seen by this statement or names the day anew.
        self.store.end_purge(date).await?;
        Ok(Pace::Finished)
    }

    async fn purge_daily(&mut self) -> Result<Pace, S::Error> {
        loop {
            if !self.may(7) {
                return Ok(Pace::Stopped);
            }
            // What has gone is gone: dying and repeating change nothing.
            let gone = self.store.purge_daily(self.horizons.daily_from, DELETE_ROWS).await?;
            self.done.daily_rows_deleted += gone;
            if gone < DELETE_ROWS as u64 {
                return Ok(Pace::Finished);
            }
        }
    }
}
