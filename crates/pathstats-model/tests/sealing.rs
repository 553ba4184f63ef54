//! The end of an object: when its log is no longer needed, its row is sealed and it deletes itself.

mod support;

use pathstats_model::aggregator::{AfterSeal, AlarmPlan};
use pathstats_model::calls::{CountCall, CountReply, RowState};
use pathstats_model::ingest::Settlement;
use pathstats_model::limits::REPLAY_HORIZON_MS;
use pathstats_model::packed::PackedEvent;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::executor::{interleave, pause, Task};
use support::faults::{Fate, Faults, Step};
use support::world::delivery;
use support::{event, json, packed_message, Queue, World, NOW};

const PATH: &str = "/sealed";
const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

fn name() -> String {
    event(NOW, 0, PATH).path_hour().to_string()
}

/// A world whose one object has counted one event, and whose log is as old as can be.
fn at_the_horizon() -> World {
    let world = World::calm();
    world.take_in_body("first", json(NOW, 1, PATH));
    world.ring_until(NOW + REPLAY_HORIZON_MS - 1);
    assert!(world.objects.borrow().contains_key(&name()), "the log is kept for the horizon");
    world
}

fn requests(world: &World) -> u64 {
    world.row(&name()).counters.requests
}

fn is_sealed(world: &World) -> bool {
    world.row(&name()).sealed_at.is_some()
}

/// Runs the object's alarm, and `meanwhile` at its `at`-th await.
fn ring_and(world: &World, at: usize, meanwhile: impl Fn() + Copy) {
    let name = name();
    let tasks: Vec<Task<'_>> = vec![
        Box::pin(world.ring(&name)),
        Box::pin(async move {
            pause().await;
            meanwhile();
        }),
    ];
    let mut turns = std::iter::once(1).chain(std::iter::repeat_n(0, at)).chain(std::iter::once(1));
    interleave(tasks, |count| turns.next().unwrap_or(0).min(count - 1));
}

#[test]
fn an_object_seals_its_row_and_deletes_itself_once_the_horizon_has_passed() {
    let world = at_the_horizon();
    assert!(!is_sealed(&world));
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    assert!(is_sealed(&world));
    assert!(world.objects.borrow().is_empty());
    assert_eq!(world.next_alarm(), None);
    assert_eq!(requests(&world), 1);
}

#[test]
fn the_horizon_begins_anew_with_each_update() {
    let world = at_the_horizon();
    world.take_in_body("second", json(NOW, 2, PATH));
    let again = world.now.get();
    world.ring_until(again + REPLAY_HORIZON_MS - 1);
    assert!(!is_sealed(&world));
    world.ring_until(again + REPLAY_HORIZON_MS);
    assert!(is_sealed(&world));
    assert_eq!(requests(&world), 2);
}

#[test]
fn an_object_evicted_long_ago_seals_itself_at_the_same_time() {
    let world = at_the_horizon();
    world.evict_all();
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    assert!(is_sealed(&world) && world.objects.borrow().is_empty());
}

#[test]
fn a_late_duplicate_of_a_sealed_hour_is_set_aside_as_sealed_and_counts_nothing() {
    let world = at_the_horizon();
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    // By then the raw row lies in the archive.
    world.database.borrow_mut().raw.clear();
    let before = world.database.borrow().clone();
    for _ in 0..2 {
        let ingested = world.take_in_body("first", json(NOW, 1, PATH));
        assert_eq!(ingested.settlements, [Settlement::Acknowledge]);
        assert_eq!((ingested.counted, ingested.dead_letters), (0, 1));
    }
    let database = world.database.borrow();
    assert_eq!(
        (&database.raw, &database.hourly),
        (&before.raw, &before.hourly),
        "not even a raw row comes back"
    );
    let letter = database.dead_letters.values().next().unwrap();
    assert_eq!((database.dead_letters.len(), letter.reason), (1, "sealed"));
    assert_eq!(letter.body, serde_json::to_string(&event(NOW, 1, PATH)).unwrap(), "it can be replayed");
    assert!(world.objects.borrow().is_empty(), "no object was woken");
}

#[test]
fn a_sealed_hour_does_not_stop_the_other_events_of_its_message() {
    let world = at_the_horizon();
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    let young = json(world.now.get(), 9, "/young");
    let ingested = world.take_in_body("both", packed_message(&[json(NOW, 1, PATH), young]));
    assert_eq!((ingested.counted, ingested.dead_letters), (1, 1));
    assert_eq!(ingested.settlements, [Settlement::Acknowledge]);
}

