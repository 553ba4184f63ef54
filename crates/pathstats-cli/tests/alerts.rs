//! The built program prints rules, and runs drafts over history.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::{json, Value};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pathstats"));
    command.current_dir(folder).args(arguments).env("READ_TOKEN", "a-token-that-reads");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A sample of a minute of 14:00 on.
fn sample(minute: i64, backlog: f64) -> Value {
    json!({"at": format!("2025-10-15T14:{minute:02}:00.000Z"), "values": {"queueBacklog": backlog}})
}

/// An hour, of which minutes 10 to 19 are over the limit.
fn hour() -> Vec<Value> {
    (0..60).map(|minute| sample(minute, if (10..20).contains(&minute) { 20_000.0 } else { 3.0 })).collect()
}

#[test]
fn the_printed_rules_are_a_draft_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(folder.path(), &["alerts", "rules"]);
    assert_eq!(printed.status.code(), Some(0));
    fs::write(folder.path().join("draft.json"), &printed.stdout).unwrap();
    // Pages of the API and samples, one after another.
    let (first, rest) = (hour()[..30].to_vec(), hour()[30..].to_vec());
    let lines: Vec<String> = rest.iter().map(Value::to_string).collect();
    let history =
        format!("{}\n{}\n", json!({"from": "x", "samples": first, "nextCursor": null}), lines.join("\n"));
    fs::write(folder.path().join("history.json"), history).unwrap();
    let arguments = ["alerts", "backtest", "--rules", "draft.json", "--history", "history.json"];
    let done = run(folder.path(), &arguments);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let out = text(&done.stdout);
    assert!(
        out.starts_with(
            "60 samples from 2025-10-15T14:00:00.000Z to 2025-10-15T14:59:00.000Z, 0 minutes without one\n"
        ),
        "{out}"
    );
    assert!(out.contains("queue-backlog: would have fired once, 24 a day, 2 notifications (60 samples, 3 to 20000)\n  fired 2025-10-15T14:12:00.000Z, warning, resolved 2025-10-15T14:25:00.000Z, 15 min\n"), "{out}");
    assert!(out.contains("heartbeat: its value is in no sample"), "{out}");
    let told: Value =
        serde_json::from_slice(&run(folder.path(), &[&arguments[..], &["--json"]].concat()).stdout).unwrap();
    let backlog =
        told["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "queue-backlog").unwrap();
    assert_eq!((&backlog["perDay"], &backlog["episodes"][0]["minutes"]), (&json!(24.0), &json!(15)));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_another_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("good.json", r#"{"version":1,"rules":[{"name":"a","measure":"outbox","warning":1}]}"#);
    write(
        "bad.json",
        "{\"version\":1,\n\"rules\":[\n{\"name\":\"a\",\"measure\":\"outbux\",\"warning\":1}]}",
    );
    write("empty.json", "");
    write("bad-history.json", &format!("{}\n{{\"at\":\"yesterday\",\"values\":{{}}}}\n", sample(0, 1.0)));
    write("not.json", "{}\n{");
    for (rules, history, code, says) in [
        ("bad.json", "empty.json", 2, "bad.json: unknown variant `outbux`"),
        ("bad.json", "empty.json", 2, "at line 3 column"),
        (
            "good.json",
            "bad-history.json",
            2,
            "`at` is \"yesterday\": expected a time as \"2025-10-15T14:03:00.000Z\" in what ends at line 2",
        ),
        ("good.json", "not.json", 2, "missing field `at` in what ends at line 1"),
        ("good.json", "nowhere.json", 1, "cannot read nowhere.json"),
        ("nowhere.json", "empty.json", 1, "cannot read nowhere.json"),
    ] {
        let done = run(folder.path(), &["alerts", "backtest", "--rules", rules, "--history", history]);
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        assert!(text(&done.stderr).contains(says), "{says}\n{}", text(&done.stderr));
    }
    let empty =
        run(folder.path(), &["alerts", "backtest", "--rules", "good.json", "--history", "empty.json"]);
    assert!(text(&empty.stdout).contains("There is no sample"), "{empty:?}");
    let neither = run(folder.path(), &["alerts", "backtest", "--rules", "good.json"]);
    assert_eq!(neither.status.code(), Some(1), "{neither:?}");
}

/// An api that answers history in pages of twenty, to those who have the token.
fn api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines: Vec<String> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let head = lines.join("\n");
            let from: usize = head
                .split(['?', '&', ' '])
                .find_map(|part| part.strip_prefix("cursor="))
                .map_or(0, |cursor| cursor.parse().unwrap());
            let next = if from + 20 < 60 { json!((from + 20).to_string()) } else { Value::Null };
            let (status, body) = if head.to_ascii_lowercase().contains("bearer a-token-that-reads") {
                (200, json!({"samples": hour()[from..from + 20], "nextCursor": next}))
            } else {
                (401, json!({"detail": "the token is wrong"}))
            };
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

#[test]
fn history_comes_from_the_api_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("r.json"),
        r#"{"version":1,"rules":[{"name":"busy","measure":"queueBacklog","warning":100}]}"#,
    )
    .unwrap();
    let url = api();
    let arguments =
        ["alerts", "backtest", "--rules", "r.json", "--url", &url, "--from", "2025-10-15", "--json"];
    let done = run(folder.path(), &arguments);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&told["samples"], told["rules"][0]["episodes"].as_array().unwrap().len()), (&json!(60), 1));
    fs::write(folder.path().join("token"), "another-token\n").unwrap();
    let refused = run(folder.path(), &[&arguments[..], &["--token-file", "token"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("the answer is 401: the token is wrong"), "{refused:?}");
    let backwards = run(
        folder.path(),
        &["alerts", "backtest", "--rules", "r.json", "--url", &url, "--from", "now", "--to", "2h"],
    );
    assert_eq!(backwards.status.code(), Some(1));
}
