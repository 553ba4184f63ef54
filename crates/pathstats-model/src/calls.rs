//! Calls between Workers and to Durable Objects: their paths and bodies, shared by both sides.
//!
//! Bodies on the hot way are binary: an object's events cross as they will lie in its log.

use crate::hour::PathHour;
use crate::packed::PackedEvent;

/// Path of the call that counts a group in its object.
pub const COUNT_PATH: &str = "/count";
/// Path of the call that asks an object which events of a group it has counted. Its body is that of
/// [`COUNT_PATH`], and so is its reply, of which nothing is done.
pub const PROBE_PATH: &str = "/probe";
/// Header of both calls' responses with their [`CountReply`]. There is no body: to read one costs each
/// side a turn of the event loop more, a tenth of a batch's time.
pub const REPLY_HEADER: &str = "pathstats-reply";
/// Path of the call that hands a chunk of groups to an invocation of its own.
pub const CHUNK_PATH: &str = "/chunk";
/// Path of the call that asks for a snapshot. Its body is a [`SnapshotReason`](crate::snapshot::SnapshotReason).
pub const SNAPSHOT_PATH: &str = "/snapshot";

const VERSION: u8 = 1;

/// Why bytes are not a call or a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Fewer bytes than the form needs.
    #[error("call is cut short")]
    Truncated,
    /// A version that this program does not know.
    #[error("call of version {0}: this program reads version 1")]
    Version(u8),
    /// A value out of its range.
    #[error("call with an unknown {0}")]
    Unknown(&'static str),
}

/// What the caller knows of the row of a path and hour. An object that starts empty goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Too young to be sealed, so nobody looked.
    Young,
    /// There is none.
    Absent,
    /// There is one that is not sealed.
    Live,
    /// There is one, its object is gone, and duplicates can no longer be told.
    Sealed,
}

impl RowState {
    const ALL: [Self; 4] = [Self::Young, Self::Absent, Self::Live, Self::Sealed];

    fn from_byte(byte: u8) -> Result<Self, CallError> {
        Self::ALL.get(usize::from(byte)).copied().ok_or(CallError::Unknown("row state"))
    }
}

/// Count these events in the object of this path and hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountCall<'a> {
    /// The object's name, `{path}:{hour}`.
    pub name: &'a str,
    /// What is known of its row.
    pub row: RowState,
    /// [`PackedEvent`]s, one after another.
    pub events: &'a [u8],
}

impl<'a> CountCall<'a> {
    /// The body: version, row state, length of the name (2 bytes, little-endian), name, events.
    #[must_use]
    pub fn encode(key: &PathHour, row: RowState, events: &[PackedEvent]) -> Vec<u8> {
        let name = key.to_string();
        let mut out = Vec::with_capacity(4 + name.len() + events.len() * 25);
        out.extend_from_slice(&[VERSION, row as u8]);
        // A path has 512 characters, of 4 bytes at most.
        out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        for event in events {
            event.encode(&mut out);
        }
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. The events are not looked at yet.
    pub fn decode(body: &'a [u8]) -> Result<Self, CallError> {
        let ([version, row, low, high], rest) = body.split_first_chunk::<4>().ok_or(CallError::Truncated)?;
        if *version != VERSION {
            return Err(CallError::Version(*version));
        }
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (name, events) = rest.split_at_checked(length).ok_or(CallError::Truncated)?;
        let name = core::str::from_utf8(name).map_err(|_| CallError::Unknown("name"))?;
        Ok(Self { name, row: RowState::from_byte(*row)?, events })
    }
}

/// What an object did with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountReply {
    /// Durable: so many events were new, so many known already.
    Counted {
        /// New events.
        counted: u32,
        /// Events that were there.
        duplicates: u32,
    },
    /// The object is empty although its row is there and not sealed: it is sealing, or its storage
    /// was lost. Nothing was counted; the row decides at the next delivery.
    NotNow,
    /// The call did not get through or failed. Nothing is known; the events come again.
    Failed,
}

impl CountReply {
    /// Length of a reply, in bytes.
    pub const LEN: usize = 10;

    /// The body: version, kind, counted, duplicates (4 bytes each, little-endian).
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        let (kind, counted, duplicates) = match self {
            Self::Counted { counted, duplicates } => (0, counted, duplicates),
            Self::NotNow => (1, 0, 0),
            Self::Failed => (2, 0, 0),
        };
        let ([c0, c1, c2, c3], [d0, d1, d2, d3]) = (counted.to_le_bytes(), duplicates.to_le_bytes());
        [VERSION, kind, c0, c1, c2, c3, d0, d1, d2, d3]
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn decode(body: &[u8]) -> Result<Self, CallError> {
        let [version, kind, c0, c1, c2, c3, d0, d1, d2, d3] =
            *<&[u8; Self::LEN]>::try_from(body).map_err(|_| CallError::Truncated)?;
        match (version, kind) {
            (VERSION, 0) => Ok(Self::Counted {
                counted: u32::from_le_bytes([c0, c1, c2, c3]),
                duplicates: u32::from_le_bytes([d0, d1, d2, d3]),
            }),
            (VERSION, 1) => Ok(Self::NotNow),
            (VERSION, 2) => Ok(Self::Failed),
            (VERSION, _) => Err(CallError::Unknown("reply")),
            (version, _) => Err(CallError::Version(version)),
        }
    }

