//! The totals of the whole system, with runs that die, fail and meet, and with nights that delete what
//! they are made of.

use pathstats_model::hour::{HourBucket, HOUR_MS};
use pathstats_model::limits::TOTALS_PAGE_ROWS;
use pathstats_model::retention::Budget;
use pathstats_model::totals::{keep_up, Done, Part, Period, Source, Total, TotalsStore};
use proptest::prelude::*;

use crate::support::executor::{alone, interleave, pause, Task};
use crate::support::faults::{Fate, Faults};
use crate::support::NOW;
use crate::twin::Twin;
use crate::{budget, calm, event, hour_ago, night, object, CONFIG};

const EVERY_MS: i64 = 60_000;

fn run(twin: &Twin) -> Done {
    alone(keep_up(twin, EVERY_MS, budget()))
}

/// Rings as the object does, until nothing is left to do; tells how often.
fn ring(twin: &Twin, budget: Budget) -> u32 {
    let mut rings = 1;
    while let Some(next) = alone(keep_up(twin, EVERY_MS, budget)).next_ms {
        twin.wait_until(next);
        rings += 1;
        assert!(rings < 200, "it comes to an end");
    }
    rings
}

fn now() -> HourBucket {
    HourBucket::from_ms(NOW)
}

fn day(hour: HourBucket) -> Period {
    Period::Day(hour.date())
}

#[test]
fn hours_and_days_come_to_what_their_paths_come_to() {
    let twin = calm();
    for n in 0..500u32 {
        twin.flush(&format!("/{}", n % 7), now().plus(-i64::from(n % 50)), &event(n));
    }
    let done = run(&twin);
    assert_eq!((done.hours, done.broken, done.failures, done.next_ms), (50, 0, 0, None));
    assert!(done.days >= 3, "{done:?}");
    assert_eq!(twin.total(day(now().plus(-24))), Some((240, 7)));
    twin.check_totals();
}

#[test]
fn nothing_to_do_costs_one_query() {
    let twin = calm();
    twin.flush("/a", now(), &event(1));
    run(&twin);
    twin.wait_until(NOW + HOUR_MS);
    twin.calls.set(0);
    assert_eq!(run(&twin), Done::default());
    assert_eq!(twin.calls.get(), 1);
}

#[test]
fn a_late_event_changes_exactly_its_hour_and_its_day() {
    let twin = calm();
    for hours in 0..48 {
        twin.flush("/a", now().plus(-hours), &event(1));
    }
    run(&twin);
    twin.wait_until(NOW + HOUR_MS);
    let before = twin.totals_written();
    twin.flush("/b", now().plus(-30), &event(2));
    let done = run(&twin);
    assert_eq!((done.hours, done.days, twin.totals_written() - before), (1, 1, 2));
    assert_eq!(twin.total(Period::Hour(now().plus(-30))), Some((2, 2)));
    twin.check_totals();
}

#[test]
fn a_total_is_made_anew_once_in_its_time_and_nothing_is_forgotten() {
    let twin = calm();
    twin.flush("/a", now(), &event(1));
    run(&twin);
    let written = twin.totals_written();
    twin.flush("/a", now(), &event(2));
    let done = run(&twin);
    assert_eq!((done.hours, done.days), (0, 0));
    let next = done.next_ms.unwrap();
    assert!((NOW + EVERY_MS..NOW + EVERY_MS + 10).contains(&next), "{}", next - NOW);
    assert_eq!(twin.total(Period::Hour(now())), Some((1, 1)));
    twin.wait_until(next);
    assert_eq!(run(&twin).hours, 1);
    ring(&twin, budget());
    assert_eq!(twin.totals_written() - written, 2);
    twin.check_totals();
}

#[test]
fn an_hour_of_more_paths_than_a_run_may_read_is_gone_on_with() {
    let twin = calm();
    let paths = u32::try_from(TOTALS_PAGE_ROWS).unwrap() * 6 + 1;
    for n in 0..paths {
        twin.flush(&format!("/{n:05}"), now(), &event(n));
    }
    twin.flush("/a", now().plus(-1), &event(1));
    let small = Budget { queries: 8, until_ms: i64::MAX };
    let done = alone(keep_up(&twin, EVERY_MS, small));
    assert_eq!((done.hours, twin.parts_kept()), (0, 1), "the newest hour is under way");
    assert!(done.next_ms.unwrap() < NOW + 2_000, "it goes on soon");
    // A row that was read already changes: the pass that is under way ends, and another follows.
    twin.flush("/00000", now(), &event(9));
    twin.calls.set(0);
    let rings = ring(&twin, small);
    assert!(twin.calls.get() <= 8 * rings, "{} calls in {rings}", twin.calls.get());
    assert!(rings > 4);
    twin.check_totals();
}

