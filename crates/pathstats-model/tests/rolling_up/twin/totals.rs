//! The totals' part of the database in memory: what its triggers note, and the statements of a run.

use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::hour::HourBucket;
use pathstats_model::totals::{Page, Part, Period, Source, SourceRow, Total, TotalsStore, Waiting};
use pathstats_model::EventDate;

use super::{State, Twin};
use crate::support::faults::Outage;

#[derive(Default, Clone, Copy)]
struct Due {
    changed: bool,
    pass: i64,
}

#[derive(Clone)]
struct Row {
    pass: i64,
    total: Total,
}

#[derive(Default)]
pub(super) struct Totals {
    rows: BTreeMap<Period, Row>,
    due: BTreeMap<Period, Due>,
    parts: BTreeMap<Period, (i64, Part)>,
    pub(super) purged: BTreeSet<EventDate>,
    /// Totals that were written.
    written: u32,
}

impl Totals {
    /// What the triggers of `path_stats_hourly` do.
    pub(super) fn hour_changed(&mut self, hour: HourBucket) {
        self.note(Period::Hour(hour));
    }

    /// What the triggers of `path_stats_daily` do.
    pub(super) fn daily_row_written(&mut self, date: EventDate) {
        if self.purged.contains(&date) {
            self.note(Period::Day(date));
        }
    }

    fn note(&mut self, period: Period) {
        self.due.entry(period).or_default().changed = true;
    }

    pub(super) fn end_hours(&mut self, date: EventDate) {
        if self.purged.insert(date) {
            self.note(Period::Day(date));
            self.due.get_mut(&Period::Day(date)).unwrap().pass += 1;
        }
        let is_gone = |period: &Period| matches!(period, Period::Hour(hour) if hour.date() == date);
        self.rows.retain(|period, _| !is_gone(period));
        self.due.retain(|period, _| !is_gone(period));
        self.parts.retain(|period, _| !is_gone(period));
    }

    pub(super) fn drop_before(&mut self, before: EventDate, has_hours: impl Fn(EventDate) -> bool) {
        self.rows.retain(|period, _| period.date() >= before);
        self.due.retain(|period, _| period.date() >= before);
        self.parts.retain(|period, _| period.date() >= before);
        self.purged.retain(|date| *date >= before || has_hours(*date));
    }
}

impl Twin {
    pub fn totals_written(&self) -> u32 {
        self.state.borrow().totals.written
    }

    pub fn parts_kept(&self) -> usize {
        self.state.borrow().totals.parts.len()
    }

    /// Events and paths of a total.
    pub fn total(&self, period: Period) -> Option<(u64, u64)> {
        let state = self.state.borrow();
        let total = &state.totals.rows.get(&period)?.total;
        Some((total.stats.counters.requests, total.paths.estimate()))
    }

    /// A repair finds that the archive has no event of a row: the row goes.
    pub fn repair_away(&self, path: &str, hour: HourBucket) {
        let state = &mut *self.state.borrow_mut();
        state.hours.remove(&(hour, path.to_owned())).unwrap();
        state.truth.remove(&(hour.date(), path.to_owned()));
        state.rollups.entry(hour.date()).or_default().changed = true;
        state.totals.hour_changed(hour);
    }

    /// Holds every total against what was counted: that of an hour against its rows, that of a day
    /// against everything that ever came.
    pub fn check_totals(&self) {
        let state = self.state.borrow();
        assert!(state.totals.due.is_empty(), "all totals are made");
        assert!(state.totals.parts.is_empty(), "nothing is left of any pass");
        let mut expected: BTreeMap<Period, Total> = BTreeMap::new();
        for ((hour, path), row) in &state.hours {
            let (key, sketches) = (path.clone(), row.stats.to_bytes());
            if !state.totals.purged.contains(&hour.date()) {
                let total = expected.entry(Period::Hour(*hour)).or_default();
                total.add(&SourceRow { key, sketches, paths: None }).unwrap();
            }
        }
        for ((date, path), stats) in &state.truth {
            let (key, sketches) = (path.clone(), stats.to_bytes());
            let total = expected.entry(Period::Day(*date)).or_default();
            total.add(&SourceRow { key, sketches, paths: None }).unwrap();
        }
        let bytes = |total: &Total| (total.stats.to_bytes(), total.paths.to_bytes());
        for (period, total) in &expected {
            let row = state.totals.rows.get(period).unwrap_or_else(|| panic!("{period} has a total"));
            assert_eq!(row.total.stats.counters, total.stats.counters, "{period}");
            assert!(bytes(&row.total) == bytes(total), "{period}");
        }
        for (period, row) in &state.totals.rows {
            let is_empty = row.total.stats.counters.requests == 0;
            assert!(is_empty || expected.contains_key(period), "{period} was never counted");
        }
    }
}

