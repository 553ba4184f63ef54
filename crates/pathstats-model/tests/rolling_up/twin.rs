//! The daily part of the database in memory, one statement after another, with outages; and what was
//! counted in truth.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::hour::HourBucket;
use pathstats_model::packed::PackedEvent;
use pathstats_model::retention::Horizons;
use pathstats_model::rollup::{DailyRow, DailyStore, DayHours, Fingerprint, Lacking, Part, WaitingDay};
use pathstats_model::{EventDate, PathHourStats};

mod totals;

use crate::support::executor::pause;
use crate::support::faults::{Fate, Faults, Outage, Step};

#[derive(Clone)]
pub struct Hour {
    pub stats: PathHourStats,
    pub revision: u64,
    pub written_ms: i64,
    pub sealed: bool,
    pub broken: bool,
}

#[derive(Default, Clone, Copy)]
struct Rollup {
    changed: bool,
    begun: i64,
    ended: i64,
    purge_due: bool,
}

/// The fingerprint of a daily row whose hourly rows were deleted.
const GONE: Fingerprint = Fingerprint { rows: 0, revisions: 0, written_ms: 0 };

fn fingerprint(row: &Hour) -> Fingerprint {
    Fingerprint::of(row.revision, row.written_ms)
}

type PathDay = (EventDate, String);

#[derive(Default)]
struct State {
    hours: BTreeMap<(HourBucket, String), Hour>,
    daily: BTreeMap<PathDay, DailyRow>,
    bases: BTreeMap<PathDay, (DayHours, Vec<u8>)>,
    rollups: BTreeMap<EventDate, Rollup>,
    totals: totals::Totals,
    /// Everything that was ever counted.
    truth: BTreeMap<PathDay, PathHourStats>,
}

pub struct Twin {
    state: RefCell<State>,
    faults: RefCell<Faults>,
    clock: Cell<i64>,
    pub reports: RefCell<Vec<String>>,
    pub calls: Cell<u32>,
    /// Most rows that a page of a total's source holds.
    pub page_rows: Cell<usize>,
    /// Whether a total that tells less than the one before stops the test.
    pub never_shrinks: Cell<bool>,
}

impl Twin {
    pub fn new(faults: Faults, now_ms: i64) -> Self {
        let (reports, calls) = (RefCell::default(), Cell::new(0));
        Self {
            state: RefCell::default(),
            faults: RefCell::new(faults),
            clock: Cell::new(now_ms),
            reports,
            calls,
            page_rows: Cell::new(usize::MAX),
            never_shrinks: Cell::new(false),
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.get()
    }

    pub fn wait_until(&self, ms: i64) {
        self.clock.set(self.clock.get().max(ms));
    }

    /// How the next statement that is not scripted yet ends.
    pub fn script(&self, fate: Fate) {
        self.faults.borrow_mut().script(Step::Flush, fate);
    }

    pub fn calm(&self) {
        self.faults.borrow_mut().calm();
    }

    /// An object flushes what it counted in addition; a row that is not there begins anew.
    pub fn flush(&self, path: &str, hour: HourBucket, event: &PackedEvent) {
        let state = &mut *self.state.borrow_mut();
        let row = state.hours.entry((hour, path.to_owned())).or_insert_with(|| Hour {
            stats: PathHourStats::default(),
            revision: 0,
            written_ms: 0,
            sealed: false,
            broken: false,
        });
        row.stats.add(event);
        row.revision += 1;
        row.written_ms = self.clock.get();
        row.sealed = false;
        state.rollups.entry(hour.date()).or_default().changed = true;
        state.totals.hour_changed(hour);
        state.truth.entry((hour.date(), path.to_owned())).or_default().add(event);
    }

    /// A repair finds that a row lacked an event: it keeps the revision and the seal.
    pub fn repair(&self, path: &str, hour: HourBucket, event: &PackedEvent) {
        let state = &mut *self.state.borrow_mut();
        let Some(row) = state.hours.get_mut(&(hour, path.to_owned())) else { return };
        self.clock.set(self.clock.get() + 1);
        row.stats.add(event);
        row.written_ms = self.clock.get();
        state.rollups.entry(hour.date()).or_default().changed = true;
        state.totals.hour_changed(hour);
        state.truth.entry((hour.date(), path.to_owned())).or_default().add(event);
    }

    pub fn seal_all(&self) {
        self.state.borrow_mut().hours.values_mut().for_each(|row| row.sealed = true);
    }

    pub fn seal(&self, path: &str, hour: HourBucket) {
        if let Some(row) = self.state.borrow_mut().hours.get_mut(&(hour, path.to_owned())) {
            row.sealed = true;
        }
    }

    pub fn break_hour(&self, path: &str, hour: HourBucket) {
        self.state.borrow_mut().hours.get_mut(&(hour, path.to_owned())).unwrap().broken = true;
    }

    pub fn hourly_rows(&self) -> usize {
        self.state.borrow().hours.len()
    }

    pub fn days_known(&self) -> usize {
        self.state.borrow().rollups.len()
    }

    pub fn bases(&self) -> usize {
        self.state.borrow().bases.len()
    }

    /// A run that listed a path before another deleted its hourly rows leaves a base behind that
    /// says what the row says, until the next one takes it up or it grows old with the row.
    pub fn bases_left_are_the_rows_themselves(&self) -> bool {
        let state = self.state.borrow();
        state.bases.iter().all(|(key, (_, sketches))| state.daily[key].sketches == *sketches)
    }

    pub fn daily(&self, path: &str, date: EventDate) -> Option<DailyRow> {
        self.state.borrow().daily.get(&(date, path.to_owned())).cloned()
    }

    /// Holds the daily rows of days from `from` and before `until` against what was counted.
    pub fn check(&self, from: EventDate, until: EventDate) {
        let state = self.state.borrow();
        let closed = |date: &EventDate| (from..until).contains(date);
        for ((date, path), truth) in state.truth.iter().filter(|((date, _), _)| closed(date)) {
            let row = state.daily.get(&(*date, path.clone()));
            let row = row.unwrap_or_else(|| panic!("{path} of {date} has no daily row"));
            assert_eq!(row.stats.counters, truth.counters, "{path} of {date}");
            assert_eq!(row.sketches, truth.to_bytes(), "{path} of {date}");
        }
        let counted: BTreeSet<_> = state.truth.keys().collect();
        assert!(state.daily.keys().all(|key| counted.contains(key)));
    }

    /// One statement, or one transaction: others may run before it and before its answer arrives.
    async fn statement<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> Result<T, Outage> {
        pause().await;
        self.calls.set(self.calls.get() + 1);
        self.clock.set(self.clock.get() + 1);
        let fate = self.faults.borrow_mut().fate(Step::Flush);
        if fate == Fate::Fails {
            return Err(Outage);
        }
        let answer = act(&mut self.state.borrow_mut(), self.clock.get());
        pause().await;
        fate.told(answer)
    }
}

impl State {
    fn rows<'a>(&'a self, date: EventDate, path: &'a str) -> impl Iterator<Item = (HourBucket, &'a Hour)> {
        DayHours::from_bits(u32::MAX)
            .of_date(date)
            .filter_map(move |hour| Some((hour, self.hours.get(&(hour, path.to_owned()))?)))
    }

