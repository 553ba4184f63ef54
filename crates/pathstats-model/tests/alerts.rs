//! A minute of the alerts dies between any two steps, fails, or meets another: each notification is told,
//! in order, and told twice only if someone died or failed between the telling and the note of it.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use pathstats_model::alerts::measure::Measure;
use pathstats_model::alerts::notification::Notification;
use pathstats_model::alerts::sample::Sample;
use pathstats_model::alerts::MINUTE_MS;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::alerts::Office;
use support::executor::{alone, interleave, Task};
use support::faults::{Fate, Faults, Step};

/// Minute 0 of these tests: 2025-10-15T14:00.
const START: i64 = 1_760_536_800_000;

fn sample(minute: i64, outbox: f64, letters: f64) -> Sample {
    let values = [(Measure::Outbox, outbox), (Measure::DeadLetters, letters)];
    Sample::new(START + minute * MINUTE_MS, values)
}

/// A run at its time.
fn cron(office: &Office, minute: i64, outbox: f64) {
    let sample = sample(minute, outbox, 0.0);
    let clock_ms = sample.at_ms;
    alone(office.cron(sample, clock_ms));
}

/// The minutes in which the receiver heard of the outbox, which refuses from minute 0 on. In minute 0 the
/// script has its way; `again` has another run of the same minute come behind it.
fn heard(script: &[(Step, Fate)], again: bool) -> Vec<i64> {
    let mut faults = Faults::none();
    for (step, fate) in script {
        faults.script(*step, *fate);
    }
    let office = Office::new(faults);
    cron(&office, 0, 1.0);
    assert!(office.faults.borrow().all_happened(), "{script:?}");
    if again {
        cron(&office, 0, 1.0);
    }
    for minute in 1..20 {
        cron(&office, minute, 1.0);
    }
    let heard = office.heard.borrow();
    let ids: BTreeSet<&str> = heard.iter().map(|heard| heard.id.as_str()).collect();
    assert_eq!(ids.len(), 1, "one id, however often it is told: {heard:?}");
    assert!(office.notifications.borrow().values().all(|kept| kept.status == "sent"));
    heard.iter().map(|heard| (heard.at_ms - START) / MINUTE_MS).collect()
}

#[test]
fn a_run_that_dies_before_or_behind_any_of_its_steps_is_made_up_for() {
    let steps = ["load", "commit", "read", "claim", "send", "end"];
    for point in 0..2 * steps.len() {
        let mut script = vec![(Step::KillCron, Fate::Works); point];
        script.push((Step::KillCron, Fate::Fails));
        let (next, at_once): (&[i64], &[i64]) = match point {
            // Nothing is claimed: the next minute tells it, or the same one if it runs again.
            0..=6 => (&[1], &[0]),
            // It is claimed and not sent: only behind the back-off.
            7 | 8 => (&[1], &[1]),
            // It is sent and not noted: once more, behind the back-off.
            9 | 10 => (&[0, 1], &[0, 1]),
            // It is noted.
            _ => (&[0], &[0]),
        };
        let place = format!("{} {}", if point % 2 == 0 { "before" } else { "behind" }, steps[point / 2]);
        assert_eq!(heard(&script, false), next, "{place}");
        assert_eq!(heard(&script, true), at_once, "{place}, and the minute runs again");
    }
}

#[test]
fn a_step_that_fails_or_only_says_so_is_made_up_for() {
    for (step, fails, says_so) in [
        (Step::LoadAlerts, &[1][..], &[1][..]),
        (Step::CommitAlerts, &[1], &[1]),
        (Step::ReadNotifications, &[1], &[1]),
        (Step::ClaimNotification, &[1], &[1]),
        (Step::SendNotification, &[1], &[0, 1]),
        (Step::EndNotification, &[0, 1], &[0]),
    ] {
        assert_eq!(heard(&[(step, Fate::Fails)], false), fails, "{step:?} fails");
        assert_eq!(heard(&[(step, Fate::FailsButPersists)], false), says_so, "{step:?} says that it fails");
    }
}

#[test]
fn what_was_kept_and_does_not_read_is_given_up_and_holds_back_nothing() {
    let office = Office::new(Faults::none());
    office.faults.borrow_mut().script(Step::SendNotification, Fate::Fails);
    cron(&office, 0, 1.0);
    office.notifications.borrow_mut().values_mut().next().unwrap().body = "{}".to_owned();
    for minute in 1..10 {
        cron(&office, minute, 0.0);
    }
    let kept: Vec<_> = office.notifications.borrow().values().map(|kept| kept.status).collect();
    assert_eq!(kept, ["failed", "sent"]);
    assert_eq!(office.heard.borrow().len(), 1, "the end is told");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(20), ..ProptestConfig::default() })]
    #[test]
    fn whatever_fails_dies_or_overlaps_each_thing_is_told_in_order(
        percent in prop_oneof![1 => Just(0_u64), 3 => 1_u64..25],
        seed in any::<u64>(),
        values in prop::collection::vec((prop_oneof![Just(0.0), Just(1.0), Just(3_000.0)], 0..3_u8), 1..60),
    ) {
        let office = Office::new(Faults::by_chance(percent, seed));
        let mut turns = Faults::by_chance(0, !seed);
        let mut last = 0;
        for (minute, (outbox, letters)) in (0..).zip(&values) {
            let cron = |back: i64| {
                let sample = sample(minute - back, *outbox, f64::from(*letters));
                office.cron(sample, START + minute * MINUTE_MS)
            };
            // This minute twice, and the one before comes late.
            let tasks: Vec<Task<'_>> = vec![
                Box::pin(cron(0)), Box::pin(cron(0)), Box::pin(cron(1)),
            ];
            interleave(tasks, |length| turns.index(length));
            last = minute;
        }
        office.faults.borrow_mut().calm();
        for minute in 1..=200 {
            cron(&office, last + minute, 0.0);
        }
        let (heard, kept) = (office.heard.borrow(), office.notifications.borrow());
        let told: Vec<Notification> =
            kept.values().map(|kept| serde_json::from_str(&kept.body).unwrap()).collect();
        // Everything that was to be told was told, or given up after its last attempt.
        for (told, kept) in told.iter().zip(kept.values()) {
            prop_assert!(matches!(kept.status, "sent" | "failed"), "{} is {}", told.id, kept.status);
            prop_assert!(kept.status == "failed" || heard.iter().any(|heard| heard.id == told.id), "{}", told.id);
        }
        let ids: BTreeSet<&str> = told.iter().map(|told| told.id.as_str()).collect();
        prop_assert_eq!(ids.len(), told.len(), "an id is decided once");
        // For the first time each comes in its order: of a rule the oldest first.
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, heard) in heard.iter().enumerate() {
            prop_assert!(ids.contains(heard.id.as_str()), "{} is told and not kept", heard.id);
            first.entry(&heard.id).or_insert(place);
        }
        for rule in ["outbox", "dead-letters"] {
            let places: Vec<usize> =
                told.iter().filter(|told| told.rule == rule).filter_map(|told| first.get(told.id.as_str()).copied()).collect();
            prop_assert!(places.is_sorted(), "{rule}: {heard:?}");
        }
        if percent == 0 {
            prop_assert_eq!(heard.len(), told.len(), "without a fault nothing is told twice");
        }
    }
}
