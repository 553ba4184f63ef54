//! What `GET /admin/alerts`, its history and its orders answer.

use serde::Serialize;

use super::config::AlertConfig;
use super::engine::{Level, News, Phase, RuleState};
use super::measure::Measure;
use super::sample::{Sample, ShownSample};
use super::silence::{of_rule, ShownSilence, Silence};
use super::webhook::Format;
use super::{minute_of, KEPT_MS, MINUTE_MS};
use crate::api::given::{moment, Given};
use crate::health::Unit;
use crate::hour::{iso_time, DAY_MS};
use crate::problem::Problem;

/// Notifications of an answer.
pub const LAST_DELIVERIES: u32 = 20;

/// Samples of a page, when nothing else is asked for, and at most: a day.
pub const PAGE: u32 = 1_440;

/// How every rule stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlertsAnswer {
    /// The last minute that was judged; `null` before the first. An old one: the cron does not run.
    pub evaluated_at: Option<String>,
    /// Where notifications go; `null`: nobody is told.
    pub webhook: Option<WebhookShown>,
    /// Every rule: what fires first, the worst and the oldest first.
    pub rules: Vec<RuleShown>,
    /// Silences that hold.
    pub silences: Vec<ShownSilence>,
    /// The newest notifications, newest first.
    pub deliveries: Vec<DeliveryShown>,
}

/// A receiver, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertWebhook"))]
pub struct WebhookShown {
    /// Its host.
    pub host: String,
    /// `json` or `slack`.
    pub format: &'static str,
    /// Whether what goes there is signed.
    pub signed: bool,
}

/// How a rule stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertRule"))]
#[serde(rename_all = "camelCase")]
pub struct RuleShown {
    /// Its name.
    pub name: String,
    /// In a few words.
    pub title: &'static str,
    /// What it looks at.
    pub measure: Measure,
    /// What the values are counted in.
    pub unit: Unit,
    /// How it stands.
    pub status: RuleStatus,
    /// How bad it is; `null` unless it fires.
    pub level: Option<Level>,
    /// Since when it is above its limit; `null` when it is not.
    pub since: Option<String>,
    /// The value of the last minute; `null`: not known.
    pub value: Option<f64>,
    /// From this value on a person is warned.
    pub warning: f64,
    /// From this value on it is critical.
    pub critical: Option<f64>,
    /// It is over when the value stays below this.
    pub resolve_below: f64,
    /// Minutes that a value must hold before anybody is told.
    pub hold_minutes: u32,
    /// Minutes below `resolveBelow` after which it is over.
    pub resolve_after_minutes: u32,
    /// Minutes between two reminders.
    pub remind_minutes: u32,
    /// When people were told last of what is not over for them.
    pub notified_at: Option<String>,
    /// When its last episode ended.
    pub resolved_at: Option<String>,
    /// Until when its notifications are held back.
    pub silenced_until: Option<String>,
    /// What to do first.
    pub first_step: &'static str,
    /// Where its runbook is.
    pub runbook: String,
}

/// How a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertStatus"))]
#[serde(rename_all = "lowercase")]
pub enum RuleStatus {
    /// Below its limits.
    Ok,
    /// Above, but not for long enough yet.
    Pending,
    /// People are told.
    Firing,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AlertDelivery"))]
#[serde(rename_all = "camelCase")]
pub struct DeliveryShown {
    /// Its id, as the receiver got it.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// What was told.
    pub state: News,
    /// How bad it was.
    pub level: Level,
    /// One sentence.
    pub summary: String,
    /// The minute of the decision.
    pub at: String,
    /// `pending`, `sent`, `failed` (given up) or `unsent` (no receiver is configured).
    pub status: String,
    /// Attempts.
    pub attempts: u32,
    /// What the receiver answered last; `null` before that.
    pub answer: Option<String>,
}

/// What a test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlertTest {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// What it answered.
    pub answer: String,
    /// The id that was sent.
    pub id: String,
}

/// What `POST /admin/alerts/unsilence` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unsilenced {
    /// Whether there was a silence.
    pub ended: bool,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlertHistory {
    /// From when on, ISO 8601 in UTC.
    pub from: String,
    /// Up to when; it is not part of it.
    pub to: String,
    /// The samples, oldest first. A minute without one: the cron did not run, or the database did not answer.
    pub samples: Vec<ShownSample>,
    /// What to send as `cursor` for those that follow; `null` when there are none.
    pub next_cursor: Option<String>,
}

