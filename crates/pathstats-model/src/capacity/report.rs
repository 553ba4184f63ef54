//! What `GET /admin/capacity` answers.

use serde::{Deserialize, Serialize};

use super::{forecast, used_ratio, CapacityDecision, CapacityLevel, Outlook, Sample};
use crate::hour::{iso_time, EventDate};

/// How full the database is, and where that goes; of several, the fullest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Capacity"))]
#[serde(rename_all = "camelCase")]
pub struct CapacityReport {
    /// Size of the database.
    pub size_bytes: u64,
    /// `D1_LIMIT_BYTES`.
    pub limit_bytes: u64,
    /// Share of the limit that is used; above 1 when it is exceeded.
    pub used_ratio: f64,
    /// How serious it is.
    pub level: CapacityLevel,
    /// Bytes a day, negative when it shrinks; `null` with too few samples.
    pub growth_bytes_per_day: Option<f64>,
    /// Why there is a date, or none.
    pub outlook: Outlook,
    /// The UTC day on which the limit is reached.
    pub full_at: Option<EventDate>,
    /// The day that is archived before its time, since the database is 90 % full.
    pub emergency_archive: Option<EventDate>,
    /// One every six hours, of the last 90 days.
    pub samples: Vec<KeptSample>,
    /// Each database, where there are several: all other figures are of the fullest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<DatabaseSize>,
}

/// The size of one of several databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DatabaseSize {
    /// Name of its binding.
    pub binding: String,
    /// Its size.
    pub size_bytes: u64,
    /// Share of the limit that is used.
    pub used_ratio: f64,
}

/// A size of the database that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeptSample {
    /// When it was seen, ISO 8601 in UTC.
    pub at: String,
    /// Size of the database.
    pub size_bytes: u64,
}

impl CapacityReport {
    /// Of samples that were kept, and the size and the decision of this moment.
    #[must_use]
    pub fn new(
        samples: &[Sample],
        (size_bytes, limit_bytes): (u64, u64),
        (level, decision): (CapacityLevel, CapacityDecision),
        now_ms: i64,
    ) -> Self {
        let mut known = samples.to_vec();
        known.push(Sample { at_ms: now_ms, size_bytes });
        let forecast = forecast(&known, limit_bytes, now_ms);
        let kept = |sample: &Sample| KeptSample { at: iso_time(sample.at_ms), size_bytes: sample.size_bytes };
        Self {
            size_bytes,
            limit_bytes,
            used_ratio: used_ratio(size_bytes, limit_bytes),
            level,
            growth_bytes_per_day: forecast.growth_bytes_per_day.map(f64::round),
            outlook: forecast.outlook,
            full_at: forecast.full_at,
            emergency_archive: match decision {
                CapacityDecision::ArchiveNow(date) => Some(date),
                CapacityDecision::Nothing | CapacityDecision::Warn | CapacityDecision::NothingToArchive => {
                    None
                }
            },
            samples: samples.iter().map(kept).collect(),
            databases: Vec::new(),
        }
    }

    /// With the sizes of all databases, where there are several.
    #[must_use]
    pub fn with_databases(mut self, sizes: &[(String, u64)]) -> Self {
        let size = |(binding, size_bytes): &(String, u64)| DatabaseSize {
            binding: binding.clone(),
            size_bytes: *size_bytes,
            used_ratio: used_ratio(*size_bytes, self.limit_bytes),
        };
        if sizes.len() > 1 {
            self.databases = sizes.iter().map(size).collect();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_pinned_and_reads_back() {
        let date = "2025-10-12".parse().unwrap();
        let report = CapacityReport::new(
            &[Sample { at_ms: 1_760_536_800_000, size_bytes: 90 }],
            (95, 100),
            (CapacityLevel::Critical, CapacityDecision::ArchiveNow(date)),
            1_760_540_400_000,
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"sizeBytes": 95, "limitBytes": 100, "usedRatio": 0.95, "level": "critical",
                "growthBytesPerDay": null, "outlook": "too_few_samples", "fullAt": null,
                "emergencyArchive": "2025-10-12",
                "samples": [{"at": "2025-10-15T14:00:00.000Z", "sizeBytes": 90}]})
        );
        assert_eq!(serde_json::from_value::<CapacityReport>(json).unwrap(), report);
        // One database has nothing to be told apart from.
        let size = |name: &str, bytes| (name.to_owned(), bytes);
        assert_eq!(report.clone().with_databases(&[size("D1", 95)]), report);
        let several = report.with_databases(&[size("D1", 50), size("D1_1", 95)]);
        let json = serde_json::to_value(several.databases).unwrap();
        assert_eq!(json[0], serde_json::json!({"binding": "D1", "sizeBytes": 50, "usedRatio": 0.5}));
        assert_eq!(json[1]["usedRatio"], 0.95);
    }
}