    fn may_go(&self, date: EventDate, path: &str) -> bool {
        let sealed = self.rows(date, path).all(|(_, row)| row.sealed);
        let daily = self.daily.get(&(date, path.to_owned()));
        sealed && daily.is_some_and(|daily| daily.fingerprint != GONE && self.is_up_to_date(date, daily))
    }

    fn fingerprint(&self, date: EventDate, path: &str) -> Fingerprint {
        self.rows(date, path).fold(GONE, |all, (_, row)| all.with(fingerprint(row)))
    }

    fn is_up_to_date(&self, date: EventDate, daily: &DailyRow) -> bool {
        daily.is_whole && daily.fingerprint == self.fingerprint(date, &daily.path)
    }

    fn paths(&self, date: EventDate) -> BTreeSet<String> {
        self.hours.keys().filter(|(hour, _)| hour.date() == date).map(|(_, path)| path.clone()).collect()
    }
}

impl DailyStore for Twin {
    type Error = Outage;

    fn now_ms(&self) -> i64 {
        self.clock.get()
    }

    fn report(&self, what: &str, error: &dyn core::fmt::Display) {
        self.reports.borrow_mut().push(format!("{what}: {error}"));
    }

    async fn begin(&self, horizons: Horizons) -> Result<(), Outage> {
        self.statement(|state, now| {
            for (date, rollup) in &mut state.rollups {
                if rollup.changed && (horizons.daily_from..horizons.open_from).contains(date) {
                    rollup.changed = false;
                    rollup.begun = now.max(rollup.begun + 1);
                }
                rollup.purge_due = *date < horizons.hourly_from;
            }
        })
        .await
    }

    async fn waiting(&self) -> Result<Vec<WaitingDay>, Outage> {
        self.statement(|state, _| {
            let waiting = state.rollups.iter().map(|(date, rollup)| WaitingDay {
                date: *date,
                pass: (rollup.begun > rollup.ended).then_some(rollup.begun),
                purge: rollup.purge_due,
            });
            waiting.filter(|day| day.pass.is_some() || day.purge).collect()
        })
        .await
    }

    async fn lacking(&self, date: EventDate, after: &str, limit: usize) -> Result<Vec<Lacking>, Outage> {
        self.statement(|state, _| {
            let lacking =
                state.paths(date).into_iter().filter(|path| path.as_str() > after).filter_map(|path| {
                    let daily = state.daily.get(&(date, path.clone()));
                    let lacks = !daily.is_some_and(|daily| state.is_up_to_date(date, daily));
                    lacks.then(|| Lacking {
                        hours: state
                            .rows(date, &path)
                            .fold(DayHours::default(), |all, (h, _)| all.with(DayHours::of(h))),
                        bytes: 2_000,
                        purged_at: daily.and_then(|daily| daily.purged_at),
                        needs_base: daily.is_some_and(|daily| daily.fingerprint == GONE),
                        path,
                    })
                });
            lacking.take(limit).collect()
        })
        .await
    }

