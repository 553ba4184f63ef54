//! What a load comes to: a month's operations and bill, what is stored, and the first limit that breaks.

use serde::Serialize;

use super::bill::{Bill, MONTH_DAYS};
use super::daily::{at_night, by_clock, distinct_paths, rows_an_hour};
use super::operations::{Operation, Operations, Storage};
use super::platform::{Limit, CONSUMERS, D1_SIZE, D1_TIME, KV_KEY, OBJECT_REQUESTS, QUEUE_MESSAGES};
use super::simulation::measured;
use super::simulation::{play, Outcome, Window, LONGEST_MS, NOON};
use super::workload::{Settings, Workload};
use crate::hour::HOUR_MS;
use crate::limits::{REPLAY_HORIZON_MS, SNAPSHOT_HOURS};

/// How long the load is played to see which limit it meets: long enough for flushes to settle.
const PEAK_MS: i64 = 120_000;
/// Loads beyond are not looked at, in events a day.
const MOST_EVENTS: f64 = 2e9;

/// What a load comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Events a day.
    pub events_per_day: f64,
    /// In the mean and in the busiest hour.
    pub rates: Rates,
    /// A month's operations.
    pub month: Operations,
    /// What is stored once everything is kept as long as it is kept; the archive after a year.
    pub storage: Storage,
    /// What a month costs.
    pub bill: Bill,
    /// How near each limit is in the busiest hour, the nearest first.
    pub limits: Vec<Use>,
}

/// Rates a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// Messages a second in the mean.
    pub messages: f64,
    /// Messages a second in the busiest hour.
    pub messages_at_peak: f64,
    /// Batches a second in the busiest hour.
    pub batches_at_peak: f64,
    /// Consumer invocations at once that the busiest hour needs.
    pub consumers_at_peak: f64,
    /// Calls and alarms of objects a second in the busiest hour.
    pub object_requests_at_peak: f64,
    /// Calls a second of the busiest object.
    pub busiest_object_at_peak: f64,
    /// Objects that a day makes.
    pub objects_per_day: f64,
}

/// How near a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// What is limited.
    pub name: &'static str,
    /// What is used.
    pub used: f64,
    /// The most.
    pub most: f64,
    /// The unit.
    pub unit: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// The page that names the limit.
    pub source: &'static str,
}

/// The first limit that breaks as a load of this kind grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaking {
    /// Events a day at which it does, within a tenth.
    pub events_per_day: f64,
    /// The limit.
    pub limit: Use,
}

impl Use {
    const fn of(limit: Limit, used: f64) -> Self {
        let Limit { name, most, unit, source, remedy } = limit;
        Self { name, used, most, unit, remedy, source }
    }

    /// Share of the limit that is used.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.used / self.most
    }
}

// Counts of a month are far below 2^53, and never negative.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl Outlook {
    /// Plays an hour of each level of the day, and adds what nights and crons do.
    #[must_use]
    pub fn new(load: &Workload, settings: &Settings) -> Self {
        let mut day = Operations::NONE;
        let (mut objects, mut updates) = (0.0, 0.0);
        let (share, of_share) = settings.share_of(load);
        let rows_before = (rows_an_hour(&share, &of_share) * (SNAPSHOT_HOURS - 1) as f64) as u64;
        for level in load.shape.levels() {
            let per_second = share.per_second() * level.factor;
            let window =
                Window { per_second, length_ms: LONGEST_MS, drain: false, rows_before, hour_of_day: NOON };
            let out = play(&share, &of_share, window);
            let times = level.hours * f64::from(settings.shards);
            // One snapshot is made of all databases, and there is one heartbeat.
            let (once, each): (Vec<_>, Vec<_>) = out
                .operations
                .counted()
                .partition(|(operation, _)| matches!(operation, Operation::KvReads | Operation::KvWrites));
            day.merge(&each.into_iter().collect::<Operations>().times(times));
            day.merge(&once.into_iter().collect::<Operations>().times(level.hours));
            objects += out.objects as f64 * times;
            updates += out.updates as f64 * times;
        }
        day.merge(&at_night(load, settings, objects, updates));
        day.merge(&by_clock(load, settings));
        day.add(Operation::WorkerCpuMs, measured::worker_cpu_ms(&day));
        let storage = stored(load, settings, objects, updates);
        let month = day.times(MONTH_DAYS);
        let peak = Peak::of(load, settings, load.events_per_day);
        let rates = Rates {
            messages: load.per_second() / f64::from(load.events_per_message),
            messages_at_peak: peak.messages,
            batches_at_peak: peak.batches,
            consumers_at_peak: peak.consumers,
            object_requests_at_peak: peak.object_requests,
            busiest_object_at_peak: peak.busiest,
            objects_per_day: objects.round(),
        };
        let bill = Bill::of_month(&month, &storage);
        Self {
            events_per_day: load.events_per_day,
            rates,
            month,
            storage,
            bill,
            limits: peak.uses(load, settings),
        }
    }
}

