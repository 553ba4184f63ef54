//! The packed form of an event: what the object of its path and hour needs, in 9 to 25 bytes.
//! It crosses from the consumer to the object and is what the object's log holds.

use crate::cells::Method;
use crate::event::TrafficEvent;
use crate::hour::{HourBucket, HOUR_MS};

/// One event within its path and hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedEvent {
    /// Milliseconds since the hour began, below 3,600,000.
    pub offset_ms: u32,
    /// The hash of the event's id.
    pub hash: u32,
    /// The method; unknown in events that were packed before methods were told.
    pub method: Method,
    /// The HTTP status, 100 to 599.
    pub status: u16,
    /// Response time in microseconds.
    pub response_time_us: Option<u32>,
    /// The client address's hash.
    pub client_ip_hash: Option<u64>,
    /// How many requests the event stands for, in thousandths: 1,000 divided by the sampling ratio.
    pub weight_milli: u32,
}

/// Why bytes are not packed events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// The bytes end within an event.
    #[error("packed events end within an event, {0} bytes before its end")]
    Truncated(usize),
    /// A flag that this version does not know.
    #[error("packed event with unknown flags {0:#04x}")]
    Flags(u8),
    /// A value out of its range.
    #[error("packed event with {0} out of range")]
    Range(&'static str),
}

/// The event's id within its path and hour, which is what tells duplicates: 22 bits of
/// milliseconds and 32 of hash.
pub type LedgerKey = u64;

/// A request that stands for itself alone.
pub const WEIGHT_ONE: u32 = 1000;

const HAS_RESPONSE_TIME: u8 = 1;
const HAS_CLIENT: u8 = 2;
const HAS_WEIGHT: u8 = 4;
const UNUSED: u8 = 8;
/// The method's code lies in the high four bits of the flags.
const METHOD_SHIFT: u32 = 4;

impl PackedEvent {
    /// Packs an event. Its path and hour are told once for all events of a group.
    #[must_use]
    pub fn new(event: &TrafficEvent) -> Self {
        let offset = event.id.timestamp_ms() - HourBucket::from_ms(event.id.timestamp_ms()).start_ms();
        // The ratio is at least 0.0001, so the weight is at most ten million.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let weight_milli = (f64::from(WEIGHT_ONE) / event.sample_ratio).round() as u32;
        Self {
            offset_ms: u32::try_from(offset).unwrap_or_default(),
            hash: event.id.hash(),
            method: Method::of_event(&event.method),
            status: event.status,
            response_time_us: event.response_time_us,
            client_ip_hash: event.client_ip_hash,
            weight_milli,
        }
    }

    /// What tells this event from all others of its path and hour.
    #[must_use]
    pub fn key(&self) -> LedgerKey {
        (u64::from(self.offset_ms) << 32) | u64::from(self.hash)
    }

    /// Appends the event: flags with the method's code in the high four bits, offset (3 bytes), hash
    /// (4), status (2), then as the flags say response time (4), client (8), weight (4); little-endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = self.method.code() << METHOD_SHIFT;
        flags |= self.response_time_us.map_or(0, |_| HAS_RESPONSE_TIME);
        flags |= self.client_ip_hash.map_or(0, |_| HAS_CLIENT);
        flags |= if self.weight_milli == WEIGHT_ONE { 0 } else { HAS_WEIGHT };
        let [o0, o1, o2, _] = self.offset_ms.to_le_bytes();
        out.extend_from_slice(&[flags, o0, o1, o2]);
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&self.status.to_le_bytes());
        if let Some(us) = self.response_time_us {
            out.extend_from_slice(&us.to_le_bytes());
        }
        if let Some(client) = self.client_ip_hash {
            out.extend_from_slice(&client.to_le_bytes());
        }
        if self.weight_milli != WEIGHT_ONE {
            out.extend_from_slice(&self.weight_milli.to_le_bytes());
        }
    }

    /// Takes one event from the front of `bytes`.
    fn decode(bytes: &mut &[u8]) -> Result<Self, PackedError> {
        let [flags, o0, o1, o2] = take(bytes)?;
        let method = Method::from_code(flags >> METHOD_SHIFT).filter(|_| flags & UNUSED == 0);
        let event = Self {
            offset_ms: u32::from_le_bytes([o0, o1, o2, 0]),
            hash: u32::from_le_bytes(take(bytes)?),
            method: method.ok_or(PackedError::Flags(flags))?,
            status: u16::from_le_bytes(take(bytes)?),
            response_time_us: (flags & HAS_RESPONSE_TIME != 0)
                .then(|| take(bytes).map(u32::from_le_bytes))
                .transpose()?,
            client_ip_hash: (flags & HAS_CLIENT != 0)
                .then(|| take(bytes).map(u64::from_le_bytes))
                .transpose()?,
            weight_milli: (flags & HAS_WEIGHT != 0)
                .then(|| take(bytes).map(u32::from_le_bytes))
                .transpose()?
                .unwrap_or(WEIGHT_ONE),
        };
        if i64::from(event.offset_ms) >= HOUR_MS {
            return Err(PackedError::Range("offset"));
        }
        if !(100..=599).contains(&event.status) {
            return Err(PackedError::Range("status"));
        }
        Ok(event)
    }
}

