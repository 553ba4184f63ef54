//! A day is archived whole and exactly once, wherever a run dies and whatever is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::cast_possible_truncation)]
#![allow(missing_docs)]

mod support;

use std::collections::BTreeSet;

use pathstats_archive::name::Format;
use pathstats_archive::record::Stage;
use pathstats_archive::run::{Order, Outcome, Reconcile, RunError, Settings};
use pathstats_archive::tally::Figures;
use pathstats_model::{EventId, TrafficEvent};
use support::{event, settings, Fault, World, ALL, PART_BYTES};

const JSONL: (Format, Option<Format>) = (Format::Jsonl, None);
const BOTH: (Format, Option<Format>) = (Format::Jsonl, Some(Format::Parquet));
const PARQUET: (Format, Option<Format>) = (Format::Parquet, None);

fn events(range: core::ops::Range<u32>) -> Vec<TrafficEvent> {
    range.map(event).collect()
}

fn ids(events: &[TrafficEvent]) -> BTreeSet<EventId> {
    events.iter().map(|event| event.id).collect()
}

/// Runs until a day is done, at most `most` times.
fn finish(world: &World, formats: (Format, Option<Format>), most: u32) {
    for _ in 0..most {
        if matches!(world.run(&settings(formats), ALL, None), Ok(Outcome::Done)) {
            return;
        }
    }
    panic!("not done after {most} runs: {:?}", world.record());
}

#[test]
fn a_day_is_archived_verified_published_and_cleaned() {
    for formats in [JSONL, BOTH, PARQUET] {
        let all = events(0..3_000);
        let world = World::new(all.clone());
        assert_eq!(world.run(&settings(formats), ALL, None).unwrap(), Outcome::Done);
        world.check(&ids(&all));
        assert_eq!(world.record().status().name(), "archived");
        assert_eq!(world.record().deleted, 3_000);
        assert_eq!(world.rows_read(), 3_000, "each event is read once");
        assert!(world.objects().values().next().unwrap().len() as u64 > 3 * PART_BYTES, "several parts");
        // Again: nothing changes.
        let objects = world.objects();
        assert_eq!(world.run(&settings(formats), ALL, None).unwrap(), Outcome::Done);
        world.check(&ids(&all));
        assert_eq!(world.objects(), objects);
    }
}

#[test]
fn a_small_day_goes_up_in_one_piece_and_an_empty_one_not_at_all() {
    let all = events(0..40);
    let world = World::new(all.clone());
    assert_eq!(world.run(&settings(JSONL), ALL, None).unwrap(), Outcome::Done);
    assert_eq!(world.record().files[0].pages, 1);
    assert_eq!(ids(&world.archived()), ids(&all));
    let world = World::new([]);
    assert_eq!(world.run(&settings(JSONL), ALL, None).unwrap(), Outcome::Nothing);
    assert!(world.objects().is_empty() && !world.has_record());
}

/// Every call, before and after its effect: a death there, and the next runs make it whole.
#[test]
fn a_run_that_dies_anywhere_is_finished_by_the_next() {
    for formats in [JSONL, BOTH, PARQUET] {
        let all = events(0..700);
        let whole = World::new(all.clone());
        whole.run(&settings(formats), ALL, None).unwrap();
        let (calls, objects) = (whole.calls(), whole.objects());
        for call in 0..calls {
            for fault in
                [Fault::DeadBefore(call), Fault::DeadAfter(call), Fault::Refused(call), Fault::Lost(call)]
            {
                let world = World::new(all.clone());
                let _ = world.run(&settings(formats), ALL, Some(fault));
                finish(&world, formats, 4);
                world.check(&ids(&all));
                assert!(world.objects() == objects, "{fault:?}: byte for byte the same");
                // One that was begun and never noted: the bucket drops it by itself.
                assert!(world.uploads_open() <= 1);
            }
        }
    }
}

#[test]
fn deaths_on_deaths_at_any_two_calls() {
    let all = events(0..500);
    let whole = World::new(all.clone());
    whole.run(&settings(JSONL), ALL, None).unwrap();
    for first in (0..whole.calls()).step_by(3) {
        for second in (0..whole.calls()).step_by(4) {
            let world = World::new(all.clone());
            let _ = world.run(&settings(JSONL), ALL, Some(Fault::DeadAfter(first)));
            let _ = world.run(&settings(JSONL), ALL, Some(Fault::DeadBefore(second)));
            finish(&world, JSONL, 4);
            world.check(&ids(&all));
        }
    }
}

/// Each run may make only so many calls.
#[test]
fn work_is_cut_to_the_budget() {
    let all = events(0..2_000);
    for (calls, least) in [(12, 6), (20, 4), (50, 2)] {
        let world = World::new(all.clone());
        let mut runs = 1;
        while world.run_within(&settings(JSONL), ALL, None, calls).unwrap() == Outcome::Unfinished {
            runs += 1;
            assert!(runs < 200, "it goes on: {:?}", world.record());
        }
        assert!(runs >= least, "{runs} runs of {calls} calls");
        world.check(&ids(&all));
    }
}

