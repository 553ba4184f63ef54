//! Dead letters are tried again: nothing counts twice, nothing is lost, and what still cannot be taken
//! is one letter.

mod support;

use std::future::Future;
use std::task::{Context, Waker};

use pathstats_model::dead_letters::{
    replay, LetterCursor, LetterOutcome, Outcome, ReplayOrder, Replayed, MAX_LETTERS, MAX_REMAINING,
    REPLAY_MS,
};
use pathstats_model::ingest::{ingest, DeadLetter};
use pathstats_model::limits::REPLAY_HORIZON_MS;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::executor::{interleave, Task};
use support::faults::{Fate, Faults, Step};
use support::letters::{all, exhausted, flush, ids, letter, pass, run};
use support::recount::{deliveries, found, recount, Item, Message};
use support::world::delivery;
use support::{json, json_with, packed_message, World, NOW};

/// A message of good events and bad ones, which the queue gave up.
fn mixed() -> Vec<Message> {
    vec![
        Message::Packed(vec![
            Item::Event(1),
            Item::Poison(1),
            Item::Event(2),
            Item::Event(1),
            Item::Poison(4),
            Item::Event(5),
        ]),
        Message::One(Item::Event(7)),
        Message::Nonsense,
        Message::One(Item::Poison(0)),
    ]
}

#[test]
fn a_message_that_was_given_up_counts_once_and_its_letter_is_gone() {
    let world = World::calm();
    exhausted(
        &world,
        &delivery("m", packed_message(&[json(NOW, 1, "/a"), json(NOW, 2, "/b"), json(NOW, 1, "/a")])),
    );
    let replayed = run(&world, &ids(&["m"])).unwrap();
    assert_eq!(
        (replayed.selected, replayed.replayed, replayed.counted, replayed.duplicates, replayed.remaining),
        (1, 1, 2, 1, 0)
    );
    let outcome =
        LetterOutcome { id: "m".to_owned(), outcome: Outcome::Replayed, reason: None, detail: None };
    assert_eq!(replayed.letters, [outcome]);
    assert!(world.database.borrow().dead_letters.is_empty());
    assert_eq!(world.database.borrow().raw.len(), 2);
}

#[test]
fn what_was_counted_before_it_was_given_up_is_a_duplicate() {
    let world = World::calm();
    let message = delivery("m", packed_message(&[json(NOW, 1, "/a"), json(NOW, 2, "/b")]));
    world.take_in_body("other", json(NOW, 1, "/a"));
    exhausted(&world, &message);
    let replayed = run(&world, &all()).unwrap();
    assert_eq!((replayed.counted, replayed.duplicates), (1, 1));
}

#[test]
fn of_a_message_only_what_still_cannot_be_taken_stays_under_the_ids_that_the_queue_would_give() {
    let world = World::calm();
    for message in deliveries(&mixed()) {
        exhausted(&world, &message);
    }
    world.wait(5_000);
    let letters = pass(&world);
    flush(&world);
    assert_eq!(found(&world), recount(&mixed()));
    let outcomes: Vec<(&str, Outcome, Option<&str>)> =
        letters.iter().map(|l| (l.id.as_str(), l.outcome, l.reason.as_deref())).collect();
    assert_eq!(
        outcomes,
        [
            ("m000", Outcome::StillDead, Some("missing_field")),
            ("m001", Outcome::Replayed, None),
            ("m002", Outcome::StillDead, Some("not_json")),
            ("m003", Outcome::StillDead, Some("invalid_field")),
        ]
    );
    let detail = letters[0].detail.as_deref().unwrap();
    assert_eq!(detail, "2 of its events are letters of their own now, the first: field `path` is missing");
    for id in ["m000/1", "m000/4", "m002", "m003"] {
        assert_eq!(letter(&world, id).attempts, 12, "{id}");
        assert_eq!(world.database.borrow().first_seen[id], NOW, "{id} keeps the time it was first seen");
    }
}

