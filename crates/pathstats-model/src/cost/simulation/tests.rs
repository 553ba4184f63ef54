use super::*;
use crate::cost::workload::{Popularity, Shape};

fn window(per_second: f64, seconds: i64) -> Window {
    Window { per_second, length_ms: seconds * 1_000, drain: true, rows_before: 0, hour_of_day: NOON }
}

#[test]
fn every_event_is_stored_and_counted_once() {
    let popularity = Popularity::Even;
    let load = Workload { paths: 20, popularity, late_share: 0.5, late_hours: 3, ..Workload::default() };
    let out = play(&load, &Settings::default(), window(50.0, 60));
    let ops = out.operations;
    assert_eq!(ops.get(Operation::Events), 3_000);
    assert_eq!(ops.get(Operation::QueueReads), 3_000);
    assert_eq!(ops.get(Operation::WorkerRequests), 3_000 + out.batches);
    assert_eq!(out.objects, 80, "twenty paths in four hours");
    assert!(ops.get(Operation::D1RowsWritten) >= 3_000 + out.flushes);
    // A call a group and an alarm a flush, and a few of the snapshot object.
    assert!(ops.get(Operation::ObjectRequests) >= out.updates + out.flushes);
}

#[test]
fn a_batch_is_full_or_has_waited() {
    let out = play(&Workload::default(), &Settings::default(), window(2.0, 60));
    // Ten events every five seconds.
    assert!((11..=13).contains(&out.batches), "{}", out.batches);
    let out = play(&Workload::default(), &Settings::default(), window(1_000.0, 60));
    assert_eq!((out.batches, out.messages), (600, 60_000));
}

#[test]
fn packing_saves_the_queue_and_the_objects() {
    let one = Workload { shape: Shape::Flat, ..Workload::default() };
    let packed = Workload { events_per_message: 100, ..one };
    let of = |load: &Workload| play(load, &Settings::default(), window(200.0, 120)).operations;
    let (single, hundred) = (of(&one), of(&packed));
    assert_eq!(single.get(Operation::QueueWrites), 100 * hundred.get(Operation::QueueWrites));
    assert!(hundred.get(Operation::ObjectRequests) < single.get(Operation::ObjectRequests));
}

#[test]
fn a_busy_object_flushes_once_in_ten_seconds_and_a_quiet_one_once_in_thirty() {
    let flushes = |per_second| {
        let load = Workload { paths: 1, popularity: Popularity::Even, ..Workload::default() };
        play(&load, &Settings::default(), window(per_second, 1_200)).flushes
    };
    assert!((115..=125).contains(&flushes(500.0)), "{}", flushes(500.0));
    assert!((33..=50).contains(&flushes(0.19)), "{}", flushes(0.19));
}

#[test]
fn a_simulation_has_one_answer() {
    let load = Workload { late_share: 0.2, late_hours: 2, ..Workload::default() };
    let once = || play(&load, &Settings::default(), window(300.0, 30));
    assert_eq!(once(), once());
}

#[test]
fn a_run_that_was_seen_is_played_with_its_own_batches() {
    let load = Workload { paths: 20, ..Workload::default() };
    let window = window(50.0, 60);
    let kept = play(&load, &Settings::default(), window);
    // The queue fell behind: all came in two batches, seconds late.
    let batches = vec![(20_000, 100, 1_500), (70_000, 100, 1_500)];
    let run = Observed { batches, delays: Delays::default() };
    let behind = play_observed(&load, &Settings::default(), window, &run);
    assert_eq!((behind.batches, behind.messages, behind.updates), (2, 3_000, 40));
    for operation in [Operation::Events, Operation::QueueWrites, Operation::QueueReads] {
        assert_eq!(behind.operations.get(operation), kept.operations.get(operation), "{operation:?}");
    }
    assert!(
        behind.operations.get(Operation::ObjectRequests) < kept.operations.get(Operation::ObjectRequests)
    );
}

#[test]
fn paths_beyond_the_budget_share_an_object_and_no_event_is_lost() {
    let load = Workload { paths: 400, popularity: Popularity::Even, ..Workload::default() };
    let with =
        |paths_per_hour| play(&load, &Settings { paths_per_hour, ..Settings::default() }, window(100.0, 60));
    let (bounded, free) = (with(50), with(0));
    assert_eq!((bounded.objects, free.objects), (51, 400));
    assert_eq!(bounded.operations.get(Operation::Events), free.operations.get(Operation::Events));
    // Refused paths are asked for by every batch, admitted ones once.
    let calls = |out: &Outcome| out.operations.get(Operation::ObjectRequests) - out.updates - out.flushes;
    assert!(calls(&bounded) >= bounded.batches, "{bounded:?}");
    assert!(calls(&free) < calls(&bounded));
}

#[test]
fn many_that_flush_at_once_ask_for_one_snapshot() {
    let load = Workload { paths: 1_000, popularity: Popularity::Even, ..Workload::default() };
    let out = play(&load, &Settings::default(), window(1_000.0, 120));
    let others = out.operations.get(Operation::ObjectRequests) - out.updates - out.flushes;
    assert!(others * 20 < out.flushes, "{others} calls beside {} flushes", out.flushes);
}
