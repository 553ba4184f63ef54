//! Draft rules over history: when each would have fired, reminded and resolved.

use serde::Serialize;

use super::engine::{step, Level, News, RuleState};
use super::rules::{Rule, RuleSet};
use super::sample::Sample;
use super::MINUTE_MS;
use crate::hour::{iso_time, DAY_MS};

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutcome {
    /// Its name.
    pub rule: String,
    /// Samples in which its value was known.
    pub known: usize,
    /// The least value, and the greatest.
    pub range: Option<(f64, f64)>,
    /// Each time that it would have fired.
    pub episodes: Vec<Episode>,
    /// How often a day it would have fired.
    pub per_day: f64,
    /// Notifications of all kinds.
    pub notifications: usize,
}

/// From firing to being resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// Since when the value was above the limit.
    pub since: String,
    /// When people would have been told.
    pub fired_at: String,
    /// The worst level.
    pub level: Level,
    /// When it became critical, if that was later.
    pub escalated_at: Option<String>,
    /// When people would have been reminded.
    pub reminders: Vec<String>,
    /// When it would have resolved; `null`: not before history ends.
    pub resolved_at: Option<String>,
    /// Minutes from `since` to the end, or to the end of history.
    pub minutes: i64,
}

/// What all rules would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// The first minute.
    pub from: Option<String>,
    /// The last minute.
    pub to: Option<String>,
    /// Samples.
    pub samples: usize,
    /// Minutes between the first and the last that have none.
    pub missing: i64,
    /// Each rule.
    pub rules: Vec<RuleOutcome>,
}

/// Runs rules over samples, in any order; of two of one minute the first counts.
#[must_use]
pub fn run(rules: &RuleSet, mut samples: Vec<Sample>) -> Backtest {
    samples.sort_by_key(|sample| sample.at_ms);
    samples.dedup_by_key(|sample| sample.at_ms);
    let first = samples.first().map(|sample| sample.at_ms);
    let last = samples.last().map(|sample| sample.at_ms);
    let spanned = first.zip(last).map_or(0, |(first, last)| last - first + MINUTE_MS);
    let outcomes = rules.rules().iter().map(|rule| one(rule, rules.remind_minutes(rule), &samples, spanned));
    Backtest {
        from: first.map(iso_time),
        to: last.map(iso_time),
        samples: samples.len(),
        missing: spanned / MINUTE_MS - i64::try_from(samples.len()).unwrap_or(i64::MAX),
        rules: outcomes.collect(),
    }
}

fn one(rule: &Rule, remind_minutes: u32, samples: &[Sample], spanned_ms: i64) -> RuleOutcome {
    let mut state = RuleState::default();
    let mut episodes: Vec<Episode> = Vec::new();
    let mut begun_ms = 0;
    let mut notifications = 0;
    for sample in samples {
        let (after, due) = step(rule, remind_minutes, &state, sample, false);
        state = after;
        let Some(due) = due else { continue };
        notifications += 1;
        let at = iso_time(sample.at_ms);
        match (due.news, episodes.last_mut()) {
            (News::Firing, _) if due.number == 1 => {
                begun_ms = due.episode_ms;
                episodes.push(Episode {
                    since: iso_time(due.episode_ms),
                    fired_at: at,
                    level: due.level,
                    escalated_at: None,
                    reminders: Vec::new(),
                    resolved_at: None,
                    minutes: 0,
                });
            }
            (News::Firing, Some(episode)) => {
                episode.level = due.level;
                episode.escalated_at = Some(at);
            }
            (News::Reminder, Some(episode)) => episode.reminders.push(at),
            (News::Resolved, Some(episode)) => {
                episode.resolved_at = Some(at);
                episode.minutes = (sample.at_ms - begun_ms) / MINUTE_MS;
            }
            (News::Test, _) | (_, None) => {}
        }
    }
    if let (Some(open), Some(last)) = (episodes.last_mut(), samples.last()) {
        if open.resolved_at.is_none() {
            open.minutes = (last.at_ms - begun_ms) / MINUTE_MS;
        }
    }
    let values: Vec<f64> = samples.iter().filter_map(|sample| sample.get(rule.measure)).collect();
    let least = values.iter().copied().reduce(f64::min);
    let greatest = values.iter().copied().reduce(f64::max);
    // Counts and spans are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let per_day =
        if spanned_ms > 0 { episodes.len() as f64 * DAY_MS as f64 / spanned_ms as f64 } else { 0.0 };
    RuleOutcome {
        rule: rule.name.clone(),
        known: values.len(),
        range: least.zip(greatest),
        per_day: (per_day * 100.0).round() / 100.0,
        notifications,
        episodes,
    }
}
