//! A folder with a day of events in both formats, and the program beside it.

// Helpers of tests: what goes wrong here fails the test, by a panic. Each program of tests uses a part.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use pathstats_archive::{jsonl, parquet};
use pathstats_model::{EventId, TrafficEvent};
use serde_json::Value;
use tempfile::TempDir;

/// 2025-10-15T00:00:00Z.
const MIDNIGHT: i64 = 1_760_486_400_000;
const PAGE: usize = 100;

pub fn event(n: i64) -> TrafficEvent {
    TrafficEvent {
        // An event every four minutes.
        id: EventId::from_parts(MIDNIGHT + n * 240_000, u32::try_from(n).unwrap()).unwrap(),
        path: ["/", "/api/orders", "/a,b"][usize::try_from(n % 3).unwrap()].to_owned(),
        method: "GET".to_owned(),
        status: [200, 404, 503, 200][usize::try_from(n % 4).unwrap()],
        response_time_us: Some(u32::try_from(n).unwrap() * 1_000),
        client_ip_hash: Some(u64::try_from(n % 10).unwrap()),
        user_agent: Some("curl/8".to_owned()),
        country: Some(*b"CN"),
        sample_ratio: 1.0,
    }
}

pub fn day() -> Vec<TrafficEvent> {
    (0..360).map(event).collect()
}

pub fn as_jsonl(events: &[TrafficEvent]) -> Vec<u8> {
    events.chunks(PAGE).flat_map(|page| jsonl::encode(page).unwrap().bytes).collect()
}

pub fn as_parquet(events: &[TrafficEvent]) -> Vec<u8> {
    let mut file = parquet::header().to_vec();
    let mut pages = Vec::new();
    for page in events.chunks(PAGE) {
        let encoded = parquet::encode(page).unwrap();
        pages.push((file.len() as u64, encoded.metadata));
        file.extend(encoded.bytes);
    }
    file.extend(parquet::footer(pages.iter().map(|(offset, metadata)| (*offset, &**metadata))).unwrap());
    file
}

pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    /// A folder with a day in both formats.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(bench.path("")).unwrap();
        bench.write("2025-10-15.jsonl.gz", &as_jsonl(&day()));
        bench.write("2025-10-15.parquet", &as_parquet(&day()));
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("events-archive/2025/10").join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The program, away from whatever the environment holds.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pathstats"));
        command
            .args(arguments)
            .env_clear()
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let done = self.run(arguments);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"))
    }
}

pub fn out(done: &Output) -> String {
    String::from_utf8(done.stdout.clone()).unwrap()
}

pub fn err(done: &Output) -> String {
    String::from_utf8(done.stderr.clone()).unwrap()
}
