//! The steps of a minute, over where alerts are kept and who is told: judge, keep, claim, tell, note.
//!
//! Whoever dies where, a notification is told at least once, under one id: it is kept in one transaction
//! with the state that asks for it, and waits until the receiver's answer is noted.

use super::config::AlertConfig;
use super::delivery::{Ending, Pending};
use super::engine::{step, Due, RuleState};
use super::notification::Notification;
use super::rules::Rule;
use super::sample::Sample;
use super::silence::{of_rule, Silence};
use crate::health::Check;

/// What a run goes by.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// States by rule, with their revisions. A rule that is not there is new, of revision 0.
    pub states: Vec<(String, RuleState, u64)>,
    /// Silences that hold.
    pub silences: Vec<Silence>,
}

/// A state that changed, and what is to be told with it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The rule.
    pub rule: String,
    /// The new state.
    pub state: RuleState,
    /// The revision that it was made from.
    pub revision: u64,
    /// What is to be told.
    pub notification: Option<Notification>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whether the receiver has it: a status of 200 to 299.
    pub taken: bool,
    /// What may be told of its answer.
    pub answer: String,
}

/// Where alerts are kept. Each call may fail though it was done.
#[allow(async_fn_in_trait)]
pub trait AlertLog {
    /// What went wrong.
    type Error: core::fmt::Display;

    /// What a run goes by.
    async fn load(&self, now_ms: i64) -> Result<Loaded, Self::Error>;

    /// Keeps a minute's sample, the states that changed with it, and what is to be told, in one
    /// transaction: a state never says that people were told without the notification that tells them.
    /// A state whose revision is another by now stays, and nothing is told of it. Without a receiver
    /// notifications are kept as `unsent`. `writer` is a word of this run's own.
    async fn commit(
        &self,
        sample: &Sample,
        changes: &[Change],
        has_receiver: bool,
        writer: &str,
    ) -> Result<(), Self::Error>;

    /// What waits to be sent, the oldest first. Nothing waits for more than a day.
    async fn waiting(&self, now_ms: i64) -> Result<Vec<Pending>, Self::Error>;

    /// Takes a notification for one attempt of this minute; `false` when another run has it. Nobody else
    /// gets it before the attempt ends or its lease of [`LEASE_MS`](super::delivery::LEASE_MS) is over.
    async fn claim(&self, pending: &Pending, minute_ms: i64, clock_ms: i64) -> Result<bool, Self::Error>;

    /// Notes how an attempt ended, and ends its lease. `attempts` is their number, this one among them: the end of an earlier
    /// one, which comes late, changes nothing unless the receiver has it now.
    async fn end(
        &self,
        pending: &Pending,
        attempts: u32,
        ending: Ending,
        answer: &str,
    ) -> Result<(), Self::Error>;
}

/// Who is told.
#[allow(async_fn_in_trait)]
pub trait Receiver {
    /// Sends once, within a time. Sent again it has the same id.
    async fn send(&self, notification: &Notification) -> Attempt;
}

/// What a sample makes of every rule: the states that change.
#[must_use]
pub fn changes(config: &AlertConfig, loaded: &Loaded, sample: &Sample, checks: &[Check]) -> Vec<Change> {
    let change = |rule: &Rule| {
        let known = loaded.states.iter().find(|(name, _, _)| *name == rule.name);
        let (before, revision) =
            known.map_or_else(Default::default, |(_, state, revision)| (*state, *revision));
        let silenced = of_rule(&loaded.silences, &rule.name, sample.at_ms).is_some();
        let (state, due) = step(rule, config.rules.remind_minutes(rule), &before, sample, silenced);
        let told = |due: Due| notification(config, rule, &due, checks, sample.at_ms);
        (state != before).then(|| Change {
            rule: rule.name.clone(),
            state,
            revision,
            notification: due.map(told),
        })
    };
    config.rules.rules().iter().filter_map(change).collect()
}

/// What is told of a rule, with what the check says that it is about.
#[must_use]
pub fn notification(
    config: &AlertConfig,
    rule: &Rule,
    due: &Due,
    checks: &[Check],
    at_ms: i64,
) -> Notification {
    let name = rule.measure.about().check;
    let detail = checks.iter().find(|check| Some(check.name) == name).map(|check| check.detail.clone());
    Notification::new(rule, due, at_ms, detail, &config.place)
}

/// Tries to deliver a notification that is due; what became of it, or `None` when another run has it.
///
/// # Errors
///
/// When it could not be claimed, or what became of it could not be noted. It comes again then.
pub async fn attempt<L: AlertLog>(
    log: &L,
    receiver: &impl Receiver,
    pending: &Pending,
    minute_ms: i64,
    clock_ms: i64,
) -> Result<Option<(Ending, String)>, L::Error> {
    // 1. The claim. Dying here, it comes again in its next minute; another run at this moment does not get it.
    if !log.claim(pending, minute_ms, clock_ms).await? {
        return Ok(None);
    }
    let attempts = pending.attempts + 1;
    // 2. The receiver. Dying here, it may have it, and gets it again under the same id.
    let (ending, answer) = match serde_json::from_str::<Notification>(&pending.body) {
        Ok(notification) => {
            let told = receiver.send(&notification).await;
            (Ending::of(told.taken, attempts), told.answer)
        }
        // Another attempt would not read it either, and what is newer of the rule waits for it.
        Err(error) => (Ending::GivenUp, format!("what was kept is no notification: {error}")),
    };
    // 3. The end. Dying here: as in 2.
    log.end(pending, attempts, ending, &answer).await?;
    Ok(Some((ending, answer)))
}
