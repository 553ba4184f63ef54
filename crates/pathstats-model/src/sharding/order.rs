//! What may be ordered, and when a new layout may begin.

use serde::{Deserialize, Serialize};

use super::{Layout, Layouts, LEAD_MS, MAX_LAYOUTS, MAX_SHARDS};
use crate::hour::{iso_time, EventDate, DAY_MS};
use crate::problem::Problem;

/// Most bytes of an order.
pub const MAX_ORDER_BYTES: usize = 1_000;

/// How far ahead a layout may begin, in days: a year that was mistyped should not be found out by nobody.
const MAX_DAYS_AHEAD: i64 = 366;

/// What `POST /admin/sharding/reshard` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReshardOrder {
    /// Over how many databases paths are to be spread.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 16)))]
    pub shards: u8,
    /// From which day of UTC on; the first that is allowed when it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<EventDate>,
    /// Tells what would be published, and publishes nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A layout that may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The layout.
    pub layout: Layout,
    /// How many shards there are on the day before it begins.
    pub before: u8,
}

impl Layouts {
    /// The first day on which a layout that is published now may begin: a midnight far enough ahead, and behind
    /// every other layout's.
    #[must_use]
    pub fn earliest(&self, now_ms: i64) -> EventDate {
        let allowed = EventDate::from_ms(now_ms + LEAD_MS - 1 + DAY_MS);
        self.all().last().map_or(allowed, |last| allowed.max(day_after(last.from)))
    }
}

fn day_after(date: EventDate) -> EventDate {
    EventDate::from_ms(date.end_ms())
}

fn refused(code: &str, detail: String) -> Problem {
    Problem::new(409, code, "The databases cannot be resharded so", detail)
}

impl ReshardOrder {
    /// Reads an order.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let wrong = |detail: String| Problem::new(400, "invalid_order", "The order is wrong", detail);
        let order: Self = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the order does not read: {error}")))?;
        if !(1..=MAX_SHARDS).contains(&order.shards) {
            return Err(wrong(format!("`shards` is {}: expected 1 to {MAX_SHARDS}", order.shards)));
        }
        Ok(order)
    }

    /// What is to be published, by the layouts there are and the databases that every Worker is bound to.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn check(&self, layouts: &Layouts, bound: u8, now_ms: i64) -> Result<Publication, Problem> {
        if self.shards > bound {
            let detail = format!(
                "{} databases are asked for, and every Worker is bound to {bound}: bind D1_1 to D1_{} in \
                 wrangler/*.jsonc and deploy first",
                self.shards,
                self.shards - 1
            );
            return Err(refused("not_bound", detail));
        }
        if layouts.all().len() >= MAX_LAYOUTS {
            return Err(refused("too_many_layouts", format!("there are {MAX_LAYOUTS} layouts already")));
        }
        let earliest = layouts.earliest(now_ms);
        let from = self.from.unwrap_or(earliest);
        if from < earliest {
            let detail = format!(
                "a layout that is published at {} begins on {earliest} at the earliest, not on {from}: Workers \
                 need an hour to learn of it, and layouts follow each other",
                iso_time(now_ms)
            );
            return Err(refused("too_early", detail));
        }
        if from.start_ms() - now_ms > MAX_DAYS_AHEAD * DAY_MS {
            let detail = format!("{from} is more than {MAX_DAYS_AHEAD} days ahead");
            return Err(refused("too_late", detail));
        }
        let before = layouts.all().last().map_or(1, |last| last.shards);
        if before == self.shards {
            let detail = format!("the last layout has {before} shards already: nothing would change");
            return Err(refused("nothing_changes", detail));
        }
        Ok(Publication { layout: Layout { from, shards: self.shards }, before })
    }
}
