//! The completeness ledger over the world: whatever fails, the books balance; whatever is taken from them
//! shows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken world shall stop its test")]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::aggregator::{AggregatorError, Counted};
use pathstats_model::budget::BudgetSettings;
use pathstats_model::calls::{CountCall, CountReply};
use pathstats_model::completeness::booking::{bookings, Booking, Kind, RETRIES_EXHAUSTED};
use pathstats_model::completeness::check::{run, Archived, Books, Finding, Noted, Seen};
use pathstats_model::completeness::figures::Entry;
use pathstats_model::completeness::{CHECKS_PER_RUN, RECENT_HOURS};
use pathstats_model::ingest::{DeadLetter, Delivery, Group};
use pathstats_model::{EventId, HourBucket, PathHour};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::executor::alone;
use support::faults::{Fate, Faults, Outage, Step};
use support::recount::{deliveries, Item, Message};
use support::world::delivery;
use support::{json, packed_message, Queue, World, NOW};

const HOUR_MS: i64 = 3_600_000;

/// The ledger over the world's tables.
struct Ledger<'a> {
    world: &'a World,
    entered: RefCell<BTreeMap<HourBucket, (Noted, Option<Finding>)>>,
    discarded: RefCell<Vec<(DeadLetter, i64)>>,
    archived: Cell<Archived>,
}

impl<'a> Ledger<'a> {
    fn of(world: &'a World) -> Self {
        let (entered, discarded) = (RefCell::default(), RefCell::default());
        Self { world, entered, discarded, archived: Cell::new(Archived::No) }
    }

    /// Checks every hour of the world, as the crons do once it has ended.
    fn check(&self) -> BTreeMap<HourBucket, Entry> {
        let (old, new) = (HourBucket::from_ms(NOW - 365 * 24 * HOUR_MS), HourBucket::from_ms(NOW));
        for hour in [old, new.plus(-1), new] {
            let noted = Noted { hour, changed: true, differs: false, tried_ms: 0, checked_ms: None };
            self.entered.borrow_mut().entry(hour).or_insert((noted, None)).0.changed = true;
        }
        self.world.wait(2 * HOUR_MS);
        for _ in 0..=RECENT_HOURS {
            alone(run(self)).unwrap();
            self.world.wait(1);
        }
        self.entries()
    }

    fn entries(&self) -> BTreeMap<HourBucket, Entry> {
        let entered = self.entered.borrow();
        entered.iter().filter_map(|(hour, (_, finding))| Some((*hour, finding.as_ref()?.entry))).collect()
    }

    fn total(&self) -> Entry {
        self.check().into_values().fold(Entry::default(), Entry::plus)
    }

    fn letters(&self) -> Vec<Booking> {
        let database = self.world.database.borrow();
        let there =
            database.dead_letters.values().map(|letter| (letter.clone(), database.first_seen[&letter.id]));
        there
            .chain(self.discarded.borrow().iter().cloned())
            .flat_map(|(l, seen)| bookings(&l, seen))
            .collect()
    }
}

