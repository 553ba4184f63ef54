//! The built program against a destination that fails: every event arrives, and counts once.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use support::{wait_until, Behaviour, Server};
use tempfile::TempDir;

const COMBINED: &str =
    r#"203.0.113.9 - - [15/Oct/2025:14:03:21 +0000] "GET /users/42 HTTP/1.1" 200 512 "-" "curl/8""#;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, away from whatever the environment holds.
    fn pathstats(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pathstats"));
        command
            .args(arguments)
            .env_clear()
            .env("XDG_STATE_HOME", self.path("state"))
            .env("IP_HASH_SECRET", "0123456789abcdef0123456789abcdef")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn replay(&self, server: &Server, file: &Path, more: &[&str]) -> Command {
        let (url, file) = (server.url(), file.display().to_string());
        let mut arguments = vec!["replay", "--json", "--batch-events", "100", "--to", url.as_str()];
        arguments.extend(more);
        arguments.push(file.as_str());
        self.pathstats(&arguments)
    }

    fn generate(&self, name: &str, events: &str, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        let out = path.display().to_string();
        let mut arguments =
            vec!["generate", "--events", events, "--end", "2025-10-16", "--seed", "7", "--out", out.as_str()];
        arguments.extend(more);
        let done = self.pathstats(&arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        path
    }

    fn journals(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.path("state").join("pathstats"));
        folder.map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
    }
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ids_of(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    text.lines().map(id).collect()
}

fn assert_arrived(server: &Server, file: &Path) {
    assert_eq!(server.ids().into_keys().collect::<BTreeSet<_>>(), ids_of(file));
}

#[test]
fn every_event_arrives_once_although_the_destination_flakes() {
    let bench = Bench::new();
    let server =
        Server::start(Behaviour { unavailable_every: Some(3), cut_every: Some(10), ..Behaviour::default() });
    let file = bench.generate("events.jsonl", "5000", &[]);
    let output = bench.replay(&server, &file, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_arrived(&server, &file);
    assert!(server.ids().values().all(|count| *count == 1));
    let summary = summary(&output);
    assert_eq!(
        (&summary["sent"], &summary["accepted"], &summary["bodies"]),
        (&5000.into(), &5000.into(), &50.into())
    );
    assert!(bench.journals().is_empty(), "nothing stays behind");
}

#[test]
fn an_interrupted_run_finishes_its_bodies_and_goes_on() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { hold_after: Some(20), ..Behaviour::default() });
    let file = bench.generate("events.jsonl", "10000", &[]);
    let run = bench.replay(&server, &file, &[]).spawn().unwrap();
    wait_until("bodies are held", || server.held() > 0);
    interrupt(&run);
    server.release();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let first = summary(&output);
    assert_eq!(first["outcome"], "interrupted");
    assert!(stderr(&output).contains("the same command goes on"));
    let output = bench.replay(&server, &file, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let second = summary(&output);
    assert_eq!(second["resumedAfterLines"], first["lines"]);
    assert_eq!(
        (&second["sent"], &second["accepted"]),
        (&10_000.into(), &10_000.into()),
        "both parts together"
    );
    assert_arrived(&server, &file);
    assert!(server.requests() <= 104, "what was acknowledged is not sent again: {}", server.requests());
    assert!(bench.journals().is_empty());
}

#[test]
fn a_killed_run_goes_on_from_its_journal() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { hold_after: Some(40), ..Behaviour::default() });
    let file = bench.generate("events.jsonl.gz", "10000", &["--format", "combined"]);
    let more = ["--shift-to", "now"];
    let mut run = bench.replay(&server, &file, &more).spawn().unwrap();
    let written = || {
        let text =
            bench.journals().first().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let journal: Value = serde_json::from_str(&text).unwrap_or_default();
        journal["position"]["line"].as_u64().unwrap_or_default() > 0
    };
    wait_until("the journal holds a position", written);
    run.kill().unwrap();
    run.wait().unwrap();
    server.release();
    let output = bench.replay(&server, &file, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(summary(&output)["resumedAfterLines"].as_u64().unwrap() > 0);
    // The shift is the first run's: otherwise ids would differ, and events count twice.
    assert_eq!(server.ids().len(), 10_000);
}