impl Breaking {
    /// Looks for the load at which the first limit breaks: the same paths, shape and packing, more events. `None`
    /// when none does below two billion events a day.
    #[must_use]
    pub fn find(load: &Workload, settings: &Settings) -> Option<Self> {
        let first = |events_per_day: f64| {
            let load = Workload { events_per_day, ..*load };
            let uses = Peak::of(&load, settings, events_per_day).uses(&load, settings);
            uses.first().copied().filter(|limit| limit.ratio() > 1.0)
        };
        let (mut holds, mut breaks) = (1_000.0, 1_000.0);
        let mut limit = loop {
            breaks *= 4.0;
            match first(breaks) {
                Some(limit) => break limit,
                None if breaks > MOST_EVENTS => return None,
                None => holds = breaks,
            }
        };
        while breaks / holds > 1.1 {
            let middle = f64::sqrt(holds * breaks);
            match first(middle) {
                Some(found) => (breaks, limit) = (middle, found),
                None => holds = middle,
            }
        }
        Some(Self { events_per_day: breaks, limit })
    }
}

/// The busiest minutes, a second.
struct Peak {
    messages: f64,
    batches: f64,
    consumers: f64,
    object_requests: f64,
    busiest: f64,
    /// Seconds of work of one database a second.
    d1: f64,
    pointer_writes: f64,
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl Peak {
    fn of(load: &Workload, settings: &Settings, events_per_day: f64) -> Self {
        let shards = f64::from(settings.shards);
        let (share, of_share) = settings.share_of(&Workload { events_per_day, ..*load });
        let per_second = share.per_second() * load.shape.top();
        let rows_before = (rows_an_hour(&share, &of_share) * (SNAPSHOT_HOURS - 1) as f64) as u64;
        let out = play(
            &share,
            &of_share,
            Window { per_second, length_ms: PEAK_MS, drain: false, rows_before, hour_of_day: NOON },
        );
        let seconds = PEAK_MS as f64 / 1_000.0;
        let a_second = |count: u64| count as f64 / seconds;
        let batches = a_second(out.batches);
        Self {
            messages: per_second * shards / f64::from(load.events_per_message),
            batches: batches * shards,
            consumers: batches * shards * batch_seconds(load, &out),
            object_requests: a_second(out.operations.get(Operation::ObjectRequests)) * shards,
            busiest: a_second(out.busiest_calls),
            d1: d1_seconds(&out.operations) / seconds,
            pointer_writes: a_second(out.rebuilds),
        }
    }

    fn uses(&self, load: &Workload, settings: &Settings) -> Vec<Use> {
        let shards = f64::from(settings.shards);
        let objects = rows_an_hour(load, settings) * 24.0;
        let size = stored(load, settings, objects, 0.0).d1_bytes as f64 / shards;
        let mut uses = vec![
            Use::of(QUEUE_MESSAGES, self.messages / shards),
            Use::of(CONSUMERS, self.consumers / shards),
            Use::of(D1_SIZE, size),
            Use::of(D1_TIME, self.d1),
            Use::of(OBJECT_REQUESTS, self.busiest),
            Use::of(KV_KEY, self.pointer_writes),
        ];
        uses.sort_by(|one, other| other.ratio().total_cmp(&one.ratio()));
        uses
    }
}

/// How long a batch takes: the database, then objects, which are called at once.
#[allow(clippy::cast_precision_loss, reason = "counts of minutes")]
fn batch_seconds(load: &Workload, out: &Outcome) -> f64 {
    let messages = out.messages as f64 / out.batches.max(1) as f64;
    let events = messages * f64::from(load.events_per_message);
    measured::BATCH_SECONDS + events * measured::EVENT_SECONDS
}

#[allow(clippy::cast_precision_loss, reason = "counts of minutes")]
fn d1_seconds(ops: &Operations) -> f64 {
    ops.get(Operation::D1Queries) as f64 * measured::D1_QUERY_SECONDS
        + ops.get(Operation::D1RowsWritten) as f64 * measured::D1_ROW_WRITTEN_SECONDS
        + ops.get(Operation::D1RowsRead) as f64 * measured::D1_ROW_READ_SECONDS
}

/// What is stored once everything is kept as long as it is kept.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn stored(load: &Workload, settings: &Settings, objects: f64, updates: f64) -> Storage {
    let retention = settings.retention;
    let events = load.events_per_day;
    let paths = distinct_paths(load, settings);
    let sketches = |requests: f64| measured::ROW_BYTES + (200.0 + 12.0 * requests).min(16_000.0);
    let an_hour = if objects > 0.0 { sketches(events / objects) } else { 0.0 };
    let a_day = sketches(events / paths.max(1.0));
    // The day under way, and the night until it is archived.
    let raw = events * (retention.raw_days as f64 + 1.5) * measured::RAW_ROW_BYTES;
    let hourly = objects * retention.hourly_days as f64 * an_hour;
    let daily = paths * retention.daily_days as f64 * a_day;
    // Until an object is sealed: its log, and what an empty database takes.
    let days = (REPLAY_HORIZON_MS / (24 * HOUR_MS)) as f64 + 0.5;
    let logs = days * (objects * measured::OBJECT_BYTES + updates * 20.0 + events * 24.0 + objects * an_hour);
    Storage {
        d1_bytes: (raw + hourly + daily) as u64,
        object_bytes: logs as u64,
        // A snapshot in ten seconds, for three days, some 20 KB each.
        kv_bytes: (3.0 * 86_400.0 * 1_000.0 / settings.snapshot_every_ms as f64 * 20_000.0) as u64,
        r2_bytes: (events * 365.0 * measured::ARCHIVE_BYTES_PER_EVENT) as u64,
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, reason = "counts of a month")]
mod tests {
    use super::*;
    use crate::cost::workload::{Popularity, Shape};

