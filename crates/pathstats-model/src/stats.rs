//! [`PathHourStats`]: everything counted for a path within an hour, and mergeable over hours.

use crate::cells::{Cells, CellsError, Method, StatusClass};
use crate::clients::ClientSketch;
use crate::latency::LatencySketch;
use crate::packed::{PackedEvent, WEIGHT_ONE};

/// Counters and sketches. Merging is exact, associative and commutative, so redelivery, order and
/// splits cannot change a figure or a byte.
#[derive(Debug, Clone, Default)]
pub struct PathHourStats {
    /// Exact counters.
    pub counters: Counters,
    /// The same events by method and class of status.
    cells: Cells,
    /// Response times.
    pub latency: LatencySketch,
    /// Distinct clients.
    pub clients: ClientSketch,
}

/// The exact part of the statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events counted.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
    /// Requests that the events stand for, in thousandths. `1000 * requests` without sampling.
    pub weight_milli: u64,
    /// Errors that the events stand for, in thousandths.
    pub error_weight_milli: u64,
    /// Sum of the response times, in microseconds.
    pub sum_response_time_us: u64,
    /// Events that had a response time.
    pub count_response_time: u64,
    /// Events by class of status, `1xx` first.
    pub status_classes: [u64; 5],
}

/// Why bytes are not statistics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatsError {
    /// Fewer bytes than the form needs.
    #[error("statistics are cut short")]
    Truncated,
    /// A version that this program does not know.
    #[error("statistics of version {0}: this program reads versions 1 and 2")]
    Version(u8),
    /// The checksum does not fit.
    #[error("statistics are corrupted: checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// As stored.
        found: u32,
        /// As computed.
        expected: u32,
    },
    /// A sketch within does not decode.
    #[error("statistics hold a broken sketch: {0}")]
    Sketch(String),
    /// The counts by method and class do not decode.
    #[error("statistics hold broken counts by method: {0}")]
    Cells(#[from] CellsError),
    /// The counts by method and class are not those of the counters.
    #[error("statistics hold counts by method that are not those of the counters")]
    Contradiction,
}

/// What statistics hold before their sketches, see [`PathHourStats::head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsHead {
    /// Exact counters.
    pub counters: Counters,
    /// The same events by method and class of status.
    pub cells: Cells,
}

/// Version byte of the binary form that is written.
const VERSION: u8 = 2;
/// The form before: without counts by method.
const VERSION_WITHOUT_CELLS: u8 = 1;
const COUNTERS: usize = 11;

impl Counters {
    fn add(&mut self, event: &PackedEvent) {
        let error = u64::from(event.status >= 400);
        self.requests += 1;
        self.errors += error;
        self.weight_milli += u64::from(event.weight_milli);
        self.error_weight_milli += error * u64::from(event.weight_milli);
        if let Some(us) = event.response_time_us {
            self.sum_response_time_us += u64::from(us);
            self.count_response_time += 1;
        }
        let class = usize::from(event.status / 100).wrapping_sub(1);
        if let Some(count) = self.status_classes.get_mut(class) {
            *count += 1;
        }
    }

    /// Adds other counters.
    pub fn merge(&mut self, other: &Self) {
        let mut own = self.to_array();
        for (own, other) in own.iter_mut().zip(other.to_array()) {
            *own += other;
        }
        *self = Self::from_array(own);
    }

    /// Whether all events stand for themselves alone.
    #[must_use]
    pub const fn is_unsampled(&self) -> bool {
        self.weight_milli == self.requests * WEIGHT_ONE as u64
    }

    const fn to_array(self) -> [u64; COUNTERS] {
        let [c1, c2, c3, c4, c5] = self.status_classes;
        [
            self.requests,
            self.errors,
            self.weight_milli,
            self.error_weight_milli,
            self.sum_response_time_us,
            self.count_response_time,
            c1,
            c2,
            c3,
            c4,
            c5,
        ]
    }