#[test]
fn a_letter_that_fails_again_stays_itself_with_one_attempt_more() {
    let world = World::calm();
    world.take_in_body("m", packed_message(&["{}".to_owned(), json(NOW, 1, "/a")]));
    for attempt in 1..4 {
        let replayed = run(&world, &ids(&["m/0"])).unwrap();
        assert_eq!((replayed.still_dead, replayed.counted), (1, 0));
        let database = world.database.borrow();
        let letters: Vec<_> = database.dead_letters.values().map(|l| (l.id.as_str(), l.attempts)).collect();
        assert_eq!(letters, [("m/0", attempt)]);
        assert_eq!(database.dead_letters["m/0"].body, "{}");
    }
}

#[test]
fn an_event_of_the_future_is_taken_once_its_time_has_come() {
    let world = World::calm();
    world.take_in_body("m", json(NOW + 600_000, 1, "/later"));
    assert_eq!(letter(&world, "m").reason, "in_future");
    assert_eq!(run(&world, &all()).unwrap().still_dead, 1);
    world.wait(600_000);
    assert_eq!(run(&world, &all()).unwrap().replayed, 1);
    assert_eq!(run(&world, &all()).unwrap(), Replayed::default());
}

#[test]
fn an_event_of_a_sealed_hour_stays_refused_and_says_so() {
    let world = World::calm();
    world.take_in_body("m", json(NOW, 1, "/old"));
    world.ring_until(NOW + REPLAY_HORIZON_MS);
    world.take_in_body("again", json(NOW, 1, "/old"));
    exhausted(
        &world,
        &delivery("given-up", packed_message(&[json(NOW, 1, "/old"), json(world.now.get(), 2, "/new")])),
    );
    let before = world.database.borrow().hourly.clone();
    let replayed = run(&world, &all()).unwrap();
    assert_eq!((replayed.counted, replayed.still_dead, replayed.replayed), (1, 2, 0));
    for letter in &replayed.letters {
        assert_eq!(letter.reason.as_deref(), Some("sealed"));
        assert!(letter
            .detail
            .as_deref()
            .unwrap()
            .contains("whether this event was counted can no longer be told"));
    }
    let database = world.database.borrow();
    assert_eq!(database.hourly, before, "the sealed row is as it was");
    assert_eq!(database.dead_letters.len(), 1, "both are one letter now: {:?}", database.dead_letters.keys());
}

#[test]
fn letters_that_are_not_there_are_told() {
    let world = World::calm();
    exhausted(&world, &delivery("m", json(NOW, 1, "/a")));
    let replayed = run(&world, &ids(&["gone", "m"])).unwrap();
    assert_eq!((replayed.selected, replayed.replayed, replayed.failed, replayed.remaining), (2, 1, 1, 0));
    let gone = replayed.letters.iter().find(|letter| letter.id == "gone").unwrap();
    assert_eq!((gone.outcome, gone.reason.as_deref()), (Outcome::Failed, Some("not_found")));
}

#[test]
fn a_pass_tries_each_letter_once_and_ends_though_all_stay() {
    let world = World::calm();
    let count = 2 * MAX_LETTERS + 7;
    for n in 0..count {
        world.take_in_body(&format!("m{n:04}"), "nonsense");
    }
    let first = run(&world, &all()).unwrap();
    assert_eq!((first.selected, first.still_dead), (100, 100));
    assert_eq!(first.remaining, (count - MAX_LETTERS) as u64);
    let letters = pass(&world);
    let mut tried: Vec<&str> = letters.iter().map(|letter| letter.id.as_str()).collect();
    tried.dedup();
    assert_eq!((letters.len(), tried.len()), (count, count));
    assert!(world.database.borrow().dead_letters.len() == count);
}