    async fn keep_bases(&self, date: EventDate, paths: &[&str]) -> Result<(), Outage> {
        self.statement(|state, _| {
            for path in paths {
                let key = (date, (*path).to_owned());
                if let Some(daily) = state.daily.get(&key).filter(|daily| daily.fingerprint == GONE) {
                    state.bases.entry(key).or_insert_with(|| (daily.hours, daily.sketches.clone()));
                }
            }
        })
        .await
    }

    async fn parts(&self, date: EventDate, listed: &[Lacking]) -> Result<Vec<Part>, Outage> {
        self.statement(|state, _| {
            let mut parts = Vec::new();
            for path in listed {
                for hour in path.hours.of_date(date) {
                    if let Some(row) = state.hours.get(&(hour, path.path.clone())) {
                        let sketches = if row.broken { Vec::new() } else { row.stats.to_bytes() };
                        let (path, hours) = (path.path.clone(), DayHours::of(hour));
                        parts.push(Part { path, hours, fingerprint: Some(fingerprint(row)), sketches });
                    }
                }
                if let Some((hours, sketches)) = state.bases.get(&(date, path.path.clone())) {
                    let (hours, sketches) = (*hours, sketches.clone());
                    parts.push(Part { path: path.path.clone(), hours, fingerprint: None, sketches });
                }
            }
            parts
        })
        .await
    }

    async fn write(&self, date: EventDate, rows: &[DailyRow]) -> Result<(), Outage> {
        self.statement(|state, _| {
            for row in rows {
                let key = (date, row.path.clone());
                let own = state.daily.get(&key);
                let refused = state.fingerprint(date, &row.path) != row.fingerprint
                    || own.is_some_and(|own| own.purged_at != row.purged_at);
                if !refused {
                    state.daily.insert(key, row.clone());
                    state.totals.daily_row_written(date);
                }
            }
        })
        .await
    }

    async fn end_pass(&self, date: EventDate, pass: i64) -> Result<(), Outage> {
        self.statement(|state, _| {
            if let Some(rollup) = state.rollups.get_mut(&date).filter(|r| r.begun >= pass && r.ended < pass) {
                rollup.ended = pass;
            }
        })
        .await
    }

    async fn end_hourly_totals(&self, date: EventDate) -> Result<(), Outage> {
        self.statement(|state, _| state.totals.end_hours(date)).await
    }

    async fn purgeable(&self, date: EventDate, after: &str, limit: usize) -> Result<Vec<String>, Outage> {
        self.statement(|state, _| {
            let may_go = |path: &String| path.as_str() > after && state.may_go(date, path);
            state.paths(date).into_iter().filter(may_go).take(limit).collect()
        })
        .await
    }

    async fn purge(&self, date: EventDate, paths: &[String]) -> Result<u64, Outage> {
        self.statement(|state, now| {
            let mut gone = 0;
            for path in paths.iter().filter(|path| state.may_go(date, path)).cloned().collect::<Vec<_>>() {
                let before = state.hours.len();
                state.hours.retain(|(hour, own), _| hour.date() != date || *own != path);
                gone += (before - state.hours.len()) as u64;
                let daily = state.daily.get_mut(&(date, path.clone())).unwrap();
                daily.fingerprint = GONE;
                daily.purged_at = Some(now);
                state.bases.remove(&(date, path));
            }
            gone
        })
        .await
    }

    async fn purge_unkept(&self, date: EventDate, limit: usize) -> Result<u64, Outage> {
        self.statement(|state, _| {
            let before = state.hours.len();
            let mut left = limit;
            state.hours.retain(|(hour, _), row| {
                let goes = hour.date() == date && row.sealed && left > 0;
                left -= usize::from(goes);
                !goes
            });
            (before - state.hours.len()) as u64
        })
        .await
    }

    async fn end_purge(&self, date: EventDate) -> Result<(), Outage> {
        self.statement(|state, _| {
            if state.paths(date).is_empty() {
                state.rollups.remove(&date);
            } else if let Some(rollup) = state.rollups.get_mut(&date) {
                rollup.purge_due = false;
            }
        })
        .await
    }

    async fn purge_daily(&self, before: EventDate, limit: usize) -> Result<u64, Outage> {
        self.statement(|state, _| {
            let old: Vec<_> =
                state.daily.keys().filter(|(date, _)| *date < before).take(limit).cloned().collect();
            for key in &old {
                state.daily.remove(key);
                state.bases.remove(key);
            }
            let rollups = &state.rollups;
            state.totals.drop_before(before, |date| rollups.contains_key(&date));
            old.len() as u64
        })
        .await
    }
}
