//! Figures with their bounds.

use serde::{Deserialize, Serialize};

use crate::cells::{Cells, Method, StatusClass};
use crate::clients;
use crate::latency::{self, LatencySketch};
use crate::snapshot::round;
use crate::stats::{Counters, PathHourStats};

/// An approximate number, and the bounds between which the true one lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bounded {
    /// The number.
    pub value: f64,
    /// Not below this.
    pub low: f64,
    /// Not above this.
    pub high: f64,
}

/// What is known of some requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Events counted, each exactly once.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
    /// Errors divided by requests, `[0, 1]`. Where events were sampled, those of totals and days are weighted; those of
    /// single hours and of a part by method or class are of the events.
    pub error_rate: f64,
    /// Milliseconds, exact; `null` when no event had a response time.
    pub avg_response_time: Option<f64>,
    /// Median of the response times, milliseconds.
    pub p50: Option<Bounded>,
    /// As `p50`.
    pub p95: Option<Bounded>,
    /// As `p50`.
    pub p99: Option<Bounded>,
    /// Distinct clients; a client counts once a UTC day. Bounds hold with a probability of 95 %.
    pub unique_ips: Option<Bounded>,
    /// Events by class of status; `null` where only sums are at hand.
    pub status_classes: Option<StatusClasses>,
    /// Requests estimated from the sampling ratios, present where events were sampled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub estimated_requests: Option<f64>,
}

/// Events by class of status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "the names are the classes")]
pub struct StatusClasses {
    #[serde(rename = "1xx")]
    pub informational: u64,
    #[serde(rename = "2xx")]
    pub success: u64,
    #[serde(rename = "3xx")]
    pub redirection: u64,
    #[serde(rename = "4xx")]
    pub client_error: u64,
    #[serde(rename = "5xx")]
    pub server_error: u64,
}

/// The columns of a row of statistics, for figures that need no sketches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "the columns of the tables")]
pub struct Columns {
    pub requests: u64,
    pub errors: u64,
    pub sum_response_time: f64,
    pub count_response_time: u64,
    pub unique_ips: u64,
    pub estimated_requests: f64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

impl Columns {
    /// The columns of these statistics, as they are stored.
    #[must_use]
    pub fn of(stats: &PathHourStats) -> Self {
        let (counters, latency) = (&stats.counters, &stats.latency);
        Self {
            requests: counters.requests,
            errors: counters.errors,
            sum_response_time: counters.sum_response_time_ms(),
            count_response_time: counters.count_response_time,
            unique_ips: stats.clients.estimate(),
            estimated_requests: counters.estimated_requests(),
            p50: latency.percentile_ms(0.50),
            p95: latency.percentile_ms(0.95),
            p99: latency.percentile_ms(0.99),
        }
    }
}

impl Bounded {
    /// A percentile of a sketch, in milliseconds.
    #[must_use]
    pub fn percentile(ms: f64) -> Self {
        let (low, high) = latency::bounds_ms(ms);
        Self { value: round(ms, 3), low, high }
    }

    /// Distinct clients, from their estimate alone.
    #[must_use]
    pub fn clients(estimate: u64) -> Self {
        Self::interval(estimate, clients::interval_of(estimate))
    }

    const fn interval(value: u64, (low, high): (u64, u64)) -> Self {
        Self { value: as_f64(value), low: as_f64(low), high: as_f64(high) }
    }
}

impl Figures {
    /// Of nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::of(&PathHourStats::default())
    }

    /// Of statistics, sketches included.
    #[must_use]
    pub fn of(stats: &PathHourStats) -> Self {
        let percentile = |q| LatencySketch::percentile_ms(&stats.latency, q).map(Bounded::percentile);
        let counters = &stats.counters;
        Self {
            p50: percentile(0.50),
            p95: percentile(0.95),
            p99: percentile(0.99),
            unique_ips: Some(Bounded::interval(stats.clients.estimate(), stats.clients.interval())),
            ..Self::of_counters(counters)
        }
    }

    /// Of exact counters alone: no percentiles, no clients.
    #[must_use]
    pub fn of_counters(counters: &Counters) -> Self {
        Self {
            requests: counters.requests,
            errors: counters.errors,
            error_rate: round(counters.error_rate(), 6),
            avg_response_time: counters.average_ms().map(|ms| round(ms, 3)),
            p50: None,
            p95: None,
            p99: None,
            unique_ips: None,
            status_classes: Some(counters.status_classes.into()),
            estimated_requests: (!counters.is_unsampled()).then(|| counters.estimated_requests()),
        }
    }

    /// Of the counts of a method and a class of status: exact, without times and clients. The share of
    /// errors is that of the events.
    #[must_use]
    pub fn of_cells(cells: &Cells, method: Option<Method>, class: Option<StatusClass>) -> Self {
        let (requests, errors) = (cells.events(method, class), cells.errors(method, class));
        let mut classes = cells.by_class(method);
        if let Some(class) = class {
            for (count, other) in classes.iter_mut().zip(StatusClass::ALL) {
                *count = if other == class { *count } else { 0 };
            }
        }
        Self {
            requests,
            errors,
            error_rate: if requests == 0 { 0.0 } else { round(as_f64(errors) / as_f64(requests), 6) },
            avg_response_time: None,
            p50: None,
            p95: None,
            p99: None,
            unique_ips: None,
            status_classes: Some(classes.into()),
            estimated_requests: None,
        }
    }