#[test]
fn a_pass_over_one_reason_leaves_the_others_alone() {
    let world = World::calm();
    for n in 0..3 {
        world.wait(1_000);
        world.take_in_body(&format!("n{n}"), "nonsense");
        exhausted(&world, &delivery(&format!("m{n}"), json(NOW, n, "/a")));
    }
    let order = |after| ReplayOrder::All { reason: Some("retries_exhausted".to_owned()), after };
    let replayed = run(&world, &order(None)).unwrap();
    assert_eq!(
        (replayed.selected, replayed.replayed, replayed.remaining, replayed.next_cursor),
        (3, 3, 0, None)
    );
    assert_eq!(world.database.borrow().dead_letters.len(), 3);
    assert!(world.database.borrow().dead_letters.values().all(|letter| letter.attempts == 0));
    exhausted(&world, &delivery("m9", json(NOW, 9, "/a")));
    let behind = LetterCursor { first_seen_ms: world.now.get(), id: "m9".to_owned() };
    assert_eq!(run(&world, &order(Some(behind))).unwrap().selected, 0);
}

#[test]
fn when_the_time_is_up_what_is_left_is_told() {
    let world = World::calm();
    // Three slices: a body of the largest message is 127,000 bytes.
    let agent = "a".repeat(400);
    for n in 0..20 {
        let events: Vec<String> = (0..100)
            .map(|m| json_with(NOW, n * 100 + m, "userAgent", Some(&format!("\"{agent}\""))))
            .collect();
        exhausted(&world, &delivery(&format!("m{n:02}"), packed_message(&events)));
    }
    let tasks: Vec<Task<'_>> = vec![
        Box::pin(async {
            let replayed = replay(&world, &world, &all()).await.unwrap();
            assert!(replayed.selected > 0 && replayed.selected < 20, "{}", replayed.selected);
            assert_eq!(replayed.selected + replayed.remaining, 20);
            assert_eq!(replayed.next_cursor.unwrap().id, replayed.letters.last().unwrap().id);
        }),
        Box::pin(async {
            for _ in 0..3 {
                support::executor::pause().await;
            }
            world.wait(REPLAY_MS);
        }),
    ];
    let mut turn = 0;
    interleave(tasks, |count| {
        turn += 1;
        turn % count
    });
}

#[test]
fn many_letters_are_counted_up_to_a_limit() {
    let world = World::calm();
    for n in 0..MAX_REMAINING + 50 {
        world.database.borrow_mut().keep_letter(
            DeadLetter {
                id: format!("{n:06}"),
                reason: "not_json",
                detail: String::new(),
                body: "x".to_owned(),
                attempts: 0,
            },
            NOW,
        );
    }
    assert_eq!(run(&world, &all()).unwrap().remaining, (MAX_REMAINING - MAX_LETTERS) as u64);
}

/// All letters of the mixed messages, in a world where nothing happened yet.
fn world_of_letters() -> World {
    let world = World::calm();
    for message in deliveries(&mixed()) {
        exhausted(&world, &message);
    }
    world
}

#[test]
fn every_single_failure_at_every_step_is_made_good_by_the_next_replay() {
    let steps = [
        Step::FindLetters,
        Step::ReadLetters,
        Step::RowStates,
        Step::StoreEvents,
        Step::Call,
        Step::Load,
        Step::Append,
        Step::SetAlarm,
        Step::SettleLetters,
    ];
    for step in steps {
        for fate in [Fate::Fails, Fate::FailsButPersists] {
            for nth in 0..3 {
                let world = world_of_letters();
                (0..nth).for_each(|_| world.script(step, Fate::Works));
                world.script(step, fate);
                for _ in 0..4 {
                    let Ok(replayed) = run(&world, &all()) else { continue };
                    assert_eq!(replayed.replayed + replayed.still_dead + replayed.failed, replayed.selected);
                    assert_eq!(replayed.letters.len() as u64, replayed.selected);
                }
                flush(&world);
                assert_eq!(found(&world), recount(&mixed()), "{step:?} {fate:?} at attempt {nth}");
                assert!(nth > 0 || world.faults.borrow().all_happened(), "{step:?} was met");
            }
        }
    }
}