impl State {
    fn source(&self, source: Source) -> Vec<SourceRow> {
        let row = |key: String, sketches: Vec<u8>| SourceRow { key, sketches, paths: None };
        match source {
            Source::PathsOfHour(hour) => {
                let of_hour = self.hours.iter().filter(|((own, _), _)| *own == hour);
                let bytes = |row: &super::Hour| if row.broken { Vec::new() } else { row.stats.to_bytes() };
                of_hour.map(|((_, path), hour)| row(path.clone(), bytes(hour))).collect()
            }
            Source::HoursOfDay(date) => {
                let hours = (0..24).map(|hour| Period::Hour(date.first_hour().plus(hour)));
                let rows = hours.filter_map(|hour| Some((hour, &self.totals.rows.get(&hour)?.total)));
                let paths = |total: &Total| Some(total.paths.to_bytes());
                rows.map(|(hour, total)| SourceRow {
                    paths: paths(total),
                    ..row(hour.to_string(), total.stats.to_bytes())
                })
                .collect()
            }
            Source::PathsOfDay(date) => {
                let of_day = self.daily.iter().filter(|((own, _), _)| *own == date);
                of_day.map(|((_, path), daily)| row(path.clone(), daily.sketches.clone())).collect()
            }
        }
    }

    fn rolls_up(&self, date: EventDate) -> bool {
        self.rollups.get(&date).is_some_and(|rollup| rollup.changed || rollup.begun > rollup.ended)
    }
}

impl TotalsStore for Twin {
    type Error = Outage;

    fn now_ms(&self) -> i64 {
        self.clock.get()
    }

    fn report(&self, what: &str, error: &dyn core::fmt::Display) {
        self.reports.borrow_mut().push(format!("{what}: {error}"));
    }

    async fn waiting(&self, every_ms: i64, limit: usize) -> Result<Vec<Waiting>, Outage> {
        self.statement(|state, now| {
            let totals = &state.totals;
            let mut waiting: Vec<Waiting> = Vec::new();
            for (period, due) in &totals.due {
                let purged = totals.purged.contains(&period.date());
                if purged && matches!(period, Period::Day(date) if state.rolls_up(*date)) {
                    continue;
                }
                let part_of =
                    totals.parts.get(period).map(|(pass, _)| *pass).filter(|pass| *pass == due.pass);
                let last = due.pass.max(totals.rows.get(period).map_or(0, |row| row.pass));
                let due_ms = if part_of.is_some() { 0 } else { last + every_ms };
                waiting.push(Waiting { period: *period, purged, part_of, due_ms });
            }
            waiting.sort_by_key(|waiting| {
                (waiting.due_ms > now, core::cmp::Reverse(waiting.period.to_string()))
            });
            waiting.truncate(limit);
            waiting
        })
        .await
    }

    async fn forget_purged(&self) -> Result<(), Outage> {
        self.statement(|state, _| {
            let Totals { due, purged, .. } = &mut state.totals;
            due.retain(|period, _| matches!(period, Period::Day(_)) || !purged.contains(&period.date()));
        })
        .await
    }

    async fn begin(&self, period: Period) -> Result<Option<i64>, Outage> {
        self.statement(|state, now| {
            let last = state.totals.rows.get(&period).map_or(0, |row| row.pass + 1);
            let due = state.totals.due.get_mut(&period)?;
            *due = Due { changed: false, pass: (due.pass + 1).max(now).max(last) };
            Some(due.pass)
        })
        .await
    }

    async fn part(&self, period: Period, pass: i64) -> Result<Option<Part>, Outage> {
        self.statement(|state, _| {
            state.totals.parts.get(&period).filter(|(own, _)| *own == pass).map(|(_, part)| part.clone())
        })
        .await
    }

    async fn rows(&self, source: Source, after: &str, limit: usize) -> Result<Page, Outage> {
        self.statement(|state, _| {
            let mut rows = state.source(source);
            rows.retain(|row| row.key.as_str() > after);
            let limit = limit.min(self.page_rows.get());
            let is_last = rows.len() < limit;
            rows.truncate(limit);
            Page { rows, is_last }
        })
        .await
    }

    async fn keep_part(&self, period: Period, pass: i64, part: &Part) -> Result<(), Outage> {
        self.statement(|state, _| {
            if state.totals.due.get(&period).is_some_and(|due| due.pass == pass) {
                state.totals.parts.insert(period, (pass, part.clone()));
            }
        })
        .await
    }

    async fn finish(&self, source: Source, pass: i64, total: &Total) -> Result<(), Outage> {
        let never_shrinks = self.never_shrinks.get();
        self.statement(|state, _| {
            let totals = &mut state.totals;
            let period = source.period();
            let begun = totals.due.get(&period).is_some_and(|due| due.pass >= pass);
            let as_it_was = totals.purged.contains(&period.date()) == source.is_purged();
            let old = totals.rows.get(&period);
            if begun && as_it_was && old.is_none_or(|row| row.pass < pass) {
                let requests = |total: &Total| total.stats.counters.requests;
                let shrinks = old.is_some_and(|row| requests(&row.total) > requests(total));
                assert!(!(never_shrinks && shrinks), "{period} shrank");
                totals.rows.insert(period, Row { pass, total: total.clone() });
                totals.written += 1;
                if let Period::Hour(hour) = period {
                    totals.note(Period::Day(hour.date()));
                }
            }
            if totals.parts.get(&period).is_some_and(|(own, _)| *own <= pass) {
                totals.parts.remove(&period);
            }
            if totals.due.get(&period).is_some_and(|due| due.pass == pass && !due.changed) {
                totals.due.remove(&period);
            }
        })
        .await
    }
}
