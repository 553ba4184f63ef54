//! Bytes that are stored or cross between versions are pinned: each golden file reads back, and
//! writes itself again to the last byte. `tests/golden/README.md` says how to change one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a golden file that is not there or broken shall stop its test"
)]

mod support;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;

use pathstats_model::aggregator::{AlarmPlan, FlushRow, Stored};
use pathstats_model::calls::{
    decode_chunk, decode_replies, encode_chunk, encode_replies, CountCall, CountReply, RowState,
};
use pathstats_model::cells::Method;
use pathstats_model::message::{decode_message, pack};
use pathstats_model::packed::{PackedEvent, PackedEvents};
use pathstats_model::snapshot::{hours, Bounds, PathHours, PathSummary, Pointer, Snapshot};
use pathstats_model::totals::PathSketch;
use pathstats_model::{PathHour, PathHourStats, TrafficEvent};
use support::faults::Faults;
use support::object::Object;
use support::{event, NOW};

const LINE: usize = 32;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "GET"];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What the golden file holds, after it was compared with what the code writes now. With `BLESS=1`
/// the file is written first.
fn golden(name: &str, written: &str) -> String {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file(name), written).unwrap();
    }
    let kept = std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(kept == written, "{name} is written otherwise now: see tests/golden/README.md");
    kept
}

/// The same for bytes, kept as lines of hexadecimal digits.
fn golden_bytes(name: &str, written: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    for line in written.chunks(LINE) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    bytes_of(&golden(name, &text))
}

