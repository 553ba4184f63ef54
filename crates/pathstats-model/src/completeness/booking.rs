//! What a dead letter is booked as: how many events of which hours it stands for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event_id::EventId;
use crate::hour::HourBucket;
use crate::ingest::DeadLetter;
use crate::limits::{MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS};
use crate::message::decode_message;

/// Reason of a letter whose hour was sealed.
pub const SEALED: &str = "sealed";
/// Reason of a letter whose message failed at every attempt.
pub const RETRIES_EXHAUSTED: &str = "retries_exhausted";

/// How a letter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was neither stored nor counted, and is itself what was received.
    Dead,
    /// The same, of an event that came after its hour was sealed.
    Late,
    /// Events that failed at every attempt: they may have been stored, and counted, or not.
    Exhausted,
}

/// An event of a letter: its id and its path, which are what raw rows and objects know it by.
pub type EventKey = (EventId, String);

/// What a letter says of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The hour.
    pub hour: HourBucket,
    /// How it counts.
    pub kind: Kind,
    /// Events, or what should have been one.
    pub events: u64,
    /// Which, where they must be looked for.
    pub keys: Vec<EventKey>,
}

/// The bookings of a letter. What tells no time of its own is booked in the hour of `seen_ms`.
#[must_use]
pub fn bookings(letter: &DeadLetter, seen_ms: i64) -> Vec<Booking> {
    let kind = match letter.reason {
        SEALED => Kind::Late,
        RETRIES_EXHAUSTED => Kind::Exhausted,
        _ => Kind::Dead,
    };
    if kind == Kind::Exhausted {
        // What of the message was refused is a letter of its own by now. A message without any event
        // is one thing that was not counted.
        let events = decode_message(&letter.body, seen_ms).map(|items| items.events).unwrap_or_default();
        let mut hours: BTreeMap<HourBucket, Vec<EventKey>> = BTreeMap::new();
        for (_, event) in events {
            hours.entry(event.hour()).or_default().push((event.id, event.path));
        }
        if !hours.is_empty() {
            let booking = |(hour, keys): (HourBucket, Vec<EventKey>)| Booking {
                hour,
                kind,
                events: keys.len() as u64,
                keys,
            };
            return hours.into_iter().map(booking).collect();
        }
    }
    let kind = if kind == Kind::Exhausted { Kind::Dead } else { kind };
    let hour = HourBucket::from_ms(told_time(&letter.body).unwrap_or(seen_ms));
    vec![Booking { hour, kind, events: 1, keys: Vec::new() }]
}

/// The time that a body tells, though it is no event: by its id, else by its timestamp.
fn told_time(body: &str) -> Option<i64> {
    let Value::Object(fields) = serde_json::from_str(body).ok()? else { return None };
    let id = fields.get("id").or_else(|| fields.get("idempotentId")).and_then(Value::as_str);
    let by_id = id.and_then(|id| id.parse::<EventId>().ok()).map(EventId::timestamp_ms);
    by_id
        .or_else(|| fields.get("timestamp").and_then(Value::as_i64))
        .filter(|ms| (MIN_TIMESTAMP_MS..=MAX_TIMESTAMP_MS).contains(ms))
}