#[test]
fn an_event_between_the_seal_and_the_deletion_is_counted_and_the_next_flush_takes_the_seal_off() {
    for evicted in [false, true] {
        let world = at_the_horizon();
        world.wait(1);
        // The caller looked at the row before it was sealed.
        let late = CountCall::encode(
            &event(NOW, 2, PATH).path_hour(),
            RowState::Live,
            &[PackedEvent::new(&event(NOW, 2, PATH))],
        );
        ring_and(&world, 2, || {
            assert!(is_sealed(&world), "the seal is written");
            assert_eq!(world.call(&name(), &late), CountReply::Counted { counted: 1, duplicates: 0 });
            if evicted {
                world.evict_all();
            }
        });
        assert!(world.objects.borrow().contains_key(&name()), "the object stays, for it has news");
        world.ring_until(world.now.get() + HOUR);
        assert!(!is_sealed(&world), "evicted: {evicted}");
        assert_eq!(requests(&world), 2);
        world.ring_until(world.now.get() + REPLAY_HORIZON_MS);
        assert!(is_sealed(&world) && world.objects.borrow().is_empty());
    }
}

#[test]
fn a_death_between_the_seal_and_the_deletion_seals_again_and_deletes() {
    let world = at_the_horizon();
    world.script(Step::Die, Fate::Works);
    world.script(Step::Die, Fate::Fails);
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    assert!(is_sealed(&world) && world.objects.borrow().contains_key(&name()));
    world.ring_until(world.now.get() + HOUR);
    assert!(is_sealed(&world) && world.objects.borrow().is_empty());
    assert_eq!(requests(&world), 1);
}

#[test]
fn a_deletion_that_failed_is_tried_again_and_the_log_is_never_taken_for_empty() {
    let world = at_the_horizon();
    world.script(Step::Delete, Fate::Fails);
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    let duplicate = CountCall::encode(
        &event(NOW, 1, PATH).path_hour(),
        RowState::Absent,
        &[PackedEvent::new(&event(NOW, 1, PATH))],
    );
    assert_eq!(world.call(&name(), &duplicate), CountReply::Counted { counted: 0, duplicates: 1 });
    world.ring_until(world.now.get() + HOUR);
    assert!(is_sealed(&world) && world.objects.borrow().is_empty());
}

#[test]
fn an_event_that_meets_the_deletion_is_not_counted_into_a_log_that_goes() {
    let world = at_the_horizon();
    let mut object = world.objects.borrow_mut().remove(&name()).unwrap();
    let faults = std::cell::RefCell::new(Faults::none());
    let late = event(NOW, 2, PATH);
    let call = CountCall::encode(&late.path_hour(), RowState::Live, &[PackedEvent::new(&late)]);
    let now = NOW + REPLAY_HORIZON_MS;
    let plan = object.with_log(&faults, |aggregator, log| aggregator.alarm(log, now)).unwrap();
    assert!(matches!(plan, AlarmPlan::Seal { revision: 1, .. }));
    assert_eq!(object.aggregator.sealed(1, true, now), AfterSeal::Delete);
    let count = |object: &mut support::object::Object| {
        object.with_log(&faults, |aggregator, log| aggregator.count(log, &call, now)).unwrap().reply
    };
    assert_eq!(count(&mut object), CountReply::NotNow);
    assert_eq!(object.stored.rows.len(), 1);
    // Should the deletion fail, the object is what it was.
    object.aggregator.failed(now);
    assert_eq!(count(&mut object), CountReply::Counted { counted: 1, duplicates: 0 });
}

#[test]
fn a_seal_that_d1_refuses_is_tried_again() {
    for fate in [Fate::Fails, Fate::FailsButPersists] {
        let world = at_the_horizon();
        world.script(Step::Seal, fate);
        world.ring_until(NOW + REPLAY_HORIZON_MS);
        assert!(world.objects.borrow().contains_key(&name()));
        world.ring_until(world.now.get() + HOUR);
        assert!(is_sealed(&world) && world.objects.borrow().is_empty(), "{fate:?}");
    }
}

#[test]
fn a_row_that_d1_lost_is_written_again_before_it_is_sealed() {
    let world = at_the_horizon();
    let whole = world.database.borrow_mut().hourly.remove(&name()).unwrap();
    world.ring_until(NOW + REPLAY_HORIZON_MS + HOUR);
    assert!(is_sealed(&world) && world.objects.borrow().is_empty());
    assert_eq!(world.database.borrow().hourly[&name()].stats, whole.stats);
}

