mod always;
mod engine;
mod sending;
mod shapes;

use super::engine::{step, Due, RuleState};
use super::measure::Measure;
use super::rules::{Rule, REMIND_MINUTES};
use super::sample::Sample;
use super::MINUTE_MS;

/// Minute 0 of these tests: 2025-10-15T14:00.
const START: i64 = 1_760_536_800_000;

fn at(minute: i64) -> i64 {
    START + minute * MINUTE_MS
}

/// A rule over the backlog: 100 and 200, over below 90.
fn rule(hold_minutes: u32, resolve_after_minutes: u32) -> Rule {
    Rule {
        name: "backlog".to_owned(),
        warning: 100.0,
        critical: Some(200.0),
        resolve_below: 90.0,
        hold_minutes,
        resolve_after_minutes,
        ..Rule::built_in(Measure::QueueBacklog)
    }
}

fn sample(minute: i64, value: Option<f64>) -> Sample {
    Sample::new(at(minute), value.map(|value| (Measure::QueueBacklog, value)))
}

/// A rule that is fed a sample a minute.
struct Watch {
    rule: Rule,
    state: RuleState,
    minute: i64,
    silenced: bool,
}

impl Watch {
    fn new(rule: Rule) -> Self {
        Self { rule, state: RuleState::default(), minute: 0, silenced: false }
    }

    fn see(&mut self, value: impl Into<Option<f64>>) -> Option<Due> {
        let (state, due) =
            step(&self.rule, REMIND_MINUTES, &self.state, &sample(self.minute, value.into()), self.silenced);
        self.state = state;
        self.minute += 1;
        due
    }
}
