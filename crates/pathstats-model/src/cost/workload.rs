//! A load: how many events, over how many paths, when.

use crate::cadence::Cadence;
use crate::config::ConsumerConfig;
use crate::limits::MAX_EVENTS_PER_MESSAGE;
use crate::retention::RetentionConfig;

/// How events spread over the hours of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The same at every hour.
    Flat,
    /// Busy by day, quiet by night: a sine whose top is 1.8 times the mean.
    Daily,
    /// Flat, but for one hour of ten times as much.
    Bursty,
}

/// How events spread over paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Popularity {
    /// By Zipf's law with the exponent 1, as most sites.
    Zipf,
    /// Each path as often as any other.
    Even,
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Events a day.
    pub events_per_day: f64,
    /// Distinct paths.
    pub paths: u32,
    /// How events spread over paths.
    pub popularity: Popularity,
    /// How events spread over a day.
    pub shape: Shape,
    /// Events in a message of the queue: 1 for proxied requests, up to 100 from `POST /collect`.
    pub events_per_message: u32,
    /// Messages that one request to the producer makes.
    pub messages_per_request: u32,
    /// Bytes of an event in a message.
    pub bytes_per_event: u32,
    /// Share of events that belong to an earlier hour.
    pub late_share: f64,
    /// How many hours earlier at most.
    pub late_hours: u32,
    /// Requests to the api a day: dashboards that look every half minute.
    pub views_per_day: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            events_per_day: 1e6,
            paths: 500,
            popularity: Popularity::Zipf,
            shape: Shape::Daily,
            events_per_message: 1,
            messages_per_request: 1,
            bytes_per_event: 260,
            late_share: 0.0,
            late_hours: 1,
            views_per_day: 10_000.0,
        }
    }
}

/// Some hours of a day that have the same load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// How many hours.
    pub hours: f64,
    /// How many times the mean.
    pub factor: f64,
}

impl Shape {
    /// A day in levels of equal load. Their hours are 24, their mean is 1.
    #[must_use]
    pub fn levels(self) -> Vec<Level> {
        match self {
            Self::Flat => vec![Level { hours: 24.0, factor: 1.0 }],
            Self::Daily => {
                // Four hours each, by the sine's value in their middle, brought to the named top.
                [-0.8, -0.4, 0.4, 0.8, 0.4, -0.4]
                    .map(|height| Level { hours: 4.0, factor: 1.0 + height })
                    .to_vec()
            }
            Self::Bursty => {
                let base = 24.0 / 33.0;
                vec![Level { hours: 23.0, factor: base }, Level { hours: 1.0, factor: 10.0 * base }]
            }
        }
    }

    /// How many times the mean the busiest hour has.
    #[must_use]
    pub fn top(self) -> f64 {
        self.levels().iter().map(|level| level.factor).fold(0.0, f64::max)
    }
}

/// What the Workers are configured to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// When objects flush.
    pub cadence: Cadence,
    /// Least time between two snapshots.
    pub snapshot_every_ms: i64,
    /// Least time between two totals of a period.
    pub totals_every_ms: i64,
    /// Most messages in a batch: `max_batch_size` of the consumer.
    pub batch_messages: u32,
    /// How long a batch waits to fill: `max_batch_timeout` of the consumer.
    pub batch_wait_ms: i64,
    /// How long rows stay.
    pub retention: RetentionConfig,
    /// Most distinct paths of an hour with a row of their own; 0 for no limit.
    pub paths_per_hour: u32,
    /// How many queues and databases share the load, by hash of the path.
    pub shards: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let consumer = ConsumerConfig::default();
        Self {
            cadence: consumer.cadence,
            snapshot_every_ms: consumer.snapshot_every_ms,
            totals_every_ms: consumer.totals_every_ms,
            batch_messages: 100,
            batch_wait_ms: 5_000,
            retention: RetentionConfig::default(),
            paths_per_hour: consumer.budget.paths_per_hour,
            shards: 1,
        }
    }
}

impl Settings {
    /// What one queue and database has of a load: an even share of the events, of the paths, and of the budget that all
    /// share.
    #[must_use]
    pub fn share_of(&self, load: &Workload) -> (Workload, Self) {
        let shards = self.shards.max(1);
        let share = Workload {
            events_per_day: load.events_per_day / f64::from(shards),
            paths: load.paths.div_ceil(shards),
            ..*load
        };
        (share, Self { shards: 1, paths_per_hour: self.paths_per_hour.div_ceil(shards), ..*self })
    }
}

impl Workload {
    /// Events a second in the mean.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.events_per_day / 86_400.0
    }

    /// What is wrong with it, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let most = u32::try_from(MAX_EVENTS_PER_MESSAGE).unwrap_or(u32::MAX);
        if !(1.0..=1e10).contains(&self.events_per_day) {
            Some("events a day: expected 1 to 10,000,000,000")
        } else if !(1..=1_000_000).contains(&self.paths) {
            Some("paths: expected 1 to 1,000,000")
        } else if !(1..=most).contains(&self.events_per_message) {
            Some("events in a message: expected 1 to 100")
        } else if !(0.0..=1.0).contains(&self.late_share) {
            Some("the share of late events: expected 0 to 1")
        } else if !(1..=72).contains(&self.late_hours) {
            Some("hours late: expected 1 to 72, since what comes later may find its hour sealed")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours_and_its_mean_is_the_mean() {
        for shape in [Shape::Flat, Shape::Daily, Shape::Bursty] {
            let levels = shape.levels();
            let hours: f64 = levels.iter().map(|level| level.hours).sum();
            let mean = levels.iter().map(|level| level.hours * level.factor).sum::<f64>() / 24.0;
            assert!((hours - 24.0).abs() < 1e-9 && (mean - 1.0).abs() < 1e-9, "{shape:?}: {hours} h, {mean}");
        }
        assert!((Shape::Daily.top() - 1.8).abs() < 1e-9);
    }

    #[test]
    fn a_load_out_of_range_is_told() {
        assert_eq!(Workload::default().problem(), None);
        let wrong = Workload { events_per_message: 101, ..Workload::default() };
        assert!(wrong.problem().unwrap().contains("1 to 100"));
    }
}