/// Reads packed events one after another. Ends after the first error.
#[derive(Debug, Clone)]
pub struct PackedEvents<'a> {
    rest: &'a [u8],
}

impl<'a> PackedEvents<'a> {
    /// The events that `bytes` hold.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for PackedEvents<'_> {
    type Item = Result<PackedEvent, PackedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let event = PackedEvent::decode(&mut self.rest);
        if event.is_err() {
            self.rest = &[];
        }
        Some(event)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], PackedError> {
    let (head, rest) =
        bytes.split_first_chunk::<N>().ok_or(PackedError::Truncated(N - bytes.len().min(N)))?;
    *bytes = rest;
    Ok(*head)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any event of an hour, with few enough times, ids and clients that they meet.
    pub(crate) fn any_event() -> impl Strategy<Value = PackedEvent> {
        (
            0u32..3_600_000,
            any::<u32>(),
            (0u8..9).prop_map(|code| Method::from_code(code).unwrap()),
            100u16..600,
            proptest::option::weighted(0.9, prop_oneof![0u32..50_000, 0u32..=3_600_000_000]),
            proptest::option::weighted(0.9, 0u64..5_000),
            prop_oneof![9 => Just(WEIGHT_ONE), 1 => 1_000u32..10_000_000],
        )
            .prop_map(|(offset_ms, hash, method, status, response_time_us, client, weight_milli)| {
                PackedEvent {
                    offset_ms,
                    hash,
                    method,
                    status,
                    response_time_us,
                    client_ip_hash: client.map(|c| c.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                    weight_milli,
                }
            })
    }

    #[test]
    fn the_packed_form_is_pinned() {
        let event = PackedEvent {
            offset_ms: 0x01_02_03,
            hash: 0xa1b2_c3d4,
            method: Method::Unknown,
            status: 503,
            response_time_us: Some(12_500),
            client_ip_hash: Some(0x0123_4567_89ab_cdef),
            weight_milli: 4_000,
        };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex(&bytes), "07030201d4c3b2a1f701d4300000efcdab8967452301a00f0000");
        let told = PackedEvent { method: Method::Delete, ..event };
        bytes.clear();
        told.encode(&mut bytes);
        assert_eq!(hex(&bytes), "67030201d4c3b2a1f701d4300000efcdab8967452301a00f0000");
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused_without_a_panic() {
        assert_eq!(PackedEvents::new(&[0x98; 40]).next(), Some(Err(PackedError::Flags(0x98))));
        assert_eq!(PackedEvents::new(&[0x90; 40]).next(), Some(Err(PackedError::Flags(0x90))));
        assert_eq!(PackedEvents::new(&[0x08; 40]).next(), Some(Err(PackedError::Flags(0x08))));
        assert_eq!(PackedEvents::new(&[0; 3]).next(), Some(Err(PackedError::Truncated(1))));
        assert_eq!(PackedEvents::new(&[0; 10]).next(), Some(Err(PackedError::Range("status"))));
        assert_eq!(
            PackedEvents::new(&[0, 255, 255, 255, 0, 0, 0, 0, 200, 0]).next(),
            Some(Err(PackedError::Range("offset")))
        );
    }

    proptest! {
        #[test]
        fn events_read_back_as_they_were_packed(events in proptest::collection::vec(any_event(), 0..20)) {
            let mut bytes = Vec::new();
            for event in &events {
                event.encode(&mut bytes);
            }
            let back: Result<Vec<_>, _> = PackedEvents::new(&bytes).collect();
            prop_assert_eq!(back.unwrap(), events);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(PackedEvents::new(&bytes).count() <= 20);
        }
    }
}
