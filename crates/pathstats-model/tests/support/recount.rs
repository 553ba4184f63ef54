//! What shall be in D1 in the end, by a plain recount that knows nothing of batches and objects.

use std::collections::BTreeMap;

use pathstats_model::ingest::Delivery;
use pathstats_model::packed::PackedEvent;
use pathstats_model::{PathHourStats, TrafficEvent};

use super::events::{json, json_with, packed_message};
use super::world::{delivery, World};
use super::NOW;

const PATHS: [&str; 5] = ["/", "/api/users/:id", "/a:b/%2F c", "/🦀/é", "/api/orders"];
const YEAR_MS: i64 = 365 * 86_400_000;

/// An item of a message. Events are few, so that the same one comes again and again.
#[derive(Debug, Clone)]
pub enum Item {
    /// The event of this number.
    Event(u32),
    /// Something wrong, of five kinds.
    Poison(u32),
}

/// A message of one item or of several.
#[derive(Debug, Clone)]
pub enum Message {
    /// One item.
    One(Item),
    /// Several.
    Packed(Vec<Item>),
    /// Not even JSON.
    Nonsense,
}

/// The event of this number: of this hour, the one before, and one a year ago.
fn numbered(n: u32) -> String {
    let hours_ago = i64::from(n % 3);
    let base = if hours_ago == 2 { NOW - YEAR_MS } else { NOW - hours_ago * 3_600_000 };
    json(base - i64::from(n % 13), n, PATHS[n as usize % PATHS.len()])
}

fn text(item: &Item) -> String {
    match item {
        Item::Event(n) => numbered(*n),
        Item::Poison(0) => json_with(NOW, 0, "status", Some("99")),
        Item::Poison(1) => json_with(NOW, 0, "path", None),
        Item::Poison(2) => json_with(NOW, 0, "responseTime", Some("-1")),
        Item::Poison(3) => "[]".to_owned(),
        Item::Poison(_) => json(NOW + 86_400_000, 0, "/odd"),
    }
}

fn reason(poison: u32) -> &'static str {
    ["invalid_field", "missing_field", "invalid_field", "not_an_object", "in_future"][poison as usize]
}

/// The messages as the queue delivers them first.
pub fn deliveries(messages: &[Message]) -> Vec<Delivery> {
    let body = |message: &Message| match message {
        Message::One(item) => text(item),
        Message::Packed(items) => packed_message(&items.iter().map(text).collect::<Vec<_>>()),
        Message::Nonsense => "{\"version\":1,\"events\":[NaN]}".to_owned(),
    };
    messages.iter().enumerate().map(|(n, message)| delivery(&format!("m{n:03}"), body(message))).collect()
}

/// The tables, as far as every delivery must lead to the same.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Expected {
    /// Raw rows by id.
    pub raw: BTreeMap<String, String>,
    /// Statistics by the object's name.
    pub hourly: BTreeMap<String, Vec<u8>>,
    /// Reasons by id.
    pub dead_letters: BTreeMap<String, &'static str>,
}

/// What clean messages lead to.
pub fn recount(messages: &[Message]) -> Expected {
    let mut expected = Expected::default();
    let mut hourly: BTreeMap<String, PathHourStats> = BTreeMap::new();
    let mut take = |id: String, item: &Item| match item {
        Item::Poison(poison) => {
            expected.dead_letters.insert(id, reason(*poison));
        }
        Item::Event(n) => {
            let event = TrafficEvent::from_json(&numbered(*n)).unwrap();
            let json = serde_json::to_string(&event).unwrap();
            if expected.raw.insert(event.id.to_string(), json).is_none() {
                hourly.entry(event.path_hour().to_string()).or_default().add(&PackedEvent::new(&event));
            }
        }
    };
    let mut nonsense = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        match message {
            Message::One(item) => take(format!("m{n:03}"), item),
            Message::Packed(items) => {
                items.iter().enumerate().for_each(|(at, item)| take(format!("m{n:03}/{at}"), item));
            }
            Message::Nonsense => nonsense.push(format!("m{n:03}")),
        }
    }
    expected.dead_letters.extend(nonsense.into_iter().map(|id| (id, "not_json")));
    expected.hourly = hourly.into_iter().map(|(name, stats)| (name, stats.to_bytes())).collect();
    expected
}

/// What is there.
pub fn found(world: &World) -> Expected {
    let database = world.database.borrow();
    Expected { raw: database.raw.clone(), hourly: database.statistics(), dead_letters: database.reasons() }
}
