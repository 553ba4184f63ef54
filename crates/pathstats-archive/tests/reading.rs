//! Readers see each event once, whatever the archiver does meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::cast_possible_truncation)]
// Times of tests are positive.
#![allow(clippy::cast_sign_loss)]
#![allow(missing_docs)]

// The runs' tests use the rest of it.
#[path = "support/shelf.rs"]
mod shelf;
#[allow(dead_code)]
mod support;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use pathstats_archive::name::{ArchiveName, Format};
use pathstats_archive::page::Page;
use pathstats_archive::reading::{
    check_size, DownloadParameters, Export, ExportParameters, Library, Query, QueryParameters, ReadError,
    EXPORT_CALLS, QUERY_CALLS,
};
use pathstats_archive::record::{DayRecord, FileRecord, Source, Stage};
use pathstats_archive::store::{Batch, Lease, Store};
use pathstats_model::hour::{EventDate, DAY_MS};
use pathstats_model::problem::Problem;
use pathstats_model::{EventId, TrafficEvent};
use proptest::prelude::*;
use serde_json::Value;
use shelf::{date, event, Act, Shelf, State, FIRST_MS};
use support::{settings, World, ALL};

fn pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.into(), value.into())
    })
}

/// Runs a future whose calls all answer at once.
fn block_on<T>(future: impl core::future::Future<Output = T>) -> T {
    let mut future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        core::task::Poll::Ready(value) => value,
        core::task::Poll::Pending => unreachable!("nothing waits"),
    }
}