impl Books for Ledger<'_> {
    type Error = Outage;

    fn now_ms(&self) -> i64 {
        self.world.now.get()
    }

    async fn noted(&self, before: HourBucket, _recent: HourBucket) -> Result<Vec<Noted>, Outage> {
        let entered = self.entered.borrow();
        let raw = self.world.database.borrow();
        let hours: BTreeSet<HourBucket> =
            raw.raw.keys().map(|id| hour_of(id)).filter(|hour| !entered.contains_key(hour)).collect();
        let new = |hour| Noted { hour, changed: true, differs: false, tried_ms: 0, checked_ms: None };
        let all = entered.values().map(|(noted, _)| *noted).chain(hours.into_iter().map(new));
        Ok(all.filter(|noted| noted.hour < before).collect())
    }

    async fn look(&self, hour: HourBucket, tried_ms: i64) -> Result<Seen, Outage> {
        let mut entered = self.entered.borrow_mut();
        let new = Noted { hour, changed: true, differs: false, tried_ms, checked_ms: None };
        let (noted, finding) = entered.entry(hour).or_insert((new, None));
        *noted = Noted { changed: true, tried_ms, ..*noted };
        let database = self.world.database.borrow();
        let of = |name: &String| name.parse::<PathHour>().unwrap().hour == hour;
        let letters = self.letters();
        let booked = |kind| letters.iter().filter(move |b| b.hour == hour && b.kind == kind);
        let hours = |id: &&String| hour_of(id) == hour;
        Ok(Seen {
            raw: database.raw.keys().filter(hours).count() as u64,
            archived: self.archived.get(),
            counted: database
                .hourly
                .iter()
                .filter(|(name, _)| of(name))
                .map(|(_, r)| r.counters.requests)
                .sum(),
            duplicates: database.duplicates.iter().filter(|(name, _)| of(name)).map(|(_, n)| n).sum(),
            dead: booked(Kind::Dead).map(|b| b.events).sum(),
            late: booked(Kind::Late).map(|b| b.events).sum(),
            exhausted: booked(Kind::Exhausted).map(|b| b.keys.clone()).collect(),
            purged: false,
            difference_before: finding.map_or(0, |finding| finding.entry.difference()),
            differs_since_ms: finding.and_then(|finding| finding.differs_since_ms),
        })
    }

    async fn raw_rows_among(&self, ids: &[String]) -> Result<u64, Outage> {
        let database = self.world.database.borrow();
        Ok(ids.iter().filter(|id| database.raw.contains_key(*id)).count() as u64)
    }

    async fn probe(&self, groups: &[Group]) -> Vec<CountReply> {
        let probed = |group: &Group| {
            let body = CountCall::encode(&group.key, group.row, &group.events);
            let mut objects = self.world.objects.borrow_mut();
            let object = objects.entry(group.key.to_string()).or_default();
            let told: Result<Counted, AggregatorError<Outage>> =
                object.with_log(&self.world.faults, |aggregator, log| aggregator.probe(log, &body));
            let Ok(told) = told else { return CountReply::Failed };
            object.alarm = told.alarm.or(object.alarm);
            told.reply
        };
        groups.iter().map(probed).collect()
    }

    async fn enter(&self, hour: HourBucket, tried_ms: i64, found: Option<Finding>) -> Result<(), Outage> {
        let mut entered = self.entered.borrow_mut();
        let (noted, finding) = entered.get_mut(&hour).unwrap();
        noted.changed = false;
        noted.checked_ms = Some(tried_ms);
        if let Some(found) = found {
            noted.differs = found.entry.difference() != 0;
            *finding = Some(found);
        }
        Ok(())
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let item = || prop_oneof![12 => (0u32..150).prop_map(Item::Event), 1 => (0u32..4).prop_map(Item::Poison)];
    prop_oneof![
        8 => item().prop_map(Message::One),
        8 => proptest::collection::vec(item(), 0..12).prop_map(Message::Packed),
        1 => Just(Message::Nonsense),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6c65_6467),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_fails_and_however_messages_come_every_hour_balances(
        messages in proptest::collection::vec(any_message(), 1..40),
        given_up in proptest::collection::vec(any::<bool>(), 40),
        percent in prop_oneof![Just(0u64), 1u64..15, 15u64..50],
        seed in any::<u64>(),
        paths_per_hour in prop_oneof![Just(0u32), 1u32..3],
    ) {
        let world = World::at(NOW, Faults::by_chance(percent, seed));
        // What is beyond the budget counts in another object than its path's.
        world.settings.set(BudgetSettings { paths_per_hour, ..world.settings.get() });
        let (lost, settled): (Vec<_>, Vec<_>) =
            deliveries(&messages).into_iter().zip(&given_up).partition(|(_, given_up)| **given_up);
        // Some run out of attempts while everything fails: one try, and what came of it stays.
        for (message, _) in lost {
            world.take_in(std::slice::from_ref(&message));
            give_up(&world, message);
        }
        Queue::of(settled.into_iter().map(|(message, _)| message).collect()).settle(&world, 25_000);
        world.faults.borrow_mut().calm();
        world.ring_until(world.now.get() + HOUR_MS);
        let ledger = Ledger::of(&world);
        // An object that could not set its alarm at a message's last attempt is found, and sets it then.
        ledger.check();
        world.ring_until(world.now.get() + HOUR_MS);
        for (hour, entry) in ledger.check() {
            prop_assert_eq!(entry.difference(), 0, "{}: {:?}", hour, entry);
        }
        let requests = |world: &World| -> u64 {
            world.database.borrow().hourly.values().map(|row| row.counters.requests).sum()
        };
        prop_assert_eq!(ledger.total().counted, requests(&world));
        // And once every letter was taken in after all.
        let letters: Vec<DeadLetter> = world.database.borrow().dead_letters.values().cloned().collect();
        for letter in letters.into_iter().filter(|letter| letter.reason == RETRIES_EXHAUSTED) {
            world.take_in_body(&letter.id, letter.body);
            world.database.borrow_mut().dead_letters.remove(&letter.id);
        }
        world.ring_until(world.now.get() + HOUR_MS);
        for (hour, entry) in ledger.check() {
            prop_assert_eq!(entry.difference(), 0, "replayed, {}: {:?}", hour, entry);
        }
    }
}