#[test]
fn a_run_ends_when_its_time_is_up_and_keeps_what_it_has() {
    let twin = calm();
    twin.page_rows.set(2);
    for n in 0..40u32 {
        twin.flush(&format!("/{n:02}"), now(), &event(n));
    }
    let mut rings = 0;
    loop {
        let short = Budget { queries: 100, until_ms: twin.now() + 6 };
        rings += 1;
        match alone(keep_up(&twin, EVERY_MS, short)).next_ms {
            Some(next) => twin.wait_until(next),
            None => break,
        }
        assert!(rings < 50);
    }
    assert!(rings > 3);
    twin.check_totals();
}

#[test]
fn when_the_rows_of_a_day_go_its_hours_have_no_totals_and_its_own_stays() {
    let twin = calm();
    twin.never_shrinks.set(true);
    let old = |hour| hour_ago(120, hour);
    for n in 0..20u32 {
        twin.flush(&format!("/{}", n % 4), old(i64::from(n % 10)), &event(n));
    }
    run(&twin);
    assert_eq!((twin.total(day(old(0))), twin.total(Period::Hour(old(3)))), (Some((20, 4)), Some((2, 2))));
    // Some rows go, others wait for their seal.
    twin.seal_all();
    twin.flush("/3", old(3), &event(100));
    night(&twin);
    assert!(twin.hourly_rows() > 0);
    ring(&twin, budget());
    assert_eq!((twin.total(day(old(0))), twin.total(Period::Hour(old(3)))), (Some((21, 4)), None));
    // A late event makes no total of what is left of its hour, and is in the day's after the night.
    twin.flush("/3", old(4), &event(101));
    twin.flush("/new", old(3), &event(102));
    ring(&twin, budget());
    assert_eq!((twin.total(day(old(0))), twin.total(Period::Hour(old(3)))), (Some((21, 4)), None));
    for _ in 0..2 {
        night(&twin);
        ring(&twin, budget());
        assert_eq!((twin.total(day(old(0))), twin.total(Period::Hour(old(3)))), (Some((23, 5)), None));
        twin.check_totals();
        twin.seal_all();
    }
    assert_eq!(twin.hourly_rows(), 0);
}

/// An old day of ten hours, two events each, rolled up and sealed: the next night deletes its rows.
fn old_day() -> Twin {
    let twin = calm();
    twin.never_shrinks.set(true);
    for n in 0..20u32 {
        twin.flush(&format!("/{}", n % 4), hour_ago(120, i64::from(n % 10)), &event(n));
    }
    run(&twin);
    twin.seal_all();
    twin
}

/// What a source comes to now.
fn total_of(twin: &Twin, source: Source) -> Total {
    let mut total = Total::default();
    let page = alone(twin.rows(source, "", 100)).unwrap();
    for row in &page.rows {
        total.add(row).unwrap();
    }
    total
}

/// One more event of the old day, which is in the total of its hour: the day's is to be made.
fn one_more(twin: &Twin) {
    let hour = hour_ago(120, 3);
    twin.flush("/4", hour, &event(100));
    twin.seal_all();
    let pass = alone(twin.begin(Period::Hour(hour))).unwrap().unwrap();
    let source = Source::PathsOfHour(hour);
    alone(twin.finish(source, pass, &total_of(twin, source))).unwrap();
}

#[test]
fn a_pass_over_hours_that_go_under_its_hands_writes_nothing() {
    let twin = old_day();
    let date = hour_ago(120, 0).date();
    one_more(&twin);
    let pass = alone(twin.begin(Period::Day(date))).unwrap().unwrap();
    night(&twin);
    let source = Source::HoursOfDay(date);
    let late = alone(twin.rows(source, "", 100)).unwrap();
    assert_eq!((late.rows.len(), late.is_last), (0, true));
    alone(twin.finish(source, pass, &Total::default())).unwrap();
    assert_eq!(twin.total(Period::Day(date)), Some((20, 4)));
    ring(&twin, budget());
    assert_eq!(twin.total(Period::Day(date)), Some((21, 5)));
    twin.check_totals();
}

