//! The whole system: its error budget, its busiest and slowest paths, and what changed.

use serde::{Deserialize, Serialize};

use super::answers::{Accuracy, Filters};
use super::figures::Figures;
use super::period::{Granularity, Period};
use super::series::Series;
use crate::freshness::DataSource;
use crate::hour::iso_time;
use crate::snapshot::{round, PathSummary, Sort};

/// Paths in each list.
const LISTED: usize = 10;

/// Fewest requests of a path whose percentiles are compared: of fewer, the 95th percentile is the
/// slowest one.
const MIN_REQUESTS: u64 = 20;

/// The answer to `GET /paths/metrics`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MetricsAnswer {
    /// The tier that answered.
    pub data_source: DataSource,
    /// Length of a bucket.
    pub granularity: Granularity,
    /// Where days begin: a name of the IANA database.
    pub time_zone: String,
    /// When the newest total was made, ISO 8601 in UTC; `null` when nothing was counted.
    pub last_updated: Option<String>,
    /// The period.
    #[serde(flatten)]
    pub series: Series,
    /// The period before, with `compare=previous`.
    pub previous: Option<Series>,
    /// What may fail, and what did.
    pub error_budget: ErrorBudget,
    /// The paths with the most requests of the last 24 hours.
    pub busiest: Vec<RankedPath>,
    /// Of the hundred busiest paths of the last 24 hours, those with the slowest 95th percentile that have 20 requests
    /// and more.
    pub slowest: Vec<RankedPath>,
    /// What changed most between the last 24 hours that have ended and the 24 before.
    pub changed: Vec<ChangedPath>,
    /// How far to trust the approximate numbers.
    pub accuracy: Accuracy,
}

/// What may fail, and what did, in the period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudget {
    /// The share of requests that must not end with a status of 5xx.
    pub objective: f64,
    /// The class that counts: what the server is to blame for.
    pub counts: crate::cells::StatusClass,
    /// Requests of the period.
    pub requests: u64,
    /// Of those, with a status of 5xx.
    pub errors: u64,
    /// How many of the requests may fail.
    pub allowed_errors: f64,
    /// Share of the budget that is used up; 1 when all of it is, more when it is overdrawn.
    pub spent: f64,
    /// What is left of it; negative when it is overdrawn.
    pub remaining: f64,
    /// How many times faster than allowed the last hour failed; `null` without requests.
    pub burn_rate_1h: Option<f64>,
}

/// A path in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RankedPath {
    /// The path.
    pub path: String,
    /// Events counted in 24 hours.
    pub requests: u64,
    /// Errors divided by requests, `[0, 1]`.
    pub error_rate: f64,
    /// Milliseconds, within 0.5 %.
    pub p95: Option<f64>,
    /// As `p95`.
    pub p99: Option<f64>,
}

/// A path that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangedPath {
    /// The path.
    pub path: String,
    /// Events counted.
    pub requests: Change<u64>,
    /// Errors divided by requests, `[0, 1]`.
    pub error_rate: Change<f64>,
    /// Milliseconds.
    pub avg_response_time: Change<Option<f64>>,
    /// What changed most.
    pub reason: Reason,
    /// How far beyond chance: in standard errors.
    pub score: f64,
}

/// A figure of two days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ChangeOf_{T}"))]
pub struct Change<T> {
    /// Of the last 24 hours that have ended.
    pub now: T,
    /// Of the 24 hours before.
    pub before: T,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A fifth more or fewer requests.
    Traffic,
    /// The share of errors, by a hundredth or more.
    Errors,
    /// The mean response time, by a fifth or more.
    Latency,
    /// It was not there before.
    New,
    /// It is no longer there.
    Gone,
}

/// The sums of a path over a day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Events counted.
    pub requests: u64,
    /// Of those, errors.
    pub errors: u64,
    /// Milliseconds.
    pub sum_response_time: f64,
    /// Events that had a response time.
    pub count_response_time: u64,
}

impl ErrorBudget {
    /// The budget of a period, whose last hour had so many requests and server errors.
    #[must_use]
    pub fn new(objective: f64, total: &Figures, last_hour: (u64, u64)) -> Self {
        let errors = total.status_classes.map_or(0, |classes| classes.server_error);
        let allowed = as_f64(total.requests) * (1.0 - objective);
        let spent = if allowed > 0.0 { as_f64(errors) / allowed } else { 0.0 };
        let (requests, failed) = last_hour;
        let burn = (requests > 0).then(|| as_f64(failed) / as_f64(requests) / (1.0 - objective));
        Self {
            objective,
            counts: crate::cells::StatusClass::ServerError,
            requests: total.requests,
            errors,
            allowed_errors: round(allowed, 3),
            spent: round(spent, 6),
            remaining: round(1.0 - spent, 6),
            burn_rate_1h: burn.map(|burn| round(burn, 3)),
        }
    }
}