/// The bytes of an older golden file, which are read and no longer written.
fn kept_bytes(name: &str) -> Vec<u8> {
    bytes_of(&std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn bytes_of(kept: &str) -> Vec<u8> {
    let digits: Vec<u8> = kept.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key() -> PathHour {
    event(NOW, 0, "/a:b/🦀").path_hour()
}

/// Events `range` of one path and hour, each of another client, of all methods, some sampled.
fn events(range: std::ops::Range<u32>, sampled: bool) -> Vec<PackedEvent> {
    range
        .map(|n| {
            let mut event = event(NOW - i64::from(n % 1_000), n, "/a:b/🦀");
            event.client_ip_hash = (n % 5 != 0).then(|| u64::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            event.sample_ratio = if sampled { 0.1 } else { 1.0 };
            event.method = METHODS.get(n as usize % METHODS.len()).unwrap().to_string();
            PackedEvent::new(&event)
        })
        .collect()
}

/// The same events as they were packed before methods were told.
fn without_methods(events: &[PackedEvent]) -> Vec<PackedEvent> {
    events.iter().map(|event| PackedEvent { method: Method::Unknown, ..*event }).collect()
}

fn stats_of(events: &[PackedEvent]) -> PathHourStats {
    let mut stats = PathHourStats::default();
    for event in events {
        stats.add(event);
    }
    stats
}

/// The statistics that golden files hold: the ending of their names, their events and clients.
fn kept_statistics() -> [(&'static str, Vec<PackedEvent>, u64); 4] {
    [
        ("empty.hex", events(0..0, false), 0),
        ("small.hex", events(0..7, false), 5),
        ("sampled.hex", events(0..40, true), 32),
        ("large.hex", events(0..6_000, false), 4_800),
    ]
}

#[test]
fn statistics_of_version_2_read_back() {
    for (name, events, clients) in kept_statistics() {
        let stats = stats_of(&events);
        let kept = golden_bytes(&format!("stats-v2-{name}"), &stats.to_bytes());
        let read = PathHourStats::from_bytes(&kept).unwrap();
        assert_eq!(read.to_bytes(), kept, "{name}");
        assert_eq!((read.counters, read.cells()), (stats.counters, stats.cells()), "{name}");
        assert_eq!(read.counters.is_unsampled(), name != "sampled.hex");
        let estimate = read.clients.estimate();
        assert!(estimate.abs_diff(clients) * 50 <= clients, "{name}: {estimate} clients of {clients}");
        assert_eq!(read.latency.percentile_ms(0.95), stats.latency.percentile_ms(0.95), "{name}");
        let head = PathHourStats::head(&kept[..kept.len().min(PathHourStats::HEAD_BYTES)]).unwrap();
        assert_eq!((head.counters, &head.cells), (read.counters, read.cells()), "{name}");
    }
}

#[test]
fn statistics_of_version_1_still_read_and_merge_with_those_of_version_2() {
    for (name, events, _) in kept_statistics() {
        let kept = kept_bytes(&format!("stats-v1-{name}"));
        let mut read = PathHourStats::from_bytes(&kept).unwrap();
        let same = stats_of(&without_methods(&events));
        assert_eq!(read.to_bytes(), same.to_bytes(), "{name}: what is read is written as version 2");
        assert_eq!(read.cells().by_class(Some(Method::Unknown)), read.counters.status_classes, "{name}");
        let head = PathHourStats::head(&kept).unwrap();
        assert_eq!((head.counters, &head.cells), (read.counters, read.cells()), "{name}");

        let later = stats_of(&self::events(6_000..6_100, false));
        let mut turned = later.clone();
        turned.merge(&read).unwrap();
        read.merge(&later).unwrap();
        assert_eq!(read.to_bytes(), turned.to_bytes(), "{name}");
        assert_eq!(read.cells().events(Some(Method::Unknown), None), events.len() as u64, "{name}");
        assert_eq!(read.cells().events(None, None), events.len() as u64 + 100, "{name}");
        assert_eq!(
            PathHourStats::from_bytes(&read.to_bytes()).unwrap().to_bytes(),
            read.to_bytes(),
            "{name}"
        );
    }
}

#[test]
fn statistics_that_were_read_back_count_on_as_if_they_had_never_been_stored() {
    for (first, all) in [(3, 7), (1_200, 1_900), (5_000, 6_000)] {
        let mut read = PathHourStats::from_bytes(&stats_of(&events(0..first, false)).to_bytes()).unwrap();
        for event in &events(first..all, false) {
            read.add(event);
        }
        assert!(read.to_bytes() == stats_of(&events(0..all, false)).to_bytes(), "{first} of {all}");
    }
}

/// An object that counted three events, and one more while the first row was on its way to D1.
fn object() -> Object {
    let faults = RefCell::new(Faults::none());
    let mut object = Object::default();
    for (events, at) in [(events(1..4, false), NOW), (events(2..5, true), NOW + 1)] {
        let call = CountCall::encode(&key(), RowState::Young, &events);
        object.with_log(&faults, |aggregator, log| aggregator.count(log, &call, at)).unwrap();
    }
    object.with_log(&faults, |aggregator, log| aggregator.flushed(log, 1, 0, NOW + 30_000)).unwrap();
    object
}

fn flush_of(stored: Stored) -> FlushRow {
    let mut object = Object { stored, ..Object::default() };
    let faults = RefCell::new(Faults::none());
    match object.with_log(&faults, |aggregator, log| aggregator.alarm(log, NOW + 3_600_000)).unwrap() {
        AlarmPlan::Flush(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_paths_of_a_total_read_back() {
    for (name, paths) in [("path-sketch-small.hex", 3), ("path-sketch-large.hex", 3_000)] {
        let mut sketch = PathSketch::default();
        (0..paths).for_each(|n| sketch.add(&format!("/a:b/🦀/{n}")));
        let kept = golden_bytes(name, &sketch.to_bytes());
        let read = PathSketch::from_bytes(&kept).unwrap();
        assert_eq!(read.to_bytes(), kept, "{name}");
        assert!(read.estimate().abs_diff(paths) * 50 <= paths, "{name}: {}", read.estimate());
    }
}

#[test]
fn an_objects_log_and_checkpoint_read_back() {
    let written = object().stored;
    let rows = vec![
        golden_bytes("log-row-1-v2.hex", &written.rows[0]),
        golden_bytes("log-row-2-v2.hex", &written.rows[1]),
    ];
    let checkpoint = golden_bytes("checkpoint-v2.hex", written.checkpoint.as_ref().unwrap());
    let row =
        flush_of(Stored { checkpoint: Some(checkpoint.clone()), rows: rows.clone(), ..Stored::default() });
    assert_eq!((row.key, row.revision), (key(), 2));
    assert_eq!(row.stats.counters.requests, 4);
    let without = flush_of(Stored { checkpoint: None, rows: rows.clone(), ..Stored::default() });
    assert_eq!(without.stats.to_bytes(), row.stats.to_bytes(), "a log without its checkpoint tells the same");
    // Loaded from the files and flushed again, the object writes the same checkpoint.
    let mut again = Object {
        stored: Stored { checkpoint: Some(checkpoint.clone()), rows, ..Stored::default() },
        ..Object::default()
    };
    let faults = RefCell::new(Faults::none());
    again.with_log(&faults, |aggregator, log| aggregator.flushed(log, 1, 0, NOW + 30_000)).unwrap();
    assert_eq!(again.stored.checkpoint, Some(checkpoint));
}

#[test]
fn a_log_that_was_written_before_methods_were_told_reads_back_and_counts_on() {
    let rows = vec![kept_bytes("log-row-1.hex"), kept_bytes("log-row-2.hex")];
    let checkpoint = Some(kept_bytes("checkpoint.hex"));
    let row = flush_of(Stored { checkpoint: checkpoint.clone(), rows: rows.clone(), ..Stored::default() });
    assert_eq!((row.key, row.revision), (key(), 2));
    let cells = row.stats.cells();
    assert_eq!((cells.events(Some(Method::Unknown), None), cells.events(None, None)), (4, 4));
    let without = flush_of(Stored { checkpoint: None, rows: rows.clone(), ..Stored::default() });
    assert_eq!(without.stats.to_bytes(), row.stats.to_bytes(), "a log without its checkpoint tells the same");
    // The same events come again, with their methods this time, and one more: one is counted.
    let faults = RefCell::new(Faults::none());
    let mut object = Object { stored: Stored { checkpoint, rows, ..Stored::default() }, ..Object::default() };
    let call = CountCall::encode(&key(), RowState::Live, &events(1..6, false));
    let counted = object.with_log(&faults, |aggregator, log| aggregator.count(log, &call, NOW)).unwrap();
    assert_eq!(counted.reply, CountReply::Counted { counted: 1, duplicates: 4 });
    let stats = flush_of(object.stored).stats;
    assert_eq!((stats.counters.requests, stats.cells().events(Some(Method::Unknown), None)), (5, 4));
}

#[test]
fn calls_that_were_sent_before_methods_were_told_read_back() {
    let kept = kept_bytes("count-call.hex");
    let call = CountCall::decode(&kept).unwrap();
    let read: Vec<PackedEvent> = PackedEvents::new(call.events).collect::<Result<_, _>>().unwrap();
    assert_eq!((call.name.parse(), call.row), (Ok(key()), RowState::Live));
    assert_eq!(read, without_methods(&events(1..5, true)));
    let chunk = kept_bytes("chunk.hex");
    let first = CountCall::decode(decode_chunk(&chunk).unwrap()[0]).unwrap();
    let read: Vec<PackedEvent> = PackedEvents::new(first.events).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, without_methods(&events(1..3, false)));
}

#[test]
fn a_call_to_an_object_reads_back() {
    let events = events(1..5, true);
    let kept = golden_bytes("count-call-v2.hex", &CountCall::encode(&key(), RowState::Live, &events));
    let call = CountCall::decode(&kept).unwrap();
    let read: Vec<PackedEvent> = PackedEvents::new(call.events).collect::<Result<_, _>>().unwrap();
    assert_eq!((call.name.parse(), call.row, &read), (Ok(key()), RowState::Live, &events));
    assert_eq!(CountCall::encode(&call.name.parse().unwrap(), call.row, &read), kept);
    let states = [RowState::Young, RowState::Absent, RowState::Live, RowState::Sealed];
    assert_eq!(states.map(|state| CountCall::encode(&key(), state, &[])[1]), [0, 1, 2, 3]);
}

#[test]
fn a_chunk_of_calls_and_its_replies_read_back() {
    let calls = [
        CountCall::encode(&key(), RowState::Absent, &events(1..3, false)),
        CountCall::encode(&key(), RowState::Young, &[]),
    ];
    let kept = golden_bytes("chunk-v2.hex", &encode_chunk(calls.iter().map(Vec::as_slice)));
    assert_eq!(encode_chunk(decode_chunk(&kept).unwrap()), kept);
    let replies =
        [CountReply::Counted { counted: 258, duplicates: 70_000 }, CountReply::NotNow, CountReply::Failed];
    let kept = golden_bytes("count-replies.hex", &encode_replies(&replies));
    assert_eq!(decode_replies(&kept, 3), replies);
    assert_eq!(
        CountReply::decode(&kept[..CountReply::LEN]).map(CountReply::encode).unwrap(),
        kept[..CountReply::LEN]
    );
}

fn full_event() -> TrafficEvent {
    let text = r#"{"id":"1760537400000-a1b2c3d4","timestamp":1760537400000,"path":"/a:b/🦀 \"c\"","method":"POST","status":503,
        "responseTime":12.345,"clientIpHash":"0123456789abcdef","userAgent":"curl/8 é","meta":{"country":"T1"},"sampleRatio":0.25}"#;
    TrafficEvent::from_json(text).unwrap()
}

#[test]
fn an_event_as_json_reads_back() {
    let kept = golden("event.json", &serde_json::to_string(&full_event()).unwrap());
    let read = TrafficEvent::from_json(&kept).unwrap();
    assert_eq!(read, full_event());
    assert_eq!(serde_json::to_string(&read).unwrap(), kept);
}

#[test]
fn a_packed_queue_message_reads_back() {
    let written = pack(&[full_event(), event(NOW, 35, "/")]).unwrap();
    let kept = golden("message.json", &written[0][0]);
    let items = decode_message(&kept, NOW).unwrap();
    assert!(items.refused.is_empty());
    let read: Vec<TrafficEvent> = items.events.into_iter().map(|(_, event)| event).collect();
    assert_eq!(pack(&read).unwrap(), [[kept]]);
}

#[test]
fn a_snapshot_and_its_pointer_read_back() {
    let (from, to) = hours(NOW);
    let path = |path: &str, events: &[PackedEvent]| {
        let mut hours = PathHours::new(from, 24);
        hours.add(from.plus(3), &stats_of(&events[..events.len() / 3]).to_bytes()).unwrap();
        hours.add(to, &stats_of(&events[events.len() / 3..]).to_bytes()).unwrap();
        hours.summary(path.to_owned())
    };
    let paths = vec![
        path("/a:b/🦀", &events(0..100, false)),
        path("/sampled", &events(0..50, true)),
        path("/nothing", &[]),
        PathSummary::new("/without-a-trend".to_owned(), &PathHourStats::default()),
    ];
    let snapshot = Snapshot { version: 1_760_537_400_001, updated_at: NOW, from, to, paths };
    let kept = golden("snapshot-v2.json", &serde_json::to_string_pretty(&snapshot).unwrap());
    let read: Snapshot = serde_json::from_str(&kept).unwrap();
    assert_eq!(read, snapshot);
    assert_eq!(serde_json::to_string_pretty(&read).unwrap(), kept);
    // One that was published before there were bounds and trends.
    let older = std::fs::read_to_string(file("snapshot.json")).unwrap();
    let older: Snapshot = serde_json::from_str(&older).unwrap();
    assert_eq!((older.version, older.from, older.to, older.paths.len()), (snapshot.version, from, to, 3));
    for (old, new) in older.paths.iter().zip(&snapshot.paths) {
        assert_eq!((&old.path, old.requests, old.p95), (&new.path, new.requests, new.p95));
        assert_eq!((old.bounds, old.trend.len(), old.error_trend.len()), (Bounds::default(), 0, 0));
    }
    for (name, prev) in [("pointer.json", Some(1_760_537_390_000)), ("pointer-first.json", None)] {
        let pointer = Pointer { version: 1_760_537_400_001, prev, updated_at: NOW };
        let kept = golden(name, &serde_json::to_string(&pointer).unwrap());
        let read: Pointer = serde_json::from_str(&kept).unwrap();
        assert_eq!(read, pointer);
        assert_eq!(serde_json::to_string(&read).unwrap(), kept);
    }
}
