//! Delivery is at least once, counting is exactly once: whatever fails, and however messages come.

mod support;

use pathstats_model::ingest::{Delivery, Settlement};
use pathstats_model::packed::PackedEvent;
use pathstats_model::sharding::{Layout, Layouts};
use pathstats_model::{EventDate, HourBucket, PathHourStats, TrafficEvent};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::faults::{Fate, Faults, Step};
use support::recount::{deliveries, found, recount, Expected, Item, Message};
use support::spread::{one_of_each, over};
use support::world::delivery;
use support::{event, json, packed_message, Queue, World, NOW};

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![12 => (0u32..150).prop_map(Item::Event), 1 => (0u32..5).prop_map(Item::Poison)]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        8 => any_item().prop_map(Message::One),
        8 => proptest::collection::vec(any_item(), 0..12).prop_map(Message::Packed),
        1 => Just(Message::Nonsense),
    ]
}

/// Flushes whatever is not flushed: an hour passes, with every alarm that rings in it.
fn let_an_hour_pass(world: &World) {
    world.ring_until(world.now.get() + 3_600_000);
}

/// Every row has the revision of its object's last update, and every object an alarm.
fn assert_nothing_is_left_behind(world: &World) {
    let database = world.database.borrow();
    for (name, object) in world.objects.borrow().iter() {
        let updates = object.stored.rows.len() as u64;
        assert_eq!(
            database.hourly.get(name).map_or(0, |row| row.revision),
            updates,
            "{name} is flushed whole"
        );
        assert!(updates == 0 || object.alarm.is_some(), "{name} will seal itself");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x7061_7468),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_fails_and_however_messages_come_the_figures_are_those_of_one_clean_pass(
        messages in proptest::collection::vec(any_message(), 0..40),
        percent in prop_oneof![Just(0u64), 1u64..15, 15u64..50],
        seed in any::<u64>(),
        shards in 1u8..=4,
    ) {
        let expected = recount(&messages);
        let mut world = World::at(NOW, Faults::by_chance(percent, seed));
        world.layouts = over(shards);
        Queue::of(deliveries(&messages)).settle(&world, 25_000);
        let_an_hour_pass(&world);
        assert_nothing_is_left_behind(&world);
        prop_assert_eq!(found(&world), expected);
    }

    #[test]
    fn a_storm_around_the_seal_changes_no_figure_and_every_late_duplicate_is_set_aside(
        messages in proptest::collection::vec(any_message(), 1..12),
        percent in 0u64..40,
        seed in any::<u64>(),
    ) {
        let mut expected = recount(&messages);
        let world = World::at(NOW, Faults::none());
        Queue::of(deliveries(&messages)).settle(&world, 10_000);
        *world.faults.borrow_mut() = Faults::by_chance(percent, seed);
        world.ring_until(world.now.get() + 97 * 3_600_000);
        world.faults.borrow_mut().calm();
        world.ring_until(world.now.get() + 3_600_000);
        prop_assert_eq!(world.objects.borrow().len(), 0);
        prop_assert!(world.database.borrow().hourly.values().all(|row| row.sealed_at.is_some()));
        *world.faults.borrow_mut() = Faults::by_chance(percent, seed);
        // The future came meanwhile, so that those letters are no news: events alone come again.
        let again: Vec<Message> = messages.iter().filter_map(|message| match message {
            Message::One(Item::Event(n)) => Some(vec![*n]),
            Message::Packed(items) => Some(items.iter().filter_map(|item| match item {
                Item::Event(n) => Some(*n),
                Item::Poison(_) => None,
            }).collect()),
            _ => None,
        }).map(|events: Vec<u32>| Message::Packed(events.into_iter().map(Item::Event).collect())).collect();
        Queue::of(deliveries(&again)).settle(&world, 10_000);
        let_an_hour_pass(&world);
        for event in expected.raw.values() {
            let event = TrafficEvent::from_json(event).unwrap();
            expected.dead_letters.insert(format!("sealed/{}/{}", event.id, event.path_hour()), "sealed");
        }
        prop_assert_eq!(found(&world), expected);
    }
}

/// Twelve events, half of this hour and half of one a year ago, in six messages of one of each.
fn six_messages() -> (Vec<Delivery>, Expected) {
    let messages: Vec<Message> =
        (0..6).map(|n| Message::Packed(vec![Item::Event(30 * n), Item::Event(30 * n + 2)])).collect();
    (deliveries(&messages), recount(&messages))
}

#[test]
fn a_clean_pass_counts_every_event_once() {
    let (batch, expected) = six_messages();
    let world = World::calm();
    let ingested = world.take_in(&batch);
    assert_eq!((ingested.counted, ingested.duplicates, ingested.dead_letters), (12, 0, 0));
    let_an_hour_pass(&world);
    assert_eq!(found(&world), expected);
}