    /// Of a row's columns. The share of errors is that of the events, since their weights are in the
    /// statistics only.
    #[must_use]
    pub fn of_columns(row: &Columns) -> Self {
        let (requests, count) = (as_f64(row.requests), as_f64(row.count_response_time));
        Self {
            requests: row.requests,
            errors: row.errors,
            error_rate: if row.requests == 0 { 0.0 } else { round(as_f64(row.errors) / requests, 6) },
            avg_response_time: (row.count_response_time > 0).then(|| round(row.sum_response_time / count, 3)),
            p50: row.p50.map(Bounded::percentile),
            p95: row.p95.map(Bounded::percentile),
            p99: row.p99.map(Bounded::percentile),
            unique_ips: Some(Bounded::clients(row.unique_ips)),
            status_classes: None,
            estimated_requests: ((row.estimated_requests - requests).abs() > 0.0005)
                .then_some(row.estimated_requests),
        }
    }
}

impl From<[u64; 5]> for StatusClasses {
    fn from([informational, success, redirection, client_error, server_error]: [u64; 5]) -> Self {
        Self { informational, success, redirection, client_error, server_error }
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
    use crate::packed::tests::any_event;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn true_percentiles_and_clients_lie_within_their_bounds(
            times in proptest::collection::vec(0u32..=3_600_000_000, 1..400),
            clients in proptest::collection::hash_set(any::<u64>(), 0..3_000),
        ) {
            let mut stats = PathHourStats::default();
            for us in &times {
                stats.latency.add(*us);
            }
            for client in &clients {
                stats.clients.add(*client);
            }
            let figures = Figures::of(&stats);
            let mut sorted = times.clone();
            sorted.sort_unstable();
            for (q, told) in [(50, figures.p50), (95, figures.p95), (99, figures.p99)] {
                let rank = (times.len() * q).div_ceil(100).max(1) - 1;
                let (truth, told) = (f64::from(sorted[rank]) / 1000.0, told.unwrap());
                prop_assert!(told.low <= truth && truth <= told.high, "{truth} is not within {told:?}");
                prop_assert!(told.low <= told.value && told.value <= told.high);
            }
            // A bound of 95 % fails now and then; one three times as wide does not. Nor do four clients of so few
            // collide with others: that is one sketch in billions.
            let (told, truth) = (figures.unique_ips.unwrap(), f64::from(u32::try_from(clients.len()).unwrap()));
            let room = 2.0 * (told.high - told.low) + 3.0;
            prop_assert!(told.low - room <= truth && truth <= told.high + room, "{truth} is not within {told:?}");
        }

        #[test]
        fn columns_tell_what_the_statistics_do(events in proptest::collection::vec(any_event(), 0..50)) {
            let mut stats = PathHourStats::default();
            for event in &events {
                stats.add(event);
            }
            let counters = &stats.counters;
            let columns = Columns {
                requests: counters.requests,
                errors: counters.errors,
                sum_response_time: counters.sum_response_time_ms(),
                count_response_time: counters.count_response_time,
                unique_ips: stats.clients.estimate(),
                estimated_requests: counters.estimated_requests(),
                p50: stats.latency.percentile_ms(0.50),
                p95: stats.latency.percentile_ms(0.95),
                p99: stats.latency.percentile_ms(0.99),
            };
            let (row, whole) = (Figures::of_columns(&columns), Figures::of(&stats));
            prop_assert_eq!((row.requests, row.errors, row.avg_response_time), (whole.requests, whole.errors, whole.avg_response_time));
            prop_assert_eq!((row.p50, row.p95, row.p99), (whole.p50, whole.p95, whole.p99));
            prop_assert_eq!(row.estimated_requests, whole.estimated_requests);
            prop_assert_eq!(row.unique_ips.map(|n| n.value), whole.unique_ips.map(|n| n.value));
            if counters.is_unsampled() {
                prop_assert!((row.error_rate - whole.error_rate).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn nothing_has_no_percentiles_and_no_clients() {
        let none = Figures::none();
        assert_eq!((none.requests, none.error_rate, none.p95, none.avg_response_time), (0, 0.0, None, None));
        assert_eq!(none.unique_ips, Some(Bounded { value: 0.0, low: 0.0, high: 0.0 }));
        assert_eq!(none.estimated_requests, None);
    }

    #[test]
    fn a_figure_reads_as_documented() {
        let json = serde_json::to_string(&Bounded::percentile(200.0)).unwrap();
        assert_eq!(json, r#"{"value":200.0,"low":199.004,"high":201.006}"#);
        let classes = serde_json::to_string(&StatusClasses::from([0, 3, 0, 1, 2])).unwrap();
        assert_eq!(classes, r#"{"1xx":0,"2xx":3,"3xx":0,"4xx":1,"5xx":2}"#);
    }
}
