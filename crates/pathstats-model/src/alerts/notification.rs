//! [`Notification`]: what a person is told, whole in itself.

use serde::{Deserialize, Serialize};

use super::engine::{Due, Level, News};
use super::measure::Measure;
use super::rules::Rule;
use crate::health::{span, Unit};
use crate::hour::iso_time;

/// Version of the JSON that a receiver gets.
const VERSION: u32 = 1;

/// Name of the rule that a test says it is of.
pub const TEST_RULE: &str = "test";

/// Where this runs, and where more is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `ENVIRONMENT`.
    pub environment: String,
    /// `RUNBOOK_BASE_URL`; ends with a slash.
    pub runbook_base: String,
    /// `DASHBOARD_URL`.
    pub dashboard: Option<String>,
}

/// What a receiver gets as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// 1.
    pub version: u32,
    /// Names this notification: a receiver drops what it has.
    pub id: String,
    /// Names the episode: the same from the first notification to the last.
    pub alert: String,
    /// The rule's name.
    pub rule: String,
    /// What is told.
    pub state: News,
    /// How bad it is, or was.
    pub level: Level,
    /// The value now; `null`: not known.
    pub value: Option<f64>,
    /// What value and threshold are counted in.
    pub unit: Unit,
    /// The limit of this level.
    pub threshold: f64,
    /// Since when it is, ISO 8601 in UTC.
    pub since: String,
    /// The minute that this was decided in.
    pub at: String,
    /// Where.
    pub environment: String,
    /// One sentence.
    pub summary: String,
    /// What `GET /admin/health` says; `null` when there is nothing more.
    pub detail: Option<String>,
    /// What to do first.
    pub first_step: String,
    /// Where its runbook is.
    pub runbook: String,
    /// Where the dashboard is.
    pub dashboard: Option<String>,
}

impl Notification {
    /// What is to be told of a rule.
    #[must_use]
    pub fn new(rule: &Rule, due: &Due, at_ms: i64, detail: Option<String>, place: &Place) -> Self {
        let about = rule.measure.about();
        let threshold = match due.level {
            Level::Critical => rule.critical.unwrap_or(rule.warning),
            Level::Warning => rule.warning,
        };
        let alert = format!("{}-{}", rule.name, due.episode_ms);
        let since = iso_time(due.episode_ms);
        let now = due.value.map_or_else(|| "not known now".to_owned(), |value| in_words(value, about.unit));
        let level = match due.level {
            Level::Warning => "warning",
            Level::Critical => "critical",
        };
        let limit = in_words(threshold, about.unit);
        let title = about.title;
        let summary = match due.news {
            News::Resolved => format!("{title}: {now}. Resolved; it began at {since}."),
            News::Reminder => {
                format!("{title}: {now}. Still not over; it began at {since} ({level} from {limit} on).")
            }
            News::Firing | News::Test => format!("{title}: {now} ({level} from {limit} on), since {since}."),
        };
        Self {
            version: VERSION,
            id: format!("{alert}-{}", due.number),
            alert,
            rule: rule.name.clone(),
            state: due.news,
            level: due.level,
            value: due.value,
            unit: about.unit,
            threshold,
            since,
            at: iso_time(at_ms),
            environment: place.environment.clone(),
            summary,
            detail,
            first_step: about.first_step.to_owned(),
            runbook: place.runbook(about.rule),
            dashboard: place.dashboard.clone(),
        }
    }

    /// What is sent to try the receiver.
    #[must_use]
    pub fn test(by: &str, at_ms: i64, place: &Place) -> Self {
        let due = Due { news: News::Test, level: Level::Warning, episode_ms: at_ms, number: 1, value: None };
        let rule = Rule { name: TEST_RULE.to_owned(), ..Rule::built_in(Measure::Heartbeat) };
        Self {
            summary: format!("A test of the alerts, sent by {by}. Nothing is wrong."),
            first_step: "Nothing: whoever sent it wanted to see it here.".to_owned(),
            runbook: place.link("docs/alerts.md"),
            ..Self::new(&rule, &due, at_ms, None, place)
        }
    }
}

impl Place {
    /// Where the runbook of a rule is.
    #[must_use]
    pub fn runbook(&self, rule: &str) -> String {
        self.link(&format!("docs/runbooks/{rule}.md"))
    }

    /// Where a file of the repository is read: `docs/alerts.md`.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.runbook_base)
    }
}

/// A value for a person.
#[must_use]
pub fn in_words(value: f64, unit: Unit) -> String {
    let (one, many) = match unit {
        Unit::Seconds => return span(value),
        Unit::Share => return format!("{:.1} %", value * 100.0),
        Unit::Messages => ("message", "messages"),
        Unit::Letters => ("letter", "letters"),
        Unit::Requests => ("request", "requests"),
        Unit::Sources => ("source", "sources"),
        Unit::Days => ("day", "days"),
        Unit::Hours => ("hour", "hours"),
        Unit::Minutes => ("minute", "minutes"),
    };
    let number = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{number} {}", if number == "1" { one } else { many })
}
