//! Queue messages: one event, or `{"version":1,"events":[…]}`; and what `POST /collect` takes.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{EventError, TrafficEvent};
use crate::limits::{
    MAX_COLLECT_EVENTS, MAX_EVENTS_PER_MESSAGE, MAX_MESSAGES_PER_SEND, MAX_MESSAGE_BYTES, MAX_SEND_BYTES,
};

/// Why a whole message or body is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MessageError {
    /// Neither an event nor a packed message.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A packed message of another version.
    #[error("packed message of version {0}: expected 1")]
    Version(u64),
    /// More events than one body may hold.
    #[error("{0} events in one body: at most 10000 are accepted, send several bodies")]
    TooMany(usize),
}

impl MessageError {
    /// A short, stable word for the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Event(error) => error.code(),
            Self::Version(_) => "unknown_version",
            Self::TooMany(_) => "too_many_events",
        }
    }
}

/// An item of a message that is not an event: its index, its text, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Position within the message or body, from 0.
    pub index: usize,
    /// The item as it came.
    pub text: String,
    /// What is wrong with it.
    pub error: EventError,
}

/// Events and refused items of one message or body, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Items {
    /// The valid events, each with its index.
    pub events: Vec<(usize, TrafficEvent)>,
    /// What is no event.
    pub refused: Vec<Refused>,
}

impl Items {
    fn push(&mut self, index: usize, text: &str, now_ms: i64) {
        let event = TrafficEvent::from_json(text).and_then(|event| event.check_time(now_ms).map(|()| event));
        match event {
            Ok(event) => self.events.push((index, event)),
            Err(error) => self.refused.push(Refused { index, text: text.to_owned(), error }),
        }
    }
}

#[derive(Deserialize)]
struct Packed<'a> {
    version: u64,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Takes a queue message apart.
///
/// # Errors
///
/// When it is neither one event nor a packed message. An event within a packed message that is
/// wrong is no error of the message: it is among the refused.
pub fn decode_message(text: &str, now_ms: i64) -> Result<Items, MessageError> {
    let mut items = Items::default();
    if let Ok(packed) = serde_json::from_str::<Packed<'_>>(text) {
        if packed.version != 1 {
            return Err(MessageError::Version(packed.version));
        }
        items.events.reserve(packed.events.len());
        for (index, raw) in packed.events.iter().enumerate() {
            items.push(index, raw.get(), now_ms);
        }
        return Ok(items);
    }
    let event = TrafficEvent::from_json(text)?;
    event.check_time(now_ms)?;
    items.events.push((0, event));
    Ok(items)
}

/// Takes the body of `POST /collect` apart: one event, an array of events, a packed message, or
/// NDJSON (one event a line, blank lines passed over).
///
/// # Errors
///
/// When the body as a whole cannot be read, or holds more events than one body may.
pub fn decode_body(text: &str, now_ms: i64) -> Result<Items, MessageError> {
    let text = text.trim();
    let mut items = Items::default();
    let array: Vec<&RawValue> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| EventError::NotJson(error.to_string()))?
    } else if let Ok(packed) = serde_json::from_str::<Packed<'_>>(text) {
        if packed.version != 1 {
            return Err(MessageError::Version(packed.version));
        }
        packed.events
    } else if serde_json::from_str::<&RawValue>(text).is_ok() {
        items.push(0, text, now_ms);
        return Ok(items);
    } else {
        return decode_lines(text, now_ms);
    };
    if array.len() > MAX_COLLECT_EVENTS {
        return Err(MessageError::TooMany(array.len()));
    }
    items.events.reserve(array.len());
    for (index, raw) in array.iter().enumerate() {
        items.push(index, raw.get(), now_ms);
    }
    Ok(items)
}

/// NDJSON. A body of one line that is no JSON is an error as a whole.
fn decode_lines(text: &str, now_ms: i64) -> Result<Items, MessageError> {
    let mut items = Items::default();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let count = lines().count();
    if count > MAX_COLLECT_EVENTS {
        return Err(MessageError::TooMany(count));
    }
    if count <= 1 {
        TrafficEvent::from_json(text)?;
    }
    for (index, line) in lines().enumerate() {
        items.push(index, line, now_ms);
    }
    Ok(items)
}