#[test]
fn an_object_that_sealed_while_a_batch_was_under_way_says_not_now_and_the_event_is_set_aside_next_time() {
    let world = at_the_horizon();
    world.wait(1);
    let name = name();
    let batch = [delivery("late", json(NOW, 2, PATH))];
    let settled = std::cell::RefCell::new(Vec::new());
    let tasks: Vec<Task<'_>> = vec![
        Box::pin(async {
            *settled.borrow_mut() =
                pathstats_model::ingest::ingest(&world, &batch, world.now.get()).await.settlements;
        }),
        Box::pin(world.ring(&name)),
    ];
    // The consumer has read the row and stored the raw one; then the object seals and goes.
    let mut turns = [0, 0, 0, 0].into_iter();
    interleave(tasks, |count| turns.next().unwrap_or(1).min(count - 1));
    assert_eq!(*settled.borrow(), [Settlement::Retry]);
    assert!(is_sealed(&world));
    assert!(world.objects.borrow().values().all(|object| object.stored.rows.is_empty()));
    let again = world.take_in(&batch);
    assert_eq!((again.settlements.as_slice(), again.counted), (&[Settlement::Acknowledge][..], 0));
    assert_eq!(world.database.borrow().reasons().into_values().collect::<Vec<_>>(), ["sealed"]);
    assert_eq!(requests(&world), 1);
}

#[test]
fn an_object_that_lost_its_storage_never_begins_anew_over_its_row() {
    let world = at_the_horizon();
    world.objects.borrow_mut().clear();
    let ingested = world.take_in_body("late", json(NOW, 2, PATH));
    assert_eq!(ingested.settlements, [Settlement::Retry]);
    assert_eq!(requests(&world), 1);
}

#[test]
fn an_alarm_of_an_empty_object_does_nothing() {
    let mut object = support::object::Object::default();
    let faults = std::cell::RefCell::new(Faults::none());
    let plan = object.with_log(&faults, |aggregator, log| aggregator.alarm(log, NOW)).unwrap();
    assert!(matches!(plan, AlarmPlan::Nothing));
    assert_eq!(object.aggregator.sealed(0, false, NOW), AfterSeal::FlushAgain(NOW));
}

#[test]
fn an_import_of_a_year_old_log_counts_once_and_is_refused_after_its_hour_is_sealed() {
    let world = World::calm();
    let old: Vec<String> = (0..20).map(|n| json(NOW - YEAR, n, "/imported")).collect();
    let body = packed_message(&old);
    assert_eq!(world.take_in_body("import", body.clone()).counted, 20);
    // Before it is flushed, after, and for as long as the object lives: duplicates.
    for wait in [0, HOUR, 90 * HOUR] {
        world.ring_until(world.now.get() + wait);
        let again = world.take_in_body("import again", body.clone());
        assert_eq!((again.counted, again.duplicates, again.dead_letters), (0, 20, 0));
    }
    world.ring_until(NOW + REPLAY_HORIZON_MS + HOUR);
    let sealed = world.take_in_body("import after the seal", body);
    assert_eq!((sealed.counted, sealed.duplicates, sealed.dead_letters), (0, 0, 20));
    assert_eq!(sealed.settlements, [Settlement::Acknowledge]);
    assert_eq!(world.database.borrow().hourly.values().map(|row| row.counters.requests).sum::<u64>(), 20);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x7365_616c),
        ..ProptestConfig::default()
    })]

    #[test]
    fn events_that_meet_the_seal_are_each_counted_or_set_aside_and_none_twice(
        late in 1u32..12,
        percent in prop_oneof![Just(0u64), 1u64..40],
        seed in any::<u64>(),
        early_ms in 0i64..60_000,
    ) {
        let world = World::at(NOW, Faults::none());
        world.take_in_body("first", json(NOW, 1_000, PATH));
        world.ring_until(NOW + REPLAY_HORIZON_MS - early_ms);
        *world.faults.borrow_mut() = Faults::by_chance(percent, seed);
        let messages = (0..late).map(|n| delivery(&format!("late{n:02}"), json(NOW, n, PATH))).collect();
        Queue::of(messages).settle(&world, 20_000);
        world.ring_until(world.now.get() + 2 * REPLAY_HORIZON_MS);
        let counted = requests(&world);
        let letters = world.database.borrow().dead_letters.len() as u64;
        prop_assert!(counted <= 1 + u64::from(late), "none twice");
        prop_assert!(counted + letters > u64::from(late), "none lost: {} counted, {} set aside", counted, letters);
        prop_assert!(world.database.borrow().dead_letters.values().all(|letter| letter.reason == "sealed"));
        prop_assert!(is_sealed(&world) && world.objects.borrow().values().all(|object| object.stored.rows.is_empty()));
    }
}
