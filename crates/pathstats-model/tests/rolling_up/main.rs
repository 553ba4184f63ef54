//! Rolling up and deleting, with runs that die, fail, meet each other and meet late events.
#![allow(missing_docs, reason = "a test's name is its documentation")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;
mod totals;
mod twin;

use pathstats_model::cells::Method;
use pathstats_model::hour::{HourBucket, DAY_MS};
use pathstats_model::packed::{PackedEvent, WEIGHT_ONE};
use pathstats_model::retention::{Budget, RetentionConfig};
use pathstats_model::rollup::{go_on, nightly, Done};
use pathstats_model::EventDate;
use proptest::prelude::*;
use support::executor::{alone, interleave, pause, Task};
use support::faults::Faults;
use support::NOW;
use twin::Twin;

const CONFIG: RetentionConfig =
    RetentionConfig { raw_days: 3, hourly_days: 90, daily_days: 400, queries: 900 };

fn budget() -> Budget {
    Budget { queries: 100_000, until_ms: i64::MAX }
}

fn event(n: u32) -> PackedEvent {
    PackedEvent {
        offset_ms: n % 3_600_000,
        hash: n,
        method: Method::Get,
        status: if n.is_multiple_of(4) { 500 } else { 200 },
        response_time_us: Some(1_000 + n * 37 % 90_000),
        client_ip_hash: Some(u64::from(n % 11)),
        weight_milli: WEIGHT_ONE,
    }
}

fn hour_ago(days: i64, hour: i64) -> HourBucket {
    EventDate::from_ms(NOW - days * DAY_MS).first_hour().plus(hour)
}

fn calm() -> Twin {
    Twin::new(Faults::none(), NOW)
}

fn night(twin: &Twin) -> Done {
    alone(nightly(twin, CONFIG.horizons(NOW), budget()))
}

fn check(twin: &Twin) {
    let horizons = CONFIG.horizons(NOW);
    twin.check(horizons.daily_from, horizons.open_from);
}

#[test]
fn a_closed_day_becomes_a_row_and_an_open_one_does_not() {
    let twin = calm();
    for n in 0..100 {
        twin.flush("/a", hour_ago(1, i64::from(n % 24)), &event(n));
        twin.flush("/a", hour_ago(0, 0), &event(n));
    }
    let done = night(&twin);
    assert_eq!((done.days_rolled_up, done.daily_rows_written, done.complete), (1, 1, true));
    assert_eq!(twin.daily("/a", hour_ago(1, 0).date()).unwrap().hours.count(), 24);
    assert!(twin.daily("/a", hour_ago(0, 0).date()).is_none());
    check(&twin);
    assert_eq!(twin.hourly_rows(), 25, "nothing is old");
}

#[test]
fn a_night_without_changes_costs_what_looking_costs() {
    let twin = calm();
    twin.flush("/a", hour_ago(1, 5), &event(1));
    night(&twin);
    twin.calls.set(0);
    let done = night(&twin);
    assert_eq!(done, Done { complete: true, ..Done::default() });
    assert_eq!(twin.calls.get(), 3);
}

#[test]
fn a_late_event_brings_one_row_up_to_date() {
    let twin = calm();
    for path in ["/a", "/b", "/c"] {
        twin.flush(path, hour_ago(2, 3), &event(1));
    }
    assert_eq!(night(&twin).daily_rows_written, 3);
    twin.flush("/b", hour_ago(2, 9), &event(2));
    let done = night(&twin);
    assert_eq!((done.days_rolled_up, done.daily_rows_written), (1, 1));
    check(&twin);
}

#[test]
fn old_hours_go_when_they_are_sealed_and_their_day_stays() {
    let twin = calm();
    for n in 0..10 {
        twin.flush("/a", hour_ago(120, i64::from(n)), &event(n));
        twin.flush("/b", hour_ago(120, i64::from(n)), &event(n));
        twin.flush("/young", hour_ago(80, i64::from(n)), &event(n));
    }
    (0..10).for_each(|n| twin.seal("/a", hour_ago(120, n)));
    (0..9).for_each(|n| twin.seal("/b", hour_ago(120, n)));
    let done = night(&twin);
    assert_eq!(done.hourly_rows_deleted, 10, "an object may still write a row of /b");
    assert!(done.complete, "nothing more can be done tonight");
    twin.seal("/b", hour_ago(120, 9));
    assert_eq!(night(&twin).hourly_rows_deleted, 10);
    assert_eq!((twin.hourly_rows(), twin.days_known()), (10, 1));
    check(&twin);
}

