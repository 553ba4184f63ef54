//! [`Rule`]: from which value on, for how long, and how often a person is told; and the file that holds
//! rules.

use serde::{Deserialize, Serialize};

use super::measure::Measure;
use super::sample::rounded;
use super::MINUTE_MS;
use crate::event::cut;

/// Most rules.
pub const MAX_RULES: usize = 64;

/// Longest file of rules, in bytes: a rule takes about 200.
pub const MAX_RULES_BYTES: usize = 64 * 1024;

/// Longest name of a rule, in bytes.
pub const MAX_NAME_BYTES: usize = 40;

/// Longest time of any of a rule's waits, in minutes: a week.
pub const MAX_MINUTES: u32 = 7 * 24 * 60;

/// Minutes below [`Rule::resolve_below`] after which an alert is over, when a rule does not say.
pub const RESOLVE_AFTER_MINUTES: u32 = 5;

/// Minutes between two reminders, when nobody says: twice in a working day.
pub const REMIND_MINUTES: u32 = 240;

/// Version of the file.
const VERSION: u32 = 1;

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Draft")]
pub struct Rule {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// What it looks at.
    pub measure: Measure,
    /// From this value on a person is warned.
    pub warning: f64,
    /// From this value on it is critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
    /// It is critical only while this one is above zero, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_while: Option<Measure>,
    /// It is over when the value stays below this.
    pub resolve_below: f64,
    /// Minutes that a value must hold before anybody is told.
    pub hold_minutes: u32,
    /// Minutes below [`Self::resolve_below`] after which it is over.
    pub resolve_after_minutes: u32,
    /// Minutes between two reminders; `None`: as configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_minutes: Option<u32>,
}

/// A rule as it may be written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Draft {
    name: String,
    measure: Measure,
    warning: f64,
    critical: Option<f64>,
    critical_while: Option<Measure>,
    resolve_below: Option<f64>,
    hold_minutes: Option<u32>,
    resolve_after_minutes: Option<u32>,
    remind_minutes: Option<u32>,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// The name can be none.
    #[error("the rule's name is {0:?}: expected 1 to 40 small letters, digits and hyphens")]
    Name(String),
    /// A number that can be none.
    #[error("rule {rule:?}: `{field}` is {found}: expected {expected}")]
    Number {
        /// The rule.
        rule: String,
        /// The field.
        field: &'static str,
        /// What it was.
        found: f64,
        /// What it may be.
        expected: String,
    },
    /// Two rules of one name.
    #[error("rule {0:?} is there twice: each name may be there once")]
    Twice(String),
    /// Too many.
    #[error("there are {0} rules: 64 are accepted")]
    Count(usize),
    /// A version that is not known.
    #[error("the file has version {0}: expected 1")]
    Version(u32),
}

impl TryFrom<Draft> for Rule {
    type Error = RuleError;

    fn try_from(draft: Draft) -> Result<Self, RuleError> {
        let name_fits = (1..=MAX_NAME_BYTES).contains(&draft.name.len())
            && draft.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        // `all` is every rule, where one is silenced.
        if !name_fits || draft.name == "all" {
            return Err(RuleError::Name(cut(&draft.name, 80).to_owned()));
        }
        let rule = draft.name.clone();
        let number = |field: &'static str, found: f64, fits: bool, expected: &dyn core::fmt::Display| {
            if fits {
                return Ok(found);
            }
            Err(RuleError::Number { rule: rule.clone(), field, found, expected: expected.to_string() })
        };
        let minutes = |field, found: Option<u32>, default: u32, least: u32| {
            let found = found.unwrap_or(default);
            let expected = format!("{least} to {MAX_MINUTES} minutes");
            number(field, f64::from(found), (least..=MAX_MINUTES).contains(&found), &expected).map(|_| found)
        };
        let warning = number(
            "warning",
            draft.warning,
            draft.warning.is_finite() && draft.warning > 0.0,
            &"a number above 0",
        )?;
        let above = |critical: f64| {
            let expected = format!("more than the warning, {warning}");
            number("critical", critical, critical.is_finite() && critical > warning, &expected)
        };
        let critical = draft.critical.map(above).transpose()?;
        let below = draft.resolve_below.unwrap_or(warning * 0.9);
        let expected = format!("more than 0, and {warning}, the warning, at most");
        let resolve_below = number("resolveBelow", below, below > 0.0 && below <= warning, &expected)?;
        Ok(Self {
            measure: draft.measure,
            warning,
            critical,
            critical_while: draft.critical_while,
            resolve_below,
            hold_minutes: minutes("holdMinutes", draft.hold_minutes, 0, 0)?,
            resolve_after_minutes: minutes(
                "resolveAfterMinutes",
                draft.resolve_after_minutes,
                RESOLVE_AFTER_MINUTES,
                0,
            )?,
            // Every five minutes nobody reads any more.
            remind_minutes: draft
                .remind_minutes
                .map(|given| minutes("remindMinutes", Some(given), 0, 5))
                .transpose()?,
            name: draft.name,
        })
    }
}

