//! The world: the consumer's backend, the objects and their alarms, over one clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use pathstats_model::aggregator::{AfterSeal, AlarmPlan};
use pathstats_model::budget::call::{BudgetCall, BudgetReply};
use pathstats_model::budget::known::KnownPaths;
use pathstats_model::budget::BudgetSettings;
use pathstats_model::calls::{CountCall, CountReply, RowState};
use pathstats_model::ingest::{ingest, Backend, Delivery, Group, Ingested, SetAside, Waiting};
use pathstats_model::sharding::{Layouts, Shard};
use pathstats_model::{HourBucket, PathHour, TrafficEvent};

use super::budget::BudgetObject;
use super::database::{Database, HourlyRow};
use super::executor::{alone, pause};
use super::faults::{Fate, Faults, Outage, Step};
use super::object::Object;

/// The platform rings again this long after an alarm that died.
const RING_AGAIN_MS: i64 = 2_000;

/// Everything that a batch can meet.
pub struct World {
    /// The clock, in milliseconds since the epoch.
    pub now: Cell<i64>,
    /// D1: the rows of all databases together.
    pub database: RefCell<Database>,
    /// How they are spread: a statement goes to each database on its own, and may fail on its own.
    pub layouts: Layouts,
    /// What goes wrong.
    pub faults: RefCell<Faults>,
    /// The objects by name. One that deleted itself is not here.
    pub objects: RefCell<BTreeMap<String, Object>>,
    /// The budgets by hour.
    pub budgets: RefCell<BTreeMap<HourBucket, BudgetObject>>,
    /// What an hour that begins is set to.
    pub settings: Cell<BudgetSettings>,
    /// What the isolate knows of budgets.
    pub known: RefCell<Rc<RefCell<KnownPaths>>>,
    /// Whether each flush that wrote asked for a snapshot, in order.
    pub snapshots_asked: RefCell<Vec<bool>>,
    /// When each flush was tried, whatever came of it.
    pub attempts: RefCell<Vec<i64>>,
    /// What operators were told.
    pub reports: RefCell<Vec<String>>,
    /// Hours that were noted to come again.
    pub waiting: RefCell<Vec<Waiting>>,
}

/// An alarm that did not come to its end: the platform rings it again.
struct Died;

