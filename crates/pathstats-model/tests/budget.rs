//! More paths than an hour has room for: no event is lost, none counts twice, whatever fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::budget::{is_catch_all, BudgetSettings, NOT_FOUND, OTHER};
use pathstats_model::ingest::Delivery;
use pathstats_model::TrafficEvent;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::faults::{Fate, Faults, Step};
use support::world::delivery;
use support::{json, packed_message, Queue, World, NOW};

const HOUR_MS: i64 = 3_600_000;

/// One of forty paths in one of two hours; every sixth event is a 404.
fn item(number: u32) -> String {
    json(NOW - i64::from(number % 2) * HOUR_MS, number, &format!("/p{}", number % 40))
}

fn batch(messages: &[Vec<u32>]) -> Vec<Delivery> {
    let body = |numbers: &[u32]| packed_message(&numbers.iter().map(|n| item(*n)).collect::<Vec<_>>());
    messages.iter().enumerate().map(|(at, numbers)| delivery(&format!("m{at:03}"), body(numbers))).collect()
}

fn events(messages: &[Vec<u32>]) -> Vec<TrafficEvent> {
    let numbers: BTreeSet<u32> = messages.iter().flatten().copied().collect();
    numbers.into_iter().map(|n| TrafficEvent::from_json(&item(n)).unwrap()).collect()
}

fn world(limit: u32, group_not_found: bool, faults: Faults) -> World {
    let world = World::at(NOW, faults);
    world.settings.set(BudgetSettings { paths_per_hour: limit, group_not_found });
    world
}

fn flush(world: &World) {
    world.faults.borrow_mut().calm();
    world.ring_until(world.now.get() + HOUR_MS);
}

/// Requests by row, `path:hour`.
fn requests(world: &World) -> BTreeMap<String, u64> {
    let database = world.database.borrow();
    database.hourly.iter().map(|(name, row)| (name.clone(), row.counters.requests)).collect()
}

/// Holds what was counted against the events, each once. Which paths were admitted is for the budget to
/// choose; a path is in one place, but for the 404s that are grouped.
fn assert_exact(world: &World, events: &[TrafficEvent], limit: usize, groups: bool) {
    let counted = requests(world);
    let hours: BTreeSet<String> = events.iter().map(|event| event.hour().to_string()).collect();
    for hour in hours {
        let of_hour: Vec<&TrafficEvent> = events.iter().filter(|e| e.hour().to_string() == hour).collect();
        let row = |name: &str| counted.get(&format!("{name}:{hour}")).copied().unwrap_or(0);
        let (mut other, mut not_found, mut own) = (0, 0, 0);
        for path in of_hour.iter().map(|event| event.path.as_str()).collect::<BTreeSet<_>>() {
            let all = of_hour.iter().filter(|event| event.path == path);
            let grouped = all.clone().filter(|event| groups && event.status == 404).count() as u64;
            let all = all.count() as u64;
            match row(path) {
                0 => {
                    other += all - grouped;
                    not_found += grouped;
                }
                found if found == all => own += 1,
                found => {
                    assert_eq!(
                        found,
                        all - grouped,
                        "{path} in {hour} is counted whole, or without its 404s"
                    );
                    own += 1;
                    not_found += grouped;
                }
            }
        }
        assert!(own <= limit, "{own} paths have a row in {hour}");
        assert_eq!((row(OTHER), row(NOT_FOUND)), (other, not_found), "{hour}");
    }
    assert_eq!(counted.values().sum::<u64>(), events.len() as u64);
    assert_eq!(world.database.borrow().raw.len(), events.len(), "raw rows keep every event");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, rng_seed: RngSeed::Fixed(20_251_015), ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_and_however_messages_come_every_event_counts_once(
        messages in proptest::collection::vec(proptest::collection::vec(0u32..400, 1..12), 1..16),
        limit in 1u32..12,
        groups in any::<bool>(),
        percent in 0u64..40,
        seed in any::<u64>(),
    ) {
        let world = world(limit, groups, Faults::by_chance(percent, seed));
        Queue::of(batch(&messages)).settle(&world, 25_000);
        flush(&world);
        let events = events(&messages);
        assert_exact(&world, &events, limit as usize, groups);
        // All of it again, with nothing in memory and another configuration: no figure changes.
        let before = requests(&world);
        world.evict_all();
        world.settings.set(BudgetSettings { paths_per_hour: 1_000, group_not_found: !groups });
        Queue::of(batch(&messages)).settle(&world, 25_000);
        flush(&world);
        prop_assert_eq!(requests(&world), before);
    }

    #[test]
    fn when_the_budget_is_gone_with_its_hour_late_duplicates_are_set_aside_and_count_nothing(
        messages in proptest::collection::vec(proptest::collection::vec(0u32..400, 1..12), 4..10),
        groups in any::<bool>(),
    ) {
        let world = world(2, groups, Faults::none());
        Queue::of(batch(&messages)).settle(&world, 25_000);
        world.ring_until(world.now.get() + 98 * HOUR_MS);
        prop_assert!(world.objects.borrow().is_empty());
        let before = requests(&world);
        // The objects of the budgets too, and what the isolate knew.
        world.budgets.borrow_mut().clear();
        world.known.borrow().take();
        Queue::of(batch(&messages)).settle(&world, 25_000);
        flush(&world);
        prop_assert_eq!(requests(&world), before);
        let letters = world.database.borrow().reasons();
        prop_assert_eq!(letters.len(), events(&messages).len());
        prop_assert!(letters.values().all(|reason| *reason == "sealed"));
    }
}

#[test]
fn a_budget_that_does_not_answer_brings_its_messages_again_and_leaves_the_others_alone() {
    let world = world(3, false, Faults::none());
    world.take_in_body("known", json(NOW, 1, "/known"));
    world.script(Step::AskBudget, Fate::Fails);
    let known = delivery("a", json(NOW, 2, "/known"));
    let unknown = delivery("b", json(NOW, 3, "/unknown"));
    let ingested = world.take_in(&[known, unknown.clone()]);
    assert_eq!(format!("{:?}", ingested.settlements), "[Acknowledge, Retry]");
    assert_eq!((ingested.counted, world.database.borrow().raw.len()), (1, 2));
    assert_eq!(world.take_in(&[unknown]).counted, 1);
}

#[test]
fn a_hundred_thousand_paths_of_one_hour_make_a_thousand_and_one_objects() {
    let world = world(1_000, false, Faults::none());
    for some in 0..1_000u32 {
        let items: Vec<String> =
            (0..100).map(|n| json(NOW, some * 100 + n, &format!("/{some}/{n}"))).collect();
        world.take_in_body(&format!("m{some}"), packed_message(&items));
    }
    assert_eq!(world.objects.borrow().len(), 1_001);
    flush(&world);
    let counted = requests(&world);
    assert_eq!(counted.values().sum::<u64>(), 100_000);
    let other: Vec<u64> =
        counted.iter().filter(|(name, _)| name.starts_with(OTHER)).map(|(_, n)| *n).collect();
    assert_eq!(other, [99_000]);
    assert!(
        counted
            .keys()
            .filter(|name| name.rsplit_once(':').is_some_and(|(path, _)| is_catch_all(path)))
            .count()
            == 1
    );
}