impl RankedPath {
    fn of(path: &PathSummary) -> Self {
        Self {
            path: path.path.clone(),
            requests: path.requests,
            error_rate: path.error_rate,
            p95: path.p95,
            p99: path.p99,
        }
    }

    /// The busiest and the slowest of a snapshot's paths.
    #[must_use]
    pub fn lists(paths: &[PathSummary]) -> (Vec<Self>, Vec<Self>) {
        let mut paths = paths.to_vec();
        Sort::Requests.apply(&mut paths);
        let busiest = paths.iter().take(LISTED).map(Self::of).collect();
        paths.retain(|path| path.requests >= MIN_REQUESTS && path.p95.is_some());
        Sort::P95.apply(&mut paths);
        (busiest, paths.iter().take(LISTED).map(Self::of).collect())
    }
}

impl Sums {
    /// Adds what another database has of the path.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.sum_response_time += other.sum_response_time;
        self.count_response_time += other.count_response_time;
    }

    fn error_rate(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            as_f64(self.errors) / as_f64(self.requests)
        }
    }

    fn average_ms(&self) -> Option<f64> {
        (self.count_response_time > 0).then(|| self.sum_response_time / as_f64(self.count_response_time))
    }
}

impl ChangedPath {
    /// How a path changed, when it did by more than chance and enough to matter.
    #[must_use]
    pub fn new(path: &str, now: Sums, before: Sums) -> Option<Self> {
        let (score, reason) = [traffic(now, before), errors(now, before), latency(now, before)]
            .into_iter()
            .flatten()
            .max_by(|a, b| a.0.total_cmp(&b.0))
            // Three standard errors are beyond chance for some hundred paths.
            .filter(|(score, _)| *score >= 3.0)?;
        let rounded = |sums: Sums| sums.average_ms().map(|ms| round(ms, 3));
        Some(Self {
            path: path.to_owned(),
            requests: Change { now: now.requests, before: before.requests },
            error_rate: Change { now: round(now.error_rate(), 6), before: round(before.error_rate(), 6) },
            avg_response_time: Change { now: rounded(now), before: rounded(before) },
            reason,
            score: round(score, 2),
        })
    }

    /// Those that changed most, first.
    #[must_use]
    pub fn list<'a>(paths: impl IntoIterator<Item = (&'a str, Sums, Sums)>) -> Vec<Self> {
        let changed = paths.into_iter().filter_map(|(path, now, before)| Self::new(path, now, before));
        let mut changed: Vec<Self> = changed.collect();
        changed.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
        changed.truncate(LISTED);
        changed
    }
}

/// Counts of independent requests vary by their square root.
fn traffic(now: Sums, before: Sums) -> Option<(f64, Reason)> {
    let (n, b) = (as_f64(now.requests), as_f64(before.requests));
    let reason = match (now.requests, before.requests) {
        (n, 0) if n >= MIN_REQUESTS => Reason::New,
        (0, b) if b >= MIN_REQUESTS => Reason::Gone,
        _ => Reason::Traffic,
    };
    ((n - b).abs() >= 0.2 * n.max(b)).then(|| ((n - b).abs() / (n + b).sqrt(), reason))
}

/// The usual test of two shares, with both days together as the share that is expected.
fn errors(now: Sums, before: Sums) -> Option<(f64, Reason)> {
    let (n, b) = (as_f64(now.requests), as_f64(before.requests));
    let expected = as_f64(now.errors + before.errors) / (n + b);
    let difference = (now.error_rate() - before.error_rate()).abs();
    let spread = (expected * (1.0 - expected) * (1.0 / n + 1.0 / b)).sqrt();
    (n > 0.0 && b > 0.0 && difference >= 0.01 && spread > 0.0).then(|| (difference / spread, Reason::Errors))
}

/// Response times spread about as widely as their mean: a logarithm with a standard deviation of one.
fn latency(now: Sums, before: Sums) -> Option<(f64, Reason)> {
    let (n, b) = (now.average_ms()?, before.average_ms()?);
    let spread = (1.0 / as_f64(now.count_response_time) + 1.0 / as_f64(before.count_response_time)).sqrt();
    (n > 0.0 && b > 0.0 && (n - b).abs() >= 0.2 * n.max(b))
        .then(|| ((n / b).ln().abs() / spread, Reason::Latency))
}

/// What a [`MetricsAnswer`] is made from beside its series.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The paths of the snapshot.
    pub paths: Vec<PathSummary>,
    /// The paths that changed.
    pub changed: Vec<ChangedPath>,
    /// Requests and server errors of the last hour.
    pub last_hour: (u64, u64),
}

