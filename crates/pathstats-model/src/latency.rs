//! [`LatencySketch`]: response times as a DDSketch with a relative error of 0.5 %.
//!
//! DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees", VLDB 2019) bounds the error of every quantile at every size, and
//! merging is exact, associative and commutative. It sits behind this one type, so that the bytes
//! stored can change with a version.

use sketches_ddsketch::{Config, DDSketch};

/// Relative error of any percentile: 0.5 %.
pub const RELATIVE_ERROR: f64 = 0.005;

/// Bins kept: with bins of 1 %, they span a factor of 7.8e8, from 5 µs to one hour.
const MAX_BINS: u32 = 2048;

/// The library's least value that is not zero. It is a constant of the stored form: reading back
/// assumes it, and sketches of different configurations do not merge.
const MIN_VALUE: f64 = 1e-9;

/// Times below this are counted at it: beyond, an hour would no longer fit into the bins, and the
/// order of events would matter. No HTTP response is faster. Zero stays zero.
const FLOOR_US: u32 = 5;

/// A mergeable sketch of response times, in whole microseconds.
#[derive(Clone)]
pub struct LatencySketch {
    sketch: DDSketch,
}

/// Why bytes are not a sketch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("latency sketch does not decode: {0}")]
pub struct LatencyError(String);

impl core::fmt::Debug for LatencySketch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "LatencySketch({} values)", self.count())
    }
}

/// What holds the exact nearest rank when a sketch says `ms` milliseconds, `(low, high)`, rounded
/// outwards to whole microseconds.
#[must_use]
pub fn bounds_ms(ms: f64) -> (f64, f64) {
    let us = ms * 1000.0;
    // Times below the floor were counted at it.
    let at_floor = us <= f64::from(FLOOR_US) * (1.0 + RELATIVE_ERROR);
    let low = if at_floor { 0.0 } else { us / (1.0 + RELATIVE_ERROR) };
    (low.floor() / 1000.0, (us / (1.0 - RELATIVE_ERROR)).ceil() / 1000.0)
}

impl Default for LatencySketch {
    fn default() -> Self {
        Self { sketch: DDSketch::new(Config::new(RELATIVE_ERROR, MAX_BINS, MIN_VALUE)) }
    }
}

impl LatencySketch {
    /// Adds one response time in microseconds.
    pub fn add(&mut self, us: u32) {
        let us = if us == 0 { 0 } else { us.max(FLOOR_US) };
        self.sketch.add(f64::from(us));
    }

