//! A destination for tests: a small HTTP server on this machine, as unreliable as a test asks for.

// Helpers of tests: what goes wrong here fails the test, by a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How often a condition is looked at before a test gives up: half a minute.
const LOOKS: u32 = 3_000;

/// Waits until something holds.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if holds() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain: {what}");
}

/// What the destination does.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Every so many requests, 503.
    pub unavailable_every: Option<u64>,
    /// Every so many requests, the connection is cut before the answer.
    pub cut_every: Option<u64>,
    /// Events whose path begins so are refused.
    pub refuse: Option<&'static str>,
    /// After so many accepted bodies, further requests wait for [`Server::release`].
    pub hold_after: Option<u64>,
    /// The token that is asked for.
    pub token: Option<&'static str>,
}

#[derive(Debug, Default)]
struct State {
    requests: u64,
    accepted_bodies: u64,
    held: u64,
    released: bool,
    /// How often each id was accepted, and its event.
    events: BTreeMap<String, (u64, serde_json::Value)>,
}

/// The server.
pub struct Server {
    address: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Server {
    /// Starts one on a port of its own.
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let for_connections = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, behaviour) = (Arc::clone(&for_connections), behaviour.clone());
                thread::spawn(move || serve(&stream, &shared, &behaviour));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> u64 {
        self.shared.0.lock().unwrap().requests
    }

    pub fn held(&self) -> u64 {
        self.shared.0.lock().unwrap().held
    }

    /// Lets the requests go on that wait.
    pub fn release(&self) {
        self.shared.0.lock().unwrap().released = true;
        self.shared.1.notify_all();
    }

    /// Ids with how often each was accepted.
    pub fn ids(&self) -> BTreeMap<String, u64> {
        self.shared.0.lock().unwrap().events.iter().map(|(id, (count, _))| (id.clone(), *count)).collect()
    }

    /// The accepted events.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.shared.0.lock().unwrap().events.values().map(|(_, event)| event.clone()).collect()
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar), behaviour: &Behaviour) {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = read_request(&mut reader) {
        let Some((status, headers, answer)) = answer(&head, &body, shared, behaviour) else {
            return;
        };
        let reply = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{answer}",
            answer.len()
        );
        let mut stream = stream;
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

fn answer(
    head: &str,
    body: &str,
    shared: &(Mutex<State>, Condvar),
    behaviour: &Behaviour,
) -> Option<(u16, &'static str, String)> {
    let (lock, changed) = shared;
    let mut state = lock.lock().unwrap();
    state.requests += 1;
    let due = |every: Option<u64>| every.is_some_and(|every| state.requests % every == 0);
    if due(behaviour.cut_every) {
        return None;
    }
    if due(behaviour.unavailable_every) {
        let problem = r#"{"type":"about:blank","title":"Unavailable","status":503,"detail":"queue and outbox are down"}"#;
        return Some((503, "retry-after: 0\r\n", problem.to_owned()));
    }
    if behaviour.token.is_some_and(|token| !head.contains(&format!("authorization: bearer {token}\r\n"))) {
        return Some((401, "", r#"{"title":"Unauthorized","status":401,"detail":"wrong token"}"#.to_owned()));
    }
    if behaviour.hold_after.is_some_and(|after| state.accepted_bodies >= after) {
        state.held += 1;
        state = changed.wait_while(state, |state| !state.released).unwrap();
    }
    let mut errors = Vec::new();
    let mut accepted = 0;
    for (index, line) in body.lines().enumerate() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if behaviour.refuse.is_some_and(|start| event["path"].as_str().unwrap().starts_with(start)) {
            errors.push(serde_json::json!({"index": index, "reason": "refused by the test"}));
            continue;
        }
        accepted += 1;
        let id = event["id"].as_str().unwrap().to_owned();
        state.events.entry(id).or_insert((0, event)).0 += 1;
    }
    state.accepted_bodies += 1;
    let status = if errors.is_empty() { 202 } else { 207 };
    let text =
        serde_json::json!({"accepted": accepted, "rejected": errors.len(), "errors": errors}).to_string();
    Some((status, "", text))
}