impl World {
    /// An empty world at this time.
    pub fn at(now_ms: i64, faults: Faults) -> Self {
        Self {
            now: Cell::new(now_ms),
            database: RefCell::default(),
            layouts: Layouts::default(),
            faults: RefCell::new(faults),
            objects: RefCell::default(),
            budgets: RefCell::default(),
            settings: Cell::default(),
            known: RefCell::default(),
            snapshots_asked: RefCell::default(),
            attempts: RefCell::default(),
            reports: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// An empty world where nothing goes wrong but what is scripted.
    pub fn calm() -> Self {
        Self::at(super::NOW, Faults::none())
    }

    /// The next attempt of `step` ends so.
    pub fn script(&self, step: Step, fate: Fate) {
        self.faults.borrow_mut().script(step, fate);
    }

    /// Lets time pass. Alarms ring only when asked to.
    pub fn wait(&self, ms: i64) {
        self.now.set(self.now.get() + ms);
    }

    /// Takes a batch in, and nothing else meanwhile.
    pub fn take_in(&self, batch: &[Delivery]) -> Ingested {
        alone(ingest(self, batch, self.now.get()))
    }

    /// Takes one message with this body in.
    pub fn take_in_body(&self, id: &str, body: impl Into<String>) -> Ingested {
        self.take_in(&[delivery(id, body)])
    }

    /// The hourly row of this name.
    pub fn row(&self, name: &str) -> HourlyRow {
        self.database.borrow().hourly[name].clone()
    }

    /// Drops what every object and the isolate have in memory.
    pub fn evict_all(&self) {
        self.budgets.borrow_mut().values_mut().for_each(|object| object.budget.evict());
        self.known.borrow().take();
        self.objects.borrow_mut().values_mut().for_each(|object| object.aggregator.evict());
    }

    /// Drops what one object has in memory, picked by chance.
    pub fn evict_one(&self) {
        let mut objects = self.objects.borrow_mut();
        let at = self.faults.borrow_mut().index(objects.len());
        if let Some(object) = objects.values_mut().nth(at) {
            object.aggregator.evict();
        }
    }

    /// Names of the objects whose alarm is due and not under way.
    pub fn due(&self) -> Vec<String> {
        let rings = |object: &Object| !object.ringing && object.alarm.is_some_and(|at| at <= self.now.get());
        let objects = self.objects.borrow();
        objects.iter().filter(|(_, object)| rings(object)).map(|(name, _)| name.clone()).collect()
    }

    /// When the next alarm rings.
    pub fn next_alarm(&self) -> Option<i64> {
        self.objects.borrow().values().filter_map(|object| object.alarm).min()
    }

    /// Rings every alarm that comes due until `until_ms`, each at its time, and moves the clock there.
    pub fn ring_until(&self, until_ms: i64) {
        for _ in 0..100_000 {
            let Some(at) = self.next_alarm().filter(|at| *at <= until_ms) else {
                self.now.set(self.now.get().max(until_ms));
                return;
            };
            self.now.set(self.now.get().max(at));
            for name in self.due() {
                alone(self.ring(&name));
            }
        }
        panic!("alarms ring for ever");
    }

    /// The platform rings an object. Its one alarm is taken off first; when the object dies on the
    /// way, it rings again.
    pub async fn ring(&self, name: &str) {
        let began = self.object(name, |object| {
            object.ringing = true;
            object.alarm = None;
        });
        if began.is_none() {
            return;
        }
        let ended = self.alarm(name).await;
        self.object(name, |object| {
            object.ringing = false;
            if ended.is_err() && object.alarm.is_none() {
                object.alarm = Some(self.now.get() + RING_AGAIN_MS);
            }
        });
    }

    /// What the object's alarm handler does, step by step.
    async fn alarm(&self, name: &str) -> Result<(), Died> {
        let now = self.now.get();
        let plan = self.logged(name, |aggregator, log| aggregator.alarm(log, now)).ok_or(Died)?;
        self.await_something(name).await?;
        match plan {
            AlarmPlan::Flush(row) => {
                self.attempts.borrow_mut().push(now);
                let fate = self.faults.borrow_mut().fate(Step::Flush);
                if fate.persists() {
                    self.database.borrow_mut().flush(&row);
                }
                self.await_something(name).await?;
                let now = self.now.get();
                let next = (fate == Fate::Works)
                    .then(|| {
                        self.logged(name, |aggregator, log| {
                            aggregator.flushed(log, row.revision, row.duplicates, now)
                        })
                    })
                    .flatten();
                if next.is_some() {
                    self.snapshots_asked.borrow_mut().push(row.asks_for_snapshot);
                }
                let at =
                    next.or_else(|| self.object(name, |object| object.aggregator.failed(now))).ok_or(Died)?;
                self.set_alarm(name, at)
            }
            AlarmPlan::Seal { key, revision } => {
                let fate = self.faults.borrow_mut().fate(Step::Seal);
                let found = fate.persists() && self.database.borrow_mut().seal(&key, revision, now);
                self.await_something(name).await?;
                let now = self.now.get();
                if fate != Fate::Works {
                    let at = self.object(name, |object| object.aggregator.failed(now)).ok_or(Died)?;
                    return self.set_alarm(name, at);
                }
                match self
                    .object(name, |object| object.aggregator.sealed(revision, found, now))
                    .ok_or(Died)?
                {
                    AfterSeal::Delete => self.delete(name),
                    AfterSeal::FlushAgain(at) => self.set_alarm(name, at),
                }
            }
            AlarmPlan::Wait(at) => self.set_alarm(name, at),
            AlarmPlan::Nothing => Ok(()),
        }
    }

    /// An await within an alarm: others run, the object may be evicted, or die with its alarm.
    async fn await_something(&self, name: &str) -> Result<(), Died> {
        pause().await;
        let (dies, evicted) = {
            let mut faults = self.faults.borrow_mut();
            (faults.strikes(Step::Die), faults.strikes(Step::Evict))
        };
        if dies || evicted {
            self.object(name, |object| object.aggregator.evict());
        }
        if dies {
            Err(Died)
        } else {
            Ok(())
        }
    }

    fn set_alarm(&self, name: &str, at: i64) -> Result<(), Died> {
        let fate = self.faults.borrow_mut().fate(Step::SetAlarm);
        self.object(name, |object| {
            if fate.persists() {
                object.alarm = Some(at);
            }
            if fate != Fate::Works {
                object.aggregator.evict();
            }
        });
        fate.told(()).map_err(|_| Died)
    }

    fn delete(&self, name: &str) -> Result<(), Died> {
        let fate = self.faults.borrow_mut().fate(Step::Delete);
        if fate.persists() {
            self.objects.borrow_mut().remove(name);
        }
        if fate == Fate::Works {
            return Ok(());
        }
        let now = self.now.get();
        let again = self.object(name, |object| object.aggregator.failed(now)).ok_or(Died)?;
        self.set_alarm(name, again)
    }

    /// One call to an object, as it crosses the wire.
    pub fn call(&self, name: &str, body: &[u8]) -> CountReply {
        let fate = self.faults.borrow_mut().fate(Step::Call);
        if fate == Fate::Fails {
            return CountReply::Failed;
        }
        self.objects.borrow_mut().entry(name.to_owned()).or_default();
        let now = self.now.get();
        let counted = self.logged(name, |aggregator, log| aggregator.count(log, body, now));
        let Some(counted) = counted else {
            return CountReply::Failed;
        };
        if counted.alarm.is_some_and(|at| self.set_alarm(name, at).is_err()) || fate != Fate::Works {
            return CountReply::Failed;
        }
        CountReply::decode(&counted.reply.encode()).unwrap()
    }

    fn logged<T>(
        &self,
        name: &str,
        call: impl FnOnce(
            &mut pathstats_model::aggregator::Aggregator,
            &mut super::object::MemoryLog<'_>,
        ) -> Result<T, pathstats_model::aggregator::AggregatorError<Outage>>,
    ) -> Option<T> {
        use pathstats_model::aggregator::AggregatorError;
        match self.object(name, |object| object.with_log(&self.faults, call))? {
            Ok(value) => Some(value),
            Err(AggregatorError::Storage(Outage)) => None,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    fn object<T>(&self, name: &str, act: impl FnOnce(&mut Object) -> T) -> Option<T> {
        self.objects.borrow_mut().get_mut(name).map(act)
    }
}

impl Backend for World {
    type Error = Outage;

    fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    fn known_paths(&self) -> Rc<RefCell<KnownPaths>> {
        self.known.borrow().clone()
    }

    async fn ask_budgets(&self, calls: &[BudgetCall<'_>]) -> Vec<Option<BudgetReply>> {
        let mut replies = Vec::new();
        for call in calls {
            pause().await;
            let fate = self.faults.borrow_mut().fate(Step::AskBudget);
            let reply = fate.persists().then(|| {
                let mut budgets = self.budgets.borrow_mut();
                let object =
                    budgets.entry(call.hour).or_insert_with(|| BudgetObject::new(self.settings.get()));
                object.call(call, &self.database.borrow(), &self.faults, self.now.get()).ok()
            });
            pause().await;
            replies.push(fate.told(reply.flatten()).ok().flatten());
        }
        replies
    }

    async fn row_states(&self, parts: &[(Shard, Vec<&PathHour>)]) -> Vec<Result<Vec<RowState>, Outage>> {
        let mut answers = Vec::new();
        for (_, keys) in parts {
            pause().await;
            let fate = self.faults.borrow_mut().fate(Step::RowStates);
            let states = keys.iter().map(|key| self.database.borrow().row_state(key)).collect();
            pause().await;
            answers.push(fate.told(states));
        }
        answers
    }

    async fn store_events(&self, parts: &[(Shard, Vec<&TrafficEvent>)]) -> Vec<Result<(), Outage>> {
        let mut answers = Vec::new();
        for (_, events) in parts {
            pause().await;
            let fate = self.faults.borrow_mut().fate(Step::StoreEvents);
            if fate.persists() {
                self.database.borrow_mut().store_events(events);
            }
            pause().await;
            answers.push(fate.told(()));
        }
        answers
    }

    async fn store_dead_letters(&self, letters: &[SetAside]) -> Result<(), Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::StoreDeadLetters);
        if fate.persists() {
            self.database.borrow_mut().store_dead_letters(letters, self.now.get());
        }
        pause().await;
        fate.told(())
    }

    async fn count(&self, groups: &[Group]) -> Vec<CountReply> {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        self.faults.borrow_mut().shuffle(&mut order);
        let mut replies = vec![CountReply::Failed; groups.len()];
        for at in order {
            pause().await;
            let Group { key, row, events } = &groups[at];
            replies[at] = self.call(&key.to_string(), &CountCall::encode(key, *row, events));
        }
        pause().await;
        replies
    }

    async fn note_waiting(&self, hours: &[Waiting]) -> Result<(), Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::NoteWaiting);
        if fate.persists() {
            self.waiting.borrow_mut().extend_from_slice(hours);
        }
        pause().await;
        fate.told(())
    }

    fn report(&self, what: &str, error: &Outage) {
        self.reports.borrow_mut().push(format!("{what}: {error}"));
    }
}

/// A message delivered for the first time.
pub fn delivery(id: &str, body: impl Into<String>) -> Delivery {
    Delivery { message_id: id.to_owned(), body: body.into(), failed_before: 0 }
}
