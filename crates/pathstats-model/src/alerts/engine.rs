//! When a rule fires, reminds and resolves: one step a sample. `ok → pending → firing → resolved`.
//!
//! How it stands and what people were told are two things. A silence, or a receiver that is away, holds
//! back what is told; how it stands goes on. What people were told decides what they are told next, so
//! that whatever comes, they hear of each episode once, and of its end.

use serde::{Deserialize, Serialize};

use super::rules::Rule;
use super::sample::Sample;
use super::MINUTE_MS;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertLevel"))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A person should look when there is time.
    Warning,
    /// A person should look now.
    Critical,
}

/// How a rule stands. Times are milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Phase {
    /// Below its limits.
    #[default]
    Ok,
    /// Above, but not for long enough yet.
    Pending {
        /// Since when it is above.
        since_ms: i64,
        /// Since when it is above the critical limit.
        critical_since_ms: Option<i64>,
    },
    /// Above for long enough.
    Firing {
        /// Since when it is above.
        since_ms: i64,
        /// How bad it is now.
        level: Level,
        /// Since when it is above the critical limit.
        critical_since_ms: Option<i64>,
        /// Since when it is below what resolves it.
        clear_since_ms: Option<i64>,
    },
}

/// What people were told last of an episode that is not over for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Since when the episode is; it names the episode.
    pub episode_ms: i64,
    /// The worst that they were told.
    pub level: Level,
    /// When they were told last.
    pub at_ms: i64,
    /// Notifications of this episode.
    pub number: u32,
}

/// All that is kept of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleState {
    /// How it stands.
    pub phase: Phase,
    /// What people were told.
    pub told: Option<Told>,
    /// When its last episode ended.
    pub resolved_ms: Option<i64>,
    /// The minute in which this changed last. Nothing of that minute or before changes it again.
    pub changed_ms: i64,
}

/// What people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertNews"))]
#[serde(rename_all = "lowercase")]
pub enum News {
    /// It began, or it became critical.
    Firing,
    /// It still is.
    Reminder,
    /// It is over.
    Resolved,
    /// Nothing happened: somebody tries the receiver.
    Test,
}

/// A notification that is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// What is told.
    pub news: News,
    /// How bad it is, or was.
    pub level: Level,
    /// Names the episode, with the rule: since when it is.
    pub episode_ms: i64,
    /// Counts the episode's notifications, from 1.
    pub number: u32,
    /// The value now, if it is known.
    pub value: Option<f64>,
}

/// What a sample makes of a rule: its new state, and what is to be told.
#[must_use]
pub fn step(
    rule: &Rule,
    remind_minutes: u32,
    before: &RuleState,
    sample: &Sample,
    silenced: bool,
) -> (RuleState, Option<Due>) {
    let at_ms = sample.at_ms;
    // The same minute again, or one that comes late: it was judged.
    if at_ms <= before.changed_ms {
        return (*before, None);
    }
    let mut after = *before;
    // Not known is neither well nor ill: it stays as it was.
    if let Some(value) = sample.get(rule.measure) {
        after.phase = advance(rule, before.phase, value, is_critical(rule, value, sample), at_ms);
        let ended = matches!((before.phase, after.phase), (Phase::Firing { .. }, Phase::Ok));
        if ended {
            after.resolved_ms = Some(at_ms);
        }
    }
    let due = if silenced { None } else { tell(after, remind_minutes, sample.get(rule.measure), at_ms) };
    if let Some(due) = due {
        after.told = (due.news != News::Resolved).then_some(Told {
            episode_ms: due.episode_ms,
            // What they know to be critical is not told to be critical again.
            level: after.told.map_or(due.level, |told| told.level.max(due.level)),
            at_ms,
            number: due.number,
        });
    }
    if after != *before {
        after.changed_ms = at_ms;
    }
    (after, due)
}

fn is_critical(rule: &Rule, value: f64, sample: &Sample) -> bool {
    let allowed = rule.critical_while.is_none_or(|other| sample.get(other).is_none_or(|value| value > 0.0));
    allowed && rule.critical.is_some_and(|limit| value >= limit)
}

fn advance(rule: &Rule, phase: Phase, value: f64, critical: bool, at_ms: i64) -> Phase {
    let over = value >= rule.warning;
    let held = |since_ms: i64| at_ms - since_ms >= rule.hold_ms();
    let since = |before: Option<i64>| critical.then(|| before.unwrap_or(at_ms));
    let level = |critical_since_ms: Option<i64>| {
        if critical_since_ms.is_some_and(held) {
            Level::Critical
        } else {
            Level::Warning
        }
    };
    let began = |since_ms: i64, critical_since_ms: Option<i64>| {
        if held(since_ms) {
            let level = level(critical_since_ms);
            Phase::Firing { since_ms, level, critical_since_ms, clear_since_ms: None }
        } else {
            Phase::Pending { since_ms, critical_since_ms }
        }
    };
    match phase {
        Phase::Ok if over => began(at_ms, since(None)),
        Phase::Pending { since_ms, critical_since_ms } if over => began(since_ms, since(critical_since_ms)),
        Phase::Ok | Phase::Pending { .. } => Phase::Ok,
        Phase::Firing { since_ms, critical_since_ms, clear_since_ms, .. } => {
            let critical_since_ms = since(critical_since_ms);
            // Between the two limits it is neither here nor there, and goes on.
            let clear_since_ms = (value < rule.resolve_below).then(|| clear_since_ms.unwrap_or(at_ms));
            if clear_since_ms.is_some_and(|clear| at_ms - clear >= rule.resolve_after_ms()) {
                return Phase::Ok;
            }
            Phase::Firing { since_ms, level: level(critical_since_ms), critical_since_ms, clear_since_ms }
        }
    }
}

/// What people must hear, given what they were told.
fn tell(state: RuleState, remind_minutes: u32, value: Option<f64>, at_ms: i64) -> Option<Due> {
    let next = |told: Told, news, level| {
        Some(Due { news, level, episode_ms: told.episode_ms, number: told.number + 1, value })
    };
    match (state.phase, state.told) {
        // What is about to be over is worth neither a beginning, behind a silence, nor a reminder.
        (Phase::Firing { since_ms, level, clear_since_ms: None, .. }, None) => {
            Some(Due { news: News::Firing, level, episode_ms: since_ms, number: 1, value })
        }
        (Phase::Firing { level, .. }, Some(told)) if level > told.level => next(told, News::Firing, level),
        (Phase::Firing { level, clear_since_ms: None, .. }, Some(told))
            if at_ms - told.at_ms >= i64::from(remind_minutes) * MINUTE_MS =>
        {
            next(told, News::Reminder, level)
        }
        // Also when it is about to begin anew: what they were told is over.
        (Phase::Ok | Phase::Pending { .. }, Some(told)) => next(told, News::Resolved, told.level),
        (Phase::Firing { .. }, _) | (Phase::Ok | Phase::Pending { .. }, None) => None,
    }
}
