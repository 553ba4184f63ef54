//! Draws that are the same every time: a simulation has one answer.

use crate::cost::workload::Popularity;

/// A sequence of random numbers. `SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to 1.
    pub fn share(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        let bits = (self.next() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the upper half of a product of two 32-bit numbers"
        )]
        let drawn = (((self.next() >> 32) * u64::from(end)) >> 32) as u32;
        drawn
    }
}

/// Which path an event has.
#[derive(Debug)]
pub struct Paths {
    count: u32,
    /// Of each path and those before it, the share of events; empty when all are even.
    up_to: Vec<f64>,
}

impl Paths {
    /// So many paths.
    #[must_use]
    pub fn new(count: u32, popularity: Popularity) -> Self {
        let mut up_to = Vec::new();
        if popularity == Popularity::Zipf {
            let mut sum = 0.0;
            up_to.extend((1..=count).map(|rank| {
                sum += 1.0 / f64::from(rank);
                sum
            }));
            for share in &mut up_to {
                *share /= sum;
            }
        }
        Self { count, up_to }
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Draws one.
    pub fn draw(&self, draws: &mut Draws) -> u32 {
        if self.up_to.is_empty() {
            return draws.below(self.count);
        }
        let share = draws.share();
        u32::try_from(self.up_to.partition_point(|end| *end <= share)).unwrap_or(0).min(self.count - 1)
    }

    /// Share of events that a path has, the busiest being 0.
    #[must_use]
    pub fn share(&self, path: u32) -> f64 {
        let at = path as usize;
        match (self.up_to.get(at), at.checked_sub(1).and_then(|before| self.up_to.get(before))) {
            (Some(end), Some(before)) => end - before,
            (Some(end), None) => *end,
            (None, _) => 1.0 / f64::from(self.count),
        }
    }

    /// How many distinct paths so many events have, as expected.
    #[must_use]
    pub fn distinct(&self, events: f64) -> f64 {
        (0..self.count).map(|path| 1.0 - (-events * self.share(path)).exp()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_drawn_as_often_as_their_share_says() {
        for popularity in [Popularity::Zipf, Popularity::Even] {
            let (paths, mut draws) = (Paths::new(50, popularity), Draws::new(1));
            let mut counts = [0_u32; 50];
            for _ in 0..200_000 {
                counts[paths.draw(&mut draws) as usize] += 1;
            }
            for path in [0, 1, 10, 49] {
                let (found, share) = (f64::from(counts[path as usize]) / 200_000.0, paths.share(path));
                assert!(
                    (found - share).abs() < 0.05 * share + 0.000_5,
                    "{popularity:?} {path}: {found} of {share}"
                );
            }
            assert!((0..50).map(|path| paths.share(path)).sum::<f64>() - 1.0 < 1e-9);
            assert!((paths.distinct(1e6) - 50.0).abs() < 0.01 && paths.distinct(1.0) < 1.0);
        }
    }
}