/// What was found in the database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// States by rule.
    pub states: Vec<(String, RuleState)>,
    /// Silences that hold.
    pub silences: Vec<Silence>,
    /// The newest sample.
    pub newest: Option<Sample>,
    /// The newest notifications.
    pub deliveries: Vec<DeliveryShown>,
}

impl AlertsAnswer {
    /// The answer that is made of what was found.
    #[must_use]
    pub fn new(config: &AlertConfig, found: Found, now_ms: i64) -> Self {
        let Found { states, silences, newest, deliveries } = found;
        let mut rules: Vec<RuleShown> = config
            .rules
            .rules()
            .iter()
            .map(|rule| {
                let state = states.iter().find(|(name, _)| *name == rule.name);
                let state = state.map(|(_, state)| *state).unwrap_or_default();
                let about = rule.measure.about();
                let (status, level, since) = match state.phase {
                    Phase::Ok => (RuleStatus::Ok, None, None),
                    Phase::Pending { since_ms, .. } => (RuleStatus::Pending, None, Some(since_ms)),
                    Phase::Firing { since_ms, level, .. } => {
                        (RuleStatus::Firing, Some(level), Some(since_ms))
                    }
                };
                RuleShown {
                    name: rule.name.clone(),
                    title: about.title,
                    measure: rule.measure,
                    unit: about.unit,
                    status,
                    level,
                    since: since.map(iso_time),
                    value: newest.as_ref().and_then(|sample| sample.get(rule.measure)),
                    warning: rule.warning,
                    critical: rule.critical,
                    resolve_below: rule.resolve_below,
                    hold_minutes: rule.hold_minutes,
                    resolve_after_minutes: rule.resolve_after_minutes,
                    remind_minutes: config.rules.remind_minutes(rule),
                    notified_at: state.told.map(|told| iso_time(told.at_ms)),
                    resolved_at: state.resolved_ms.map(iso_time),
                    silenced_until: of_rule(&silences, &rule.name, now_ms)
                        .map(|found| iso_time(found.until_ms)),
                    first_step: about.first_step,
                    runbook: config.place.runbook(about.rule),
                }
            })
            .collect();
        rules.sort_by(|a, b| {
            (b.status, b.level).cmp(&(a.status, a.level)).then_with(|| a.since.cmp(&b.since))
        });
        Self {
            evaluated_at: newest.map(|sample| iso_time(sample.at_ms)),
            webhook: config.endpoint.as_ref().map(|endpoint| WebhookShown {
                host: endpoint.host().to_owned(),
                format: match endpoint.format {
                    Format::Json => "json",
                    Format::Slack => "slack",
                },
                signed: endpoint.is_signed(),
            }),
            rules,
            silences: silences.into_iter().map(ShownSilence::from).collect(),
            deliveries,
        }
    }
}

/// Which samples are asked for: the minutes from one up to another, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// First moment of the range.
    pub from_ms: i64,
    /// First moment that is not part of it.
    pub to_ms: i64,
    /// Where this page begins.
    pub page_from_ms: i64,
    /// Samples at most.
    pub limit: u32,
}

impl HistoryQuery {
    /// Reads `from`, `to`, `limit` and `cursor`. By default it is the last 24 hours.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn read(given: &Given, now_ms: i64) -> Result<Self, Problem> {
        let expected = "a time as 2025-10-15T14:00Z, a day, or milliseconds";
        let to_ms = given.optional("to", expected, moment)?.unwrap_or(minute_of(now_ms) + MINUTE_MS);
        let from_ms = given.optional("from", expected, moment)?.unwrap_or(to_ms - DAY_MS);
        if from_ms >= to_ms {
            let text = given.get("from").unwrap_or_default();
            return Err(Problem::parameter("from", text, "a time before `to`"));
        }
        let cursor = given.optional("cursor", "`nextCursor` of an earlier answer", moment)?;
        // What is older is gone: nobody need look there.
        let oldest = minute_of(now_ms) - KEPT_MS;
        let page_from_ms = cursor.unwrap_or(from_ms).max(from_ms).max(oldest);
        Ok(Self { from_ms, to_ms, page_from_ms, limit: given.number("limit", PAGE, 1..=PAGE)? })
    }

    /// The page that these samples are, when up to `limit` were wanted and one more was looked for.
    #[must_use]
    pub fn page(&self, mut samples: Vec<Sample>) -> AlertHistory {
        let limit = self.limit as usize;
        let next_cursor = samples.get(limit).map(|sample| sample.at_ms.to_string());
        samples.truncate(limit);
        AlertHistory {
            from: iso_time(self.from_ms),
            to: iso_time(self.to_ms),
            samples: samples.into_iter().map(ShownSample::from).collect(),
            next_cursor,
        }
    }
}