fn export_text<L: Library>(library: &L, parameters: &str) -> Result<String, ReadError> {
    let mut export = Export::new(ExportParameters::read(pairs(parameters)).unwrap());
    let mut bytes = Vec::new();
    while let Some(chunk) = block_on(export.next(library))? {
        bytes.extend(chunk);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn exported<L: Library>(library: &L, from_ms: i64, to_ms: i64) -> Result<Vec<TrafficEvent>, ReadError> {
    let text = export_text(library, &format!("from={from_ms}&to={to_ms}"))?;
    Ok(text.lines().map(|line| TrafficEvent::from_json(line).unwrap()).collect())
}

/// All chunks of an answer to a query, as the JSON that they are.
fn answer(shelf: &Shelf, parameters: &str) -> Result<Value, Problem> {
    let parameters = QueryParameters::read(pairs(parameters)).unwrap();
    let mut query = Query::new(parameters, 0)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = block_on(query.next(shelf)).unwrap() {
        bytes.extend(chunk);
    }
    Ok(serde_json::from_slice(&bytes).unwrap())
}

/// Asks until there is no more. The events, and how many were looked at.
fn answers(shelf: &Shelf, parameters: &str) -> (Vec<TrafficEvent>, u64, u32) {
    let (mut events, mut scanned, mut requests) = (Vec::new(), 0, 0);
    let mut cursor = String::new();
    loop {
        let answer = answer(shelf, &format!("{parameters}{cursor}")).unwrap();
        let some = answer["events"].as_array().unwrap();
        events.extend(some.iter().map(|event| TrafficEvent::from_json(&event.to_string()).unwrap()));
        scanned += answer["scanned"].as_u64().unwrap();
        requests += 1;
        match answer["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (events, scanned, requests),
        }
    }
}

fn some_events() -> impl Strategy<Value = Vec<TrafficEvent>> {
    // Few times, so that ids lie close together; three days.
    let one = (0..3_i64, prop_oneof![0..20_i64, (DAY_MS - 10)..DAY_MS], 0..4_u32);
    prop::collection::vec(one.prop_map(|(day, ms, n)| event(day * DAY_MS + ms, n)), 0..25)
}

fn some_act() -> impl Strategy<Value = Act> {
    let format = prop_oneof![3 => Just(Format::Jsonl), 1 => Just(Format::Parquet)];
    prop_oneof![
        2 => some_events().prop_map(Act::Arrive),
        3 => (0..3_i64, format, prop::bool::weighted(0.9))
            .prop_map(|(day, format, whole)| Act::Archive { date: date(day), format, whole }),
        3 => (0..3_i64, 0..30_usize).prop_map(|(day, rows)| Act::Clean { date: date(day), rows }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in the database, in files or in both, and whatever is moved between two calls.
    #[test]
    fn an_export_holds_each_event_once_and_by_id(
        before in prop::collection::vec(some_act(), 0..12),
        first in some_events(),
        meanwhile in prop::collection::vec((0..60_u32, some_act()), 0..25),
        moved in prop::collection::vec((0..40_u32, 0..3_i64), 0..6),
        range in (0..3 * DAY_MS, 0..3 * DAY_MS, any::<bool>()),
    ) {
        let mut shelf = Shelf::new([vec![Act::Arrive(first)], before].concat());
        let mut all: BTreeMap<EventId, TrafficEvent> = BTreeMap::new();
        {
            // Everything that is there at the start: rows, and whole files.
            let state = shelf.state.borrow();
            all.extend(state.rows.clone());
            for event in state.archived.iter().map(|id| event(id.timestamp_ms() - FIRST_MS, id.hash())) {
                all.insert(event.id, event);
            }
        }
        for (call, act) in meanwhile {
            shelf.script.entry(call).or_default().push(act);
        }
        // Whole days go from the database into a file between two calls.
        for (call, day) in moved {
            let archive = Act::Archive { date: date(day), format: Format::Jsonl, whole: true };
            shelf.script.entry(call).or_default().extend([archive, Act::Clean { date: date(day), rows: usize::MAX }]);
        }
        let (from, to) = if range.2 { (0, 3 * DAY_MS) } else { (range.0.min(range.1), range.0.max(range.1) + 1) };
        let (from, to) = (FIRST_MS + from, FIRST_MS + to);
        let events = exported(&shelf, from, to).unwrap();
        prop_assert!(events.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
        let ids: BTreeSet<EventId> = events.iter().map(|event| event.id).collect();
        for event in &events {
            prop_assert!((from..to).contains(&event.id.timestamp_ms()));
            let known = self::event(event.id.timestamp_ms() - FIRST_MS, event.id.hash());
            prop_assert_eq!(event, &known);
        }
        for (id, _) in all.iter().filter(|(id, _)| (from..to).contains(&id.timestamp_ms())) {
            prop_assert!(ids.contains(id), "{} is missing", id);
        }
    }

    /// As for an export, and over many answers.
    #[test]
    fn a_query_pages_through_all_that_matches(
        before in prop::collection::vec(some_act(), 0..12),
        first in some_events(),
        meanwhile in prop::collection::vec((0..60_u32, some_act()), 0..25),
        hours in (0..24_i64, 0..24_i64),
        filter in prop_oneof![Just(""), Just("&path=/1"), Just("&status=404"), Just("&status=5xx"), Just("&path=/2&status=2xx")],
        limit in 1..30_u32,
    ) {
        let mut shelf = Shelf::new([vec![Act::Arrive(first)], before].concat());
        let (from, to) = (hours.0.min(hours.1), hours.0.max(hours.1) + 1);
        let query = format!(
            "date=2025-10-15{filter}&limit={limit}&from={}&to={}",
            FIRST_MS + from * DAY_MS / 24,
            FIRST_MS + to * DAY_MS / 24,
        );
        let wanted = QueryParameters::read(pairs(&query)).unwrap();
        let matches = |event: &TrafficEvent| {
            (wanted.from_ms..wanted.to_ms).contains(&event.id.timestamp_ms()) && wanted.filter.matches(event)
        };
        let mut there: BTreeSet<EventId> = shelf.state.borrow().rows.keys().copied().collect();
        there.extend(&shelf.state.borrow().archived);
        for (call, act) in meanwhile {
            shelf.script.entry(call).or_default().push(act);
        }
        let (found, looked_at, requests) = answers(&shelf, &query);
        prop_assert!(found.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
        let ids: BTreeSet<EventId> = found.iter().map(|event| event.id).collect();
        for found in &found {
            prop_assert_eq!(found, &event(found.id.timestamp_ms() - FIRST_MS, found.id.hash()));
            prop_assert!(matches(found));
        }
        for id in there {
            let known = event(id.timestamp_ms() - FIRST_MS, id.hash());
            prop_assert!(ids.contains(&id) || !matches(&known), "{} is missing", id);
        }
        prop_assert!(looked_at >= found.len() as u64);
        prop_assert!(requests <= found.len() as u32 / limit + 1);
    }
}

/// An export beside the real archiver.
struct Beside<'a> {
    world: &'a World,
    calls: Cell<u32>,
    /// A run is begun before this call, and before each so many further ones.
    at: u32,
    every: u32,
    /// Calls that each run may make.
    calls_of_run: u32,
}

impl Beside<'_> {
    fn call(&self) {
        let call = self.calls.get();
        self.calls.set(call + 1);
        if call >= self.at && (call - self.at).is_multiple_of(self.every) {
            self.world.run_within(&settings((Format::Jsonl, None)), ALL, None, self.calls_of_run).unwrap();
        }
    }
}

impl Library for Beside<'_> {
    type Error = String;

    fn now_ms(&self) -> i64 {
        Store::now_ms(self.world)
    }

    async fn record(&self, date: EventDate) -> Result<Option<DayRecord>, String> {
        self.call();
        // A lease that has ended already: to look at the record.
        match self.world.lease(date, "reader", 0).await? {
            Lease::Granted(held) => Ok(Some(held.record)),
            Lease::Busy(_) => Err("between two runs, none holds the day".to_owned()),
        }
    }

    async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Result<Batch, String> {
        self.call();
        Store::events(self.world, date, after, limit).await
    }

    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>, String> {
        self.call();
        Store::pages(self.world, file, from, limit).await
    }

    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        self.call();
        Store::read(self.world, file, offset, length).await
    }
}

#[test]
fn an_export_beside_the_real_archiver_holds_each_event_once() {
    let mut all: Vec<TrafficEvent> = (0..1_000).map(support::event).collect();
    all.sort_by_key(|event| event.id);
    let day = support::day();
    for at in 0..22 {
        for (every, calls_of_run) in [(1, 5), (3, 9), (1_000, 1_000)] {
            let world = World::new(all.clone());
            let beside = Beside { world: &world, calls: Cell::new(0), at, every, calls_of_run };
            let events = exported(&beside, day.start_ms(), day.end_ms()).unwrap();
            assert!(events == all, "from call {at}, every {every}: {} of 1000", events.len());
        }
    }
}

/// Supplements of the whole day, each with pages larger than its part of the memory.
#[test]
fn many_files_at_once_are_merged_in_bounded_parts() {
    const FILES: u32 = 40;
    let shelf = Shelf { page_events: 2_000, batch_rows: 4_096, ..Shelf::new(Vec::new()) };
    for file in 0..FILES {
        let events = (0..2_000).map(|n| event(i64::from(n) * 1_000 + i64::from(file), file)).collect();
        shelf.act(Act::Arrive(events));
        shelf.act(Act::Archive { date: date(0), format: Format::Jsonl, whole: true });
        shelf.act(Act::Clean { date: date(0), rows: usize::MAX });
    }
    let events = exported(&shelf, FIRST_MS, FIRST_MS + DAY_MS).unwrap();
    assert_eq!(events.len(), 80_000);
    assert!(events.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!(shelf.reads.get(), 2 * FILES, "each page is read for each of its parts");
}

#[test]
fn a_page_that_cannot_be_read_is_an_error_and_no_end() {
    let archive = Act::Archive { date: date(0), format: Format::Jsonl, whole: true };
    let events: Vec<TrafficEvent> = (0..40).map(|n| event(n, 1)).collect();
    let damages: [fn(&mut State); 4] = [
        |state| state.objects.values_mut().for_each(|bytes| bytes[500] ^= 1),
        |state| state.objects.values_mut().for_each(|bytes| bytes.truncate(500)),
        |state| state.objects.clear(),
        |state| state.pages.values_mut().for_each(|pages| drop(pages.remove(3))),
    ];
    for damage in damages {
        let shelf = Shelf::new(vec![Act::Arrive(events.clone()), archive.clone()]);
        shelf.act(Act::Clean { date: date(0), rows: 100 });
        damage(&mut shelf.state.borrow_mut());
        assert!(exported(&shelf, FIRST_MS, FIRST_MS + DAY_MS).is_err());
        let parameters = QueryParameters::read(pairs("date=2025-10-15&limit=1000")).unwrap();
        let mut query = Query::new(parameters, 0).unwrap();
        let error = loop {
            match block_on(query.next(&shelf)) {
                Ok(Some(chunk)) => assert!(!chunk.ends_with(b"}"), "no whole answer"),
                Ok(None) => panic!("an end"),
                Err(error) => break error,
            }
        };
        assert!(
            error.to_string().contains("2025-10-15") || error.to_string().contains("cannot be read"),
            "{error}"
        );
    }
}

#[test]
fn a_query_that_finds_little_ends_before_its_budget_and_can_go_on() {
    let shelf = Shelf { page_events: 1, ..Shelf::new(Vec::new()) };
    let mut events: Vec<TrafficEvent> = (0..1_000).map(|n| event(n, 1)).collect();
    events[999].path = "/last".to_owned();
    shelf.act(Act::Arrive(events));
    shelf.act(Act::Archive { date: date(0), format: Format::Jsonl, whole: true });
    let first = answer(&shelf, "date=2025-10-15&path=/last").unwrap();
    assert_eq!(first["events"].as_array().unwrap().len(), 0);
    assert!(first["scanned"].as_u64().unwrap() < u64::from(QUERY_CALLS) && !first["nextCursor"].is_null());
    assert!(shelf.calls.get() <= QUERY_CALLS);
    let (found, scanned, requests) = answers(&shelf, "date=2025-10-15&path=/last");
    assert_eq!((found.len(), scanned), (1, 1_000));
    assert!((2..=4).contains(&requests), "{requests}");
}

#[test]
fn a_cursor_is_good_for_its_query_alone_wherever_the_events_have_gone() {
    let shelf = Shelf::new(vec![Act::Arrive((0..20).map(|n| event(n, 1)).collect())]);
    let first = answer(&shelf, "date=2025-10-15&status=404&limit=1").unwrap();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = format!("date=2025-10-15&status=404&limit=9&cursor={cursor}");
    let of_rows = answer(&shelf, &rest).unwrap();
    shelf.act(Act::Archive { date: date(0), format: Format::Jsonl, whole: true });
    shelf.act(Act::Clean { date: date(0), rows: usize::MAX });
    assert_eq!(answer(&shelf, &rest).unwrap(), of_rows);
    for other in [
        format!("date=2025-10-15&status=4xx&cursor={cursor}"),
        format!("date=2025-10-15&cursor={cursor}"),
        format!("date=2025-10-15&status=404&path=/1&cursor={cursor}"),
        format!("date=2025-10-15&status=404&cursor={cursor}0"),
        "date=2025-10-15&status=404&cursor=".to_owned(),
    ] {
        let problem = answer(&shelf, &other).unwrap_err();
        assert_eq!(problem.status, 400, "{other}");
        assert!(problem.detail.contains("`cursor`"), "{}", problem.detail);
    }
    let nothing = answer(&shelf, "date=2025-10-16").unwrap();
    assert_eq!(nothing.to_string(), r#"{"date":"2025-10-16","events":[],"nextCursor":null,"scanned":0}"#);
}

#[test]
fn a_query_from_a_late_hour_of_a_large_file_looks_few_pages_up() {
    let shelf = Shelf { page_events: 1, ..Shelf::new(Vec::new()) };
    shelf.act(Act::Arrive((0..5_000).map(|n| event(n * 10_000, 1)).collect()));
    shelf.act(Act::Archive { date: date(0), format: Format::Jsonl, whole: true });
    shelf.act(Act::Clean { date: date(0), rows: usize::MAX });
    let from = FIRST_MS + 4_990 * 10_000;
    let answer = answer(&shelf, &format!("date=2025-10-15&from={from}")).unwrap();
    assert_eq!((answer["scanned"].as_u64(), answer["nextCursor"].is_null()), (Some(10), true));
    assert!(shelf.calls.get() < 40, "{} calls", shelf.calls.get());
}

#[test]
fn a_download_is_a_whole_file_that_the_record_names() {
    let mut record = DayRecord::new(date(0));
    let file = |supplement, format, stage| {
        let path = ArchiveName { date: date(0), supplement, format };
        FileRecord { stage, ..FileRecord::new(path, Source::Database) }
    };
    record.files = vec![
        file(0, Format::Parquet, Stage::Done),
        file(0, Format::Jsonl, Stage::Verified),
        file(1, Format::Parquet, Stage::Verifying),
    ];
    let found = |text: &str| {
        let parameters = DownloadParameters::read(pairs(text)).unwrap();
        parameters.file(Some(&record)).map(|file| file.path.to_string()).map_err(|problem| problem.status)
    };
    let parquet = "events-archive/2025/10/2025-10-15.parquet".to_owned();
    assert_eq!(found("date=2025-10-15"), Ok(parquet.clone()));
    assert_eq!(found("date=2025-10-15&format=parquet"), Ok(parquet.clone()));
    assert_eq!(found("date=2025-10-15&format=jsonl"), Ok(parquet.replace("parquet", "jsonl.gz")));
    assert_eq!(found("date=2025-10-15&supplement=1"), Err(404));
    assert_eq!(found("date=2025-10-15&supplement=2&format=jsonl"), Err(404));
    let nothing = DownloadParameters::read(pairs("date=2025-10-16")).unwrap();
    assert_eq!(nothing.file(None).unwrap_err().status, 404);
}

#[test]
fn a_range_of_too_many_pages_is_refused_before_it_is_begun() {
    let shelf = Shelf { page_events: 1, ..Shelf::new(Vec::new()) };
    let hour = DAY_MS / 24;
    let count = i64::from(EXPORT_CALLS) + 50;
    shelf.act(Act::Arrive((0..count).map(|n| event(n * (DAY_MS / count), 1)).collect()));
    shelf.act(Act::Archive { date: date(0), format: Format::Jsonl, whole: true });
    shelf.act(Act::Clean { date: date(0), rows: usize::MAX });
    let records: Vec<DayRecord> = shelf.state.borrow().records.values().cloned().collect();
    let range = |from: i64, to: i64| {
        ExportParameters::read(pairs(&format!("from={}&to={}", FIRST_MS + from, FIRST_MS + to))).unwrap()
    };
    let problem = check_size(&range(0, DAY_MS), &records).unwrap_err();
    assert!(problem.status == 400 && problem.detail.contains("`to`"), "{}", problem.detail);
    assert!(exported(&shelf, FIRST_MS, FIRST_MS + DAY_MS).is_err(), "and were it begun, it is no end");
    // What is accepted comes to its end.
    let half = range(6 * hour, 18 * hour);
    assert_eq!(check_size(&half, &records), Ok(()));
    assert_eq!(exported(&shelf, half.from_ms, half.to_ms).unwrap().len() as u64, count.unsigned_abs() / 2);
}

#[test]
fn an_export_in_csv_has_its_names_even_without_events() {
    let shelf = Shelf::new(vec![Act::Arrive(vec![event(5, 7)])]);
    let text = export_text(&shelf, "from=2025-10-15&to=2025-10-16&format=csv&anonymize=true").unwrap();
    assert_eq!(
        text,
        "id,timestamp,path,method,status,responseTime,country,sampleRatio\r\n\
         1760486400005-00000007,1760486400005,/0,GET,404,1.75,,1\r\n"
    );
    let empty = export_text(&shelf, "from=2025-10-17&to=2025-10-18&format=csv").unwrap();
    assert_eq!(empty.lines().count(), 1);
    assert_eq!(export_text(&shelf, "from=2025-10-17&to=2025-10-18").unwrap(), "");
}
