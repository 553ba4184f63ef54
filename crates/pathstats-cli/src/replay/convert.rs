//! From a parsed line to the event that is sent.

use pathstats_model::client_ip::IpHasher;
use pathstats_model::event::cut;
use pathstats_model::limits::MAX_USER_AGENT_CHARS;
use pathstats_model::path_policy::PathPolicy;
use pathstats_model::{EventDate, EventId, TrafficEvent};
use rustc_hash::FxHashMap;

use super::identity;
use crate::formats::{Line, LineError, Request};

/// Hashes of addresses remembered: most requests come from few clients.
const REMEMBERED: usize = 1 << 16;

/// What becomes of client addresses.
#[derive(Debug, Clone)]
pub enum Addresses {
    /// They are hashed.
    Hashed(IpHasher),
    /// They are left out, and so are hashes in our own events.
    LeftOut,
    /// There is no secret to hash them under. Our own events come hashed: they need none.
    NoSecret,
}

/// Turns lines into events, as the options say.
pub struct Converter {
    /// Which ids in paths become placeholders.
    pub paths: PathPolicy,
    /// What becomes of client addresses.
    pub addresses: Addresses,
    /// Whether the user agent is sent.
    pub user_agent: bool,
    /// Added to every time.
    pub shift_ms: i64,
    hashes: FxHashMap<(EventDate, String), Option<u64>>,
}

impl Converter {
    /// A converter with these options.
    pub fn new(paths: PathPolicy, addresses: Addresses, user_agent: bool, shift_ms: i64) -> Self {
        Self { paths, addresses, user_agent, shift_ms, hashes: FxHashMap::default() }
    }

    /// Whether addresses cannot be hashed, though they should be.
    pub const fn lacks_secret(&self) -> bool {
        matches!(self.addresses, Addresses::NoSecret)
    }

    /// The event of a line, with its JSON. `digest` and `occurrence` tell the line from others.
    pub fn event(
        &mut self,
        line: Line<'_>,
        digest: u64,
        occurrence: u32,
    ) -> Result<(TrafficEvent, String), LineError> {
        let event = match line {
            Line::Request(request) => self.of_request(&request, digest, occurrence)?,
            Line::Event(event) => self.of_event(event)?,
        };
        let not_json = |error: serde_json::Error| LineError::new("not_json", error.to_string());
        let json = serde_json::to_string(&event).map_err(not_json)?;
        // What a log holds need not be valid: the model's own reading is the judge, as at the
        // destination.
        let event = TrafficEvent::from_json(&json)?;
        Ok((event, json))
    }

    fn of_event(&self, event: TrafficEvent) -> Result<TrafficEvent, LineError> {
        Ok(TrafficEvent {
            id: self.shifted(event.id)?,
            client_ip_hash: event.client_ip_hash.filter(|_| !matches!(self.addresses, Addresses::LeftOut)),
            user_agent: event.user_agent.filter(|_| self.user_agent),
            ..event
        })
    }

    fn of_request(
        &mut self,
        request: &Request<'_>,
        digest: u64,
        occurrence: u32,
    ) -> Result<TrafficEvent, LineError> {
        let timestamp_ms = event_ms(request, digest);
        let request_id = match &request.own_id {
            Some(id) => id.clone().into_owned(),
            None => identity::request_id(digest, occurrence),
        };
        // The target as logged, so that the id does not depend on options.
        let id = EventId::derive(timestamp_ms, &request.client, &request.target, &request_id)
            .map_err(|_| out_of_range(timestamp_ms))?;
        let id = self.shifted(id)?;
        Ok(TrafficEvent {
            id,
            path: self.paths.apply(&request.target),
            method: request.method.clone().into_owned(),
            status: request.status,
            response_time_us: request.response_time_us,
            client_ip_hash: self.hash(&request.client, EventDate::from_ms(id.timestamp_ms())),
            user_agent: request
                .user_agent
                .as_deref()
                .filter(|_| self.user_agent)
                .map(|agent| cut(agent, MAX_USER_AGENT_CHARS).to_owned()),
            country: request.country,
            sample_ratio: 1.0,
        })
    }

    /// The same event at the shifted time. Its eight digits stay: ids stay as distinct as they were.
    fn shifted(&self, id: EventId) -> Result<EventId, LineError> {
        let ms = id.timestamp_ms() + self.shift_ms;
        EventId::from_parts(ms, id.hash()).map_err(|_| out_of_range(ms))
    }

    /// The hash that the producer would give the address on the event's day.
    fn hash(&mut self, address: &str, day: EventDate) -> Option<u64> {
        let Addresses::Hashed(hasher) = &self.addresses else {
            return None;
        };
        if self.hashes.len() >= REMEMBERED {
            self.hashes.clear();
        }
        *self.hashes.entry((day, address.to_owned())).or_insert_with(|| hasher.hash(address, day))
    }
}

