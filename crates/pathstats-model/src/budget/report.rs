//! What operators are told of the budgets.

use serde::{Deserialize, Serialize};

use super::templates::{suggest, Suggestion};
use super::{NOT_FOUND, OTHER};
use crate::hour::HourBucket;

/// Hours that are shown at most: as long as budgets are kept.
pub const MAX_HOURS: u32 = 96;

/// What an hour's object tells the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourBudget {
    /// The hour.
    pub hour: HourBucket,
    /// Most paths with a row of their own; `None` for no limit.
    pub limit: Option<u32>,
    /// Nothing of this hour can be counted any more.
    pub closed: bool,
    /// Whether 404s of paths that are not admitted are grouped.
    pub groups_not_found: bool,
    /// Paths admitted.
    pub admitted: u64,
    /// About how many distinct paths were not.
    pub refused: u64,
    /// Some of those.
    pub sample: Vec<String>,
}

/// What a catch-all row holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CatchAllFigures {
    /// Requests counted.
    pub requests: u64,
    /// Those with a status of 400 and above.
    pub errors: u64,
}

/// A catch-all row of an hour, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchAllRow {
    /// The hour.
    pub hour: HourBucket,
    /// [`OTHER`] or [`NOT_FOUND`].
    pub name: String,
    /// What it holds.
    pub figures: CatchAllFigures,
}

/// The budget of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HourCardinality {
    /// The hour, in UTC.
    pub hour: HourBucket,
    /// Most paths with a row of their own; `null` for no limit.
    pub limit: Option<u32>,
    /// Whether the hour takes no more events: its budget was forgotten 96 hours after its last event.
    pub closed: bool,
    /// Whether 404s of paths that are not admitted count in `(not found)`.
    pub groups_not_found: bool,
    /// Paths with a row of their own.
    pub admitted_paths: u64,
    /// Distinct paths without one: exact below 200, then within 7 % as a rule.
    pub refused_paths: u64,
    /// What `(other)` holds: requests of refused paths.
    pub other: CatchAllFigures,
    /// What `(not found)` holds.
    pub not_found: CatchAllFigures,
}

/// What `GET /admin/cardinality` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Cardinality"))]
#[serde(rename_all = "camelCase")]
pub struct CardinalityReport {
    /// The hours, newest first. An hour without traffic has none.
    pub hours: Vec<HourCardinality>,
    /// Refused paths that the suggestions were made from.
    pub sampled_paths: u64,
    /// Templates that would have absorbed refused paths, the most useful first.
    pub suggestions: Vec<Suggestion>,
    /// The suggestions as a value of `PATH_TEMPLATES`, to be added to what is set; `null` without any.
    pub path_templates: Option<String>,
}

impl CardinalityReport {
    /// Puts the hours and their catch-alls together.
    #[must_use]
    pub fn new(mut budgets: Vec<HourBudget>, rows: &[CatchAllRow]) -> Self {
        budgets.sort_by_key(|budget| core::cmp::Reverse(budget.hour));
        let figures = |hour, name: &str| {
            let row = rows.iter().find(|row| row.hour == hour && row.name == name);
            row.map(|row| row.figures).unwrap_or_default()
        };
        let hours = budgets.iter().map(|budget| HourCardinality {
            hour: budget.hour,
            limit: budget.limit,
            closed: budget.closed,
            groups_not_found: budget.groups_not_found,
            admitted_paths: budget.admitted,
            refused_paths: budget.refused,
            other: figures(budget.hour, OTHER),
            not_found: figures(budget.hour, NOT_FOUND),
        });
        let hours = hours.collect();
        let mut sample: Vec<&str> =
            budgets.iter().flat_map(|budget| budget.sample.iter().map(String::as_str)).collect();
        sample.sort_unstable();
        sample.dedup();
        let suggestions = suggest(&sample);
        let templates: Vec<&str> =
            suggestions.iter().map(|suggestion| suggestion.template.as_str()).collect();
        let path_templates = (!templates.is_empty()).then(|| templates.join(","));
        Self { hours, sampled_paths: sample.len() as u64, suggestions, path_templates }
    }
}
