//! Pages as gzip members of JSON lines: each line an event as it crosses the queue.

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use pathstats_model::TrafficEvent;

use crate::page::{Encoded, PageError, PAGE_BYTES};

/// A page never decompresses to more.
const MAX_RAW_BYTES: u64 = PAGE_BYTES as u64;

/// Events as one gzip member. The same events give the same bytes: no name and no time is in it.
///
/// # Errors
///
/// [`PageError::Corrupt`]; writing to memory does not fail.
pub fn encode(events: &[TrafficEvent]) -> Result<Encoded, PageError> {
    let corrupt = |error: &dyn core::fmt::Display| PageError::Corrupt(error.to_string());
    let mut gzip = GzBuilder::new().write(Vec::with_capacity(events.len() * 40), Compression::new(6));
    let mut line = Vec::with_capacity(512);
    for event in events {
        line.clear();
        serde_json::to_writer(&mut line, event).map_err(|error| corrupt(&error))?;
        line.push(b'\n');
        gzip.write_all(&line).map_err(|error| corrupt(&error))?;
    }
    let bytes = gzip.finish().map_err(|error| corrupt(&error))?;
    Ok(Encoded { bytes, metadata: Vec::new() })
}

/// The JSON lines of a member.
///
/// # Errors
///
/// [`PageError::Corrupt`] when it does not decompress, is larger than any page, or is no UTF-8.
pub fn decompress(member: &[u8]) -> Result<String, PageError> {
    let mut text = String::new();
    GzDecoder::new(member)
        .take(MAX_RAW_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| PageError::Corrupt(error.to_string()))?;
    if text.len() as u64 > MAX_RAW_BYTES {
        return Err(PageError::Corrupt(format!("more than {MAX_RAW_BYTES} bytes in one page")));
    }
    Ok(text)
}

/// The events of a member.
///
/// # Errors
///
/// As [`decompress`], and [`PageError::Event`] for a line that is no event.
pub fn decode(member: &[u8]) -> Result<Vec<TrafficEvent>, PageError> {
    decompress(member)?
        .lines()
        .enumerate()
        .map(|(at, line)| {
            TrafficEvent::from_json(line).map_err(|error| PageError::Event { line: at + 1, error })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::event;

    #[test]
    fn events_read_back_and_the_same_ones_give_the_same_bytes() {
        let events: Vec<_> = (0..500).map(event).collect();
        let member = encode(&events).unwrap().bytes;
        assert_eq!(decode(&member).unwrap(), events);
        assert_eq!(encode(&events).unwrap().bytes, member);
        assert_eq!(member.get(4..8), Some(&[0; 4][..]), "no time of writing");
    }

    #[test]
    fn members_one_after_another_are_one_file() {
        let halves = [(0..10).map(event).collect::<Vec<_>>(), (10..20).map(event).collect()];
        let file: Vec<u8> = halves.iter().flat_map(|half| encode(half).unwrap().bytes).collect();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&*file).read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().count(), 20);
    }

    #[test]
    fn what_is_no_member_is_refused() {
        assert!(matches!(decode(b"plain"), Err(PageError::Corrupt(_))));
        let member = encode(&[event(1)]).unwrap().bytes;
        assert!(matches!(decode(&member[..member.len() - 9]), Err(PageError::Corrupt(_))));
        let mut bomb = GzBuilder::new().write(Vec::new(), Compression::new(9));
        bomb.write_all(&vec![b'x'; 2_000_000]).unwrap();
        assert!(matches!(decode(&bomb.finish().unwrap()), Err(PageError::Corrupt(_))));
        let mut other = GzBuilder::new().write(Vec::new(), Compression::new(6));
        other.write_all(b"{}\n").unwrap();
        assert!(matches!(decode(&other.finish().unwrap()), Err(PageError::Event { line: 1, .. })));
    }
}
