//! Silences: notifications of a rule, or of all, are held back until a time. How it stands goes on.

use serde::{Deserialize, Serialize};

use super::rules::RuleSet;
use super::MINUTE_MS;
use crate::api::given::moment;
use crate::event::cut;
use crate::hour::{iso_time, DAY_MS};
use crate::problem::Problem;

/// The name that stands for every rule.
pub const ALL: &str = "all";

/// Longest silence, in milliseconds: what is to be silent for longer is a rule to be changed.
pub const MAX_SILENCE_MS: i64 = 30 * DAY_MS;

/// The same in minutes.
pub const MAX_SILENCE_MINUTES: u32 = 30 * 24 * 60;

/// Longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 200;

/// Most bytes of an order to silence.
pub const MAX_ORDER_BYTES: usize = 4_000;

/// A silence. A second one of the same rule takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The rule's name, or [`ALL`].
    pub rule: String,
    /// Until when, in milliseconds.
    pub until_ms: i64,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub created_ms: i64,
}

/// The silence that holds a rule's notifications back at a moment: the one that lasts longest.
#[must_use]
pub fn of_rule<'a>(silences: &'a [Silence], rule: &str, now_ms: i64) -> Option<&'a Silence> {
    let holds =
        |silence: &&Silence| (silence.rule == rule || silence.rule == ALL) && silence.until_ms > now_ms;
    silences.iter().filter(holds).max_by_key(|silence| silence.until_ms)
}

/// What `POST /admin/alerts/silence` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SilenceOrder {
    /// The name of a rule, or `all`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 40)))]
    rule: String,
    /// Until when: a time in UTC. Either this or `minutes`.
    until: Option<String>,
    /// For how many minutes from now on. Either this or `until`.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 43200)))]
    minutes: Option<u32>,
    /// Why, for those who look later.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    reason: String,
}

/// What `POST /admin/alerts/unsilence` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnsilenceOrder {
    /// The name of a rule, or `all` for the silence of all.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 40)))]
    rule: String,
}

fn wrong(detail: impl Into<String>) -> Problem {
    Problem::new(400, "invalid_order", "The order is wrong", detail)
}

fn known(rule: &str, rules: &RuleSet) -> Result<(), Problem> {
    if rule == ALL || rules.find(rule).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    let rule = cut(rule, 80);
    Err(wrong(format!("`rule` is {rule:?}: expected `all` or one of {}", names.join(", "))))
}

impl SilenceOrder {
    /// Reads an order of this one at this moment.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn read(body: &[u8], rules: &RuleSet, by: &str, now_ms: i64) -> Result<Silence, Problem> {
        let order: Self = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the order does not read: {error}")))?;
        known(&order.rule, rules)?;
        let until_ms = match (&order.until, order.minutes) {
            (Some(until), None) => moment(until).ok_or_else(|| {
                let until = cut(until, 40);
                wrong(format!("`until` is {until:?}: expected a time as \"2025-10-15T14:00:00Z\""))
            })?,
            (None, Some(minutes)) => now_ms + i64::from(minutes) * MINUTE_MS,
            (None, None) | (Some(_), Some(_)) => {
                return Err(wrong("an order has either `until`, a time, or `minutes`"));
            }
        };
        if !(1..=MAX_SILENCE_MS).contains(&(until_ms - now_ms)) {
            let detail = format!(
                "a silence until {} is refused: expected one that ends within 30 days from now, {}",
                iso_time(until_ms),
                iso_time(now_ms)
            );
            return Err(wrong(detail));
        }
        let reason = order.reason.trim();
        let chars = reason.chars().count();
        if !(1..=MAX_REASON_CHARS).contains(&chars) || reason.chars().any(char::is_control) {
            return Err(wrong(format!(
                "`reason` has {chars} characters: expected 1 to {MAX_REASON_CHARS} on one line"
            )));
        }
        Ok(Silence {
            rule: order.rule,
            until_ms,
            reason: reason.to_owned(),
            by: by.to_owned(),
            created_ms: now_ms,
        })
    }
}

impl UnsilenceOrder {
    /// Reads an order: the rule whose silence ends.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn read(body: &[u8]) -> Result<String, Problem> {
        let order: Self = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the order does not read: {error}")))?;
        // A rule that is no more may still have a silence.
        if !(1..=super::rules::MAX_NAME_BYTES).contains(&order.rule.len()) {
            return Err(wrong("`rule` has 1 to 40 characters"));
        }
        Ok(order.rule)
    }
}

/// A silence as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertSilence"))]
#[serde(rename_all = "camelCase")]
pub struct ShownSilence {
    /// The rule's name, or `all`.
    pub rule: String,
    /// Until when, ISO 8601 in UTC.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub created_at: String,
}

impl From<Silence> for ShownSilence {
    fn from(silence: Silence) -> Self {
        Self {
            rule: silence.rule,
            until: iso_time(silence.until_ms),
            reason: silence.reason,
            by: silence.by,
            created_at: iso_time(silence.created_ms),
        }
    }
}