/// Packs events into as few queue messages as the limits allow, each `{"version":1,"events":[…]}`,
/// and messages into sends. A message holds up to 100 events and 127,000 bytes; a send up to 100
/// messages and 240,000 bytes.
///
/// # Errors
///
/// Never: an event always serialises.
pub fn pack<'a>(
    events: impl IntoIterator<Item = &'a TrafficEvent>,
) -> Result<Vec<Vec<String>>, serde_json::Error> {
    const OPEN: &str = "{\"version\":1,\"events\":[";
    const CLOSE: &str = "]}";
    let mut sends: Vec<Vec<String>> = Vec::new();
    let mut send_bytes = 0;
    let mut close = |mut message: String| {
        message.push_str(CLOSE);
        let full = sends.last().is_none_or(|send| {
            send.len() == MAX_MESSAGES_PER_SEND || send_bytes + message.len() > MAX_SEND_BYTES
        });
        if full {
            sends.push(Vec::new());
            send_bytes = 0;
        }
        send_bytes += message.len();
        if let Some(send) = sends.last_mut() {
            send.push(message);
        }
    };
    let (mut message, mut count) = (String::from(OPEN), 0);
    for event in events {
        let text = serde_json::to_string(event)?;
        let full = message.len() + text.len() + CLOSE.len() + 1 > MAX_MESSAGE_BYTES;
        if count == MAX_EVENTS_PER_MESSAGE || (full && count > 0) {
            close(core::mem::replace(&mut message, String::from(OPEN)));
            count = 0;
        }
        if count > 0 {
            message.push(',');
        }
        message.push_str(&text);
        count += 1;
    }
    if count > 0 {
        close(message);
    }
    Ok(sends)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_730_956_900_000;

    fn event(n: u32) -> TrafficEvent {
        let text = format!(
            r#"{{"id":"1730956800000-{n:08x}","timestamp":1730956800000,"path":"/a","method":"GET","status":200}}"#
        );
        TrafficEvent::from_json(&text).unwrap()
    }

    fn json(events: &[TrafficEvent]) -> String {
        serde_json::to_string(events).unwrap()
    }

    #[test]
    fn one_event_and_a_packed_message_both_decode() {
        let one = serde_json::to_string(&event(1)).unwrap();
        assert_eq!(decode_message(&one, NOW).unwrap().events, [(0, event(1))]);
        let packed = format!("{{\"version\":1,\"events\":{}}}", json(&[event(1), event(2)]));
        assert_eq!(decode_message(&packed, NOW).unwrap().events, [(0, event(1)), (1, event(2))]);
    }

    #[test]
    fn a_wrong_event_does_not_stop_the_others() {
        let packed =
            format!("{{\"version\":1,\"events\":[{{}},{}]}}", serde_json::to_string(&event(2)).unwrap());
        let items = decode_message(&packed, NOW).unwrap();
        assert_eq!(items.events, [(1, event(2))]);
        assert_eq!(
            items.refused,
            [Refused { index: 0, text: "{}".to_owned(), error: EventError::Missing("id") }]
        );
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert_eq!(decode_message("{\"version\":2,\"events\":[]}", NOW), Err(MessageError::Version(2)));
        assert_eq!(decode_message("hello", NOW).unwrap_err().code(), "not_json");
        assert_eq!(decode_message("[1]", NOW).unwrap_err().code(), "not_an_object");
        let early =
            decode_message(&serde_json::to_string(&event(1)).unwrap(), 1_730_956_800_000 - 86_400_000);
        assert_eq!(early.unwrap_err().code(), "in_future");
    }

    #[test]
    fn a_body_may_be_an_event_an_array_a_packed_message_or_lines() {
        let (a, b) = (event(1), event(2));
        let one = serde_json::to_string_pretty(&a).unwrap();
        assert_eq!(decode_body(&one, NOW).unwrap().events, [(0, a.clone())]);
        let both = [(0, a.clone()), (1, b.clone())];
        assert_eq!(decode_body(&json(&[a.clone(), b.clone()]), NOW).unwrap().events, both);
        let packed = format!("{{\"version\":1,\"events\":{}}}", json(&[a.clone(), b.clone()]));
        assert_eq!(decode_body(&packed, NOW).unwrap().events, both);
        let lines = format!(
            "\r\n{}\r\n\n{}\n",
            serde_json::to_string(&a).unwrap(),
            serde_json::to_string(&b).unwrap()
        );
        assert_eq!(decode_body(&lines, NOW).unwrap().events, both);
        let broken = decode_body(&format!("nonsense\n{}", serde_json::to_string(&b).unwrap()), NOW).unwrap();
        assert_eq!((broken.events.len(), broken.refused.len()), (1, 1));
        assert_eq!(decode_body("[]", NOW).unwrap(), Items::default());
        assert_eq!(decode_body("[{},", NOW).unwrap_err().code(), "not_json");
        assert_eq!(decode_body("", NOW).unwrap_err().code(), "not_json");
        assert_eq!(decode_body("nonsense", NOW).unwrap_err().code(), "not_json");
    }

    #[test]
    fn a_body_of_too_many_events_is_refused() {
        let body = "{}\n".repeat(MAX_COLLECT_EVENTS + 1);
        assert_eq!(decode_body(&body, NOW), Err(MessageError::TooMany(MAX_COLLECT_EVENTS + 1)));
    }

    #[test]
    fn packing_respects_every_limit_and_loses_nothing() {
        let mut events: Vec<_> = (0..2_345).map(event).collect();
        for event in events.iter_mut().step_by(3) {
            event.path = format!("/{}", "é".repeat(511));
            event.user_agent = Some("\u{1}".repeat(512));
        }
        let sends = pack(&events).unwrap();
        let mut back = Vec::new();
        for send in &sends {
            assert!(send.len() <= MAX_MESSAGES_PER_SEND);
            assert!(send.iter().map(String::len).sum::<usize>() <= MAX_SEND_BYTES);
            for message in send {
                assert!(message.len() <= MAX_MESSAGE_BYTES);
                let items = decode_message(message, NOW).unwrap();
                assert!(items.events.len() <= MAX_EVENTS_PER_MESSAGE);
                back.extend(items.events.into_iter().map(|(_, event)| event));
            }
        }
        assert_eq!(back, events);
        assert!(pack(&[]).unwrap().is_empty());
    }
}
