//! The built program with archives: what it says of them, in order or not.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/archives.rs"]
mod archives;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use archives::{as_jsonl, as_parquet, day, err, event, out, Bench};
use serde_json::{json, Value};

#[test]
fn a_folder_is_listed_with_what_its_archives_hold() {
    let bench = Bench::new();
    let list = bench.json(&["archive", "list", "--json", bench.folder.path().to_str().unwrap()]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    for (entry, format) in list.as_array().unwrap().iter().zip(["jsonl.gz", "parquet"]) {
        assert_eq!((&entry["date"], &entry["format"]), (&json!("2025-10-15"), &json!(format)));
        assert_eq!(entry["records"], 360);
        assert_eq!(entry["firstId"], "1760486400000-00000000");
        assert_eq!(entry["lastId"], json!(event(359).id.to_string()));
    }
    let table = out(&bench.run(&["archive", "list", "."]));
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().nth(1).unwrap().starts_with("2025-10-15  jsonl.gz     360"), "{table}");
}

#[test]
fn an_archive_in_order_is_fine_and_its_recount_is_told() {
    let bench = Bench::new();
    for name in ["2025-10-15.jsonl.gz", "2025-10-15.parquet"] {
        let done = bench.run(&["archive", "verify", name]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        for part in [": fine", "360 events", "2025-10-15T00            15", "2025-10-15T23            15"] {
            assert!(out(&done).contains(part), "{part}: {}", out(&done));
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bench = Bench::new();
    let whole = as_jsonl(&day());
    let mut changed = as_parquet(&day());
    changed[500] ^= 1;
    let swapped: Vec<_> = [1, 0, 2, 2].map(event).to_vec();
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member.write_all(b"{\"id\":7}\n").unwrap();
    let with_a_stranger = [as_jsonl(&day()[..5]), member.finish().unwrap()].concat();
    for (name, bytes, says) in [
        (
            "2025-10-16.jsonl.gz",
            whole.clone(),
            "line 1: 1760486400000-00000000 is of 2025-10-15, not of 2025-10-16",
        ),
        ("2025-10-15.parquet", whole.clone(), "it is named parquet, and holds jsonl.gz"),
        ("2025-10-15.jsonl.gz", whole[..whole.len() - 5].to_vec(), "gzip member 4: the file ends within it"),
        (
            "2025-10-15.jsonl.gz",
            as_jsonl(&swapped),
            "line 2: 1760486400000-00000000 comes after 1760486640000-00000001",
        ),
        ("2025-10-15.jsonl.gz", as_jsonl(&swapped), "line 4: 1760486880000-00000002 stands there twice"),
        ("2025-10-15.jsonl.gz", with_a_stranger, "line 6: field `id` is 7"),
        (
            "2025-10-15.parquet",
            changed,
            "row group 1: cannot be read: the row group does not have the checksum",
        ),
        (
            "2025-10-15.parquet",
            as_parquet(&day())[..4_000].to_vec(),
            "it does not end as a Parquet file does",
        ),
        ("2025-10-15.jsonl.gz", Vec::new(), "it is empty"),
        (
            "2025-10-15.jsonl.gz",
            b"id,path".to_vec(),
            "it begins neither as gzip, nor as Parquet, nor as a JSON line",
        ),
    ] {
        bench.write(name, &bytes);
        let done = bench.run(&["archive", "verify", name]);
        assert_eq!(done.status.code(), Some(2), "{done:?}");
        assert!(out(&done).contains(says), "{says}: {}", out(&done));
        let report = bench.json(&["archive", "verify", "--json", name]);
        assert_eq!(report["ok"], false);
        assert!(report["archives"][0]["problemCount"].as_u64() > Some(0));
    }
    let missing = bench.run(&["archive", "verify", "absent.parquet"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).contains("cannot open absent.parquet"), "{missing:?}");
}

#[test]
fn differences_from_the_metadata_are_told_one_by_one() {
    let bench = Bench::new();
    let report = bench.json(&["archive", "verify", "--json", "2025-10-15.jsonl.gz"]);
    let mut object = json!({"path": "events-archive/2025/10/2025-10-15.jsonl.gz", "status": "done"});
    for field in ["records", "bytes", "sha256", "firstId", "lastId"] {
        object[field] = report["archives"][0][field].clone();
    }
    let verify = |objects: &[&Value]| {
        bench.write("day.json", json!({"date": "2025-10-15", "objects": objects}).to_string().as_bytes());
        let done = bench.run(&["archive", "verify", "--metadata", "day.json", "2025-10-15.jsonl.gz"]);
        (done.status.code(), out(&done))
    };
    assert_eq!(verify(&[&object]).0, Some(0));
    let mut other = object.clone();
    other["path"] = json!("events-archive/2025/10/2025-10-15.parquet");
    let (code, text) = verify(&[&object, &other]);
    assert!(code == Some(2) && text.contains("2025-10-15.parquet: the metadata names it"), "{text}");
    let (code, text) = verify(&[]);
    assert!(code == Some(2) && text.contains("the metadata names no such archive"), "{text}");
    object["records"] = json!(361);
    object["sha256"] = json!("00");
    let (code, text) = verify(&[&object]);
    assert_eq!(code, Some(2));
    assert!(text.contains("records is 360: the metadata says 361"), "{text}");
    assert!(text.contains(": the metadata says 00"), "{text}");
    assert!(!text.contains("bytes is"), "{text}");
}

#[test]
fn events_are_printed_whole_or_as_asked_for() {
    let bench = Bench::new();
    let print = |more: &[&str], file: &str| out(&bench.run(&[&["archive", "cat", file], more].concat()));
    let lines: Vec<_> = day().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    for file in ["2025-10-15.jsonl.gz", "2025-10-15.parquet"] {
        assert!(print(&[], file).lines().eq(lines.iter().map(String::as_str)));
        let count = |more: &[&str]| print(more, file).lines().count();
        assert_eq!(count(&["--path", "/api/orders"]), 120);
        assert_eq!(count(&["--status", "5xx"]), 90);
        assert_eq!(count(&["--status", "404", "--path", "/"]), 30);
        assert_eq!(count(&["--from", "2025-10-15T14:00:00Z", "--to", "2025-10-15T15:00:00Z"]), 15);
        assert_eq!(count(&["--from", "2025-10-16"]), 0);
        assert_eq!(count(&["--limit", "7"]), 7);
        let csv = print(&["--format", "csv", "--limit", "3"], file);
        assert_eq!(csv.lines().count(), 4);
        let last =
            "1760486880000-00000002,1760486880000,\"/a,b\",GET,503,2,0000000000000002,curl/8,CN,1,true";
        assert_eq!(csv.lines().last(), Some(last));
    }
    let wrong = bench.run(&["archive", "cat", "--status", "6xx", "2025-10-15.parquet"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("is not a status"), "{wrong:?}");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let bench = Bench::new();
    let many: Vec<_> = (0..20).flat_map(|_| ["2025-10-15.parquet"; 10]).collect();
    let mut child = bench.command(&[&["archive", "cat"][..], &many].concat()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    // The reading end is closed by now.
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), err(&done).as_str()), (Some(0), ""));
}

#[test]
fn figures_by_path_equal_a_recount() {
    let bench = Bench::new();
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for event in day() {
        let count = counts.entry(event.path.clone()).or_default();
        *count = (count.0 + 1, count.1 + u64::from(event.is_error()));
    }
    let stats = bench.json(&["archive", "stats", "--json", "--sort", "path", "2025-10-15.parquet"]);
    for (path, (name, (requests, errors))) in stats.as_array().unwrap().iter().zip(&counts) {
        assert_eq!(
            (&path["path"], &path["requests"], &path["errors"]),
            (&json!(name), &json!(requests), &json!(errors))
        );
        assert_eq!(path["uniqueIps"], 10);
        let (p50, p99) = (path["p50"].as_f64().unwrap(), path["p99"].as_f64().unwrap());
        assert!((175.0..=183.0).contains(&p50) && (350.0..=361.0).contains(&p99), "{path}");
    }
    let by_p99 =
        out(&bench.run(&["archive", "stats", "--sort", "p99", "--limit", "1", "2025-10-15.jsonl.gz"]));
    assert!(by_p99.contains("/a,b") && by_p99.contains("360 events, 1 of 3 paths"), "{by_p99}");
}

/// Serves one file to whoever brings the token, once a connection.
fn serve(file: &Path, connections: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = fs::read(file).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0].to_ascii_lowercase());
            }
            let known = String::from_utf8_lossy(&head).contains("authorization: bearer s3cret\r\n");
            let (status, body) = if known { (200, &body[..]) } else { (401, &[][..]) };
            let head =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body).unwrap();
        }
    });
    url
}

#[test]
fn an_archive_behind_a_url_is_read_with_the_token_of_the_environment() {
    let bench = Bench::new();
    let server = serve(&bench.path("2025-10-15.parquet"), 2);
    let url = format!("{server}/events-archive/2025/10/2025-10-15.parquet?signature=hidden");
    let with = bench.command(&["archive", "verify", &url]).env("ARCHIVE_TOKEN", "s3cret").output().unwrap();
    assert_eq!(with.status.code(), Some(0), "{with:?}");
    assert!(out(&with).contains("360 events"));
    let without = bench.run(&["archive", "verify", &url]);
    assert_eq!(without.status.code(), Some(1));
    assert!(err(&without).contains("401") && err(&without).contains("ARCHIVE_TOKEN"), "{without:?}");
    for done in [&with, &without] {
        assert!(![out(done), err(done)].concat().contains("hidden"), "{done:?}");
        assert!(![out(done), err(done)].concat().contains("s3cret"), "{done:?}");
    }
}
