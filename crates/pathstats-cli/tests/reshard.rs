//! The built program asks an api over how many databases paths are spread, and has that changed.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use serde_json::{json, Value};

fn run(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pathstats"));
    command.args(["reshard", "--url", url]).args(arguments).env("ADMIN_TOKEN", "a-token-that-changes");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An api with two databases, for those who have the token.
fn api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            let (status, answer) = answer(&head, &serde_json::from_slice(&body).unwrap_or_default());
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + &answer).as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

fn answer(head: &str, order: &Value) -> (u16, Value) {
    if !head.contains("bearer a-token-that-changes") {
        return (401, json!({"detail": "the token is wrong"}));
    }
    if head.starts_with("get /admin/sharding ") {
        let database = |binding, oldest: Option<&str>| {
            json!({"binding": binding, "sizeBytes": 5_000_000, "oldestEvent": oldest, "newestEvent": oldest,
                "oldestHour": null, "newestHour": null})
        };
        let databases = [database("D1", Some("2026-03-01")), database("D1_1", None)];
        return (
            200,
            json!({"shards": 1, "bound": 2, "queues": 1, "earliest": "2026-03-03", "databases": databases,
                "layouts": [{"from": "2026-03-02", "shards": 2, "state": "coming"}],
                "runbook": "https://runbooks.test/docs/scaling-runbook.md"}),
        );
    }
    assert!(head.starts_with("post /admin/sharding/reshard "), "{head}");
    if order["shards"] == 3 {
        return (409, json!({"detail": "3 databases are asked for, and every Worker is bound to 2"}));
    }
    let published = order["dryRun"] == false;
    assert_eq!(order["from"], if published { json!("2026-03-04") } else { Value::Null });
    (
        200,
        json!({"published": published, "from": "2026-03-04", "beginsAt": "2026-03-04T00:00:00.000Z", "shards": 2,
            "before": 1}),
    )
}

#[test]
fn the_layouts_and_the_databases_are_shown() {
    let done = run(&api(), &[]);
    let out = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(out.contains("spread over 1 of 2 databases; events take 1 queues"), "{out}");
    assert!(out.contains("2026-03-02          2  to come"), "{out}");
    assert!(out.contains("D1        5 MB  2026-03-01 to 2026-03-01  none"), "{out}");
}

#[test]
fn a_layout_is_ordered_or_only_told() {
    let url = api();
    let told = text(&run(&url, &["--shards", "2", "--dry-run"]).stdout);
    let line =
        "From 2026-03-04T00:00:00.000Z on, paths are spread over 2 databases; before, over 1 database.\n";
    assert_eq!(told, format!("Nothing was done. It would be: {line}"));
    assert_eq!(text(&run(&url, &["--shards", "2", "--from", "2026-03-04"]).stdout), line);
    let json = run(&url, &["--shards", "2", "--from", "2026-03-04", "--json"]).stdout;
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["published"], true);
}

#[test]
fn what_is_refused_is_told_with_its_reason() {
    let url = api();
    let refused = run(&url, &["--shards", "3"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("the answer is 409: 3 databases are asked for"), "{refused:?}");
    for wrong in [&["--shards", "17"][..], &["--from", "2026-03-04"], &["--shards", "2", "--from", "soon"]] {
        assert_eq!(run(&url, wrong).status.code(), Some(1), "{wrong:?}");
    }
}