#[test]
fn a_part_of_a_pass_over_hours_is_not_gone_on_with_once_they_are_gone() {
    let twin = old_day();
    let date = hour_ago(120, 0).date();
    let period = Period::Day(date);
    one_more(&twin);
    let pass = alone(twin.begin(period)).unwrap().unwrap();
    let mut part = Part { after: String::new(), total: Total::default() };
    let rows = alone(twin.rows(Source::HoursOfDay(date), "", 5)).unwrap().rows;
    for row in &rows {
        part.total.add(row).unwrap();
    }
    part.after.clone_from(&rows[4].key);
    alone(twin.keep_part(period, pass, &part)).unwrap();
    assert_eq!(twin.parts_kept(), 1);
    night(&twin);
    ring(&twin, budget());
    assert_eq!(twin.total(period), Some((21, 5)), "the paths of the day, and nothing of its hours");
    twin.check_totals();
}

#[test]
fn an_older_pass_that_ends_late_takes_nothing_back() {
    let twin = calm();
    let (hour, source) = (Period::Hour(now()), Source::PathsOfHour(now()));
    twin.flush("/a", now(), &event(1));
    let older = alone(twin.begin(hour)).unwrap().unwrap();
    let old = total_of(&twin, source);
    twin.flush("/a", now(), &event(2));
    let newer = alone(twin.begin(hour)).unwrap().unwrap();
    assert!(newer > older);
    let new = total_of(&twin, source);
    twin.flush("/a", now(), &event(3));
    alone(twin.finish(source, newer, &new)).unwrap();
    alone(twin.finish(source, older, &old)).unwrap();
    assert_eq!(twin.total(hour), Some((2, 1)));
    ring(&twin, budget());
    assert_eq!(twin.total(hour), Some((3, 1)));
    twin.check_totals();
}

#[test]
fn totals_of_days_beyond_the_daily_horizon_go_and_none_is_made_of_what_is_left() {
    let twin = calm();
    let old = hour_ago(500, 1);
    twin.flush("/a", old, &event(1));
    twin.flush("/b", old, &event(2));
    run(&twin);
    assert_eq!(twin.total(day(old)), Some((2, 2)));
    twin.seal("/a", old);
    assert_eq!(night(&twin).hourly_rows_deleted, 1);
    twin.flush("/b", old, &event(3));
    ring(&twin, budget());
    assert_eq!((twin.total(day(old)), twin.total(Period::Hour(old))), (None, None));
    twin.seal_all();
    night(&twin);
    assert_eq!(twin.days_known(), 0);
    ring(&twin, budget());
    assert_eq!((twin.total(day(old)), twin.total(Period::Hour(old))), (None, None));
}

#[test]
fn a_row_that_a_repair_takes_away_is_no_longer_in_the_totals() {
    let twin = calm();
    twin.flush("/a", now(), &event(1));
    twin.flush("/phantom", now(), &event(2));
    twin.flush("/phantom-too", now().plus(-1), &event(2));
    run(&twin);
    twin.repair_away("/phantom", now());
    twin.repair_away("/phantom-too", now().plus(-1));
    ring(&twin, budget());
    assert_eq!((twin.total(Period::Hour(now())), twin.total(day(now()))), (Some((1, 1)), Some((1, 1))));
    assert_eq!(twin.total(Period::Hour(now().plus(-1))), Some((0, 0)));
    twin.check_totals();
}

#[test]
fn a_broken_row_is_told_and_the_others_count() {
    let twin = calm();
    twin.flush("/a", now(), &event(1));
    twin.flush("/b", now(), &event(2));
    twin.break_hour("/a", now());
    assert_eq!(run(&twin).broken, 1);
    assert!(twin.reports.borrow()[0].contains("/a is left out of a total"), "{:?}", twin.reports.borrow());
    assert_eq!(twin.total(Period::Hour(now())), Some((1, 1)));
}

/// Some hours, and runs of a small budget until nothing is left; tells the twin and its statements.
fn small_runs(script: impl FnOnce(&Twin)) -> (Twin, u32) {
    let twin = calm();
    twin.page_rows.set(3);
    for n in 0..20u32 {
        twin.flush(&format!("/{}", n % 5), now().plus(-i64::from(n % 3)), &event(n));
    }
    script(&twin);
    ring(&twin, Budget { queries: 11, until_ms: i64::MAX });
    twin.check_totals();
    let calls = twin.calls.get();
    (twin, calls)
}

#[test]
fn every_single_failure_at_every_step_is_made_good_by_the_next_run() {
    let (_, calls) = small_runs(|_| {});
    for fate in [Fate::Fails, Fate::FailsButPersists] {
        for nth in 0..calls {
            let (twin, _) = small_runs(|twin| {
                (0..nth).for_each(|_| twin.script(Fate::Works));
                twin.script(fate);
            });
            assert_eq!(twin.reports.borrow().len(), 1, "{fate:?} at {nth} was met");
        }
    }
}