#[test]
fn what_comes_after_the_hours_went_is_added_to_their_day() {
    let twin = calm();
    for n in 0..10 {
        twin.flush("/a", hour_ago(120, i64::from(n)), &event(n));
    }
    twin.seal_all();
    night(&twin);
    assert_eq!(twin.hourly_rows(), 0);
    // Twice, to the same hour and to another, each time with a night before and after the seal.
    for round in 0..2 {
        twin.flush("/a", hour_ago(120, 3), &event(100 + round));
        twin.flush("/a", hour_ago(120, 20), &event(200 + round));
        night(&twin);
        check(&twin);
        assert_eq!((twin.hourly_rows(), twin.bases()), (2, 1));
        night(&twin);
        check(&twin);
        twin.seal_all();
        night(&twin);
        check(&twin);
        assert_eq!((twin.hourly_rows(), twin.bases()), (0, 0));
    }
    let row = twin.daily("/a", hour_ago(120, 0).date()).unwrap();
    assert_eq!((row.hours.count(), row.stats.counters.requests), (11, 14));
}

#[test]
fn an_hour_that_changes_between_roll_up_and_deletion_is_not_lost() {
    let twin = calm();
    twin.flush("/a", hour_ago(120, 1), &event(1));
    twin.seal_all();
    let few = Budget { queries: 9, until_ms: i64::MAX };
    let done = alone(nightly(&twin, CONFIG.horizons(NOW), few));
    assert_eq!((done.days_rolled_up, done.hourly_rows_deleted, done.complete), (1, 0, false));
    twin.flush("/a", hour_ago(120, 1), &event(2));
    twin.seal_all();
    let done = alone(go_on(&twin, CONFIG.horizons(NOW), budget()));
    assert_eq!(done.hourly_rows_deleted, 0, "the daily row lacks an event");
    assert_eq!(night(&twin).hourly_rows_deleted, 1);
    check(&twin);
}

#[test]
fn an_hour_that_was_repaired_after_its_seal_is_rolled_up_again_before_it_goes() {
    let twin = calm();
    twin.flush("/a", hour_ago(120, 1), &event(1));
    twin.flush("/a", hour_ago(2, 1), &event(1));
    twin.seal("/a", hour_ago(2, 1));
    night(&twin);
    twin.seal_all();
    twin.repair("/a", hour_ago(120, 1), &event(2));
    twin.repair("/a", hour_ago(2, 1), &event(2));
    let done = night(&twin);
    assert_eq!((done.daily_rows_written, done.hourly_rows_deleted), (2, 1));
    check(&twin);
}

#[test]
fn days_beyond_the_daily_horizon_go_without_a_row() {
    let twin = calm();
    twin.flush("/a", hour_ago(500, 1), &event(1));
    twin.flush("/a", hour_ago(500, 2), &event(2));
    twin.seal("/a", hour_ago(500, 1));
    assert_eq!(night(&twin).hourly_rows_deleted, 1);
    twin.seal_all();
    assert_eq!(night(&twin).hourly_rows_deleted, 1);
    assert_eq!((twin.hourly_rows(), twin.days_known()), (0, 0));
    // A daily row grows old.
    twin.flush("/b", hour_ago(399, 1), &event(1));
    twin.seal_all();
    night(&twin);
    let later = CONFIG.horizons(NOW + 10 * DAY_MS);
    let done = alone(nightly(&twin, later, budget()));
    assert_eq!((done.daily_rows_deleted, done.complete), (1, true));
}

#[test]
fn a_broken_hour_is_told_and_stays() {
    let twin = calm();
    for n in 0..3 {
        twin.flush("/a", hour_ago(120, i64::from(n)), &event(n));
        twin.flush("/b", hour_ago(120, i64::from(n)), &event(n));
    }
    twin.seal_all();
    twin.break_hour("/a", hour_ago(120, 1));
    let done = night(&twin);
    assert_eq!((done.broken, done.hourly_rows_deleted, done.complete), (1, 3, true));
    assert!(twin.reports.borrow()[0].contains("/a"));
    assert_eq!(twin.daily("/a", hour_ago(120, 0).date()).unwrap().stats.counters.requests, 2);
    assert_eq!(twin.hourly_rows(), 3);
}

