//! What an isolate knows of admitted paths, so that it asks for each once.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Verdict;
use crate::hour::HourBucket;

/// Most bytes of names that are remembered: some ten thousand paths.
const MAX_BYTES: usize = 2_000_000;
/// Most hours that are remembered: an import names many.
const MAX_HOURS: usize = 1_000;
/// What a name costs beside its own bytes.
const NAME_BYTES: usize = 48;

/// Paths known to be admitted, by hour. What was refused is not remembered: there is no end to it.
#[derive(Debug, Default)]
pub struct KnownPaths {
    hours: BTreeMap<HourBucket, Hour>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Hour {
    unlimited: bool,
    /// Whether 404s are grouped, by path.
    paths: FxHashMap<Box<str>, Verdict>,
    bytes: usize,
}

impl KnownPaths {
    /// The verdict on a path, if it is known and can never change.
    #[must_use]
    pub fn verdict(&self, hour: HourBucket, path: &str) -> Option<Verdict> {
        let hour = self.hours.get(&hour)?;
        if hour.unlimited {
            return Some(Verdict::Own);
        }
        hour.paths.get(path).copied()
    }

    /// Remembers that an hour has no limit.
    pub fn learn_unlimited(&mut self, hour: HourBucket) {
        self.make_room(hour, 0);
        self.hours.entry(hour).or_default().unlimited = true;
    }

    /// Remembers a path that was admitted.
    pub fn learn(&mut self, hour: HourBucket, path: &str, verdict: Verdict) {
        if !verdict.is_admitted() || self.verdict(hour, path).is_some() {
            return;
        }
        let bytes = path.len() + NAME_BYTES;
        self.make_room(hour, bytes);
        let known = self.hours.entry(hour).or_default();
        known.paths.insert(path.into(), verdict);
        known.bytes += bytes;
        self.bytes += bytes;
    }

    /// Forgets the oldest hours. What is forgotten is asked for again.
    fn make_room(&mut self, hour: HourBucket, bytes: usize) {
        while self.bytes + bytes > MAX_BYTES
            || (self.hours.len() >= MAX_HOURS && !self.hours.contains_key(&hour))
        {
            let Some((_, oldest)) = self.hours.pop_first() else { return };
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour() -> HourBucket {
        "2025-10-15T14".parse().unwrap()
    }

    #[test]
    fn only_what_can_never_change_is_remembered() {
        let mut known = KnownPaths::default();
        known.learn(hour(), "/a", Verdict::Own);
        known.learn(hour(), "/b", Verdict::OwnButNotFound);
        known.learn(hour(), "/c", Verdict::OtherButNotFound);
        let verdicts = ["/a", "/b", "/c", "/d"].map(|path| known.verdict(hour(), path));
        assert_eq!(verdicts, [Some(Verdict::Own), Some(Verdict::OwnButNotFound), None, None]);
        assert_eq!(known.verdict(hour().plus(1), "/a"), None);
        known.learn_unlimited(hour().plus(1));
        assert_eq!(known.verdict(hour().plus(1), "/z"), Some(Verdict::Own));
    }

    #[test]
    fn memory_is_bounded_by_bytes_and_by_hours_and_the_newest_stay() {
        let mut known = KnownPaths::default();
        for n in 0..200_000i64 {
            known.learn(hour().plus(n / 50_000), &format!("/some/path/of/a/scanner/{n}"), Verdict::Own);
        }
        assert!(known.bytes <= MAX_BYTES && known.bytes > MAX_BYTES / 4);
        let counted: usize = known.hours.values().map(|hour| hour.bytes).sum();
        assert_eq!(counted, known.bytes);
        assert_eq!(known.verdict(hour().plus(3), "/some/path/of/a/scanner/199999"), Some(Verdict::Own));
        for n in 0..3_000 {
            known.learn_unlimited(hour().plus(n));
        }
        assert_eq!(known.hours.len(), MAX_HOURS);
        assert_eq!(known.verdict(hour().plus(2_999), "/x"), Some(Verdict::Own));
    }
}
