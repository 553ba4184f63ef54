//! [`ClientSketch`]: distinct clients as an Apache `DataSketches` HLL with 2^14 registers of 4 bits.
//!
//! Exact below about a thousand clients, then a standard error of 0.8 % (Flajolet, Fusy, Gandouet,
//! Meunier: "HyperLogLog", 2007; the estimate is the composite one of `DataSketches`, which does
//! not depend on order). The bytes are those that its Java, C++ and Python libraries read.

use std::borrow::Cow;

use datasketches::common::NumStdDev;
use datasketches::hash::value::raw_bytes;
use datasketches::hll::{HllSketch, HllType, HllUnion};

/// Base-2 logarithm of the number of registers.
const LG_K: u8 = 14;

/// Up to here a sketch keeps every client's hash, and its estimate is exact but for collisions of
/// hashes: it has a place of 2^26 and a number of leading zeros. One client is lacking in one sketch
/// of 400 that hold a thousand clients, and in one of 10,000 that hold 300.
const EXACT_TO: u64 = 1_000;

/// Two standard errors of the composite estimate: 1.04 / sqrt(2^14) each (Flajolet et al., 2007).
const TWO_STANDARD_ERRORS: f64 = 2.0 * 1.04 / 128.0;

/// Bounds that hold the true number with a probability of 95 %, when only the estimate is known.
#[must_use]
pub fn interval_of(estimate: u64) -> (u64, u64) {
    if estimate <= EXACT_TO {
        return (estimate, estimate);
    }
    // An estimate is never negative and far below 2^53.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = |factor: f64| (estimate as f64 / factor) as u64;
    (at(1.0 + TWO_STANDARD_ERRORS), at(1.0 - TWO_STANDARD_ERRORS) + 1)
}

/// A mergeable sketch of distinct clients.
#[derive(Clone, Debug, Default)]
pub struct ClientSketch {
    clients: Clients,
}

#[derive(Clone, Debug, Default)]
enum Clients {
    /// Most path-hours never hold many, and some none.
    #[default]
    None,
    Sketch(HllSketch),
    /// What was merged. It stays open: making a sketch of it after each merge costs more than merging.
    Union(Box<HllUnion>),
}

/// Why bytes are not a sketch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client sketch does not decode: {0}")]
pub struct ClientError(String);

fn refused(error: impl core::fmt::Display) -> ClientError {
    ClientError(error.to_string())
}

impl ClientSketch {
    /// Adds a client by the hash of its address. It is fed as 16 hexadecimal digits, which
    /// `DataSketches` hashes alike in every language.
    pub fn add(&mut self, client_ip_hash: u64) {
        let mut hex = [0; 16];
        for (at, digit) in hex.iter_mut().enumerate() {
            let nibble = (client_ip_hash >> (60 - 4 * at)) & 0xf;
            *digit =
                b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or_default()).copied().unwrap_or(b'0');
        }
        self.add_text(core::str::from_utf8(&hex).unwrap_or_default());
    }

    /// Adds whatever this text names.
    pub(crate) fn add_text(&mut self, text: &str) {
        let named = raw_bytes::from_str(text);
        if matches!(self.clients, Clients::None) {
            // Fails only for a size that is out of range.
            self.clients = HllSketch::new(LG_K, HllType::Hll4).map_or(Clients::None, Clients::Sketch);
        }
        match &mut self.clients {
            Clients::None => {}
            Clients::Sketch(sketch) => sketch.update(named),
            Clients::Union(union) => union.update_value(named),
        }
    }

    /// Adds all clients of another sketch.
    ///
    /// # Errors
    ///
    /// Never for sketches made or decoded by this type.
    pub fn merge(&mut self, other: &Self) -> Result<(), ClientError> {
        let Some(theirs) = other.sketch() else { return Ok(()) };
        if let Clients::Union(union) = &mut self.clients {
            union.update(&theirs);
            return Ok(());
        }
        let mut union = HllUnion::new(LG_K).map_err(refused)?;
        if let Clients::Sketch(own) = &self.clients {
            union.update(own);
        }
        union.update(&theirs);
        self.clients = Clients::Union(Box::new(union));
        Ok(())
    }

    fn sketch(&self) -> Option<Cow<'_, HllSketch>> {
        match &self.clients {
            Clients::None => None,
            Clients::Sketch(sketch) => Some(Cow::Borrowed(sketch)),
            Clients::Union(union) => Some(Cow::Owned(union.to_sketch(HllType::Hll4))),
        }
    }

    /// The number of distinct clients, rounded. Exact below a thousand or so.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        // An estimate is never negative and far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.sketch().map_or(0, |sketch| sketch.composite_estimate().round() as u64)
    }

    /// Bounds that hold the true number with a probability of 95 %: `(low, high)`.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        self.sketch().map_or((0.0, 0.0), |sketch| {
            (sketch.lower_bound(NumStdDev::Two), sketch.upper_bound(NumStdDev::Two))
        })
    }

    /// The least and the greatest whole number within [`bounds`](Self::bounds); the estimate lies
    /// between them.
    #[must_use]
    pub fn interval(&self) -> (u64, u64) {
        let (low, high) = self.bounds();
        let estimate = self.estimate();
        // Bounds are never negative and far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (estimate.min(low.ceil() as u64), estimate.max(high.floor() as u64))
    }

    /// The bytes stored: one form for one set of clients, whatever the order they came in. Empty
    /// for no client.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.sketch().map_or_else(Vec::new, |sketch| canonical(sketch.serialize()))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) or another `DataSketches` library wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are no HLL sketch, or one of another size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClientError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let sketch = HllSketch::deserialize(bytes).map_err(refused)?;
        if sketch.lg_config_k() != LG_K || sketch.target_type() != HllType::Hll4 {
            return Err(ClientError(format!("expected 2^{LG_K} registers of 4 bits")));
        }
        Ok(Self { clients: Clients::Sketch(sketch) })
    }
}