#[test]
fn a_small_budget_comes_through_in_steps() {
    let twin = calm();
    for n in 0..3_000u32 {
        twin.flush(&format!("/{:04}", n % 1_000), hour_ago(95 + i64::from(n % 3), 1), &event(n));
    }
    twin.seal_all();
    let small = Budget { queries: 15, until_ms: i64::MAX };
    let mut done = alone(nightly(&twin, CONFIG.horizons(NOW), small));
    let mut runs = 1;
    while !done.complete {
        twin.calls.set(0);
        done = alone(go_on(&twin, CONFIG.horizons(NOW), small));
        assert!(twin.calls.get() <= 15);
        runs += 1;
        assert!(runs < 60, "{done:?}");
    }
    assert_eq!(twin.hourly_rows(), 0);
    check(&twin);
}

#[test]
fn a_database_that_is_down_ends_the_run_soon_and_loses_nothing() {
    let twin = Twin::new(Faults::by_chance(100, 1), NOW);
    for days in 1..40 {
        twin.flush("/a", hour_ago(days, 1), &event(1));
    }
    let done = night(&twin);
    assert!(!done.complete && done.failures > 0);
    assert!(twin.calls.get() < 10);
    twin.calm();
    assert!(night(&twin).complete);
    check(&twin);
}

/// What an object does at some moment.
fn object<'a>(twin: &'a Twin, path: &'a str, numbers: core::ops::Range<u32>, day: i64) -> Task<'a> {
    Box::pin(async move {
        for n in numbers {
            twin.flush(path, hour_ago(day, i64::from(n % 2)), &event(n));
            pause().await;
            if n % 4 == 0 {
                twin.repair(path, hour_ago(day, 0), &event(1_000 + n));
                pause().await;
            }
            if n % 3 > 0 {
                (0..2).for_each(|hour| twin.seal(path, hour_ago(day, hour)));
                pause().await;
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever fails, dies or meets: in the end each day is counted exactly once, and what is old is gone.
    #[test]
    fn runs_that_meet_and_fail_lose_nothing_and_count_nothing_twice(seed in any::<u64>(), percent in 0u64..20) {
        let twin = Twin::new(Faults::by_chance(percent, seed), NOW);
        let mut chance = Faults::by_chance(0, seed ^ 0x5eed);
        let horizons = CONFIG.horizons(NOW);
        let runs = |nights: u64, queries: u32| -> Task<'_> {
            let twin = &twin;
            let budget = Budget { queries, until_ms: i64::MAX };
            Box::pin(async move {
                for _ in 0..nights {
                    nightly(twin, horizons, budget).await;
                    go_on(twin, horizons, budget).await;
                }
            })
        };
        let mut from = 0;
        for _ in 0..4 {
            let mut tasks = vec![
                object(&twin, "/a", from..from + 12, 120),
                object(&twin, "/b", from..from + 4, 120),
                object(&twin, "/a", from..from + 4, 2),
                runs(1, 15 + u32::try_from(chance.below(20)).unwrap()),
                runs(3, 900),
                runs(2, 900),
            ];
            // One run dies at some await.
            let last = chance.index(40);
            let mut steps = 0;
            let mut dying = runs(1, 900);
            tasks.push(Box::pin(std::future::poll_fn(move |context| {
                steps += 1;
                if steps > last {
                    core::task::Poll::Ready(())
                } else {
                    dying.as_mut().poll(context)
                }
            })));
            // Some are faster than others.
            let hurry = chance.below(3);
            interleave(tasks, |n| if chance.below(3) < hurry { n - 1 } else { chance.index(n) });
            from += 12;
        }
        twin.calm();
        twin.seal_all();
        let done = night(&twin);
        prop_assert!(done.complete);
        check(&twin);
        prop_assert!(twin.bases_left_are_the_rows_themselves());
        prop_assert_eq!(twin.days_known(), 1, "the day of 120 days ago is gone");
    }
}
