//! When an object writes to D1, and when it asks for a snapshot.

mod support;

use pathstats_model::calls::CountReply;
use support::faults::{Fate, Step};
use support::{event, json, World, CADENCE, NOW};

const PATH: &str = "/cadence";
const FLUSH: i64 = CADENCE.flush_after_ms;
const FORWARD: i64 = CADENCE.forward_after_ms;

/// Counts event `n` as an update of its own.
fn update(world: &World, n: u32) {
    assert_eq!(world.take_in_body(&format!("m{n}"), json(NOW, n, PATH)).counted, 1);
}

fn flushes(world: &World) -> u64 {
    world.database.borrow().flushes
}

#[test]
fn updates_1_to_9_ask_for_no_snapshot_and_the_10th_does_and_so_does_the_20th() {
    let world = World::calm();
    for n in 1..=20 {
        update(&world, n);
        world.ring_until(world.now.get() + FLUSH);
    }
    let asked: Vec<usize> = world
        .snapshots_asked
        .borrow()
        .iter()
        .enumerate()
        .filter(|(_, asked)| **asked)
        .map(|(at, _)| at + 1)
        .collect();
    assert_eq!(world.snapshots_asked.borrow().len(), 20);
    assert_eq!(asked, [10, 20]);
}

#[test]
fn an_object_evicted_between_all_updates_asks_at_the_same_ones() {
    let world = World::calm();
    for n in 1..=20 {
        update(&world, n);
        world.evict_all();
        world.ring_until(world.now.get() + FLUSH);
        world.evict_all();
    }
    let asked = world.snapshots_asked.borrow();
    assert!(asked.iter().enumerate().all(|(at, asked)| *asked == ((at + 1) % 10 == 0)), "{asked:?}");
}

#[test]
fn the_10th_update_brings_the_flush_forward_and_the_9_before_go_with_it() {
    let world = World::calm();
    for n in 1..=9 {
        update(&world, n);
    }
    world.ring_until(NOW + FORWARD);
    assert_eq!(flushes(&world), 0);
    update(&world, 10);
    world.ring_until(NOW + FORWARD);
    assert_eq!((flushes(&world), world.snapshots_asked.borrow().as_slice()), (1, &[true][..]));
}

#[test]
fn duplicates_are_no_updates() {
    let world = World::calm();
    update(&world, 1);
    for _ in 0..20 {
        assert_eq!(world.take_in_body("again", json(NOW, 1, PATH)).duplicates, 1);
    }
    world.ring_until(NOW + FLUSH);
    assert_eq!(world.snapshots_asked.borrow().as_slice(), [false]);
    assert_eq!(world.database.borrow().hourly.values().next().unwrap().revision, 1);
}

#[test]
fn a_trickle_is_flushed_once_in_flush_after_and_each_change_waits_no_longer() {
    let world = World::calm();
    // Nine updates, so that none brings a flush forward, 7 s apart.
    for n in 1..=9 {
        update(&world, n);
        world.ring_until(world.now.get() + 7_000);
    }
    world.ring_until(world.now.get() + FLUSH);
    // At 0, 35 and 70 s come the changes that wait for the flushes at 30, 65 and 86 s at the latest.
    assert_eq!(flushes(&world), 2);
    assert_eq!(world.database.borrow().hourly.values().next().unwrap().counters.requests, 9);
}

#[test]
fn flushes_brought_forward_keep_their_distance() {
    let world = World::calm();
    for n in 1..=200 {
        update(&world, n);
        world.ring_until(world.now.get() + 100);
    }
    // 200 updates within 20 s: one flush in ten seconds, the first ten after the first update.
    assert_eq!(flushes(&world), 2);
    assert!(world.snapshots_asked.borrow().iter().all(|asked| *asked));
    world.ring_until(world.now.get() + FORWARD);
    assert_eq!(flushes(&world), 2, "nothing is left to flush");
}

#[test]
fn an_update_that_changes_no_due_time_sets_no_alarm() {
    let mut object = support::object::Object::default();
    let faults = std::cell::RefCell::new(support::faults::Faults::none());
    let alarms: Vec<Option<i64>> = (1..=12)
        .map(|n| {
            let event = event(NOW, n, PATH);
            let body = pathstats_model::calls::CountCall::encode(
                &event.path_hour(),
                pathstats_model::calls::RowState::Young,
                &[pathstats_model::packed::PackedEvent::new(&event)],
            );
            let counted =
                object.with_log(&faults, |aggregator, log| aggregator.count(log, &body, NOW)).unwrap();
            assert_eq!(counted.reply, CountReply::Counted { counted: 1, duplicates: 0 });
            counted.alarm
        })
        .collect();
    let set: Vec<(usize, i64)> =
        alarms.iter().enumerate().filter_map(|(at, alarm)| alarm.map(|alarm| (at + 1, alarm))).collect();
    assert_eq!(set, [(1, NOW + FLUSH), (10, NOW + FORWARD)]);
}