/// Late events at every call of a run: between read and delete, after the delete.
#[test]
fn an_event_that_comes_late_is_archived_in_a_supplement() {
    let all = events(0..400);
    let late: Vec<TrafficEvent> = events(400..430);
    let whole = World::new(all.clone());
    whole.run(&settings(JSONL), ALL, None).unwrap();
    for call in 0..whole.calls() {
        for fault in [None, Some(Fault::DeadAfter(call + 3))] {
            let world = World::new(all.clone());
            world.arrive_at(call, late.clone());
            let _ = world.run(&settings(JSONL), ALL, fault);
            finish(&world, JSONL, 4);
            let expected = ids(&[all.clone(), late.clone()].concat());
            world.check(&expected);
        }
    }
}

#[test]
fn supplements_are_listed_and_an_event_that_comes_again_is_not_archived_again() {
    let all = events(0..400);
    let world = World::new(all.clone());
    finish(&world, BOTH, 1);
    let first = world.objects();
    // New ones, and some that were counted, archived and deleted before.
    let late = events(400..420);
    world.arrive(late.clone());
    world.arrive_again(events(0..50));
    finish(&world, BOTH, 1);
    world.check(&ids(&[all.clone(), late.clone()].concat()));
    // Only known ones: no file is made.
    world.arrive_again(events(100..410));
    finish(&world, BOTH, 1);
    world.check(&ids(&[all, late].concat()));
    let names: Vec<String> = world.record().files.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(
        names,
        [
            "events-archive/2025/10/2025-10-15.jsonl.gz",
            "events-archive/2025/10/2025-10-15.parquet",
            "events-archive/2025/10/2025-10-15.late-1.jsonl.gz",
            "events-archive/2025/10/2025-10-15.late-1.parquet",
        ]
    );
    for (name, bytes) in first {
        assert_eq!(world.objects()[&name], bytes, "{name} is never written again");
    }
}

/// Archive, die while cleaning, run again, archive once more.
#[test]
fn a_day_that_died_while_it_was_cleaned_keeps_every_line() {
    let all = events(0..1_000);
    let whole = World::new(all.clone());
    whole.run(&settings(JSONL), ALL, None).unwrap();
    let cleaning = whole.calls() - 12;
    let world = World::new(all.clone());
    assert!(world.run(&settings(JSONL), ALL, Some(Fault::DeadAfter(cleaning))).is_err());
    assert!((1..1_000).contains(&world.raw_events()), "{} are left", world.raw_events());
    let objects = world.objects();
    for _ in 0..3 {
        finish(&world, JSONL, 2);
        world.check(&ids(&all));
        assert_eq!(world.objects(), objects);
    }
}

/// The rows of a page go, the run dies before it says so, and just as many others come into their
/// place.
#[test]
fn late_events_as_many_as_were_deleted_are_not_taken_for_them() {
    let all = events(0..120);
    let late = |page: &TrafficEvent, count: u32| -> Vec<TrafficEvent> {
        (0..count)
            .map(|n| {
                let mut event = event(n);
                // Between the first event of the page and the next.
                event.id = EventId::from_parts(page.id.timestamp_ms(), page.id.hash() + 1 + n).unwrap();
                event
            })
            .collect()
    };
    let whole = World::new(all.clone());
    whole.run(&settings(JSONL), ALL, None).unwrap();
    let mut met = 0;
    for call in 0..whole.calls() {
        let world = World::new(all.clone());
        let _ = world.run(&settings(JSONL), ALL, Some(Fault::DeadAfter(call)));
        let gone = all.len() - world.raw_events();
        if gone == 0 {
            continue;
        }
        let mut first = all.clone();
        first.sort_by_key(|event| event.id);
        let came = late(&first[0], u32::try_from(gone).unwrap());
        world.arrive(came.clone());
        met += 1;
        finish(&world, JSONL, 4);
        world.check(&ids(&[all.clone(), came].concat()));
    }
    assert!(met > 0, "a run died after deleting");
}

#[test]
fn an_upload_goes_on_with_its_length_of_parts() {
    let all = events(0..700);
    let world = World::new(all.clone());
    let mut runs = 0;
    // Until the first part is up and noted.
    while world
        .record_if_any()
        .and_then(|r| r.files.first()?.writing.clone()?.upload)
        .is_none_or(|u| u.etags.is_empty())
    {
        runs += 1;
        assert!(runs < 40);
        let _ = world.run_within(&settings(JSONL), ALL, None, 12);
    }
    let other = Settings { part_bytes: PART_BYTES - 1_000, ..settings(JSONL) };
    while !matches!(world.run(&other, ALL, None), Ok(Outcome::Done)) {
        runs += 1;
        assert!(runs < 80);
    }
    world.check(&ids(&all));
    assert_eq!(world.uploads_begun(), 1);
}