impl MetricsAnswer {
    /// Of a period that was read.
    #[must_use]
    pub fn new(
        period: &Period,
        objective: f64,
        last_updated: Option<i64>,
        (series, previous): (Series, Option<Series>),
        around: Surroundings,
    ) -> Self {
        let (busiest, slowest) = RankedPath::lists(&around.paths);
        Self {
            data_source: DataSource::D1,
            granularity: period.granularity,
            time_zone: period.zone.name().to_owned(),
            last_updated: last_updated.map(iso_time),
            error_budget: ErrorBudget::new(objective, &series.total, around.last_hour),
            series,
            previous,
            busiest,
            slowest,
            changed: around.changed,
            accuracy: Accuracy::of(Filters::default()),
        }
    }
}

/// Counts below 2^53 are exact.
#[allow(clippy::cast_precision_loss)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::PathHourStats;

    fn sums(requests: u64, errors: u64, average: f64) -> Sums {
        let sum_response_time = average * as_f64(requests);
        Sums { requests, errors, sum_response_time, count_response_time: requests }
    }

    fn reason(now: Sums, before: Sums) -> Option<Reason> {
        ChangedPath::new("/a", now, before).map(|changed| changed.reason)
    }

    #[test]
    fn what_changed_is_named_by_what_is_furthest_beyond_chance() {
        let calm = sums(1_000, 10, 50.0);
        assert_eq!(reason(calm, calm), None);
        assert_eq!(reason(sums(2_000, 20, 50.0), calm), Some(Reason::Traffic));
        assert_eq!(reason(sums(1_000, 200, 50.0), calm), Some(Reason::Errors));
        assert_eq!(reason(sums(1_000, 10, 90.0), calm), Some(Reason::Latency));
        assert_eq!(reason(calm, Sums::default()), Some(Reason::New));
        assert_eq!(reason(Sums::default(), calm), Some(Reason::Gone));
    }

    #[test]
    fn what_may_be_chance_or_does_not_matter_is_not_told() {
        assert_eq!(reason(sums(12, 0, 50.0), sums(8, 0, 50.0)), None, "few requests");
        assert_eq!(reason(sums(1_100_000, 0, 50.0), sums(1_000_000, 0, 50.0)), None, "a tenth");
        assert_eq!(reason(sums(1_000_000, 6_000, 50.0), sums(1_000_000, 1_000, 50.0)), None, "half a point");
        assert_eq!(reason(sums(3, 3, 1.0), sums(2, 0, 9.0)), None);
        assert_eq!(reason(Sums::default(), Sums::default()), None);
    }

    #[test]
    fn the_list_has_the_largest_changes_first_and_no_more_than_ten() {
        let names: Vec<String> = (0..30).map(|n| format!("/{n:02}")).collect();
        let paths = names
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.as_str(), sums(2_000 + 100 * n, 0, 1.0), sums(1_000, 0, 1.0)));
        let list = ChangedPath::list(paths);
        assert_eq!(list.len(), 10);
        assert_eq!(list[0].path, "/29");
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    #[test]
    fn a_budget_tells_what_is_spent_and_how_fast() {
        let mut figures = Figures::of(&PathHourStats::default());
        figures.requests = 10_000;
        figures.status_classes = Some([0, 9_900, 0, 85, 15].into());
        let budget = ErrorBudget::new(0.999, &figures, (1_000, 4));
        assert_eq!((budget.requests, budget.errors, budget.allowed_errors), (10_000, 15, 10.0));
        assert_eq!((budget.spent, budget.remaining, budget.burn_rate_1h), (1.5, -0.5, Some(4.0)));
        let idle = ErrorBudget::new(0.999, &Figures::none(), (0, 0));
        assert_eq!((idle.spent, idle.remaining, idle.burn_rate_1h), (0.0, 1.0, None));
        let json = serde_json::to_value(idle).unwrap();
        assert_eq!((&json["counts"], &json["burnRate1h"]), (&"5xx".into(), &serde_json::Value::Null));
    }

    #[test]
    fn the_slowest_are_those_with_enough_requests() {
        let mut paths: Vec<PathSummary> = Vec::new();
        for (path, requests, p95) in [("/busy", 900, 5.0), ("/slow", 20, 80.0), ("/rare", 19, 900.0)] {
            let mut summary = PathSummary::new(path.to_owned(), &PathHourStats::default());
            (summary.requests, summary.p95) = (requests, Some(p95));
            paths.push(summary);
        }
        let (busiest, slowest) = RankedPath::lists(&paths);
        assert_eq!(busiest.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["/busy", "/slow", "/rare"]);
        assert_eq!(slowest.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["/slow", "/busy"]);
    }
}
