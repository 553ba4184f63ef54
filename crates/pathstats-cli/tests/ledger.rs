//! `pathstats ledger`, against an api that answers what it is given.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_wrap)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use serde_json::{json, Value};

fn hour(hour: &str, state: &str, received: u64, counted: u64) -> Value {
    json!({
        "hour": hour, "state": state, "received": received, "counted": counted, "duplicates": 2,
        "deadLettered": 1, "refusedLate": 0, "difference": received as i64 - counted as i64 - 3,
        "checkedAt": "2025-10-15T16:00:00.000Z", "differsSince": null,
    })
}

fn answer(balanced: bool, hours: &[Value]) -> Value {
    let sum = |term: &str| hours.iter().map(|hour| hour[term].as_i64().unwrap()).sum::<i64>();
    json!({
        "from": "2025-10-15T13", "to": "2025-10-15T16", "watermark": "2025-10-15T15:00:00.000Z",
        "balanced": balanced, "hours": hours,
        "totals": {
            "received": sum("received"), "counted": sum("counted"), "duplicates": sum("duplicates"),
            "deadLettered": sum("deadLettered"), "refusedLate": 0, "difference": sum("difference"),
        },
    })
}

/// Serves one answer, and gives the line that asked for it.
fn ask(body: &Value, more: &[&str]) -> (Output, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = body.to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines: Vec<String> = BufReader::new(&stream)
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
        stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        lines.first().cloned().unwrap_or_default()
    });
    let done = Command::new(env!("CARGO_BIN_EXE_pathstats"))
        .args(["ledger", "--url", &url])
        .args(more)
        .env("READ_TOKEN", "a-token")
        .output()
        .unwrap();
    (done, server.join().unwrap())
}

#[test]
fn each_hour_is_a_line_and_the_sum_is_the_last() {
    let hours = [hour("2025-10-15T13", "balanced", 103, 100), hour("2025-10-15T14", "open", 8, 5)];
    let (done, asked) = ask(&answer(true, &hours), &["--from", "2025-10-15", "--to", "2025-10-16"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(asked, "GET /admin/ledger?from=1760486400000&to=1760572800000 HTTP/1.1");
    let text = String::from_utf8(done.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("2025-10-15T13") && lines[1].ends_with("balanced"), "{text}");
    let sum: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(sum, ["all", "111", "105", "4", "2", "0", "0"]);
    assert_eq!(lines[4], "Final up to 2025-10-15T15:00:00.000Z.");
}

#[test]
fn an_hour_that_does_not_balance_has_an_exit_code_of_its_own() {
    let told = answer(false, &[hour("2025-10-15T13", "differs", 104, 100)]);
    let (done, _) = ask(&told, &["--json"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap(), told);
}