    /// How many times were added.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sketch.count()
    }

    /// Adds all that another sketch holds.
    ///
    /// # Errors
    ///
    /// Never for sketches made or decoded by this type.
    pub fn merge(&mut self, other: &Self) -> Result<(), LatencyError> {
        self.sketch.merge(&other.sketch).map_err(|error| LatencyError(error.to_string()))
    }

    /// The response time in milliseconds at `quantile` in `[0, 1]`, by the nearest-rank method
    /// (the least value that at least that share of values does not exceed), within 0.5 %.
    /// `None` when the sketch is empty.
    #[must_use]
    pub fn percentile_ms(&self, quantile: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // The library takes the value at index floor(q·(n−1)); the nearest rank is index
        // ceil(q·n)−1. Half a step above the index lands on it whatever the rounding.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = {
            let index = ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as usize).clamp(1, count) - 1;
            if index + 1 == count {
                1.0
            } else {
                (index as f64 + 0.5) / (count - 1) as f64
            }
        };
        // Only a quantile outside [0, 1] is an error.
        self.sketch.quantile(at).ok().flatten().map(|us| us / 1000.0)
    }

    /// The [bounds](bounds_ms) of the percentile at `quantile`. `None` when the sketch is empty.
    #[must_use]
    pub fn percentile_bounds_ms(&self, quantile: f64) -> Option<(f64, f64)> {
        self.percentile_ms(quantile).map(bounds_ms)
    }

    /// The bytes stored: what Datadog's Java library reads as
    /// `DDSketchWithExactSummaryStatistics`, values in microseconds. Empty for an empty sketch,
    /// whose encoding the library cannot read back.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.count() == 0 {
            Vec::new()
        } else {
            self.sketch.to_java_bytes()
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. The library trusts its input: some corrupted
    /// bytes make it panic. So this stays within the crate, behind the checksum of
    /// [`PathHourStats`](crate::stats::PathHourStats).
    ///
    /// # Errors
    ///
    /// When the bytes are no sketch, or one of another relative error.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, LatencyError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let sketch = DDSketch::from_java_bytes(bytes).map_err(|error| LatencyError(error.to_string()))?;
        let mut own = Self::default();
        own.sketch.merge(&sketch).map_err(|_| LatencyError("its relative error is not 0.5 %".to_owned()))?;
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch_of(values: &[u32]) -> LatencySketch {
        let mut sketch = LatencySketch::default();
        for us in values {
            sketch.add(*us);
        }
        sketch
    }

    #[test]
    fn bounds_of_a_time_below_the_floor_begin_at_zero() {
        assert_eq!(LatencySketch::default().percentile_bounds_ms(0.5), None);
        let (low, high) = sketch_of(&[1]).percentile_bounds_ms(0.5).unwrap();
        assert!(low == 0.0 && (0.005..0.007).contains(&high), "{low} {high}");
        assert_eq!(sketch_of(&[0]).percentile_bounds_ms(0.5), Some((0.0, 0.0)));
    }

    /// The exact nearest rank, for comparison.
    fn exact(values: &[u32], quantile: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = ((quantile * sorted.len() as f64).ceil() as usize).max(1);
        f64::from(sorted[rank - 1]) / 1000.0
    }

    #[test]
    fn an_empty_sketch_has_no_percentile_and_no_bytes() {
        let empty = LatencySketch::default();
        assert_eq!(empty.percentile_ms(0.5), None);
        assert_eq!(empty.to_bytes(), Vec::<u8>::new());
        assert_eq!(LatencySketch::from_bytes(&[]).unwrap().count(), 0);
    }

    #[test]
    fn a_sketch_of_another_error_is_refused() {
        let mut other = DDSketch::new(Config::new(0.01, 2048, 1e-9));
        other.add(1.0);
        assert!(LatencySketch::from_bytes(&other.to_java_bytes()).is_err());
        assert!(LatencySketch::from_bytes(&[0xff, 1, 2]).is_err());
    }

    #[test]
    fn the_whole_range_fits_without_collapsing() {
        let values = [5, 3_600_000_000, 7, 100, 1];
        let sketch = sketch_of(&values);
        let low = sketch.percentile_ms(0.2).unwrap();
        assert!((low - 0.005).abs() <= 0.005 * RELATIVE_ERROR, "{low}");
        assert_eq!(sketch.percentile_ms(1.0), Some(3_600_000.0));
    }

    proptest! {
        #[test]
        fn percentiles_are_within_half_a_percent_of_the_nearest_rank(
            values in proptest::collection::vec(prop_oneof![5u32..100_000, 5u32..=3_600_000_000], 1..300),
            quantile in prop_oneof![Just(0.5), Just(0.95), Just(0.99), 0.0f64..=1.0],
        ) {
            let estimate = sketch_of(&values).percentile_ms(quantile).unwrap();
            let exact = exact(&values, quantile);
            prop_assert!((estimate - exact).abs() <= exact * RELATIVE_ERROR * 1.000_001, "{} {}", estimate, exact);
            let (low, high) = sketch_of(&values).percentile_bounds_ms(quantile).unwrap();
            prop_assert!(low <= exact && exact <= high && low <= estimate && estimate <= high, "{} {} {}", low, exact, high);
            prop_assert!(high - low <= exact * 0.0202 + 0.01, "{} {} {}", low, exact, high);
        }

        #[test]
        fn order_and_splits_do_not_change_a_byte(
            values in proptest::collection::vec(0u32..=3_600_000_000, 0..200),
            cut in 0usize..200,
        ) {
            let whole = sketch_of(&values).to_bytes();
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = sketch_of(right);
            merged.merge(&LatencySketch::from_bytes(&sketch_of(left).to_bytes()).unwrap()).unwrap();
            prop_assert_eq!(merged.to_bytes(), whole);
        }
    }
}