    fn small() -> Workload {
        Workload { events_per_day: 50_000.0, paths: 50, shape: Shape::Flat, ..Workload::default() }
    }

    #[test]
    fn a_month_has_thirty_times_the_events_of_a_day() {
        let outlook = Outlook::new(&small(), &Settings::default());
        let events = outlook.month.get(Operation::Events);
        assert!(events.abs_diff(1_500_000) < 15_000, "{events}");
        // Each event is written, archived and deleted.
        assert!(outlook.month.get(Operation::D1RowsWritten) > 2 * events);
        assert!(outlook.limits.windows(2).all(|pair| pair[0].ratio() >= pair[1].ratio()));
    }

    #[test]
    fn more_events_cost_more_and_packing_them_costs_less() {
        let cost = |load: &Workload| Outlook::new(load, &Settings::default()).bill.total_dollars;
        let more = Workload { events_per_day: 500_000.0, ..small() };
        let packed = Workload { events_per_message: 100, ..more };
        assert!(cost(&more) > cost(&small()) && cost(&packed) < cost(&more));
    }

    #[test]
    fn two_databases_cost_more_and_do_the_same() {
        let load = Workload { events_per_day: 500_000.0, paths: 400, ..small() };
        let of = |shards| Outlook::new(&load, &Settings { shards, ..Settings::default() });
        let (one, two) = (of(1), of(2));
        let ratio = |operation| two.month.get(operation) as f64 / one.month.get(operation) as f64;
        // Each path stands in one of them: as many objects, rows and snapshots.
        for operation in [Operation::Events, Operation::QueueReads, Operation::KvWrites] {
            assert!((0.9..1.01).contains(&ratio(operation)), "{operation:?} {}", ratio(operation));
        }
        assert!((two.rates.objects_per_day / one.rates.objects_per_day - 1.0).abs() < 0.05);
        assert!((1.0..1.1).contains(&ratio(Operation::D1RowsWritten)));
        assert!((0.9..1.1).contains(&ratio(Operation::ObjectRowsWritten)));
        // Each is looked through by itself.
        assert!(ratio(Operation::D1Queries) > 1.05, "{}", ratio(Operation::D1Queries));
        let (one, two) = (of(1).limits, of(2).limits);
        let size =
            |limits: &[Use]| limits.iter().find(|limit| limit.name == D1_SIZE.name).map(|limit| limit.used);
        assert!(size(&two).unwrap() < 0.55 * size(&one).unwrap());
    }

    #[test]
    fn a_budget_of_paths_bounds_what_a_scanner_costs() {
        let scanner = Workload { paths: 200_000, popularity: Popularity::Even, ..small() };
        let of = |paths_per_hour| Outlook::new(&scanner, &Settings { paths_per_hour, ..Settings::default() });
        let (bounded, free) = (of(100), of(0));
        assert!(bounded.rates.objects_per_day <= 24.0 * 101.0, "{}", bounded.rates.objects_per_day);
        assert!(free.rates.objects_per_day > 40_000.0);
        assert!(bounded.bill.total_dollars < free.bill.total_dollars);
        assert!(bounded.storage.object_bytes * 10 < free.storage.object_bytes);
        // Every event is stored all the same.
        assert_eq!(bounded.month.get(Operation::Events), free.month.get(Operation::Events));
    }

    #[test]
    fn the_first_limit_breaks_where_it_is_used_up_and_shards_move_it() {
        let load = Workload { paths: 5, popularity: Popularity::Even, ..small() };
        let one = Breaking::find(&load, &Settings::default()).unwrap();
        assert!(one.limit.ratio() > 1.0);
        let below = Workload { events_per_day: one.events_per_day / 1.3, ..load };
        let near = Outlook::new(&Workload { events_per_day: 1.0, ..below }, &Settings::default());
        assert!(near.limits[0].ratio() < 1.0);
        let four = Breaking::find(&load, &Settings { shards: 4, ..Settings::default() }).unwrap();
        assert!(four.events_per_day > 2.0 * one.events_per_day, "{one:?} {four:?}");
    }
}