#[test]
fn an_evicted_object_still_flushes_by_its_due_time() {
    let world = World::calm();
    update(&world, 1);
    world.wait(20_000);
    world.evict_all();
    // An update after the eviction does not put the flush off.
    update(&world, 2);
    assert_eq!(world.next_alarm(), Some(NOW + FLUSH));
    world.evict_all();
    world.ring_until(NOW + FLUSH);
    assert_eq!(flushes(&world), 1);
}

#[test]
fn an_alarm_that_rings_too_early_waits_for_the_due_time() {
    let world = World::calm();
    update(&world, 1);
    for object in world.objects.borrow_mut().values_mut() {
        object.alarm = Some(NOW + 5);
    }
    world.evict_all();
    world.ring_until(NOW + 5);
    assert_eq!((flushes(&world), world.next_alarm()), (0, Some(NOW + FLUSH)));
}

#[test]
fn a_flush_that_failed_is_tried_again_after_flush_after_until_it_works() {
    let world = World::calm();
    update(&world, 1);
    for _ in 0..20 {
        world.script(Step::Flush, Fate::Fails);
    }
    world.ring_until(NOW + 20 * FLUSH);
    assert_eq!((flushes(&world), world.next_alarm()), (0, Some(NOW + 21 * FLUSH)));
    world.ring_until(NOW + 21 * FLUSH);
    assert_eq!(flushes(&world), 1);
}

#[test]
fn updates_during_an_outage_of_d1_are_flushed_together_when_it_ends() {
    let world = World::calm();
    world.script(Step::Flush, Fate::Fails);
    world.script(Step::Flush, Fate::Fails);
    for n in 1..=25 {
        update(&world, n);
        world.ring_until(world.now.get() + 1_000);
    }
    world.ring_until(NOW + 4 * FLUSH);
    let database = world.database.borrow();
    assert_eq!(database.hourly.values().next().unwrap().counters.requests, 25);
    assert!(world.snapshots_asked.borrow().contains(&true));
}

#[test]
fn d1_is_not_pressed_while_it_is_down_however_many_updates_come() {
    let world = World::calm();
    for _ in 0..100 {
        world.script(Step::Flush, Fate::Fails);
    }
    for n in 1..=600 {
        update(&world, n);
        world.ring_until(world.now.get() + 100);
    }
    // The first tenth update flushes at once, every later one ten seconds after the attempt before.
    let attempts = world.attempts.borrow();
    assert!((2..=7).contains(&attempts.len()), "{attempts:?}");
    assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= FORWARD), "{attempts:?}");
}

#[test]
fn an_update_after_a_failed_flush_waits_for_the_next_attempt() {
    let world = World::calm();
    world.script(Step::Flush, Fate::Fails);
    for n in 1..=9 {
        update(&world, n);
        world.ring_until(world.now.get() + 5_000);
    }
    world.ring_until(NOW + 2 * FLUSH);
    assert_eq!(*world.attempts.borrow(), [NOW + FLUSH, NOW + 2 * FLUSH]);
}

#[test]
fn a_slow_flush_then_an_eviction_keeps_the_distance_to_the_next() {
    use support::executor::{interleave, pause, Task};
    let world = World::calm();
    update(&world, 1);
    world.wait(FLUSH);
    let name = world.due().pop().unwrap();
    let tasks: Vec<Task<'_>> = vec![
        Box::pin(world.ring(&name)),
        Box::pin(async {
            pause().await;
            update(&world, 2);
            world.wait(20_000);
        }),
    ];
    // D1 takes 20 s for the row, and an update comes meanwhile.
    let mut turns = [0, 0, 1, 1].into_iter();
    interleave(tasks, |count| turns.next().unwrap_or(0).min(count - 1));
    let flushed_at = world.now.get();
    assert_eq!(world.next_alarm(), Some(flushed_at + FLUSH));
    world.evict_all();
    update(&world, 3);
    world.ring_until(flushed_at + FLUSH - 1);
    assert_eq!(flushes(&world), 1, "an eviction brings no flush forward");
    world.ring_until(flushed_at + FLUSH);
    assert_eq!(flushes(&world), 2);
}