    /// The value of [`REPLY_HEADER`]: the bytes of [`encode`](Self::encode) in hexadecimal.
    #[must_use]
    pub fn to_header(self) -> String {
        format!("{:020x}", self.encode().iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte)))
    }

    /// Reads a header's value.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn from_header(value: &str) -> Result<Self, CallError> {
        if value.len() != 2 * Self::LEN {
            return Err(CallError::Truncated);
        }
        let number = u128::from_str_radix(value, 16).map_err(|_| CallError::Unknown("reply"))?;
        Self::decode(&number.to_be_bytes()[16 - Self::LEN..])
    }

    /// Whether the group's events are durable.
    #[must_use]
    pub const fn is_durable(self) -> bool {
        matches!(self, Self::Counted { .. })
    }
}

/// A chunk's body: each group's [`CountCall`] behind its length (4 bytes, little-endian).
#[must_use]
pub fn encode_chunk<'a>(calls: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for call in calls {
        out.extend_from_slice(&u32::try_from(call.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(call);
    }
    out
}

/// Takes a chunk's body apart into the bodies of its calls.
///
/// # Errors
///
/// When it ends within a call.
pub fn decode_chunk(mut body: &[u8]) -> Result<Vec<&[u8]>, CallError> {
    let mut calls = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk::<4>().ok_or(CallError::Truncated)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (call, rest) = rest.split_at_checked(length).ok_or(CallError::Truncated)?;
        calls.push(call);
        body = rest;
    }
    Ok(calls)
}

/// A chunk's reply: the groups' replies in order.
#[must_use]
pub fn encode_replies(replies: &[CountReply]) -> Vec<u8> {
    replies.iter().flat_map(|reply| reply.encode()).collect()
}

/// Reads a chunk's reply. Groups without an answer that can be read have failed.
#[must_use]
pub fn decode_replies(body: &[u8], groups: usize) -> Vec<CountReply> {
    let mut replies: Vec<CountReply> = body
        .chunks(CountReply::LEN)
        .map(|reply| CountReply::decode(reply).unwrap_or(CountReply::Failed))
        .collect();
    replies.resize(groups, CountReply::Failed);
    replies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::tests::any_event;
    use crate::packed::PackedEvents;
    use proptest::prelude::*;

    fn key(text: &str) -> PathHour {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn calls_and_chunks_read_back(groups in proptest::collection::vec(proptest::collection::vec(any_event(), 0..5), 0..5)) {
            let key = key("/a:b/🦀:2025-10-15T14");
            let calls: Vec<Vec<u8>> = groups.iter().map(|g| CountCall::encode(&key, RowState::Live, g)).collect();
            let chunk = encode_chunk(calls.iter().map(Vec::as_slice));
            let back = decode_chunk(&chunk).unwrap();
            prop_assert_eq!(back.len(), groups.len());
            for (call, group) in back.iter().zip(&groups) {
                let call = CountCall::decode(call).unwrap();
                prop_assert_eq!(call.name, "/a:b/🦀:2025-10-15T14");
                prop_assert_eq!(call.row, RowState::Live);
                let events: Vec<_> = PackedEvents::new(call.events).collect::<Result<_, _>>().unwrap();
                prop_assert_eq!(&events, group);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = CountCall::decode(&body);
            let _ = decode_chunk(&body);
            prop_assert_eq!(decode_replies(&body, 3).len(), 3);
        }
    }

    #[test]
    fn replies_read_back_and_missing_ones_have_failed() {
        let replies =
            [CountReply::Counted { counted: 3, duplicates: 70_000 }, CountReply::NotNow, CountReply::Failed];
        assert_eq!(decode_replies(&encode_replies(&replies), 3), replies);
        assert_eq!(
            decode_replies(&encode_replies(&replies)[..15], 3),
            [replies[0], CountReply::Failed, CountReply::Failed]
        );
        assert_eq!(decode_replies(b"", 1), [CountReply::Failed]);
        for reply in replies {
            assert_eq!(CountReply::from_header(&reply.to_header()), Ok(reply));
        }
        assert_eq!(replies[0].to_header(), "01000300000070110100");
        assert_eq!(CountReply::from_header(""), Err(CallError::Truncated));
        assert_eq!(CountReply::from_header("0100030000007011010g"), Err(CallError::Unknown("reply")));
        assert_eq!(CountReply::from_header("02000300000070110100"), Err(CallError::Version(2)));
    }
}
