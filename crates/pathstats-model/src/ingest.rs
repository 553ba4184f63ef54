//! What the consumer does with a batch: every event durable, or its message comes again.
//!
//! The steps are here, over a [`Backend`] that does the I/O, so that each failure between two of
//! them is tried natively.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

use crate::budget::call::{BudgetCall, BudgetReply};
use crate::budget::known::KnownPaths;
use crate::budget::placing::{Answers, Placed, Questions};
use crate::cadence::may_be_sealed;
use crate::calls::{CountReply, RowState};
use crate::completeness::booking::SEALED;
use crate::event::TrafficEvent;
use crate::event_id::EventId;
use crate::hour::{HourBucket, PathHour};
use crate::message::{decode_message, Refused};
use crate::packed::PackedEvent;
use crate::sharding::{by_shard, Layouts, Shard};

/// A message as the queue delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's own id of the message.
    pub message_id: String,
    /// The body, as JSON text.
    pub body: String,
    /// How often it was delivered before and failed.
    pub failed_before: u32,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// All its events are durable, counted or set aside with a reason.
    Acknowledge,
    /// Something of it is not durable: it comes again.
    Retry,
}

/// Something that cannot be counted, kept with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names the letter for ever, so that storing it again changes nothing.
    pub id: String,
    /// A short, stable word: `not_json`, `sealed`, `retries_exhausted` and so on.
    pub reason: &'static str,
    /// What was found, for a person.
    pub detail: String,
    /// The message or event as it came.
    pub body: String,
    /// How often the message was delivered before.
    pub attempts: u32,
}

impl DeadLetter {
    /// The id of the event that it is, if it has a proper one: for the log, which holds nothing else of a body.
    #[must_use]
    pub fn event_id(&self) -> Option<EventId> {
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        serde_json::from_str::<Named>(&self.body).ok()?.id.parse().ok()
    }
}

/// A dead letter, and which delivery of the batch it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Index of the delivery.
    pub delivery: usize,
    /// What of it cannot be counted.
    pub letter: DeadLetter,
}

/// Events of one row and hour within a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Where they count.
    pub key: PathHour,
    /// What is known of the row.
    pub row: RowState,
    /// The events.
    pub events: Vec<PackedEvent>,
}

/// An hour of which something is stored and not counted yet, since its message comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The hour.
    pub hour: HourBucket,
    /// How often the message failed before: what its wait goes by. Of several the greatest.
    pub failed_before: u32,
}

/// The consumer's I/O. Each call may be repeated with the same arguments at any time.
#[allow(async_fn_in_trait)]
pub trait Backend {
    /// What went wrong; told to the log.
    type Error: core::fmt::Display;

    /// Which of the databases holds what.
    fn layouts(&self) -> &Layouts;

    /// What this isolate knows of the budgets of paths. It may be empty at any time.
    fn known_paths(&self) -> Rc<RefCell<KnownPaths>>;