/// Keeps a message as the consumer of the dead-letter queue does.
fn give_up(world: &World, message: Delivery) {
    let letter = DeadLetter {
        id: format!("dlq-{}", message.message_id),
        reason: RETRIES_EXHAUSTED,
        detail: String::new(),
        body: message.body,
        attempts: 11,
    };
    world.database.borrow_mut().keep_letter(letter, world.now.get());
}

fn events(numbers: std::ops::Range<u32>, path: &str) -> Vec<String> {
    numbers.map(|n| json(NOW, n, path)).collect()
}

fn hour_of(id: &str) -> HourBucket {
    HourBucket::from_ms(id.parse::<EventId>().unwrap().timestamp_ms())
}

/// Terms in their order.
fn terms(entry: Entry) -> [u64; 5] {
    [entry.received, entry.counted, entry.duplicates, entry.dead_lettered, entry.refused_late]
}

fn settled(world: &World) {
    world.ring_until(world.now.get() + 5 * 60_000);
}

#[test]
fn an_event_delivered_n_times_is_received_n_times_and_counted_once() {
    let world = World::calm();
    let body = packed_message(&events(0..10, "/n"));
    for n in 1..=4 {
        world.take_in_body("m", body.clone());
        if n == 2 {
            settled(&world);
            world.evict_all();
        }
    }
    // Twice within one message, too.
    world.take_in_body("twice", packed_message(&[events(10..13, "/n"), events(10..13, "/n")].concat()));
    settled(&world);
    assert_eq!(terms(Ledger::of(&world).total()), [46, 13, 33, 0, 0]);
}

#[test]
fn duplicates_alone_reach_the_ledger_though_the_row_does_not_change() {
    let world = World::calm();
    world.take_in_body("m", json(NOW, 1, "/again"));
    settled(&world);
    let before = world.database.borrow().flushes;
    world.take_in_body("m", json(NOW, 1, "/again"));
    // Forgotten before they were told: they are in the log.
    world.evict_all();
    world.script(Step::Flush, Fate::FailsButPersists);
    settled(&world);
    assert_eq!(world.database.borrow().flushes, before, "no hourly row was written");
    assert_eq!(terms(Ledger::of(&world).total()), [2, 1, 1, 0, 0]);
    world.ring_until(world.now.get() + 97 * HOUR_MS);
    assert_eq!(world.objects.borrow().len(), 0, "the object seals all the same");
}

#[test]
fn a_message_that_ran_out_of_attempts_is_received_once_whatever_of_it_was_stored_and_counted() {
    let world = World::calm();
    // One group counts, the other fails; then the letter is booked.
    world.take_in_body("half", packed_message(&[events(0..3, "/counted"), events(3..7, "/failed")].concat()));
    let message =
        delivery("m", packed_message(&[events(7..9, "/counted"), events(9..13, "/failed")].concat()));
    world.faults.borrow_mut().script(Step::Call, Fate::Works);
    world.faults.borrow_mut().script(Step::Call, Fate::Fails);
    world.take_in(std::slice::from_ref(&message));
    assert_eq!(world.waiting.borrow().len(), 1, "the hour is noted to wait");
    give_up(&world, message.clone());
    settled(&world);
    let ledger = Ledger::of(&world);
    let [received, counted, duplicates, dead, late] = terms(ledger.total());
    assert_eq!((received, duplicates, late), (13, 0, 0));
    assert_eq!(counted + dead, 13);
    assert!(dead == 2 || dead == 4, "one of its two groups failed");
    // The same message once more in a letter of its own: each event is in the books once.
    give_up(&world, delivery("m2", message.body.clone()));
    assert_eq!(terms(ledger.total()), [13, counted, 0, dead, 0]);
    // Given up for good, it stays dead-lettered.
    let mut database = world.database.borrow_mut();
    let letters = std::mem::take(&mut database.dead_letters);
    drop(database);
    ledger.discarded.borrow_mut().extend(letters.into_values().map(|letter| (letter, NOW)));
    assert_eq!(terms(ledger.total()), [13, counted, 0, dead, 0]);
    // And comes after all.
    world.take_in(&[message]);
    settled(&world);
    assert_eq!(terms(ledger.total()), [13 + (6 - dead), 13, 6 - dead, 0, 0]);
}