    const fn from_array(values: [u64; COUNTERS]) -> Self {
        let [requests, errors, weight_milli, error_weight_milli, sum, count, c1, c2, c3, c4, c5] = values;
        Self {
            requests,
            errors,
            weight_milli,
            error_weight_milli,
            sum_response_time_us: sum,
            count_response_time: count,
            status_classes: [c1, c2, c3, c4, c5],
        }
    }

    /// Mean response time in milliseconds; `None` when no event had one.
    #[must_use]
    pub fn average_ms(&self) -> Option<f64> {
        (self.count_response_time > 0).then(|| self.sum_response_time_ms() / as_f64(self.count_response_time))
    }

    /// Sum of response times in milliseconds, the nearest `f64` to the exact sum.
    #[must_use]
    pub fn sum_response_time_ms(&self) -> f64 {
        as_f64(self.sum_response_time_us) / 1000.0
    }

    /// Requests as an estimate where events were sampled: thousandths as a number.
    #[must_use]
    pub fn estimated_requests(&self) -> f64 {
        as_f64(self.weight_milli) / 1000.0
    }

    /// Share of errors among requests, in `[0, 1]`; zero without requests. Weighted by sampling.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        if self.weight_milli == 0 {
            0.0
        } else {
            as_f64(self.error_weight_milli) / as_f64(self.weight_milli)
        }
    }
}

/// Counts below 2^53 are exact.
#[allow(clippy::cast_precision_loss)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

impl PathHourStats {
    /// Counts one event.
    pub fn add(&mut self, event: &PackedEvent) {
        self.counters.add(event);
        if let Some(class) = StatusClass::of_status(event.status) {
            self.cells.add(event.method, class, 1);
        }
        if let Some(us) = event.response_time_us {
            self.latency.add(us);
        }
        if let Some(client) = event.client_ip_hash {
            self.clients.add(client);
        }
    }