#[test]
fn a_batch_delivered_twice_counts_once() {
    let (batch, expected) = six_messages();
    let world = World::calm();
    world.take_in(&batch);
    world.evict_all();
    let again = world.take_in(&batch);
    assert_eq!((again.counted, again.duplicates), (0, 12));
    let_an_hour_pass(&world);
    assert_eq!(found(&world), expected);
}

#[test]
fn a_database_that_fails_has_its_own_messages_come_again_and_no_other() {
    let mut world = World::calm();
    world.layouts = over(2);
    let (first, second) = one_of_each(&world.layouts);
    let batch = [
        delivery("a", json(NOW, 1, &first)),
        delivery("b", json(NOW, 2, &second)),
        delivery("c", packed_message(&[json(NOW, 3, &first), json(NOW, 4, &second)])),
        delivery("d", "nonsense"),
    ];
    world.script(Step::StoreEvents, Fate::Works);
    world.script(Step::StoreEvents, Fate::Fails);
    let ingested = world.take_in(&batch);
    let [ack, retry] = [Settlement::Acknowledge, Settlement::Retry];
    assert_eq!(ingested.settlements, [ack, retry, retry, ack]);
    assert_eq!((ingested.counted, ingested.dead_letters), (2, 1), "what has no raw row is not counted");
    let again = world.take_in(&batch);
    assert_eq!((again.counted, again.duplicates), (2, 2));
    let_an_hour_pass(&world);
    assert_eq!(world.database.borrow().raw.len(), 4);
    let requests = |path: &str| {
        let row = world.row(&format!("{path}:{}", HourBucket::from_ms(NOW)));
        PathHourStats::from_bytes(&row.stats).unwrap().counters.requests
    };
    assert_eq!((requests(&first), requests(&second)), (2, 2));
}

#[test]
fn an_old_hour_whose_database_cannot_be_asked_waits_alone() {
    let old = NOW - 120 * 3_600_000;
    let mut world = World::calm();
    world.layouts = Layouts::new(vec![Layout { from: EventDate::from_ms(old), shards: 2 }]).unwrap();
    let (first, second) = one_of_each(&world.layouts);
    world.script(Step::RowStates, Fate::Fails);
    let ingested =
        world.take_in(&[delivery("a", json(old, 1, &first)), delivery("b", json(old, 2, &second))]);
    assert_eq!(ingested.settlements, [Settlement::Retry, Settlement::Acknowledge]);
    assert_eq!(ingested.counted, 1);
}

#[test]
fn a_batch_in_halves_in_another_order_counts_the_same() {
    let (mut batch, expected) = six_messages();
    let world = World::calm();
    batch.reverse();
    let (later, first) = batch.split_at(3);
    world.take_in(first);
    let_an_hour_pass(&world);
    world.take_in(later);
    let_an_hour_pass(&world);
    assert_eq!(found(&world), expected);
}

#[test]
fn an_event_twice_within_a_batch_and_in_two_messages_counts_once() {
    let world = World::calm();
    let one = json(NOW, 1, "/twice");
    let batch = [delivery("a", packed_message(&[one.clone(), one.clone()])), delivery("b", one)];
    let ingested = world.take_in(&batch);
    assert_eq!((ingested.counted, ingested.duplicates), (1, 2));
}

#[test]
fn every_single_failure_at_every_step_is_made_good_by_the_next_delivery() {
    use Step::{
        Append, AskBudget, BudgetAppend, BudgetLoad, Call, Checkpoint, Delete, Die, Evict, Flush, Load,
        RowStates, Seal, SetAlarm, StoreEvents,
    };
    let (batch, expected) = six_messages();
    for step in [
        AskBudget,
        BudgetLoad,
        BudgetAppend,
        RowStates,
        StoreEvents,
        Call,
        Load,
        Append,
        SetAlarm,
        Flush,
        Checkpoint,
        Seal,
        Delete,
        Die,
        Evict,
    ] {
        for fate in [Fate::Fails, Fate::FailsButPersists] {
            for nth in 0..3 {
                let world = World::calm();
                (0..nth).for_each(|_| world.script(step, Fate::Works));
                world.script(step, fate);
                let settlements = world.take_in(&batch).settlements;
                let again: Vec<Delivery> = batch
                    .iter()
                    .zip(settlements)
                    .filter(|(_, s)| *s == Settlement::Retry)
                    .map(|(d, _)| d.clone())
                    .collect();
                let ingested = world.take_in(&again);
                assert!(
                    ingested.settlements.iter().all(|s| *s == Settlement::Acknowledge),
                    "{step:?} {fate:?}"
                );
                let_an_hour_pass(&world);
                assert_nothing_is_left_behind(&world);
                assert_eq!(found(&world), expected, "{step:?} {fate:?} at attempt {nth}");
                world.ring_until(NOW + 98 * 3_600_000);
                assert_eq!(found(&world), expected, "{step:?} {fate:?} at attempt {nth}, sealed");
                assert!(world.objects.borrow().is_empty());
                assert!(nth > 0 || world.faults.borrow().all_happened(), "{step:?} was met");
            }
        }
    }
}