/// Takes out of a sketch's bytes what depends on the order of insertion, so that they can be
/// compared: coupons are sorted, and an array is marked "out of order" with its order-dependent
/// estimate cleared, as after a union. Offsets are those of the `DataSketches` HLL binary format:
/// byte 0 the length of the preamble in integers, 5 the flags, 7 the mode; in an array, 8..16 the
/// estimate, and after 2^13 bytes of registers the exceptions, as many as 36..40 say.
fn canonical(mut bytes: Vec<u8>) -> Vec<u8> {
    const FLAGS: usize = 5;
    const OUT_OF_ORDER: u8 = 16;
    const ARRAY_MODE: u8 = 2;
    const ARRAY_START: usize = 40;
    let (Some(&preamble), Some(&mode)) = (bytes.first(), bytes.get(7)) else { return bytes };
    let integers = if mode & 3 == ARRAY_MODE {
        if let Some(flags) = bytes.get_mut(FLAGS) {
            *flags |= OUT_OF_ORDER;
        }
        if let Some(estimate) = bytes.get_mut(8..16) {
            estimate.fill(0);
        }
        ARRAY_START + (1 << (LG_K - 1))
    } else {
        usize::from(preamble) * 4
    };
    if let Some(tail) = bytes.get_mut(integers..) {
        let mut sorted: Vec<[u8; 4]> =
            tail.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()).collect();
        sorted.sort_unstable_by_key(|chunk| u32::from_le_bytes(*chunk));
        for (place, value) in tail.chunks_exact_mut(4).zip(sorted) {
            place.copy_from_slice(&value);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spreads small numbers over all 64 bits, as a keyed hash would (`SplitMix64`'s finalizer).
    fn client(n: u64) -> u64 {
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    fn sketch_of(clients: impl IntoIterator<Item = u64>) -> ClientSketch {
        let mut sketch = ClientSketch::default();
        for n in clients {
            sketch.add(client(n));
        }
        sketch
    }

    #[test]
    fn few_clients_are_counted_exactly() {
        for n in [0, 1, 7, 8, 25, 100, 499, 500, 1000] {
            let sketch = sketch_of((0..n).chain(0..n));
            assert_eq!(sketch.estimate(), n);
            assert_eq!(sketch.interval(), (n, n));
            assert_eq!(ClientSketch::from_bytes(&sketch.to_bytes()).unwrap().estimate(), n);
        }
    }

    #[test]
    fn many_clients_are_within_two_percent_and_between_the_bounds() {
        for n in [2_000u32, 10_000, 50_000] {
            let sketch = sketch_of(0..u64::from(n));
            #[allow(clippy::cast_precision_loss)]
            let error = (sketch.estimate() as f64 - f64::from(n)).abs() / f64::from(n);
            assert!(error < 0.02, "{n}: {error}");
            let (low, high) = sketch.bounds();
            assert!(low <= f64::from(n) && f64::from(n) <= high, "{n}: {low} {high}");
            let (least, greatest) = sketch.interval();
            assert!(least < sketch.estimate() && sketch.estimate() < greatest, "{n}: {least} {greatest}");
        }
    }

    #[test]
    fn bytes_that_are_no_such_sketch_are_refused() {
        assert!(ClientSketch::from_bytes(&[1, 2, 3]).is_err());
        let other = HllSketch::new(12, HllType::Hll8).unwrap().serialize();
        assert!(ClientSketch::from_bytes(&other).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn order_splits_and_repeats_do_not_change_a_byte(
            seed in any::<u64>(),
            size in prop_oneof![0u64..20, 0u64..2_000, 0u64..40_000],
            cut in 0.0f64..1.0,
        ) {
            let clients: Vec<u64> = (0..size).map(|n| n ^ seed).collect();
            let whole = sketch_of(clients.iter().copied());
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let cut = (cut * size as f64) as usize;
            let (left, right) = clients.split_at(cut);
            let mut merged = sketch_of(right.iter().rev().copied());
            merged.merge(&ClientSketch::from_bytes(&sketch_of(left.iter().copied()).to_bytes()).unwrap()).unwrap();
            merged.merge(&sketch_of(right.iter().take(10).copied())).unwrap();
            prop_assert_eq!(merged.estimate(), whole.estimate());
            prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
            let back = ClientSketch::from_bytes(&whole.to_bytes()).unwrap();
            prop_assert_eq!(back.to_bytes(), whole.to_bytes());
            prop_assert_eq!(back.estimate(), whole.estimate());
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = ClientSketch::from_bytes(&bytes);
        }
    }
}
