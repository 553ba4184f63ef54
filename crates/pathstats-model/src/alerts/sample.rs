//! [`Sample`]: the values of one minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::measure::Measure;
use super::{minute_of, KEPT_MINUTES, MINUTE_MS};
use crate::api::given::moment;
use crate::health::{Check, Seen};
use crate::hour::iso_time;

/// The values of a minute. A value that is not known is left out: its source did not answer, or there
/// was nothing to see yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The minute's first millisecond.
    pub at_ms: i64,
    values: BTreeMap<Measure, f64>,
}

/// Why a stored sample does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sample does not read: expected an array of numbers and nulls, got {0:?}")]
pub struct SampleError(String);

impl Sample {
    /// A sample of these values. What is no finite number is not known.
    pub fn new(at_ms: i64, values: impl IntoIterator<Item = (Measure, f64)>) -> Self {
        let values = values.into_iter().filter(|(_, value)| value.is_finite());
        Self {
            at_ms: minute_of(at_ms),
            values: values.map(|(measure, value)| (measure, rounded(value))).collect(),
        }
    }

    /// What was seen, with the checks that were made of it.
    #[must_use]
    pub fn of(seen: &Seen, checks: &[Check], at_ms: i64) -> Self {
        let of_check = |measure: Measure| {
            let name = measure.about().check?;
            checks.iter().find(|check| check.name == name)?.value
        };
        let archive = seen.archiver.as_ref().ok().and_then(|archiver| archiver.archive.as_ref());
        let value = |measure: Measure| match measure {
            Measure::ArchiveErrors => archive.map(|archive| f64::from(archive.days_with_errors)),
            Measure::LostRequests => seen.lost_requests().map(real),
            Measure::SilentSources => Some(real(seen.silent_sources() as u64)),
            // A sample that is stored shows that it can be.
            Measure::AlertStore => None,
            Measure::Heartbeat
            | Measure::QueueDelay
            | Measure::QueueBacklog
            | Measure::Snapshot
            | Measure::DeadLetters
            | Measure::Outbox
            | Measure::Database
            | Measure::ArchiveLate
            | Measure::Reconciliation
            | Measure::Ledger => of_check(measure),
        };
        Self::new(at_ms, Measure::ALL.into_iter().filter_map(|measure| Some((measure, value(measure)?))))
    }

    /// A value, if it is known.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<f64> {
        self.values.get(&measure).copied()
    }

    /// As it is stored: the values in the order of [`Measure::ALL`], `null` for what is not known.
    #[must_use]
    pub fn stored(&self) -> String {
        let values: Vec<Value> = Measure::ALL
            .iter()
            .map(|measure| match self.get(*measure) {
                // A whole number without its ".0": half of the row's bytes.
                #[allow(clippy::cast_possible_truncation)]
                Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => Value::from(value as i64),
                Some(value) => Value::from(value),
                None => Value::Null,
            })
            .collect();
        Value::from(values).to_string()
    }

    /// A sample as it was stored, also by a version that knew fewer measures or more.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn from_stored(at_ms: i64, text: &str) -> Result<Self, SampleError> {
        let values: Vec<Option<f64>> =
            serde_json::from_str(text).map_err(|_| SampleError(crate::event::cut(text, 80).to_owned()))?;
        let known =
            Measure::ALL.into_iter().zip(values).filter_map(|(measure, value)| Some((measure, value?)));
        Ok(Self::new(at_ms, known))
    }
}

/// Where a minute's sample lies: each of two weeks' minutes has a row, written anew every two weeks, so
/// that a sample costs one row written and none deleted.
#[must_use]
pub const fn slot(at_ms: i64) -> i64 {
    at_ms.div_euclid(MINUTE_MS).rem_euclid(KEPT_MINUTES)
}

/// The ranges of slots, in the order of time, that hold the minutes from one up to another, which is not
/// part of it. At most two: the rows run round.
#[must_use]
pub fn slots(from_ms: i64, to_ms: i64) -> Vec<(i64, i64)> {
    let (from, to) = (from_ms.div_euclid(MINUTE_MS), to_ms.div_euclid(MINUTE_MS));
    if to <= from {
        return Vec::new();
    }
    // Of more than two weeks the last two are kept.
    let from = from.max(to - KEPT_MINUTES);
    let (first, last) = (slot(from * MINUTE_MS), slot((to - 1) * MINUTE_MS));
    if first <= last {
        vec![(first, last)]
    } else {
        vec![(first, KEPT_MINUTES - 1), (0, last)]
    }
}

/// A sample as the API tells it and a history file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertSample"))]
#[serde(deny_unknown_fields)]
pub struct ShownSample {
    /// The minute, ISO 8601 in UTC.
    pub at: String,
    /// The values by measure. What is not known is left out.
    pub values: BTreeMap<Measure, f64>,
}

impl From<Sample> for ShownSample {
    fn from(sample: Sample) -> Self {
        Self { at: iso_time(sample.at_ms), values: sample.values }
    }
}

impl TryFrom<ShownSample> for Sample {
    type Error = String;

    fn try_from(shown: ShownSample) -> Result<Self, String> {
        let at_ms = moment(&shown.at).ok_or_else(|| {
            let at = crate::event::cut(&shown.at, 40);
            format!("`at` is {at:?}: expected a time as \"2025-10-15T14:03:00.000Z\"")
        })?;
        Ok(Self::new(at_ms, shown.values))
    }
}

/// To a ten-thousandth: a share of 80.01 % is told from 80 %.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Counts here are far below 2^53.
#[allow(clippy::cast_precision_loss)]
const fn real(count: u64) -> f64 {
    count as f64
}