#[test]
fn an_error_says_how_far_cleaning_came_and_the_next_run_takes_it_away() {
    let all = events(0..1_000);
    let whole = World::new(all.clone());
    whole.run(&settings(JSONL), ALL, None).unwrap();
    let world = World::new(all.clone());
    let order = Order { clean: false, ..ALL };
    world.run(&settings(JSONL), order, None).unwrap();
    assert_eq!((world.raw_events(), world.record().status().name()), (1_000, "cleaning"));
    let error = world.run(&settings(JSONL), ALL, Some(Fault::Refused(5))).unwrap_err();
    assert!(matches!(error, RunError::Store { .. }), "{error}");
    let told = world.record().error.unwrap();
    assert!(told.contains("refused"), "{told}");
    finish(&world, JSONL, 2);
    world.check(&ids(&all));
}

#[test]
fn two_runs_at_once_never_both_write() {
    let world = World::new(events(0..100));
    world.hold_lease("another", 3_600_000);
    assert!(matches!(world.run(&settings(JSONL), ALL, None), Ok(Outcome::Busy(_))));
    assert!(world.objects().is_empty());
    // Taken over in the middle: the first one notices at its next record, and leaves all as it is.
    for call in 1..30 {
        let world = World::new(events(0..400));
        world.steal_at(call);
        match world.run(&settings(JSONL), ALL, None) {
            Err(RunError::LeaseLost) | Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        finish(&world, JSONL, 4);
        world.check(&ids(&events(0..400)));
    }
}

#[test]
fn an_order_to_convert_makes_the_twin_of_every_file() {
    let all = events(0..400);
    let world = World::new(all.clone());
    finish(&world, JSONL, 1);
    world.arrive(events(400..410));
    finish(&world, JSONL, 1);
    let convert = Order { archive: false, clean: false, convert: Some(Format::Parquet), reconcile: None };
    assert_eq!(world.run(&settings(JSONL), convert, None).unwrap(), Outcome::Done);
    let record = world.record();
    assert_eq!(record.files.len(), 4);
    assert!(record.files.iter().all(|file| file.stage == Stage::Done));
    assert_eq!(record.files[2].records, 400);
    assert_eq!(record.files[3].records, 10);
    world.check(&ids(&events(0..410)));
}

#[test]
fn what_differs_from_the_statistics_is_listed_path_by_path() {
    let world = World::new(events(0..400));
    let hour = event(7).hour();
    world.tamper(|hourly| {
        hourly.get_mut(&(hour, event(7).path)).unwrap().requests += 2;
        hourly.retain(|(of, path), _| *of != hour.plus(1) || path != "/api/1");
    });
    world.run(&settings(JSONL), ALL, None).unwrap();
    let found = world.record().reconciliation;
    assert!(!found.is_equal());
    let difference = found.differences.iter().find(|d| d.path == event(7).path && d.hour == hour).unwrap();
    assert_eq!(difference.counted.requests, difference.archived.requests + 2);
    assert!(found
        .differences
        .iter()
        .all(|d| d.hour == hour || (d.hour == hour.plus(1) && d.path == "/api/1")));

    // Compared again, it is the same; repaired, it is equal.
    let order = |how| Order { archive: false, clean: false, convert: None, reconcile: Some(how) };
    world.run(&settings(JSONL), order(Reconcile::Compare), None).unwrap();
    assert_eq!(world.record().reconciliation.differences, found.differences);
    world.tamper(|hourly| {
        hourly.insert((hour.plus(2), "/never".to_owned()), Figures { requests: 3, ..Figures::default() });
    });
    world.run(&settings(JSONL), order(Reconcile::Repair), None).unwrap();
    world.check(&ids(&events(0..400)));
}

#[test]
fn a_file_of_that_name_is_never_overwritten() {
    let all = events(0..400);
    let name = "events-archive/2025/10/2025-10-15.jsonl.gz";
    let world = World::new(all.clone());
    world.put_object(name, b"somebody's".to_vec());
    let error = world.run(&settings(JSONL), ALL, None).unwrap_err();
    assert!(matches!(error, RunError::Conflict(_)), "{error}");
    assert_eq!((world.objects()[name].as_slice(), world.raw_events()), (&b"somebody's"[..], 400));
    world.drop_object(name);
    finish(&world, JSONL, 4);
    world.check(&ids(&all));
}

#[test]
fn events_stay_in_the_database_when_their_file_is_gone() {
    let world = World::new(events(0..400));
    world.run(&settings(JSONL), Order { clean: false, ..ALL }, None).unwrap();
    world.drop_object("events-archive/2025/10/2025-10-15.jsonl.gz");
    let error = world.run(&settings(JSONL), ALL, None).unwrap_err();
    assert!(matches!(error, RunError::NotWhole { .. }), "{error}");
    assert_eq!(world.raw_events(), 400);
}
