//! What is known when the database is not: alerts keep their state in D1, so the alert that D1 does not
//! answer keeps its own in KV.

use serde::{Deserialize, Serialize};

use super::engine::{step, Due, Phase, RuleState};
use super::measure::Measure;
use super::rules::Rule;
use super::sample::Sample;
use super::MINUTE_MS;

/// KV key.
pub const KEY: &str = "alerts:outage";

/// How long KV keeps it without a word, in seconds: a cron that comes back after a day begins anew.
pub const KEPT_SECONDS: u64 = 86_400;

/// A time in which alerts could not be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outage {
    /// The first minute that failed; `None`: the last one worked.
    pub since_ms: Option<i64>,
    /// How its rule stands.
    pub state: RuleState,
}

/// What a minute makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Next {
    /// To be kept if the notification, where there is one, was delivered; `None`: nothing is to be kept.
    pub after: Option<Outage>,
    /// To be kept otherwise, so that it is sent again.
    pub undelivered: Outage,
    /// To be told.
    pub due: Option<Due>,
}

/// Judges a minute that worked, or failed.
#[must_use]
pub fn judge(before: Option<Outage>, rule: &Rule, remind_minutes: u32, failed: bool, at_ms: i64) -> Next {
    let before = before.unwrap_or_default();
    let since_ms = failed.then(|| before.since_ms.unwrap_or(at_ms));
    // A minute that failed counts as one.
    #[allow(clippy::cast_precision_loss)]
    let minutes = since_ms.map_or(0.0, |since| ((at_ms - since) / MINUTE_MS + 1) as f64);
    let sample = Sample::new(at_ms, [(Measure::AlertStore, minutes)]);
    let (state, due) = step(rule, remind_minutes, &before.state, &sample, false);
    let over = !failed && state.phase == Phase::Ok && state.told.is_none();
    // What was not delivered was not told: the next minute tells it.
    let untold = RuleState { told: before.state.told, ..state };
    Next {
        after: (!over).then_some(Outage { since_ms, state }),
        undelivered: Outage { since_ms, state: untold },
        due,
    }
}