#[test]
fn a_file_that_changed_is_not_gone_on_with() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { hold_after: Some(20), ..Behaviour::default() });
    let file = bench.generate("events.jsonl", "5000", &[]);
    let run = bench.replay(&server, &file, &[]).spawn().unwrap();
    wait_until("bodies are held", || server.held() > 0);
    interrupt(&run);
    server.release();
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(130));
    let other = fs::read_to_string(&file).unwrap().replacen("GET", "PUT", 1);
    fs::write(&file, other).unwrap();
    let output = bench.replay(&server, &file, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--restart begins anew"), "{}", stderr(&output));
    let output = bench.replay(&server, &file, &["--restart"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_arrived(&server, &file);
}

#[test]
fn the_same_lines_count_once_and_identical_lines_count_each() {
    let bench = Bench::new();
    let server = Server::start(Behaviour::default());
    let text = format!("{COMBINED}\n{COMBINED}\n\n{}\n{COMBINED}\n", COMBINED.replace("512", "513"));
    fs::write(bench.path("a.log"), &text).unwrap();
    fs::write(bench.path("b.log"), text.replace('\n', "\r\n")).unwrap();
    for name in ["a.log", "b.log", "a.log"] {
        let output = bench.replay(&server, &bench.path(name), &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(server.ids().into_values().collect::<Vec<_>>(), [3, 3, 3, 3]);
    let event = server.events().remove(0);
    assert_eq!((&event["path"], &event["clientIpHash"]), (&"/users/:id".into(), &"2b4c4cfeb98e8eb6".into()));
}

#[test]
fn what_was_not_taken_is_named_counted_and_written() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { refuse: Some("/users"), ..Behaviour::default() });
    let other = COMBINED.replace("/users/42", "/ok");
    let text =
        format!("{other}\nhello\n{COMBINED}\n{}\n{}\n", other.replace("200", "999"), "x".repeat(70_000));
    let file = bench.path("a.log");
    fs::write(&file, text).unwrap();
    let rejects = bench.path("rejects.jsonl");
    let output = bench.replay(&server, &file, &["--rejects", rejects.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let summary = summary(&output);
    assert_eq!(
        (&summary["lines"], &summary["sent"], &summary["accepted"], &summary["rejected"]),
        (&5.into(), &2.into(), &1.into(), &1.into())
    );
    assert_eq!(
        summary["notParsed"],
        serde_json::json!({"invalid_field": 1, "line_too_long": 1, "not_a_log_line": 1})
    );
    let shown = stderr(&output);
    assert!(
        shown.contains("a.log:2: not_a_log_line") && shown.contains("a.log:3: rejected: refused by the test"),
        "{shown}"
    );
    let written = fs::read_to_string(&rejects).unwrap();
    let lines: Vec<u64> = written
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 3, 4, 5]);
}

#[test]
fn a_wrong_token_ends_the_run_at_once_and_says_so() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { token: Some("right"), ..Behaviour::default() });
    let file = bench.generate("events.jsonl", "100", &[]);
    let output = bench.replay(&server, &file, &[]).env("INGEST_TOKEN", "wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("INGEST_TOKEN") && server.requests() == 1, "{}", stderr(&output));
    fs::write(bench.path("token"), "right\n").unwrap();
    let token = bench.path("token").display().to_string();
    let output = bench.replay(&server, &file, &["--token-file", token.as_str()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_destination_that_stays_down_is_given_up() {
    let bench = Bench::new();
    let server = Server::start(Behaviour { unavailable_every: Some(1), ..Behaviour::default() });
    let file = bench.generate("events.jsonl", "100", &[]);
    let output = bench.replay(&server, &file, &["--retries", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(server.requests(), 3);
    assert!(bench.journals().is_empty(), "nothing was acknowledged: nothing to go on from");
    assert!(
        stderr(&output).contains("gave up after 3 attempts: 503: queue and outbox are down"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn standard_input_and_a_shift_to_now() {
    let bench = Bench::new();
    let server = Server::start(Behaviour::default());
    let file = bench.generate("access.log", "500", &["--format", "nginx"]);
    let mut run = bench.replay(&server, Path::new("-"), &["--shift-to", "2026-01-01"]);
    let mut run = run.stdin(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(&fs::read(&file).unwrap()).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = summary(&output);
    assert_eq!((&summary["accepted"], &summary["lastMs"]), (&500.into(), &1_767_225_600_000_i64.into()));
}

#[test]
fn a_dry_run_sends_nothing_and_needs_no_secret() {
    let bench = Bench::new();
    let server = Server::start(Behaviour::default());
    let file = bench.generate("access.log", "500", &["--format", "combined"]);
    let output = bench.replay(&server, &file, &["--dry-run"]).env_remove("IP_HASH_SECRET").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&summary(&output)["sent"], server.requests()), (&500.into(), 0));
    let output = bench.replay(&server, &file, &[]).env_remove("IP_HASH_SECRET").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--no-client-ip"), "{}", stderr(&output));
    assert_eq!(server.requests(), 0);
}

fn interrupt(run: &Child) {
    let status = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(status.success());
}