#[test]
fn a_database_that_is_down_is_asked_a_few_times_and_again_after_a_while() {
    let twin = Twin::new(Faults::by_chance(100, 1), NOW);
    for hours in 0..40 {
        twin.flush("/a", now().plus(-hours), &event(1));
    }
    let done = run(&twin);
    assert!(done.failures > 0 && done.next_ms.unwrap() >= NOW + EVERY_MS, "{done:?}");
    assert!(twin.calls.get() < 10);
    twin.calm();
    ring(&twin, budget());
    twin.check_totals();
}

/// Runs as the object makes them, one after another, some of them small.
fn runs(twin: &Twin, every_ms: i64, budgets: Vec<u32>) -> Task<'_> {
    Box::pin(async move {
        for queries in budgets {
            keep_up(twin, every_ms, Budget { queries, until_ms: i64::MAX }).await;
            pause().await;
        }
    })
}

fn nights(twin: &Twin, nights: u32) -> Task<'_> {
    Box::pin(async move {
        for _ in 0..nights {
            pathstats_model::rollup::nightly(twin, CONFIG.horizons(NOW), budget()).await;
        }
    })
}

/// Brings everything to its end, and holds all totals against what was counted.
fn settle_and_check(twin: &Twin) {
    twin.calm();
    for _ in 0..2 {
        twin.seal_all();
        assert!(night(twin).complete);
        ring(twin, budget());
    }
    twin.check_totals();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever fails, dies or meets: in the end each total is exact.
    #[test]
    fn runs_that_meet_each_other_and_the_night_lose_nothing_and_count_nothing_twice(
        seed in any::<u64>(),
        percent in 0u64..20,
    ) {
        let twin = Twin::new(Faults::by_chance(percent, seed), NOW);
        twin.page_rows.set(2);
        let mut chance = Faults::by_chance(0, seed ^ 0x70_7a15);
        let mut from = 0;
        for _ in 0..4 {
            let mut some = || (0..4).map(|_| 5 + u32::try_from(chance.below(12)).unwrap()).collect::<Vec<_>>();
            let (first, second, third) = (some(), some(), some());
            let mut tasks = vec![
                object(&twin, "/a", from..from + 8, 120),
                object(&twin, "/b", from..from + 4, 120),
                object(&twin, "/c", from..from + 4, 2),
                object(&twin, "/d", from..from + 4, 2),
                object(&twin, "/e", from..from + 4, 2),
                runs(&twin, 3, first),
                runs(&twin, 1, second),
                nights(&twin, 2),
            ];
            // One run dies at some await.
            let last = chance.index(40);
            let mut steps = 0;
            let mut dying = runs(&twin, 1, third);
            tasks.push(Box::pin(std::future::poll_fn(move |context| {
                steps += 1;
                if steps > last {
                    core::task::Poll::Ready(())
                } else {
                    dying.as_mut().poll(context)
                }
            })));
            let hurry = chance.below(3);
            interleave(tasks, |n| if chance.below(3) < hurry { n - 1 } else { chance.index(n) });
            from += 8;
        }
        settle_and_check(&twin);
    }

    /// While one object alone makes them, no total ever tells less than it told before: not while rows
    /// are deleted, and not when late events come to an hour that is partly gone.
    #[test]
    fn a_total_never_shrinks(seed in any::<u64>(), percent in 0u64..20) {
        let twin = Twin::new(Faults::by_chance(percent, seed), NOW);
        twin.page_rows.set(2);
        twin.never_shrinks.set(true);
        let mut chance = Faults::by_chance(0, seed ^ 0x5411_1111);
        let mut from = 0;
        for _ in 0..4 {
            let tasks = vec![
                object(&twin, "/a", from..from + 8, 120),
                object(&twin, "/b", from..from + 8, 120),
                object(&twin, "/c", from..from + 4, 120),
                object(&twin, "/d", from..from + 4, 2),
                runs(&twin, 1, vec![5, 9, 20, 7, 100, 6, 50, 8, 9, 10]),
                nights(&twin, 2),
                nights(&twin, 1),
            ];
            let hurry = chance.below(3);
            interleave(tasks, |n| if chance.below(3) < hurry { n - 1 } else { chance.index(n) });
            from += 8;
        }
        settle_and_check(&twin);
    }
}
