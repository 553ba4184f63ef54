//! The built program restores archives: every event arrives, and never one of a bad archive.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/archives.rs"]
mod archives;
mod support;

use std::fs;

use archives::{as_jsonl, day, err, Bench};
use serde_json::{json, Value};
use support::{wait_until, Behaviour, Server};

#[test]
fn every_event_is_restored_from_either_format() {
    let bench = Bench::new();
    for file in ["2025-10-15.jsonl.gz", "2025-10-15.parquet"] {
        let server = Server::start(Behaviour { unavailable_every: Some(3), ..Behaviour::default() });
        let done = bench.run(&["restore", "--json", "--batch-events", "50", "--to", &server.url(), file]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((&summary["accepted"], &summary["outcome"]), (&json!(360), &json!("done")));
        let sent: Vec<_> = server.events();
        let expected: Vec<Value> = day().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        assert_eq!(sent, expected);
    }
}

/// An export of several days is lines as they are, and restored as an archive is.
#[test]
fn an_export_is_restored() {
    let bench = Bench::new();
    let mut events: Vec<Value> = day().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let mut next = events[0].clone();
    let later = next["timestamp"].as_i64().unwrap() + 3 * 86_400_000;
    next["timestamp"] = json!(later);
    next["id"] = json!(format!("{later}-00000001"));
    events.push(next);
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    fs::write(bench.path("export.jsonl"), lines.join("\n") + "\n").unwrap();
    let server = Server::start(Behaviour::default());
    let done = bench.run(&["restore", "--json", "--to", &server.url(), "export.jsonl"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(server.events(), events);

    fs::write(bench.path("twice.jsonl"), format!("{}\n{}\n", lines[0], lines[0])).unwrap();
    let done = bench.run(&["restore", "--to", &server.url(), "twice.jsonl"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert!(err(&done).contains("stands there twice"), "{done:?}");
}

#[test]
fn a_killed_restore_goes_on_where_it_was() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { hold_after: Some(3), ..Behaviour::default() });
    let url = server.url();
    let arguments = [
        "restore",
        "--json",
        "--batch-events",
        "20",
        "--concurrency",
        "1",
        "--to",
        &url,
        "2025-10-15.parquet",
    ];
    let mut child = bench.command(&arguments).spawn().unwrap();
    wait_until("a body is held back", || server.held() > 0);
    let journals = bench.folder.path().join("state/pathstats");
    let noted = |line: u64| {
        fs::read_dir(&journals).unwrap().any(|journal| {
            let journal = fs::read_to_string(journal.unwrap().path()).unwrap_or_default();
            let journal: Value = serde_json::from_str(&journal).unwrap_or_default();
            journal["position"]["line"] == line
        })
    };
    wait_until("three bodies are noted", || noted(60));
    child.kill().unwrap();
    child.wait().unwrap();
    server.release();
    let done = bench.run(&arguments);
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    assert_eq!((&summary["resumedAfterLines"], &summary["accepted"]), (&json!(60), &json!(360)));
    let ids: Vec<_> = day().iter().map(|event| event.id.to_string()).collect();
    assert!(server.ids().keys().eq(&ids));
}

#[test]
fn nothing_is_sent_when_one_archive_is_bad() {
    let bench = Bench::new();
    let whole = as_jsonl(&day());
    bench.write("2025-10-15.jsonl.gz", &whole[..whole.len() - 1]);
    let server = Server::start(Behaviour::default());
    let done = bench.run(&["restore", "--to", &server.url(), "2025-10-15.parquet", "2025-10-15.jsonl.gz"]);
    assert_eq!((done.status.code(), server.requests()), (Some(2), 0), "{done:?}");
    assert!(err(&done).contains("gzip member 4") && err(&done).contains("nothing is sent"), "{done:?}");
}
