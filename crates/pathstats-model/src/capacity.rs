//! How full the database is, when it will be full, and what is done about it.

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Variables};
use crate::hour::{EventDate, DAY_MS, HOUR_MS};
use crate::retention::Day;

mod report;

pub use report::{CapacityReport, DatabaseSize, KeptSample};

/// From this share of the limit on, a person is warned.
pub const WARNING_RATIO: f64 = 0.8;

/// From this share on, the oldest closed day is archived before its time.
pub const CRITICAL_RATIO: f64 = 0.9;

/// Size of a database on the paid plan, in bytes. The free plan's is 500,000,000. Source: D1 limits.
pub const DEFAULT_LIMIT_BYTES: u64 = 10_000_000_000;

/// How long samples are kept, in milliseconds: 90 days.
pub const SAMPLES_KEPT_MS: i64 = 90 * DAY_MS;

/// What the trend is taken from: the last 14 days. Whole weeks, since traffic has its weekdays.
const TREND_MS: i64 = 14 * DAY_MS;

/// Fewest samples of a trend, and the time they must span. The nightly deletion makes a saw-tooth of
/// a day; two of them show where it goes.
const LEAST_SAMPLES: usize = 8;
const LEAST_SPAN_MS: i64 = 2 * DAY_MS;

/// No date is told beyond this: fourteen days do not say what is in a year.
const HORIZON_MS: i64 = 365 * DAY_MS;

/// Reads `D1_LIMIT_BYTES`, 1,000,000 to 1,000,000,000,000, default [`DEFAULT_LIMIT_BYTES`].
///
/// # Errors
///
/// When it is no whole number of that range.
pub fn limit_bytes(variables: &impl Variables) -> Result<u64, ConfigError> {
    const NAME: &str = "D1_LIMIT_BYTES";
    let Some(text) = variables.get(NAME) else { return Ok(DEFAULT_LIMIT_BYTES) };
    text.trim().parse().ok().filter(|value| (1_000_000..=1_000_000_000_000).contains(value)).ok_or_else(
        || ConfigError::Invalid {
            name: NAME,
            found: crate::event::cut(&text, 200).to_owned(),
            expected: "a whole number of bytes from 1000000 to 1000000000000".to_owned(),
        },
    )
}

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CapacityLevel {
    /// Below 80 % of the limit.
    Ok,
    /// 80 % and above.
    Warning,
    /// 90 % and above.
    Critical,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityDecision {
    /// Nothing.
    Nothing,
    /// Tell a person.
    Warn,
    /// Archive this day now, the oldest that has ended, however young it is; and tell a person.
    ArchiveNow(EventDate),
    /// No closed day is left to be archived: only a person can help.
    NothingToArchive,
}

/// One size of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// Bytes.
    pub size_bytes: u64,
}

/// Share of the limit that is used; above 1 when it is exceeded.
#[must_use]
pub fn used_ratio(size_bytes: u64, limit_bytes: u64) -> f64 {
    as_f64(size_bytes) / as_f64(limit_bytes.max(1))
}

/// How serious a share is.
#[must_use]
pub fn level(used_ratio: f64) -> CapacityLevel {
    if used_ratio >= CRITICAL_RATIO {
        CapacityLevel::Critical
    } else if used_ratio >= WARNING_RATIO {
        CapacityLevel::Warning
    } else {
        CapacityLevel::Ok
    }
}

/// What is to be done at a level, given the days with raw events, oldest first.
#[must_use]
pub fn decide(level: CapacityLevel, days: &[Day]) -> CapacityDecision {
    match level {
        CapacityLevel::Ok => CapacityDecision::Nothing,
        CapacityLevel::Warning => CapacityDecision::Warn,
        CapacityLevel::Critical => days
            .iter()
            .find(|day| day.closed)
            .map_or(CapacityDecision::NothingToArchive, |day| CapacityDecision::ArchiveNow(day.date)),
    }
}