    /// Asks the budgets of hours, and answers for each call in order; `None` where one did not answer.
    async fn ask_budgets(&self, calls: &[BudgetCall<'_>]) -> Vec<Option<BudgetReply>>;

    /// The rows of these path-hours, in order. Each part is asked of its own database, and answered on its own.
    async fn row_states(&self, parts: &[(Shard, Vec<&PathHour>)]) -> Vec<Result<Vec<RowState>, Self::Error>>;

    /// Stores raw rows; those that are there stay as they are. Each part goes to its own database, and is
    /// answered on its own.
    async fn store_events(&self, parts: &[(Shard, Vec<&TrafficEvent>)]) -> Vec<Result<(), Self::Error>>;

    /// Stores dead letters; those that are there stay as they are.
    async fn store_dead_letters(&self, letters: &[SetAside]) -> Result<(), Self::Error>;

    /// Counts each group in its object, and answers for each in order.
    async fn count(&self, groups: &[Group]) -> Vec<CountReply>;

    /// Notes that events of these hours come again: until then nobody need wonder that they are stored and
    /// not counted.
    async fn note_waiting(&self, hours: &[Waiting]) -> Result<(), Self::Error>;

    /// Tells the operator what failed.
    fn report(&self, what: &str, error: &Self::Error);
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// For each delivery, in order.
    pub settlements: Vec<Settlement>,
    /// New events counted.
    pub counted: u64,
    /// Events that were counted before.
    pub duplicates: u64,
    /// Dead letters stored.
    pub dead_letters: u64,
    /// Groups of row and hour that the batch held.
    pub groups: usize,
}

/// An event and the delivery that it came in.
struct Arrived {
    delivery: usize,
    event: TrafficEvent,
}

/// Takes a batch in.
pub async fn ingest<B: Backend>(backend: &B, deliveries: &[Delivery], now_ms: i64) -> Ingested {
    let mut settled = Settled(vec![Settlement::Acknowledge; deliveries.len()]);
    let mut letters: Vec<SetAside> = Vec::new();
    // 1. Decode each message on its own: one that is no event never stops another.
    let mut arrived: Vec<Arrived> = Vec::with_capacity(deliveries.len());
    for (delivery, message) in deliveries.iter().enumerate() {
        match decode_message(&message.body, now_ms) {
            Ok(items) => {
                arrived.extend(items.events.into_iter().map(|(_, event)| Arrived { delivery, event }));
                let refused = items.refused.iter().map(|item| refused_item(message, item));
                letters.extend(refused.map(|letter| SetAside { delivery, letter }));
            }
            Err(error) => {
                let letter = DeadLetter {
                    id: message.message_id.clone(),
                    reason: error.code(),
                    detail: error.to_string(),
                    body: message.body.clone(),
                    attempts: message.failed_before,
                };
                letters.push(SetAside { delivery, letter });
            }
        }
    }
    // 2. Where each event counts: in the row of its path, or of its hour's catch-all. Asked again, a
    //    budget says the same. Without an answer nothing is guessed: the messages come again.
    let answers = ask_budgets(backend, &arrived).await;
    for Arrived { delivery, event } in &arrived {
        match answers.place(event) {
            Placed::At(_) => {}
            Placed::Closed => {
                let letter = sealed(event, &event.path_hour());
                letters.push(SetAside { delivery: *delivery, letter });
            }
            Placed::Unknown => settled.retry(*delivery),
        }
    }
    // 3. Group by row and hour, and look at the rows of hours old enough to be sealed. Reading
    //    may be repeated. Without an answer, the groups' messages come again.
    let (mut groups, mut members) = group(&arrived, &answers);
    let unknown_rows = look_up(backend, &mut groups, now_ms).await;
    let mut left_out = Vec::with_capacity(groups.len());
    for (at, (group, members)) in groups.iter().zip(&members).enumerate() {
        let unknown = unknown_rows.contains(&at);
        let events = members.iter().filter_map(|at| arrived.get(*at));
        left_out.push(unknown || group.row == RowState::Sealed);
        if group.row == RowState::Sealed {
            letters.extend(
                events.map(|a| SetAside { delivery: a.delivery, letter: sealed(&a.event, &group.key) }),
            );
        } else if unknown {
            events.for_each(|a| settled.retry(a.delivery));
        }
    }
    // 4. Raw rows, before they are counted. Again: rows that are there stay. Dying after: the
    //    messages were not acknowledged and come again. A database that fails leaves the messages with
    //    events of its own to come again, and these are not counted now.
    let counts = |index: &usize| !left_out.get(*index).copied().unwrap_or(true);
    let raw = (0..groups.len()).filter(counts).filter_map(|index| members.get(index)).flatten().copied();
    match store(backend, &arrived, raw).await {
        Stored::All => {}
        Stored::None => {
            settled.0.fill(Settlement::Retry);
            return Ingested { settlements: settled.0, groups: groups.len(), ..Ingested::default() };
        }
        Stored::AllBut(failed) => {
            failed.iter().filter_map(|at| arrived.get(*at)).for_each(|a| settled.retry(a.delivery));
            leave_out(&failed, &mut groups, &mut members);
        }
    }
    // 5. Dead letters. Again: a letter's id does not change. A failure brings their messages again.
    let stored_letters = store_letters(backend, &letters, &mut settled).await;
    // 6. Count. Again: the objects know the ids. A group that failed brings its messages again,
    //    and the events of those messages in other groups are then duplicates.
    let mut result = Ingested { dead_letters: stored_letters, groups: groups.len(), ..Ingested::default() };
    let (indices, countable): (Vec<usize>, Vec<Group>) = groups
        .into_iter()
        .enumerate()
        .filter(|(index, group)| counts(index) && !group.events.is_empty())
        .unzip();
    let replies = if countable.is_empty() { Vec::new() } else { backend.count(&countable).await };
    let mut waiting: BTreeMap<HourBucket, u32> = BTreeMap::new();
    for (at, index) in indices.iter().enumerate() {
        match replies.get(at).copied().unwrap_or(CountReply::Failed) {
            CountReply::Counted { counted, duplicates } => {
                result.counted += u64::from(counted);
                result.duplicates += u64::from(duplicates);
            }
            CountReply::NotNow | CountReply::Failed => {
                let events = members.get(*index).into_iter().flatten().filter_map(|at| arrived.get(*at));
                for arrived in events {
                    settled.retry(arrived.delivery);
                    let failed =
                        deliveries.get(arrived.delivery).map_or(0, |delivery| delivery.failed_before);
                    let waits = waiting.entry(arrived.event.hour()).or_insert(failed);
                    *waits = failed.max(*waits);
                }
            }
        }
    }
    // 6. What is stored and not counted. Dying before, or refused: the completeness ledger may wonder
    //    about the hour until the messages were taken in.
    if !waiting.is_empty() {
        let hours: Vec<Waiting> =
            waiting.into_iter().map(|(hour, failed_before)| Waiting { hour, failed_before }).collect();
        if let Err(error) = backend.note_waiting(&hours).await {
            backend.report("hours that wait were not noted", &error);
        }
    }
    result.settlements = settled.0;
    result
}

/// The settlements under way. A message is acknowledged only if nothing speaks against it.
struct Settled(Vec<Settlement>);

impl Settled {
    fn retry(&mut self, delivery: usize) {
        if let Some(settlement) = self.0.get_mut(delivery) {
            *settlement = Settlement::Retry;
        }
    }
}

/// Asks for the paths of which it is not known where they count.
async fn ask_budgets<'a, B: Backend>(backend: &B, arrived: &'a [Arrived]) -> Answers<'a> {
    let known = backend.known_paths();
    let questions = Questions::new(arrived.iter().map(|a| &a.event), &known.borrow());
    let replies =
        if questions.calls.is_empty() { Vec::new() } else { backend.ask_budgets(&questions.calls).await };
    let mut known = known.borrow_mut();
    questions.answered(&replies, &mut known)
}

