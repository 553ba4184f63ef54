//! The twin of the tables of alerts, a receiver, and crons that fail and die.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::Poll;

use pathstats_model::alerts::config::AlertConfig;
use pathstats_model::alerts::delivery::{due, next_ms, Ending, Pending, LEASE_MS};
use pathstats_model::alerts::engine::RuleState;
use pathstats_model::alerts::notification::Notification;
use pathstats_model::alerts::run::{attempt, changes, AlertLog, Attempt, Change, Loaded, Receiver};
use pathstats_model::alerts::sample::Sample;

use super::executor::pause;
use super::faults::{Faults, Outage, Step};

/// A notification as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub body: String,
    pub status: &'static str,
    pub attempts: u32,
    next_ms: i64,
    leased_until_ms: i64,
}

/// What the receiver got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The minute that the run was of.
    pub at_ms: i64,
    pub id: String,
}

/// Tables and receiver.
pub struct Office {
    pub faults: RefCell<Faults>,
    pub states: RefCell<BTreeMap<String, (RuleState, u64, String)>>,
    pub notifications: RefCell<BTreeMap<(i64, String), Kept>>,
    pub heard: RefCell<Vec<Heard>>,
    pub config: AlertConfig,
    runs: Cell<u32>,
}

impl Office {
    pub fn new(faults: Faults) -> Self {
        let url = |name: &str| (name == "ALERT_WEBHOOK_URL").then(|| "https://a.example/x".to_owned());
        Self {
            faults: RefCell::new(faults),
            states: RefCell::default(),
            notifications: RefCell::default(),
            heard: RefCell::default(),
            config: AlertConfig::from_variables(&url).unwrap(),
            runs: Cell::new(0),
        }
    }

    /// One run of the cron, of the sample's minute, at a moment of the clock; it ends where it dies.
    pub async fn cron(&self, sample: Sample, clock_ms: i64) {
        let run = Run { office: self, at_ms: sample.at_ms, clock_ms, died: Cell::new(false) };
        let mut steps = pin!(run.minute(&sample));
        poll_fn(|context| match steps.as_mut().poll(context) {
            Poll::Pending if !run.died.get() => Poll::Pending,
            Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
        })
        .await;
    }
}

struct Run<'a> {
    office: &'a Office,
    at_ms: i64,
    clock_ms: i64,
    died: Cell<bool>,
}

impl Run<'_> {
    /// The steps of the Worker's own run.
    async fn minute(&self, sample: &Sample) -> Result<(), Outage> {
        let config = &self.office.config;
        let loaded = self.load(self.at_ms).await?;
        let writer = self.office.runs.replace(self.office.runs.get() + 1).to_string();
        self.commit(sample, &changes(config, &loaded, sample, &[]), true, &writer).await?;
        for pending in due(self.waiting(self.at_ms).await?, self.at_ms, self.clock_ms) {
            // One that fails leaves the others alone.
            let _ = attempt(self, self, &pending, self.at_ms, self.clock_ms).await;
        }
        Ok(())
    }

    async fn act<T>(&self, step: Step, act: impl FnOnce(&Office) -> T) -> Result<T, Outage> {
        pause().await;
        self.live().await;
        let fate = self.office.faults.borrow_mut().fate(step);
        if !fate.persists() {
            return Err(Outage);
        }
        let value = act(self.office);
        self.live().await;
        pause().await;
        fate.told(value)
    }

    /// Goes on, or never.
    async fn live(&self) {
        if self.office.faults.borrow_mut().strikes(Step::KillCron) {
            self.died.set(true);
            std::future::pending::<()>().await;
        }
    }
}

impl AlertLog for Run<'_> {
    type Error = Outage;

    async fn load(&self, _now_ms: i64) -> Result<Loaded, Outage> {
        let read = |office: &Office| {
            let states = office.states.borrow();
            states.iter().map(|(rule, (state, revision, _))| (rule.clone(), *state, *revision)).collect()
        };
        Ok(Loaded { states: self.act(Step::LoadAlerts, read).await?, silences: Vec::new() })
    }

    async fn commit(
        &self,
        sample: &Sample,
        changes: &[Change],
        has_receiver: bool,
        writer: &str,
    ) -> Result<(), Outage> {
        self.act(Step::CommitAlerts, |office| {
            let (mut states, mut notifications) =
                (office.states.borrow_mut(), office.notifications.borrow_mut());
            for change in changes {
                let revision = states.get(&change.rule).map_or(0, |(_, revision, _)| *revision);
                if revision != change.revision {
                    continue;
                }
                states.insert(change.rule.clone(), (change.state, revision + 1, writer.to_owned()));
                if let Some(told) = &change.notification {
                    let kept = Kept {
                        body: serde_json::to_string(told).unwrap(),
                        status: if has_receiver { "pending" } else { "unsent" },
                        attempts: 0,
                        next_ms: sample.at_ms,
                        leased_until_ms: 0,
                    };
                    notifications.entry((sample.at_ms, change.rule.clone())).or_insert(kept);
                }
            }
        })
        .await
    }

    async fn waiting(&self, _now_ms: i64) -> Result<Vec<Pending>, Outage> {
        self.act(Step::ReadNotifications, |office| {
            let notifications = office.notifications.borrow();
            let waiting = notifications.iter().filter(|(_, kept)| kept.status == "pending");
            let pending = |((at_ms, rule), kept): (&(i64, String), &Kept)| Pending {
                at_ms: *at_ms,
                rule: rule.clone(),
                attempts: kept.attempts,
                next_ms: kept.next_ms,
                leased_until_ms: kept.leased_until_ms,
                body: kept.body.clone(),
            };
            waiting.map(pending).collect()
        })
        .await
    }

    async fn claim(&self, pending: &Pending, minute_ms: i64, clock_ms: i64) -> Result<bool, Outage> {
        self.act(Step::ClaimNotification, |office| {
            let mut notifications = office.notifications.borrow_mut();
            let kept = notifications.get_mut(&(pending.at_ms, pending.rule.clone())).unwrap();
            let free = kept.status == "pending" && kept.attempts == pending.attempts;
            if free {
                kept.attempts += 1;
                kept.next_ms = next_ms(pending.attempts, minute_ms);
                kept.leased_until_ms = clock_ms + LEASE_MS;
            }
            free
        })
        .await
    }

    async fn end(
        &self,
        pending: &Pending,
        attempts: u32,
        ending: Ending,
        _answer: &str,
    ) -> Result<(), Outage> {
        self.act(Step::EndNotification, |office| {
            let mut notifications = office.notifications.borrow_mut();
            let kept = notifications.get_mut(&(pending.at_ms, pending.rule.clone())).unwrap();
            if kept.status == "pending" && (kept.attempts == attempts || ending == Ending::Sent) {
                kept.status = ending.status();
                kept.leased_until_ms = 0;
            }
        })
        .await
    }
}

impl Receiver for Run<'_> {
    async fn send(&self, notification: &Notification) -> Attempt {
        let hear = |office: &Office| {
            office.heard.borrow_mut().push(Heard { at_ms: self.at_ms, id: notification.id.clone() });
        };
        match self.act(Step::SendNotification, hear).await {
            Ok(()) => Attempt { taken: true, answer: "status 200".to_owned() },
            Err(Outage) => Attempt { taken: false, answer: "no answer within 5 s".to_owned() },
        }
    }
}
