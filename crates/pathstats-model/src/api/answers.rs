//! What the operations over statistics answer.

use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::given::Given;
use super::period::{Granularity, Period};
use super::series::Series;
use crate::cells::{Cells, Method, StatusClass};
use crate::freshness::DataSource;
use crate::hour::{iso_time, HourBucket};
use crate::latency::RELATIVE_ERROR;
use crate::problem::Problem;
use crate::snapshot::PathSummary;
use crate::stats::PathHourStats;

/// The answer to `GET /paths`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PathsAnswer {
    /// When the snapshot was made, ISO 8601 in UTC.
    pub last_updated: String,
    /// Grows with every snapshot.
    pub version: u64,
    /// The tier that answered.
    pub data_source: DataSource,
    /// Whether it is an expired copy, which is being refreshed.
    pub stale: bool,
    /// Seconds since the snapshot was made.
    pub staleness_seconds: i64,
    /// First hour covered, UTC.
    pub from: HourBucket,
    /// Last hour covered, which may still be counting.
    pub to: HourBucket,
    /// How far to trust the approximate numbers.
    pub accuracy: Accuracy,
    /// The paths, in the order asked for.
    pub paths: Vec<PathSummary>,
}

impl PathsAnswer {
    /// The answer as JSON in two parts: what tells when and from where, and the paths, which are the same
    /// for every answer with this snapshot to this question. `self` has no paths of its own.
    ///
    /// # Errors
    ///
    /// When something does not serialise.
    pub fn parts(&self, paths: &[PathSummary]) -> serde_json::Result<(String, String)> {
        let mut beginning = serde_json::to_string(self)?;
        // Of the empty list of paths, which is the last of the answer.
        beginning.truncate(beginning.len() - "[]}".len());
        Ok((beginning, serde_json::to_string(paths)? + "}"))
    }
}

/// The answer to `GET /paths/search`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchAnswer {
    /// First hour covered, UTC.
    pub from: HourBucket,
    /// Last hour covered, which may still be counting.
    pub to: HourBucket,
    /// Always D1.
    pub data_source: DataSource,
    /// When it was read, ISO 8601 in UTC.
    pub last_updated: String,
    /// The paths, busiest first.
    pub paths: Vec<FoundPath>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}

/// A path that was searched for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FoundPath {
    /// The path.
    pub path: String,
    /// Events counted.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
    /// Errors divided by requests, `[0, 1]`.
    pub error_rate: f64,
    /// Milliseconds; `null` when no event had a response time.
    pub avg_response_time: Option<f64>,
}

/// The answer to `GET /paths/stats`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatsAnswer {
    /// The tier that answered.
    pub data_source: DataSource,
    /// The path.
    pub path: String,
    /// Length of a bucket.
    pub granularity: Granularity,
    /// Where days begin: a name of the IANA database.
    pub time_zone: String,
    /// When the newest row was written, ISO 8601 in UTC; `null` when nothing was counted.
    pub last_updated: Option<String>,
    /// What was asked for alone.
    pub filters: Filters,
    /// The period.
    #[serde(flatten)]
    pub series: Series,
    /// The period before, with `compare=previous`.
    pub previous: Option<Series>,
    /// The whole period by method, most requests first.
    pub methods: Vec<MethodCount>,
    /// How far to trust the approximate numbers.
    pub accuracy: Accuracy,
}

/// What was asked for alone; `null` for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Filters {
    /// Requests of this method.
    pub method: Option<Method>,
    /// Requests answered with a status of this class.
    pub status_class: Option<StatusClass>,
}

impl Filters {
    /// Whether all was asked for.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.method.is_none() && self.status_class.is_none()
    }

    /// The figures of what these let through.
    #[must_use]
    pub fn figures(self, stats: &PathHourStats) -> Figures {
        if self.is_empty() {
            Figures::of(stats)
        } else {
            Figures::of_cells(stats.cells(), self.method, self.status_class)
        }
    }

    /// Reads `method` and `statusClass`.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read(given: &Given) -> Result<Self, Problem> {
        let methods = Method::ALL.map(Method::name).join(", ");
        let classes = StatusClass::ALL.map(StatusClass::name).join(", ");
        Ok(Self {
            method: given.optional("method", &methods, Method::from_name)?,
            status_class: given.optional("statusClass", &classes, StatusClass::from_name)?,
        })
    }
}

/// Requests of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MethodCount {
    /// The method; `OTHER` for rare ones, `UNKNOWN` for what was counted before methods were told.
    pub method: Method,
    /// Events counted.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
}

/// How far to trust the approximate numbers. Every other number is exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Accuracy {
    /// A percentile is within this share of the true one, by the nearest-rank method.
    pub percentile_relative_error: f64,
    /// The probability with which the bounds of `uniqueIps` hold the true number.
    pub unique_ips_confidence: f64,
    /// What `uniqueIps` counts, for a reader.
    pub unique_ips: String,
    /// Why some numbers are `null`, when a filter was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filtered: Option<String>,
}

impl MethodCount {
    /// The methods of statistics, most requests first.
    #[must_use]
    pub fn all(cells: &Cells) -> Vec<Self> {
        let mut counts: Vec<Self> = Method::ALL
            .into_iter()
            .map(|method| Self {
                method,
                requests: cells.events(Some(method), None),
                errors: cells.errors(Some(method), None),
            })
            .filter(|count| count.requests > 0)
            .collect();
        counts.sort_by_key(|count| core::cmp::Reverse(count.requests));
        counts
    }
}

impl Accuracy {
    /// Of numbers without a filter.
    #[must_use]
    pub fn new() -> Self {
        Self {
            percentile_relative_error: RELATIVE_ERROR,
            unique_ips_confidence: 0.95,
            unique_ips:
                "Distinct clients of a UTC day, added up over days: hashes change with the day, so who comes \
                         on two days counts twice. Exact up to a thousand."
                    .to_owned(),
            filtered: None,
        }
    }

    /// Of numbers behind these filters.
    #[must_use]
    pub fn of(filters: Filters) -> Self {
        let why =
            "Requests and errors are exact. Times and clients are kept for all requests of a path together.";
        Self { filtered: (!filters.is_empty()).then(|| why.to_owned()), ..Self::new() }
    }
}

impl Default for Accuracy {
    fn default() -> Self {
        Self::new()
    }
}

impl StatsAnswer {
    /// Of a period that was read.
    #[must_use]
    pub fn new(
        path: String,
        period: &Period,
        filters: Filters,
        last_updated: Option<i64>,
        (series, total): (Series, PathHourStats),
    ) -> Self {
        Self {
            data_source: DataSource::D1,
            path,
            granularity: period.granularity,
            time_zone: period.zone.name().to_owned(),
            last_updated: last_updated.map(iso_time),
            filters,
            series,
            previous: None,
            methods: MethodCount::all(total.cells()),
            accuracy: Accuracy::of(filters),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_answer_are_the_answer() {
        let path = PathSummary::new("/[]}".to_owned(), &PathHourStats::default());
        let answer = |paths| PathsAnswer {
            last_updated: "[]}".to_owned(),
            version: 3,
            data_source: DataSource::Kv,
            stale: false,
            staleness_seconds: 12,
            from: HourBucket::from_ms(0),
            to: HourBucket::from_ms(3_600_000),
            accuracy: Accuracy::new(),
            paths,
        };
        for paths in [vec![], vec![path.clone()], vec![path; 3]] {
            let (beginning, rest) = answer(Vec::new()).parts(&paths).unwrap();
            assert_eq!(beginning + &rest, serde_json::to_string(&answer(paths)).unwrap());
        }
    }
}
