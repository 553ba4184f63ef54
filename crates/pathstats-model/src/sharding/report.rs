//! What the api tells of the databases.

use serde::{Deserialize, Serialize};

use super::{Layouts, Publication};
use crate::alerts::notification::Place;
use crate::hour::{iso_time, EventDate};

/// Path on which Workers tell the api how many databases they are bound to.
pub const BOUND_PATH: &str = "/sharding/bound";

/// How many databases a Worker is bound to, as it tells the api.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Databases, the first among them.
    pub databases: u8,
}

/// What `GET /admin/sharding` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Sharding"))]
#[serde(rename_all = "camelCase")]
pub struct ShardingReport {
    /// Over how many databases today's paths are spread.
    pub shards: u8,
    /// Databases that every Worker is bound to: no layout may have more.
    pub bound: u8,
    /// Queues that events take.
    pub queues: u8,
    /// The first day on which a layout that is published now may begin.
    pub earliest: EventDate,
    /// All that were published, oldest first. Before the first there is one shard.
    pub layouts: Vec<LayoutReport>,
    /// The databases that the api is bound to.
    pub databases: Vec<DatabaseReport>,
    /// Address of the runbook that tells how to add a database and how to spread paths.
    pub runbook: String,
}

/// A layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LayoutReport {
    /// Its first day.
    pub from: EventDate,
    /// How many shards it has.
    pub shards: u8,
    /// Where it stands.
    pub state: LayoutState,
}

/// Where a layout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LayoutState {
    /// A later one took its place.
    Past,
    /// Today's.
    Current,
    /// It begins on a day to come.
    Coming,
}

/// One of the databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ShardDatabase"))]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReport {
    /// Name of its binding.
    pub binding: String,
    /// Its size.
    pub size_bytes: u64,
    /// Day of its oldest raw event; `null`: it has none.
    pub oldest_event: Option<EventDate>,
    /// Day of its newest raw event.
    pub newest_event: Option<EventDate>,
    /// Its oldest hourly row.
    pub oldest_hour: Option<String>,
    /// Its newest hourly row.
    pub newest_hour: Option<String>,
}

/// What `POST /admin/sharding/reshard` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Resharded {
    /// Whether it was published: not when a dry run was asked for.
    pub published: bool,
    /// The first day of the layout.
    pub from: EventDate,
    /// The moment at which it begins, ISO 8601 in UTC.
    pub begins_at: String,
    /// How many shards it has.
    pub shards: u8,
    /// How many there are before.
    pub before: u8,
}

impl ShardingReport {
    /// Of the layouts at this moment.
    #[must_use]
    pub fn new(
        layouts: &Layouts,
        (bound, queues): (u8, u8),
        databases: Vec<DatabaseReport>,
        place: &Place,
        now_ms: i64,
    ) -> Self {
        let today = EventDate::from_ms(now_ms);
        let current = layouts.all().iter().rev().find(|layout| layout.from <= today);
        let state = |from: EventDate| {
            if from > today {
                LayoutState::Coming
            } else if current.is_some_and(|current| current.from == from) {
                LayoutState::Current
            } else {
                LayoutState::Past
            }
        };
        let report =
            |of: &super::Layout| LayoutReport { from: of.from, shards: of.shards, state: state(of.from) };
        Self {
            shards: layouts.shards_on(today),
            bound,
            queues,
            earliest: layouts.earliest(now_ms),
            layouts: layouts.all().iter().map(report).collect(),
            databases,
            runbook: place.link("docs/scaling-runbook.md"),
        }
    }
}

impl Resharded {
    /// Of what was, or would be, published.
    #[must_use]
    pub fn new(publication: Publication, published: bool) -> Self {
        let Publication { layout, before } = publication;
        let begins_at = iso_time(layout.from.start_ms());
        Self { published, from: layout.from, begins_at, shards: layout.shards, before }
    }
}