    /// Adds all that another has counted.
    ///
    /// # Errors
    ///
    /// Never for statistics made or decoded by this type.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        self.latency.merge(&other.latency).map_err(|e| StatsError::Sketch(e.to_string()))?;
        self.clients.merge(&other.clients).map_err(|e| StatsError::Sketch(e.to_string()))?;
        self.counters.merge(&other.counters);
        self.cells.merge(&other.cells);
        Ok(())
    }

    /// Most bytes that hold the counters and the counts by method: what [`head`](Self::head) needs.
    pub const HEAD_BYTES: usize = 1 + 8 * COUNTERS + Cells::MAX_BYTES;

    /// Events by method and class of status, exact. Events that were counted before methods were
    /// told have the method [`Method::Unknown`].
    #[must_use]
    pub const fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Reads the counters and the counts by method from the first
    /// [`HEAD_BYTES`](Self::HEAD_BYTES) of the binary form, or from all of it, without the
    /// sketches.
    ///
    /// The checksum covers the sketches too, so it is **not** looked at: a flipped bit in a counter
    /// stays unnoticed unless the counts by class no longer agree. Where that matters, and
    /// everywhere something is written, read the whole with [`from_bytes`](Self::from_bytes).
    ///
    /// # Errors
    ///
    /// See [`StatsError`]; all but the checksum and the sketches.
    pub fn head(bytes: &[u8]) -> Result<StatsHead, StatsError> {
        take_head(&mut &*bytes)
    }

    /// Statistics of which only the counts are known: their sketches are empty.
    #[must_use]
    pub fn of_head(head: StatsHead) -> Self {
        Self { counters: head.counters, cells: head.cells, ..Self::default() }
    }

    /// The binary form, version 2: the version, eleven counters of 8 bytes, the counts by method and
    /// class ([`Cells`]: their number, then a byte of code and a LEB128 count each), then each sketch as
    /// its length (4 bytes) and bytes, then CRC-32 of all before; little-endian. Equal statistics are
    /// equal bytes. Version 1 is the same without the counts by method.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for value in self.counters.to_array() {
            out.extend_from_slice(&value.to_le_bytes());
        }
        self.cells.encode(&mut out);
        for sketch in [self.latency.to_bytes(), self.clients.to_bytes()] {
            // A sketch has some thousand bytes.
            out.extend_from_slice(&u32::try_from(sketch.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(&sketch);
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, now or in version 1.
    ///
    /// # Errors
    ///
    /// See [`StatsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatsError> {
        known_version(bytes)?;
        let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(StatsError::Truncated)?;
        let (found, expected) = (u32::from_le_bytes(*checksum), crc32fast::hash(body));
        if found != expected {
            return Err(StatsError::Checksum { found, expected });
        }
        let mut rest = body;
        let StatsHead { counters, cells } = take_head(&mut rest)?;
        let latency = LatencySketch::from_bytes(take_sketch(&mut rest)?)
            .map_err(|e| StatsError::Sketch(e.to_string()))?;
        let clients = ClientSketch::from_bytes(take_sketch(&mut rest)?)
            .map_err(|e| StatsError::Sketch(e.to_string()))?;
        Ok(Self { counters, cells, latency, clients })
    }
}

fn known_version(bytes: &[u8]) -> Result<u8, StatsError> {
    match *bytes.first().ok_or(StatsError::Truncated)? {
        known @ (VERSION | VERSION_WITHOUT_CELLS) => Ok(known),
        other => Err(StatsError::Version(other)),
    }
}

fn take_head(rest: &mut &[u8]) -> Result<StatsHead, StatsError> {
    let version = known_version(rest)?;
    take::<1>(rest)?;
    let mut values = [0; COUNTERS];
    for value in &mut values {
        *value = u64::from_le_bytes(*take(rest)?);
    }
    let counters = Counters::from_array(values);
    if version == VERSION_WITHOUT_CELLS {
        let mut cells = Cells::default();
        for (class, events) in StatusClass::ALL.into_iter().zip(counters.status_classes) {
            cells.add(Method::Unknown, class, events);
        }
        return Ok(StatsHead { counters, cells });
    }
    let cells = Cells::decode(rest)?;
    if cells.by_class(None) != counters.status_classes {
        return Err(StatsError::Contradiction);
    }
    Ok(StatsHead { counters, cells })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], StatsError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(StatsError::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn take_sketch<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], StatsError> {
    let length = u32::from_le_bytes(*take(rest)?) as usize;
    let (head, tail) = rest.split_at_checked(length).ok_or(StatsError::Truncated)?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::tests::any_event;
    use proptest::prelude::*;

    fn stats_of<'a>(events: impl IntoIterator<Item = &'a PackedEvent>) -> PathHourStats {
        let mut stats = PathHourStats::default();
        for event in events {
            stats.add(event);
        }
        stats
    }

    fn event(status: u16, response_time_us: Option<u32>, weight_milli: u32) -> PackedEvent {
        let (method, client_ip_hash) = (Method::Get, Some(7));
        PackedEvent { offset_ms: 0, hash: 0, method, status, response_time_us, client_ip_hash, weight_milli }
    }

    #[test]
    fn counters_say_what_was_counted() {
        let stats = stats_of(&[
            event(200, Some(1_000), 1000),
            event(503, Some(2_000), 1000),
            event(404, None, 1000),
            event(101, None, 1000),
        ]);
        let counters = stats.counters;
        assert_eq!((counters.requests, counters.errors), (4, 2));
        assert_eq!(counters.status_classes, [1, 1, 0, 1, 1]);
        assert_eq!(counters.average_ms(), Some(1.5));
        assert!((counters.error_rate() - 0.5).abs() < 1e-12);
        assert!(counters.is_unsampled());
        assert_eq!(stats.clients.estimate(), 1);
        assert_eq!(Counters::default().average_ms(), None);
    }

    #[test]
    fn cells_say_which_method_had_which_status() {
        let get = event(200, None, 4_000);
        let put = PackedEvent { method: Method::Put, ..event(503, None, 1_000) };
        let stats = stats_of(&[get, get, put]);
        let cells: Vec<_> = stats.cells().iter().collect();
        let expected =
            [(Method::Get, StatusClass::Successful, 2), (Method::Put, StatusClass::ServerError, 1)];
        assert_eq!(cells, expected, "events, whatever they stand for");
    }

    #[test]
    fn the_head_is_read_without_the_sketches_and_holds_to_its_length() {
        let events: Vec<PackedEvent> = (0..5_000u16)
            .map(|n| {
                let method = Method::from_code(n.to_le_bytes()[0] % 9).unwrap();
                let client = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let event = event(100 + n % 500, Some(u32::from(n) * 77), 1_000);
                PackedEvent { method, client_ip_hash: Some(client), ..event }
            })
            .collect();
        let stats = stats_of(&events);
        let bytes = stats.to_bytes();
        assert!(bytes.len() > 4 * PathHourStats::HEAD_BYTES, "most are sketches");
        let head = PathHourStats::head(&bytes[..PathHourStats::HEAD_BYTES]).unwrap();
        assert_eq!((head.counters, &head.cells), (stats.counters, stats.cells()));
        for end in 0..90 {
            assert!(PathHourStats::head(&bytes[..end]).is_err(), "{end}");
        }
        let mut wrong = bytes.clone();
        wrong[1 + 8 * 6] ^= 1;
        assert_eq!(PathHourStats::head(&wrong), Err(StatsError::Contradiction));
        wrong.clone_from(&bytes);
        wrong[2] ^= 1;
        assert!(PathHourStats::head(&wrong).is_ok(), "the checksum is not looked at");
        assert!(PathHourStats::from_bytes(&wrong).is_err());
    }

    #[test]
    fn sampled_events_stand_for_many() {
        let stats = stats_of(&[event(200, None, 4000), event(500, None, 1000)]);
        assert!(!stats.counters.is_unsampled());
        assert!((stats.counters.estimated_requests() - 5.0).abs() < 1e-12);
        assert!((stats.counters.error_rate() - 0.2).abs() < 1e-12);
    }

    #[test]
    fn a_flipped_bit_a_cut_and_another_version_are_refused() {
        let bytes = stats_of(&[event(200, Some(1_000), 1000)]).to_bytes();
        for at in 1..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(matches!(PathHourStats::from_bytes(&broken), Err(StatsError::Checksum { .. })));
            assert!(PathHourStats::from_bytes(&bytes[..at]).is_err());
        }
        assert_eq!(PathHourStats::from_bytes(&[]).unwrap_err(), StatsError::Truncated);
        assert_eq!(PathHourStats::from_bytes(&[9; 200]).unwrap_err(), StatsError::Version(9));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_is_associative_and_order_does_not_matter(
            events in proptest::collection::vec(any_event(), 0..200),
            cuts in (0usize..200, 0usize..200),
        ) {
            let whole = stats_of(&events);
            let (a, b) = (cuts.0.min(events.len()), cuts.1.min(events.len()));
            let (low, high) = (a.min(b), a.max(b));
            let (first, second, third) = (stats_of(&events[..low]), stats_of(&events[low..high]), stats_of(&events[high..]));
            let mut left = first.clone();
            left.merge(&second).unwrap();
            left.merge(&third).unwrap();
            let mut right = third;
            right.merge(&first).unwrap();
            let mut tail = second;
            tail.merge(&right).unwrap();
            prop_assert_eq!(left.cells(), whole.cells());
            prop_assert_eq!(whole.cells().by_class(None), whole.counters.status_classes);
            prop_assert_eq!(left.to_bytes(), whole.to_bytes());
            prop_assert_eq!(tail.to_bytes(), whole.to_bytes());
            prop_assert_eq!(PathHourStats::from_bytes(&whole.to_bytes()).unwrap().to_bytes(), whole.to_bytes());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(PathHourStats::from_bytes(&bytes).is_err());
        }

        #[test]
        fn any_bytes_of_a_known_version_have_a_head_or_none(
            version in 1u8..3,
            bytes in proptest::collection::vec(any::<u8>(), 80..700),
        ) {
            let bytes = [&[version][..], &bytes].concat();
            if let Ok(head) = PathHourStats::head(&bytes) {
                prop_assert_eq!(head.cells.by_class(None), head.counters.status_classes);
            }
        }
    }
}
