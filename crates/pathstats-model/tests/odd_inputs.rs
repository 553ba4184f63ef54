//! Odd inputs: each does what it shall, and none stops its batch.

mod support;

use pathstats_model::ingest::{Delivery, Ingested, Settlement};
use pathstats_model::{HourBucket, PathHour};
use support::faults::{Fate, Step};
use support::world::delivery;
use support::{json, json_with, packed_message, World, NOW};

const DAY: i64 = 86_400_000;

/// Takes a batch in that holds this body between two valid events. All three are acknowledged.
fn between_two_valid_ones(world: &World, body: &str) -> Ingested {
    let batch = [
        delivery("before", json(NOW, 1, "/good")),
        delivery("odd", body),
        delivery("after", json(NOW, 2, "/good")),
    ];
    let ingested = world.take_in(&batch);
    assert_eq!(ingested.settlements, [Settlement::Acknowledge; 3], "{body}");
    ingested
}

/// Whole milliseconds of an instant written as `2024-02-29T00` and minutes, seconds, milliseconds.
fn at(hour: &str, rest_ms: i64) -> i64 {
    hour.parse::<HourBucket>().map(HourBucket::start_ms).unwrap_or_default() + rest_ms
}

#[test]
fn odd_paths_are_counted_under_their_own_name() {
    let longest = format!("/{}", "é".repeat(511));
    let widest = format!("/{}", "🦀".repeat(511));
    let paths = [
        "/",
        "//",
        "/a:b",
        "/a:2025-10-15T14",
        "/:::",
        "/a%2Fb",
        "/a/b",
        "/a b",
        "/🦀/é",
        "/\"'\\",
        &longest,
        &widest,
    ];
    let world = World::calm();
    for (n, path) in (0u32..).zip(paths) {
        let ingested = world.take_in_body(&format!("m{n}"), json(NOW, n, path));
        assert_eq!((ingested.counted, ingested.dead_letters), (1, 0), "{path}");
    }
    world.evict_all();
    world.ring_until(NOW + 60_000);
    let database = world.database.borrow();
    assert_eq!(database.hourly.len(), paths.len(), "none is taken for another");
    for path in paths {
        let key = PathHour { path: path.to_owned(), hour: HourBucket::from_ms(NOW) };
        assert_eq!(database.hourly[&key.to_string()].counters.requests, 1, "{path}");
        assert_eq!(key.to_string().parse(), Ok(key));
    }
}

#[test]
fn a_path_that_is_too_long_or_no_path_becomes_a_dead_letter() {
    for path in [format!("/{}", "é".repeat(512)), "api".to_owned(), String::new(), "/a\u{0}b".to_owned()] {
        let world = World::calm();
        let ingested = between_two_valid_ones(&world, &json(NOW, 3, &path));
        assert_eq!((ingested.counted, ingested.dead_letters), (2, 1), "{path:?}");
        assert_eq!(world.database.borrow().dead_letters["odd"].reason, "invalid_field");
    }
}

