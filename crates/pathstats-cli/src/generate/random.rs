//! Seeded randomness, the same on every platform and in every later version.
//!
//! The bits come from `ChaCha8`, a fixed algorithm. What is made of them is written out here, from
//! exact integer and IEEE 754 operations and `libm`'s own logarithm, exponential and cosine: those
//! of the platform may differ in the last bit, and those of a library of distributions may change
//! with its version. A test pins the bytes that come of it.

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of random values.
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// Stream number `stream` of this seed. Streams of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        for (byte, value) in key.iter_mut().zip(seed.to_le_bytes()) {
            *byte = value;
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Self(generator)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`, in steps of 2^-53.
    // 53 bits fit into an f64.
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A whole number below `limit`, or 0 when that is 0. The bias is below `limit` / 2^64.
    pub fn below(&mut self, limit: u64) -> u64 {
        u64::try_from((u128::from(self.bits()) * u128::from(limit)) >> 64).unwrap_or_default()
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these; the default when there is none.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64);
        usize::try_from(at).ok().and_then(|at| from.get(at)).copied().unwrap_or_default()
    }

    /// A normal value of mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// A log-normal value with this median.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }
}

/// Chooses indices with given weights.
#[derive(Debug, Clone)]
pub struct Weighted {
    /// Sums of the weights up to and including each index.
    sums: Vec<f64>,
}

impl Weighted {
    /// Indices with these weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let sums = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { sums }
    }

    /// Zipf's law over `count` ranks: the weight of rank k is k^-exponent.
    // Ranks are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    pub fn zipf(count: usize, exponent: f64) -> Self {
        Self::new((1..=count).map(|rank| libm::pow(rank as f64, -exponent)))
    }

    /// An index.
    pub fn choose(&self, random: &mut Random) -> usize {
        let total = self.sums.last().copied().unwrap_or_default();
        let at = random.unit() * total;
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len().saturating_sub(1))
    }

    /// The share of an index in the whole.
    pub fn share(&self, index: usize) -> f64 {
        let total = self.sums.last().copied().unwrap_or(1.0);
        let before =
            index.checked_sub(1).and_then(|before| self.sums.get(before)).copied().unwrap_or_default();
        (self.sums.get(index).copied().unwrap_or(before) - before) / total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_pinned() {
        let mut random = Random::new(7, 0);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [14_095_323_943_061_994_099, 8_595_031_940_432_502_117, 104_676_313_501_531_310]);
        assert_ne!(Random::new(7, 1).bits(), first[0]);
    }

    #[test]
    fn a_log_normal_value_has_its_median() {
        let mut random = Random::new(1, 0);
        let below = (0..20_000).filter(|_| random.log_normal(50.0, 0.8) < 50.0).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }

    #[test]
    fn zipf_gives_each_rank_its_share() {
        let zipf = Weighted::zipf(100, 1.0);
        let mut random = Random::new(1, 0);
        let first = (0..20_000).filter(|_| zipf.choose(&mut random) == 0).count();
        let expected = 20_000.0 * zipf.share(0);
        #[allow(clippy::cast_precision_loss)]
        let found = first as f64;
        assert!((found - expected).abs() < expected * 0.05, "{found} {expected}");
    }
}
