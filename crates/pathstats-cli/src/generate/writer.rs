//! Requests as lines of each format.

use std::fmt::Write as _;
use std::io::{self, Write};

use pathstats_model::client_ip::IpHasher;
use pathstats_model::{EventDate, EventId, TrafficEvent};
use time::OffsetDateTime;

use super::random::Random;
use super::traffic::Hit;
use crate::formats::Format;

/// Writes requests in one format.
pub struct LineWriter<W> {
    out: W,
    format: Format,
    hasher: IpHasher,
    /// The hash of each client, with the day that it holds for.
    hashes: Vec<Option<(EventDate, u64)>>,
    /// The ids of the current millisecond, so that none is given twice.
    taken: (i64, Vec<EventId>),
    /// What stands for `:id` and the like. A stream of its own, so that the traffic is the same in
    /// every format.
    values: Random,
    /// The current second as Common Log Format writes it.
    second: (i64, String),
}

impl<W: Write> LineWriter<W> {
    /// A writer of lines to `out`.
    pub fn new(out: W, format: Format, hasher: IpHasher, seed: u64) -> Self {
        Self {
            out,
            format,
            hasher,
            hashes: Vec::new(),
            taken: (0, Vec::new()),
            values: Random::new(seed, 7),
            second: (-1, String::new()),
        }
    }

    /// Writes one request.
    pub fn write(&mut self, hit: &Hit<'_>) -> io::Result<()> {
        match self.format {
            Format::Jsonl => self.event(hit),
            Format::Logpush => self.logpush(hit),
            Format::Common | Format::Combined | Format::Nginx => self.access_log(hit),
        }
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn event(&mut self, hit: &Hit<'_>) -> io::Result<()> {
        let event = TrafficEvent {
            id: self.id(hit)?,
            path: hit.path.to_owned(),
            method: hit.method.to_owned(),
            status: hit.status,
            response_time_us: Some(hit.response_time_us),
            client_ip_hash: self.hash(hit),
            user_agent: Some(hit.agent).filter(|agent| !agent.is_empty()).map(str::to_owned),
            country: Some(hit.country),
            sample_ratio: 1.0,
        };
        serde_json::to_writer(&mut self.out, &event)?;
        self.out.write_all(b"\n")
    }

    /// The request's id. Two requests of one millisecond share eight digits once in 2^32 pairs:
    /// then the request's own id is counted up.
    fn id(&mut self, hit: &Hit<'_>) -> io::Result<EventId> {
        let (millisecond, ids) = &mut self.taken;
        if *millisecond != hit.timestamp_ms {
            *millisecond = hit.timestamp_ms;
            ids.clear();
        }
        let mut ray = hit.ray;
        loop {
            let id = EventId::derive(hit.timestamp_ms, hit.address, hit.path, &format!("{ray:016x}"))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
            if !ids.contains(&id) {
                ids.push(id);
                return Ok(id);
            }
            ray = ray.wrapping_add(1);
        }
    }

    fn hash(&mut self, hit: &Hit<'_>) -> Option<u64> {
        let day = EventDate::from_ms(hit.timestamp_ms);
        if self.hashes.len() <= hit.client {
            self.hashes.resize(hit.client + 1, None);
        }
        let known = self.hashes.get_mut(hit.client)?;
        if let Some((_, hash)) = known.filter(|(date, _)| *date == day) {
            return Some(hash);
        }
        let hash = self.hasher.hash(hit.address, day)?;
        *known = Some((day, hash));
        Some(hash)
    }

    fn logpush(&mut self, hit: &Hit<'_>) -> io::Result<()> {
        let target = self.target(hit.path);
        let country = std::str::from_utf8(&hit.country).unwrap_or_default().to_ascii_lowercase();
        let line = serde_json::json!({
            "ClientCountry": country,
            "ClientIP": hit.address,
            "ClientRequestMethod": hit.method,
            "ClientRequestPath": target,
            "ClientRequestURI": target,
            "ClientRequestUserAgent": hit.agent,
            "EdgeResponseBytes": hit.bytes,
            "EdgeResponseStatus": hit.status,
            "EdgeStartTimestamp": hit.timestamp_ms * 1_000_000,
            "OriginResponseDurationMs": pathstats_model::event::us_to_ms(hit.response_time_us),
            "RayID": format!("{:016x}", hit.ray),
        });
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    fn access_log(&mut self, hit: &Hit<'_>) -> io::Result<()> {
        let second = hit.timestamp_ms.div_euclid(1000);
        if self.second.0 != second {
            self.second = (second, common_log_time(second));
        }
        let target = self.target(hit.path);
        write!(self.out, "{} - - [{}] \"{} ", hit.address, self.second.1, hit.method)?;
        escaped(&mut self.out, &target)?;
        write!(self.out, " HTTP/1.1\" {} {}", hit.status, hit.bytes)?;
        if self.format != Format::Common {
            self.out.write_all(b" \"-\" \"")?;
            escaped(&mut self.out, if hit.agent.is_empty() { "-" } else { hit.agent })?;
            self.out.write_all(b"\"")?;
        }
        if self.format == Format::Nginx {
            let ms = (hit.response_time_us + 500) / 1000;
            write!(self.out, " {}.{:03}", ms / 1000, ms % 1000)?;
        }
        self.out.write_all(b"\n")
    }

    /// The path with a value for each of its placeholders.
    fn target(&mut self, path: &str) -> String {
        // Writing to a String does not fail.
        let mut target = String::with_capacity(path.len() + 32);
        for (at, segment) in path.split('/').enumerate() {
            if at > 0 {
                target.push('/');
            }
            match segment {
                ":id" => target.push_str(&(1 + self.values.below(5_000_000)).to_string()),
                ":uuid" => {
                    let (high, low) = (self.values.bits(), self.values.bits());
                    let _ = write!(
                        target,
                        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                        high >> 32,
                        (high >> 16) & 0xffff,
                        high & 0xfff,
                        (low >> 48) & 0x3fff | 0x8000,
                        low & 0xffff_ffff_ffff
                    );
                }
                // With at least one decimal digit, which the rule for hashes asks for.
                ":hash" => {
                    let _ = write!(target, "{:016x}{:015x}0", self.values.bits(), self.values.bits() >> 4);
                }
                _ => target.push_str(segment),
            }
        }
        target
    }
}

/// As nginx escapes variables: `"`, `\` and bytes outside of ASCII's printable ones as `\xHH`.
fn escaped(out: &mut impl Write, text: &str) -> io::Result<()> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\') {
        return out.write_all(text.as_bytes());
    }
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => write!(out, "\\x{byte:02X}")?,
            _ => out.write_all(&[byte])?,
        }
    }
    Ok(())
}