#[test]
fn what_never_reached_a_store_is_received_as_a_dead_letter() {
    let world = World::calm();
    give_up(&world, delivery("m", packed_message(&events(0..5, "/nowhere"))));
    world.take_in_body("poison", "no event");
    assert_eq!(terms(Ledger::of(&world).total()), [6, 0, 0, 6, 0]);
}

#[test]
fn what_comes_after_the_seal_is_refused_late() {
    let world = World::calm();
    world.take_in_body("m", json(NOW, 1, "/late"));
    world.ring_until(NOW + 97 * HOUR_MS);
    world.take_in_body("late", packed_message(&events(1..4, "/late")));
    world.take_in_body("late", packed_message(&events(1..4, "/late")));
    let ledger = Ledger::of(&world);
    assert_eq!(terms(ledger.total()), [4, 1, 0, 0, 3]);
}

#[test]
fn a_raw_row_that_is_gone_and_a_figure_that_was_changed_show_at_the_next_check() {
    let world = World::calm();
    world.take_in_body("m", packed_message(&events(0..10, "/true")));
    settled(&world);
    let ledger = Ledger::of(&world);
    assert_eq!(ledger.total().difference(), 0);
    let gone = world.database.borrow_mut().raw.pop_first().unwrap();
    assert_eq!(ledger.total().difference(), -1);
    let since = || ledger.entered.borrow().values().find_map(|(_, f)| f.as_ref()?.differs_since_ms);
    let first = since().unwrap();
    assert_eq!(ledger.total().difference(), -1);
    assert_eq!(since(), Some(first), "it is the same difference");
    world.database.borrow_mut().raw.extend([gone]);
    world.database.borrow_mut().hourly.values_mut().next().unwrap().counters.requests -= 3;
    assert_eq!(ledger.total().difference(), 3);
    assert!(since().unwrap() > first, "another difference");
    world.database.borrow_mut().hourly.values_mut().next().unwrap().counters.requests += 3;
    assert_eq!(ledger.total().difference(), 0);
    assert_eq!(since(), None);
}

#[test]
fn an_object_that_does_not_answer_leaves_its_hour_as_it_was() {
    let world = World::calm();
    give_up(&world, delivery("m", packed_message(&events(0..5, "/silent"))));
    world.script(Step::Load, Fate::Fails);
    world.wait(2 * HOUR_MS);
    let ledger = Ledger::of(&world);
    let hour = HourBucket::from_ms(NOW);
    let noted = Noted { hour, changed: true, differs: false, tried_ms: 0, checked_ms: None };
    ledger.entered.borrow_mut().insert(hour, (noted, None));
    assert_eq!(alone(run(&ledger)).unwrap().postponed, 1);
    assert_eq!(terms(ledger.total()), [5, 0, 0, 5, 0]);
}

#[test]
fn of_an_archived_hour_the_archive_tells_what_was_received_and_what_is_on_its_way_waits() {
    let world = World::calm();
    world.take_in_body("m", packed_message(&events(0..10, "/archived")));
    settled(&world);
    let ledger = Ledger::of(&world);
    ledger.archived.set(Archived::UnderWay);
    assert_eq!(ledger.check().len(), 0);
    ledger.archived.set(Archived::Yes(10));
    let hour = HourBucket::from_ms(NOW);
    assert!(!ledger.check().contains_key(&hour), "its rows are still there");
    world.database.borrow_mut().raw.clear();
    assert_eq!(terms(ledger.check()[&hour]), [10, 10, 0, 0, 0]);
}

#[test]
fn a_run_checks_so_many_hours_and_the_next_goes_on_with_the_others() {
    let world = World::calm();
    for back in 1..=CHECKS_PER_RUN + 5 {
        let at = NOW - i64::try_from(back).unwrap() * HOUR_MS;
        world.take_in_body(&format!("m{back}"), json(at, 1, "/hours"));
    }
    settled(&world);
    let ledger = Ledger::of(&world);
    let first = alone(run(&ledger)).unwrap();
    assert_eq!((first.checked, first.left), (CHECKS_PER_RUN, 5));
    assert_eq!(alone(run(&ledger)).unwrap().checked, 5);
    assert_eq!(ledger.entries().len(), CHECKS_PER_RUN + 5);
    assert_eq!(alone(run(&ledger)).unwrap().checked, 0, "nothing is due");
}