/// The time that a sample is kept under: the beginning of the hour, so that a run that comes twice
/// keeps one.
#[must_use]
pub const fn sampled_at(now_ms: i64) -> i64 {
    now_ms.div_euclid(HOUR_MS) * HOUR_MS
}

/// Why there is a date, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// Too few samples, or over too short a time.
    TooFewSamples,
    /// The size does not grow.
    NotGrowing,
    /// The limit is further away than a year.
    MoreThanAYear,
    /// The limit is reached on a date, or has been.
    Dated,
}

/// Where the size goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Why there is a date, or none.
    pub outlook: Outlook,
    /// Bytes a day, negative when it shrinks; `None` with too few samples.
    pub growth_bytes_per_day: Option<f64>,
    /// The UTC day on which the limit is reached.
    pub full_at: Option<EventDate>,
}

/// When the limit is reached, by the median of the slopes between all pairs of samples of the last
/// 14 days (Theil and Sen; P. K. Sen, "Estimates of the regression coefficient based on Kendall's
/// tau", JASA 63, 1968). Up to 29 % of the samples may be outliers, such as an import that is deleted
/// again, without turning it. It goes on from the latest size, or from the trend at that time should
/// that be larger: between two nightly deletions the size is not yet at its peak.
///
/// `samples` may be in any order.
#[must_use]
pub fn forecast(samples: &[Sample], limit_bytes: u64, now_ms: i64) -> Forecast {
    let none = |outlook, growth| Forecast { outlook, growth_bytes_per_day: growth, full_at: None };
    let mut recent: Vec<Sample> = samples.iter().filter(|s| s.at_ms >= now_ms - TREND_MS).copied().collect();
    recent.sort_unstable_by_key(|sample| (sample.at_ms, sample.size_bytes));
    let (Some(first), Some(last)) = (recent.first().copied(), recent.last().copied()) else {
        return none(Outlook::TooFewSamples, None);
    };
    if recent.len() < LEAST_SAMPLES || last.at_ms - first.at_ms < LEAST_SPAN_MS {
        return none(Outlook::TooFewSamples, None);
    }
    let days = |sample: &Sample| as_days(sample.at_ms - first.at_ms);
    let pairs = recent.iter().enumerate().flat_map(|(at, a)| recent.iter().skip(at + 1).map(move |b| (a, b)));
    let slopes = pairs
        .filter(|(a, b)| b.at_ms > a.at_ms)
        .map(|(a, b)| (as_f64(b.size_bytes) - as_f64(a.size_bytes)) / (days(b) - days(a)));
    let Some(slope) = median(slopes.collect()) else { return none(Outlook::TooFewSamples, None) };
    let intercept = median(recent.iter().map(|s| as_f64(s.size_bytes) - slope * days(s)).collect());
    let reached = as_f64(last.size_bytes).max(intercept.unwrap_or(0.0) + slope * days(&last));
    let left = as_f64(limit_bytes) - reached;
    let outlook = |outlook| none(outlook, Some(slope));
    let away_ms = if left <= 0.0 {
        0.0
    } else if slope <= 0.0 {
        return outlook(Outlook::NotGrowing);
    } else {
        left / slope * as_f64(DAY_MS.unsigned_abs())
    };
    if away_ms > as_f64(HORIZON_MS.unsigned_abs()) {
        return outlook(Outlook::MoreThanAYear);
    }
    // At most a year in milliseconds.
    #[allow(clippy::cast_possible_truncation)]
    let full_at = EventDate::from_ms(last.at_ms + away_ms as i64);
    Forecast { full_at: Some(full_at), ..outlook(Outlook::Dated) }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    Some(f64::midpoint(*values.get(middle - 1)?, high))
}

/// Sizes are far below 2^53.
#[allow(clippy::cast_precision_loss)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss)]
fn as_days(ms: i64) -> f64 {
    ms as f64 / DAY_MS as f64
}

#[cfg(test)]
mod tests;