#[test]
fn hours_across_midnight_and_leap_days_are_hours_of_their_own() {
    let world = World::calm();
    let times = [
        ("2024-02-28T23", 3_599_999),
        ("2024-02-29T00", 0),
        ("2024-02-29T23", 3_599_999),
        ("2024-03-01T00", 0),
        ("2023-02-28T23", 3_599_999),
        ("2023-03-01T00", 0),
        ("2024-12-31T23", 3_599_999),
        ("2025-01-01T00", 0),
    ];
    let events: Vec<String> =
        (0u32..).zip(times).map(|(n, (hour, ms))| json(at(hour, ms), n, "/leap")).collect();
    assert_eq!(world.take_in_body("m", packed_message(&events)).counted, 8);
    world.ring_until(NOW + 60_000);
    let names: Vec<String> = world.database.borrow().hourly.keys().cloned().collect();
    let mut expected: Vec<String> = times.iter().map(|(hour, _)| format!("/leap:{hour}")).collect();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn the_next_millisecond_is_the_next_hour() {
    let world = World::at(at("2024-03-01T00", 0), support::faults::Faults::none());
    let turn = at("2024-02-29T00", 0) + DAY;
    let events = [json(turn - 1, 1, "/turn"), json(turn, 2, "/turn")];
    assert_eq!(world.take_in_body("m", packed_message(&events)).groups, 2);
}

#[test]
fn an_event_of_the_far_future_is_refused_and_one_within_five_minutes_is_counted() {
    let world = World::calm();
    assert_eq!(between_two_valid_ones(&world, &json(NOW + DAY, 3, "/future")).dead_letters, 1);
    let letter = world.database.borrow().dead_letters["odd"].clone();
    assert_eq!((letter.reason, letter.attempts), ("in_future", 0));
    assert!(letter.detail.contains("86400 s in the future: at most 300 s"), "{}", letter.detail);
    assert_eq!(world.take_in_body("edge", json(NOW + 300_000, 4, "/future")).counted, 1);
    assert_eq!(world.take_in_body("beyond", json(NOW + 300_001, 5, "/future")).dead_letters, 1);
}

#[test]
fn an_event_a_year_old_is_counted() {
    let world = World::calm();
    assert_eq!(world.take_in_body("m", json(NOW - 365 * DAY, 1, "/import")).counted, 1);
    world.ring_until(NOW + 60_000);
    assert_eq!(world.database.borrow().hourly.keys().next().unwrap(), "/import:2024-10-15T14");
}

#[test]
fn what_is_no_event_becomes_one_dead_letter_with_its_reason_and_stops_nothing() {
    let nan = json(NOW, 3, "/odd").replace("\"responseTime\":0.375", "\"responseTime\":NaN");
    assert!(nan.contains("NaN"));
    for (body, reason, says) in [
        ("not json", "not_json", "expected ident"),
        ("", "not_json", "EOF"),
        ("\u{feff}{}", "not_json", "not JSON"),
        (&nan, "not_json", "not JSON"),
        ("null", "not_an_object", "found null"),
        ("[{}]", "not_an_object", "found an array"),
        ("7", "not_an_object", "found a number"),
        ("{}", "missing_field", "`id`"),
        (&json_with(NOW, 3, "timestamp", None), "missing_field", "`timestamp`"),
        (&json_with(NOW, 3, "path", None), "missing_field", "`path`"),
        (&json_with(NOW, 3, "method", Some("null")), "missing_field", "`method`"),
        (&json_with(NOW, 3, "status", None), "missing_field", "`status`"),
        (&json_with(NOW, 3, "status", Some("99")), "invalid_field", "`status` is 99"),
        (&json_with(NOW, 3, "status", Some("\"200\"")), "invalid_field", "`status` is \"200\""),
        (&json_with(NOW, 3, "timestamp", Some("-1")), "invalid_field", "`timestamp` is -1"),
        (&json_with(NOW, 3, "responseTime", Some("-0.001")), "invalid_field", "`responseTime` is -0.001"),
        (&json_with(NOW, 3, "responseTime", Some("\"NaN\"")), "invalid_field", "`responseTime` is \"NaN\""),
        (&json_with(NOW, 3, "id", Some("\"-000000000001-00000003\"")), "invalid_field", "`id`"),
        (&json_with(NOW, 3, "version", Some("2")), "invalid_field", "`version` is 2"),
        ("{\"version\":2,\"events\":[]}", "unknown_version", "version 2"),
        ("{\"version\":1,\"events\":[NaN]}", "not_json", "not JSON"),
    ] {
        let world = World::calm();
        let ingested = between_two_valid_ones(&world, body);
        assert_eq!((ingested.counted, ingested.dead_letters), (2, 1), "{body}");
        let database = world.database.borrow();
        let letter = &database.dead_letters["odd"];
        assert_eq!((letter.reason, letter.body.as_str()), (reason, body));
        assert!(letter.detail.contains(says), "{body}: {}", letter.detail);
        assert_eq!(database.dead_letters.len(), 1);
    }
}

#[test]
fn a_wrong_event_within_a_packed_message_becomes_one_dead_letter_and_the_others_count() {
    let world = World::calm();
    let wrong = json_with(NOW, 3, "status", Some("99"));
    let items = [json(NOW, 4, "/good"), wrong.clone(), json(NOW, 5, "/good"), json(NOW + DAY, 6, "/good")];
    let ingested = between_two_valid_ones(&world, &packed_message(&items));
    assert_eq!((ingested.counted, ingested.dead_letters), (4, 2));
    let database = world.database.borrow();
    assert_eq!(
        database.reasons().into_iter().collect::<Vec<_>>(),
        [("odd/1".to_owned(), "invalid_field"), ("odd/3".to_owned(), "in_future")]
    );
    assert_eq!(database.dead_letters["odd/1"].body, wrong);
}

#[test]
fn an_empty_message_and_an_empty_batch_are_acknowledged() {
    let world = World::calm();
    assert_eq!(world.take_in(&[]), Ingested::default());
    let ingested = world.take_in_body("m", "{\"version\":1,\"events\":[]}");
    assert_eq!((ingested.settlements.as_slice(), ingested.groups), (&[Settlement::Acknowledge][..], 0));
}

#[test]
fn a_poison_message_delivered_again_stays_one_dead_letter_as_it_first_was() {
    let world = World::calm();
    world.take_in_body("poison", "nonsense");
    let first = world.database.borrow().dead_letters.clone();
    for failed_before in 1..4 {
        let again = Delivery { failed_before, ..delivery("poison", "nonsense") };
        assert_eq!(world.take_in(&[again]).settlements, [Settlement::Acknowledge]);
    }
    assert_eq!(world.database.borrow().dead_letters, first);
}

#[test]
fn dead_letters_that_cannot_be_stored_bring_only_their_own_messages_again() {
    for fate in [Fate::Fails, Fate::FailsButPersists] {
        let world = World::calm();
        world.script(Step::StoreDeadLetters, fate);
        let mixed = packed_message(&[json(NOW, 3, "/good"), "{}".to_owned()]);
        let batch =
            [delivery("good", json(NOW, 1, "/good")), delivery("odd", "nonsense"), delivery("mixed", mixed)];
        let ingested = world.take_in(&batch);
        assert_eq!(ingested.settlements, [Settlement::Acknowledge, Settlement::Retry, Settlement::Retry]);
        assert_eq!((ingested.counted, ingested.dead_letters), (2, 0));
        assert_eq!(*world.reports.borrow(), ["dead letters were not stored: an outage of the test"]);
        let again = world.take_in(&batch[1..]);
        assert_eq!(again.settlements, [Settlement::Acknowledge; 2]);
        assert_eq!((again.counted, again.duplicates), (0, 1));
        assert_eq!(world.database.borrow().dead_letters.keys().collect::<Vec<_>>(), ["mixed/1", "odd"]);
    }
}

#[test]
fn rows_that_cannot_be_read_bring_only_messages_with_old_hours_again() {
    for fate in [Fate::Fails, Fate::FailsButPersists] {
        let world = World::calm();
        world.script(Step::RowStates, fate);
        let old = |n| json(NOW - 30 * DAY, n, "/old");
        let batch = [
            delivery("young", json(NOW, 1, "/young")),
            delivery("old", old(2)),
            delivery("both", packed_message(&[old(3), json(NOW, 4, "/young")])),
            delivery("poison", "nonsense"),
        ];
        let ingested = world.take_in(&batch);
        assert_eq!(
            ingested.settlements,
            [Settlement::Acknowledge, Settlement::Retry, Settlement::Retry, Settlement::Acknowledge]
        );
        assert_eq!((ingested.counted, ingested.dead_letters), (2, 1));
        assert_eq!(*world.reports.borrow(), ["hourly rows were not read: an outage of the test"]);
        let again = world.take_in(&batch[1..3]);
        assert_eq!((again.counted, again.duplicates), (2, 1));
        assert_eq!(again.settlements, [Settlement::Acknowledge; 2]);
    }
}

#[test]
fn young_hours_are_counted_without_a_look_at_their_rows() {
    let world = World::calm();
    world.script(Step::RowStates, Fate::Fails);
    assert_eq!(
        world.take_in_body("m", json(NOW - 3 * DAY, 1, "/young")).settlements,
        [Settlement::Acknowledge]
    );
    assert!(world.reports.borrow().is_empty());
}

#[test]
fn raw_rows_that_cannot_be_stored_bring_every_message_again_and_nothing_is_counted_unrecorded() {
    let world = World::calm();
    world.script(Step::StoreEvents, Fate::Fails);
    let batch = [delivery("a", json(NOW, 1, "/a")), delivery("b", json(NOW, 2, "/b"))];
    let ingested = world.take_in(&batch);
    assert_eq!((ingested.settlements.as_slice(), ingested.counted), (&[Settlement::Retry; 2][..], 0));
    assert!(world.objects.borrow().is_empty());
    assert_eq!(world.take_in(&batch).counted, 2);
}

#[test]
fn a_group_that_failed_brings_only_its_own_messages_again() {
    let world = World::calm();
    world.script(Step::Call, Fate::Fails);
    let batch: Vec<Delivery> =
        (0..10u32).map(|n| delivery(&format!("m{n}"), json(NOW, n, &format!("/{}", n % 5)))).collect();
    let ingested = world.take_in(&batch);
    let again: Vec<usize> = (0..10).filter(|at| ingested.settlements[*at] == Settlement::Retry).collect();
    assert_eq!(again.len(), 2);
    assert_eq!(again[0] + 5, again[1], "the two messages of one path");
    assert_eq!(ingested.counted, 8);
}