#[test]
fn a_consumer_that_dies_at_any_await_leaves_letters_that_the_next_replay_takes() {
    let mut deaths = 0;
    for awaits in 0.. {
        let world = world_of_letters();
        let survived = {
            let order = all();
            let mut future = Box::pin(replay(&world, &world, &order));
            let mut context = Context::from_waker(Waker::noop());
            (0..=awaits).any(|_| future.as_mut().poll(&mut context).is_ready())
        };
        world.evict_all();
        pass(&world);
        flush(&world);
        assert_eq!(found(&world), recount(&mixed()), "died at await {awaits}");
        if survived {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 8, "{deaths} awaits");
}

#[test]
fn what_was_discarded_during_a_replay_does_not_come_back() {
    for awaits in 0..12 {
        let world = world_of_letters();
        let order = all();
        let tasks: Vec<Task<'_>> = vec![
            Box::pin(async {
                let _ = replay(&world, &world, &order).await;
            }),
            Box::pin(async {
                world.database.borrow_mut().discard("m000");
                world.database.borrow_mut().discard("m002");
            }),
        ];
        let mut turn = 0;
        interleave(tasks, |count| {
            turn += 1;
            usize::from(turn > awaits).min(count - 1)
        });
        let database = world.database.borrow();
        let left: Vec<&str> = database.dead_letters.keys().map(String::as_str).collect();
        // Discarded before it was settled: all of it is gone. After: what took its place was not discarded.
        assert!(left == ["m003"] || left == ["m000/1", "m000/4", "m003"], "{awaits}: {left:?}");
    }
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![8 => (0u32..60).prop_map(Item::Event), 1 => (0u32..5).prop_map(Item::Poison)]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        4 => any_item().prop_map(Message::One),
        8 => proptest::collection::vec(any_item(), 0..10).prop_map(Message::Packed),
        1 => Just(Message::Nonsense),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6c65_7474),
        ..ProptestConfig::default()
    })]

    #[test]
    fn replays_at_once_with_the_queue_and_with_failures_count_each_event_once(
        messages in proptest::collection::vec(any_message(), 1..20),
        percent in prop_oneof![Just(0u64), 1u64..15, 15u64..50],
        seed in any::<u64>(),
    ) {
        let expected = recount(&messages);
        let world = World::at(NOW, Faults::by_chance(percent, seed));
        let sent = deliveries(&messages);
        for message in &sent {
            exhausted(&world, message);
        }
        for _ in 0..6 {
            // Three replays, one of them of single letters, while the queue delivers the same messages.
            let some: Vec<String> = world.database.borrow().dead_letters.keys().take(3).cloned().collect();
            let orders = [all(), all(), ReplayOrder::Ids(some)];
            let mut tasks: Vec<Task<'_>> = Vec::new();
            for order in &orders {
                let world = &world;
                tasks.push(Box::pin(async move { drop(replay(world, world, order).await) }));
            }
            let (world_of, sent_of) = (&world, &sent);
            tasks.push(Box::pin(async move { drop(ingest(world_of, sent_of, NOW).await) }));
            interleave(tasks, |count| world.faults.borrow_mut().index(count));
            world.evict_all();
        }
        world.faults.borrow_mut().calm();
        pass(&world);
        pass(&world);
        flush(&world);
        prop_assert_eq!(found(&world), expected);
    }
}

#[test]
fn a_letter_tells_the_events_id_and_nothing_else_of_its_body() {
    let letter = |body: &str| DeadLetter {
        id: "message/0".to_owned(),
        reason: "sealed",
        detail: String::new(),
        body: body.to_owned(),
        attempts: 1,
    };
    let id = |body| letter(body).event_id().map(|id| id.to_string());
    assert_eq!(
        id(r#"{"id":"1760500000000-0000002a","path":"/a"}"#).as_deref(),
        Some("1760500000000-0000002a")
    );
    for other in ["", "no event", r#"{"id":"ann@example.com"}"#, r#"{"id":7}"#, "[]"] {
        assert_eq!(id(other), None, "{other}");
    }
}