/// `15/Oct/2025:14:03:21 +0000`.
fn common_log_time(second: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let month = at.month().to_string();
    format!(
        "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
        at.day(),
        month.get(..3).unwrap_or_default(),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::super::traffic::{Plan, Traffic};
    use super::*;
    use crate::formats::Line;
    use pathstats_model::path_policy::PathPolicy;
    use sha2::{Digest, Sha256};
    use std::collections::{BTreeMap, HashSet};

    fn lines(format: Format) -> String {
        let plan = Plan {
            seed: 7,
            events: 20_000,
            paths: 200,
            end_ms: 1_760_572_800_000,
            span_ms: 30 * 3_600_000,
            clients: 500,
            error_rate: 0.05,
            bots: 0.1,
            bursts: 2,
            odd_paths: true,
        };
        let hasher = IpHasher::new("a secret for this test").unwrap();
        let mut writer = LineWriter::new(Vec::new(), format, hasher, plan.seed);
        Traffic::new(plan).each(|hit| writer.write(hit)).unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn the_bytes_of_a_seed_are_pinned() {
        for (format, digest) in [
            (Format::Jsonl, "085bbea3225eae77"),
            (Format::Nginx, "4ad30bfbf6b55a73"),
            (Format::Logpush, "0bb5e646078e65c0"),
        ] {
            let found =
                Sha256::digest(lines(format)).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            assert_eq!(format!("{found:016x}"), digest, "{format:?}");
        }
    }

    #[test]
    fn ids_are_unique_and_in_order_of_time() {
        let text = lines(Format::Jsonl);
        let events: Vec<TrafficEvent> =
            text.lines().map(|line| TrafficEvent::from_json(line).unwrap()).collect();
        assert_eq!(events.iter().map(|event| event.id).collect::<HashSet<_>>().len(), 20_000);
        assert!(events.windows(2).all(|pair| pair[0].id.timestamp_ms() <= pair[1].id.timestamp_ms()));
    }

    #[test]
    fn every_format_holds_the_same_traffic() {
        let policy = PathPolicy::default();
        let counts = |format: Format| -> BTreeMap<(String, i64), (u64, u64)> {
            let mut counts = BTreeMap::new();
            for line in lines(format).lines() {
                let (path, at, status) = match format.parse(line).unwrap() {
                    Line::Event(event) => (event.path.clone(), event.id.timestamp_ms(), event.status),
                    Line::Request(request) => {
                        (policy.apply(&request.target), request.timestamp_ms, request.status)
                    }
                };
                let count: &mut (u64, u64) = counts.entry((path, at / 3_600_000)).or_default();
                count.0 += 1;
                count.1 += u64::from(status >= 400);
            }
            counts
        };
        let expected = counts(Format::Jsonl);
        for format in [Format::Common, Format::Combined, Format::Nginx, Format::Logpush] {
            assert_eq!(counts(format), expected, "{format:?}");
        }
    }
}
