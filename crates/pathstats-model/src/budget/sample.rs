//! A bounded sample of the paths that were not admitted, and an estimate of how many there are.

use std::collections::BTreeMap;

use super::path_hash;

/// Paths of a sample.
pub const SAMPLE_PATHS: usize = 200;

/// The paths of the smallest hashes: an even sample of the distinct paths, whatever their order and
/// however often each comes. How close the hashes lie tells how many there are (the k minimum values of
/// Bar-Yossef et al., 2002), within 7 % as a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample(BTreeMap<u64, Box<str>>);

impl Sample {
    /// Takes a path in; `true` when that changed something.
    pub fn add(&mut self, path: &str) -> bool {
        let hash = path_hash(path);
        let full = self.0.len() >= SAMPLE_PATHS;
        if full && self.0.last_key_value().is_some_and(|(largest, _)| hash >= *largest)
            || self.0.contains_key(&hash)
        {
            return false;
        }
        self.0.insert(hash, path.into());
        if self.0.len() > SAMPLE_PATHS {
            self.0.pop_last();
        }
        true
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(AsRef::as_ref)
    }

    /// How many distinct paths were added: exact below [`SAMPLE_PATHS`], an estimate from there.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        let Some((largest, _)) = self.0.last_key_value().filter(|_| self.0.len() >= SAMPLE_PATHS) else {
            return self.0.len() as u64;
        };
        let others = (SAMPLE_PATHS - 1) as u128;
        u64::try_from((others << 64) / (u128::from(*largest) + 1))
            .unwrap_or(u64::MAX)
            .max(SAMPLE_PATHS as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_and_tells_about_how_many_paths_there_were() {
        for (paths, within) in [(0u32, 0.0), (1, 0.0), (199, 0.0), (1_000, 0.25), (100_000, 0.25)] {
            let mut sample = Sample::default();
            for n in (0..paths).chain((0..paths).rev()) {
                sample.add(&format!("/p/{n}"));
            }
            assert_eq!(sample.paths().count(), SAMPLE_PATHS.min(paths as usize));
            #[allow(clippy::cast_precision_loss)]
            let off = (sample.distinct() as f64 - f64::from(paths)).abs();
            assert!(off <= within * f64::from(paths), "{paths} paths: {}", sample.distinct());
        }
    }

    #[test]
    fn a_sample_does_not_depend_on_order() {
        let (mut forward, mut backward) = (Sample::default(), Sample::default());
        for n in 0..5_000 {
            forward.add(&format!("/p/{n}"));
            backward.add(&format!("/p/{}", 4_999 - n));
        }
        assert_eq!(forward, backward);
    }
}