#[test]
fn a_row_that_was_appended_although_it_failed_is_flushed_even_if_nothing_new_comes() {
    for step in [Step::Append, Step::SetAlarm] {
        let world = World::calm();
        world.script(step, Fate::FailsButPersists);
        // The worse half: what was to set the alarm did not.
        if step == Step::SetAlarm {
            world.faults.borrow_mut().fate(Step::SetAlarm);
            world.script(step, Fate::Fails);
        }
        assert_eq!(world.take_in_body("m", json(NOW, 1, "/quiet")).settlements, [Settlement::Retry]);
        let again = world.take_in_body("m", json(NOW, 1, "/quiet"));
        assert_eq!((again.settlements.as_slice(), again.duplicates), (&[Settlement::Acknowledge][..], 1));
        let_an_hour_pass(&world);
        assert_eq!(world.database.borrow().hourly.len(), 1, "{step:?}: the event shows");
    }
}

#[test]
fn a_flush_repeated_after_a_death_and_an_older_one_that_lands_late_change_nothing() {
    let world = World::calm();
    world.take_in_body("m", json(NOW, 1, "/late"));
    world.script(Step::Flush, Fate::FailsButPersists);
    let_an_hour_pass(&world);
    assert_eq!(world.database.borrow().flushes, 1, "the repeated flush wrote nothing");
    world.take_in_body("n", json(NOW, 2, "/late"));
    let_an_hour_pass(&world);
    let newest = world.database.borrow().clone();
    let key = event(NOW, 1, "/late").path_hour();
    let mut stats = PathHourStats::default();
    stats.add(&PackedEvent::new(&event(NOW, 1, "/late")));
    let old = pathstats_model::aggregator::FlushRow {
        key,
        stats,
        revision: 1,
        asks_for_snapshot: false,
        duplicates: 0,
    };
    world.database.borrow_mut().flush(&old);
    assert_eq!(*world.database.borrow(), newest);
}

#[test]
fn events_counted_while_the_row_is_on_its_way_to_d1_are_in_the_next_flush() {
    use support::executor::{interleave, Task};
    for evicted in [false, true] {
        let world = World::calm();
        world.take_in_body("m", json(NOW, 1, "/busy"));
        world.wait(30_000);
        let name = world.due().pop().unwrap();
        let tasks: Vec<Task<'_>> = vec![
            Box::pin(world.ring(&name)),
            Box::pin(async {
                support::executor::pause().await;
                world.take_in_body("n", json(NOW, 2, "/busy"));
                if evicted {
                    world.evict_all();
                }
            }),
        ];
        // The alarm has its plan, then the second event is counted, then D1 has the row.
        let mut turns = [0, 1, 1, 0, 0, 0, 0, 0, 0].into_iter();
        interleave(tasks, |count| turns.next().unwrap_or(0).min(count - 1));
        assert_eq!(world.database.borrow().hourly[&name].counters.requests, 1);
        let_an_hour_pass(&world);
        assert_eq!(world.database.borrow().hourly[&name].counters.requests, 2, "evicted: {evicted}");
        assert_nothing_is_left_behind(&world);
    }
}

#[test]
fn an_object_of_many_clients_evicted_and_flushed_all_along_has_the_bytes_of_one_clean_pass() {
    let world = World::calm();
    let mut clean = PathHourStats::default();
    let events: Vec<TrafficEvent> = (0..6_000u32)
        .map(|n| {
            let mut event = event(NOW - i64::from(n % 500), n, "/many");
            event.client_ip_hash = Some(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            clean.add(&PackedEvent::new(&event));
            event
        })
        .collect();
    for (at, chunk) in events.chunks(100).rev().enumerate() {
        let texts: Vec<String> = chunk.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        world.take_in_body(&format!("m{at}"), packed_message(&texts));
        world.evict_all();
        world.ring_until(world.now.get() + 7_000);
    }
    let_an_hour_pass(&world);
    let rows = world.database.borrow().statistics();
    assert!(rows.values().next().is_some_and(|bytes| bytes == &clean.to_bytes()));
}