impl Rule {
    /// The rule that a measure has by default.
    #[must_use]
    pub fn built_in(measure: Measure) -> Self {
        let about = measure.about();
        Self {
            name: about.rule.to_owned(),
            measure,
            warning: about.warning,
            critical: about.critical,
            critical_while: about.critical_while,
            resolve_below: rounded(about.resolve_below.unwrap_or(about.warning * 0.9)),
            hold_minutes: about.hold_minutes,
            resolve_after_minutes: RESOLVE_AFTER_MINUTES,
            remind_minutes: None,
        }
    }

    pub(crate) fn hold_ms(&self) -> i64 {
        i64::from(self.hold_minutes) * MINUTE_MS
    }

    pub(crate) fn resolve_after_ms(&self) -> i64 {
        i64::from(self.resolve_after_minutes) * MINUTE_MS
    }
}

/// Rules, each name once.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// Minutes between two reminders, of a rule that does not say.
    remind_minutes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules that are there without any configuration.
    #[must_use]
    pub fn built_in() -> Self {
        let rules = Measure::ALL.into_iter().map(Rule::built_in).collect();
        Self { rules, remind_minutes: REMIND_MINUTES }
    }

    /// Reads a file: `{"version":1,"rules":[…]}`.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line and column where the JSON tells them.
    pub fn from_json(text: &str) -> Result<Self, String> {
        if text.len() > MAX_RULES_BYTES {
            return Err(format!("{} bytes are too many: {MAX_RULES_BYTES} are accepted", text.len()));
        }
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(RuleError::Version(file.version).to_string());
        }
        Self::checked(file.rules).map_err(|error| error.to_string())
    }

    fn checked(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.len() > MAX_RULES {
            return Err(RuleError::Count(rules.len()));
        }
        for (at, rule) in rules.iter().enumerate() {
            if rules.iter().take(at).any(|other| other.name == rule.name) {
                return Err(RuleError::Twice(rule.name.clone()));
            }
        }
        Ok(Self { rules, remind_minutes: REMIND_MINUTES })
    }

    /// These rules over the others: a rule takes the place of the one of its name, and new ones are added.
    ///
    /// # Errors
    ///
    /// When there are too many then.
    pub fn overlaid(self, others: Self) -> Result<Self, RuleError> {
        let Self { mut rules, remind_minutes } = self;
        for rule in others.rules {
            match rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known = rule,
                None => rules.push(rule),
            }
        }
        Ok(Self { remind_minutes, ..Self::checked(rules)? })
    }

    /// The same, with another time between reminders for rules that do not say.
    #[must_use]
    pub fn reminding_every(self, remind_minutes: u32) -> Self {
        Self { remind_minutes, ..self }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// Minutes between two reminders of a rule.
    #[must_use]
    pub fn remind_minutes(&self, rule: &Rule) -> u32 {
        rule.remind_minutes.unwrap_or(self.remind_minutes)
    }

    /// As a file, for people to change.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = File { version: VERSION, rules: self.rules.clone() };
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }
}