/// The time of a request's event, before any shift.
pub fn event_ms(request: &Request<'_>, digest: u64) -> i64 {
    request.timestamp_ms + if request.whole_second { identity::millisecond(digest) } else { 0 }
}

fn out_of_range(ms: i64) -> LineError {
    LineError::new("bad_time", format!("time is {ms} ms since 1970: expected 2001-09-09 to 2286-11-20"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Format;

    const LINE: &str =
        r#"203.0.113.9 - - [15/Oct/2025:14:03:21 +0000] "GET /users/42?x=1 HTTP/1.1" 200 512 "-" "curl/8""#;
    const EVENT: &str = r#"{"version":1,"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/users/42","method":"GET","status":200,"clientIpHash":"0123456789abcdef","userAgent":"curl/8"}"#;

    fn hasher() -> Addresses {
        Addresses::Hashed(IpHasher::new("0123456789abcdef0123456789abcdef").unwrap())
    }

    fn converted(converter: &mut Converter, line: &str, occurrence: u32) -> TrafficEvent {
        let parsed = Format::Combined.parse(line).unwrap();
        converter.event(parsed, identity::line_digest(line.as_bytes()), occurrence).unwrap().0
    }

    #[test]
    fn a_line_becomes_the_event_that_the_producer_would_make() {
        let event = converted(&mut Converter::new(PathPolicy::default(), hasher(), true, 0), LINE, 0);
        assert_eq!(event.path, "/users/:id");
        // The hash that the model pins for this address, secret and day.
        assert_eq!(event.client_ip_hash_text().as_deref(), Some("2b4c4cfeb98e8eb6"));
        assert_eq!(event.user_agent.as_deref(), Some("curl/8"));
        assert_eq!(event.id.timestamp_ms() / 1000, 1_760_537_001);
        // python3: sha256(line)[:8] % 1000 gives the millisecond, sha256("ip:target:digest#0")[:4] the digits.
        assert_eq!(event.id.to_string(), "1760537001931-14763477", "ids must never change");
    }

    #[test]
    fn an_id_depends_on_the_line_and_its_occurrence_and_on_no_option() {
        let mut converter = Converter::new(PathPolicy::default(), hasher(), true, 0);
        let id = converted(&mut converter, LINE, 0).id;
        assert_ne!(converted(&mut converter, LINE, 1).id, id);
        assert_ne!(converted(&mut converter, &LINE.replace("512", "513"), 0).id, id);
        let mut other = Converter::new("off".parse().unwrap(), Addresses::LeftOut, false, 0);
        let event = converted(&mut other, LINE, 0);
        assert_eq!((event.id, event.client_ip_hash, event.user_agent), (id, None, None));
        assert_eq!(event.path, "/users/42");
    }

    #[test]
    fn a_shift_moves_the_time_and_keeps_the_digits() {
        let day = 86_400_000;
        let plain = converted(&mut Converter::new(PathPolicy::default(), hasher(), true, 0), LINE, 0);
        let shifted = converted(&mut Converter::new(PathPolicy::default(), hasher(), true, day), LINE, 0);
        assert_eq!(shifted.id.timestamp_ms(), plain.id.timestamp_ms() + day);
        assert_eq!(shifted.id.hash(), plain.id.hash());
        assert_ne!(shifted.client_ip_hash, plain.client_ip_hash, "hashed under the key of its new day");
        let mut far = Converter::new(PathPolicy::default(), Addresses::LeftOut, true, i64::MAX / 4);
        let error = far.event(Format::Combined.parse(LINE).unwrap(), 0, 0).unwrap_err();
        assert_eq!(error.code, "bad_time");
    }

    #[test]
    fn our_own_events_pass_unchanged() {
        let line = || Format::Jsonl.parse(EVENT).unwrap();
        let (_, json) =
            Converter::new(PathPolicy::default(), Addresses::NoSecret, true, 0).event(line(), 1, 0).unwrap();
        assert_eq!(json, EVENT);
        let (event, _) =
            Converter::new(PathPolicy::default(), Addresses::LeftOut, false, 1).event(line(), 1, 0).unwrap();
        assert_eq!((event.client_ip_hash, event.user_agent), (None, None));
        // python3: sha256(line)[:8] % 1000 gives the millisecond, sha256("ip:target:digest#0")[:4] the digits.
        assert_eq!(event.id.to_string(), "1730956800001-a1b2c3d4");
    }

    #[test]
    fn a_request_that_is_no_event_says_why() {
        for (line, code) in [
            (LINE.replace(" 200 ", " 000 "), "invalid_field"),
            (LINE.replace("GET", &"G".repeat(30)), "invalid_field"),
            (LINE.replace("2025", "1999"), "bad_time"),
        ] {
            let parsed = Format::Combined.parse(&line).unwrap();
            let error = Converter::new(PathPolicy::default(), Addresses::LeftOut, true, 0)
                .event(parsed, 0, 0)
                .unwrap_err();
            assert_eq!(error.code, code, "{line}");
        }
    }
}