/// Groups in order of first appearance, and for each the indices of its events. Events that do not count
/// now are in none.
fn group(arrived: &[Arrived], answers: &Answers<'_>) -> (Vec<Group>, Vec<Vec<usize>>) {
    let mut places: FxHashMap<(&str, HourBucket), usize> = FxHashMap::default();
    let (mut groups, mut members): (Vec<Group>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (at, Arrived { event, .. }) in arrived.iter().enumerate() {
        let Placed::At(place) = answers.place(event) else { continue };
        let row = place.row(&event.path);
        let place = *places.entry((row, event.hour())).or_insert_with(|| {
            let key = PathHour { path: row.to_owned(), hour: event.hour() };
            groups.push(Group { key, row: RowState::Young, events: Vec::new() });
            members.push(Vec::new());
            groups.len() - 1
        });
        if let (Some(group), Some(members)) = (groups.get_mut(place), members.get_mut(place)) {
            group.events.push(PackedEvent::new(event));
            members.push(at);
        }
    }
    (groups, members)
}

/// What became of raw rows.
enum Stored {
    All,
    None,
    /// All but those of the arrived events at these places.
    AllBut(FxHashSet<usize>),
}

/// Stores the raw rows of these arrived events, in all databases at once.
async fn store<B: Backend>(backend: &B, arrived: &[Arrived], raw: impl Iterator<Item = usize>) -> Stored {
    let layouts = backend.layouts();
    let place = |at: usize| {
        let event = &arrived.get(at)?.event;
        Some((layouts.shard_of(&event.path, event.hour().date()), (at, event)))
    };
    let (mut places, mut rows) = (Vec::<Vec<usize>>::new(), Vec::new());
    for (shard, part) in by_shard(raw.filter_map(place)) {
        let (of_part, events) = part.into_iter().unzip();
        places.push(of_part);
        rows.push((shard, events));
    }
    if rows.is_empty() {
        return Stored::All;
    }
    let mut results = backend.store_events(&rows).await.into_iter();
    let (mut failures, mut failed) = (0, FxHashSet::default());
    for places in &places {
        match results.next() {
            Some(Ok(())) => continue,
            Some(Err(error)) => backend.report("raw events were not stored", &error),
            None => {}
        }
        failures += 1;
        failed.extend(places.iter().copied());
    }
    match failures {
        0 => Stored::All,
        all if all == places.len() => Stored::None,
        _ => Stored::AllBut(failed),
    }
}

/// Takes events out of their groups. One that has none left is not counted.
fn leave_out(failed: &FxHashSet<usize>, groups: &mut [Group], members: &mut [Vec<usize>]) {
    for (group, members) in groups.iter_mut().zip(members) {
        let mut kept = members.iter().map(|at| !failed.contains(at));
        group.events.retain(|_| kept.next().unwrap_or(false));
        members.retain(|at| !failed.contains(at));
    }
}

/// Fills in the state of rows that may be sealed. Tells the groups whose rows could not be read.
async fn look_up<B: Backend>(backend: &B, groups: &mut [Group], now_ms: i64) -> Vec<usize> {
    let layouts = backend.layouts();
    let old = groups.iter().enumerate().filter(|(_, group)| may_be_sealed(group.key.hour, now_ms));
    let parts: Vec<(Shard, Vec<usize>)> =
        by_shard(old.map(|(at, group)| (layouts.shard_of(&group.key.path, group.key.hour.date()), at)));
    if parts.is_empty() {
        return Vec::new();
    }
    let keys: Vec<(Shard, Vec<&PathHour>)> = parts
        .iter()
        .map(|(shard, old)| (*shard, old.iter().filter_map(|at| groups.get(*at)).map(|g| &g.key).collect()))
        .collect();
    let mut answers = backend.row_states(&keys).await.into_iter();
    let mut unknown = Vec::new();
    for (_, old) in parts {
        match answers.next() {
            Some(Ok(states)) if states.len() == old.len() => {
                for (at, state) in old.into_iter().zip(states) {
                    if let Some(group) = groups.get_mut(at) {
                        group.row = state;
                    }
                }
            }
            Some(Err(error)) => {
                backend.report("hourly rows were not read", &error);
                unknown.extend(old);
            }
            Some(Ok(_)) | None => unknown.extend(old),
        }
    }
    unknown
}

async fn store_letters<B: Backend>(backend: &B, letters: &[SetAside], settled: &mut Settled) -> u64 {
    if letters.is_empty() {
        return 0;
    }
    match backend.store_dead_letters(letters).await {
        Ok(()) => letters.len() as u64,
        Err(error) => {
            backend.report("dead letters were not stored", &error);
            for set_aside in letters {
                settled.retry(set_aside.delivery);
            }
            0
        }
    }
}

fn refused_item(message: &Delivery, item: &Refused) -> DeadLetter {
    DeadLetter {
        id: format!("{}/{}", message.message_id, item.index),
        reason: item.error.code(),
        detail: item.error.to_string(),
        body: item.text.clone(),
        attempts: message.failed_before,
    }
}

fn sealed(event: &TrafficEvent, key: &PathHour) -> DeadLetter {
    DeadLetter {
        id: format!("sealed/{}/{key}", event.id),
        reason: SEALED,
        detail: format!("{key} is sealed: whether this event was counted can no longer be told"),
        // An event that was read always serialises.
        body: serde_json::to_string(event).unwrap_or_default(),
        attempts: 0,
    }
}
