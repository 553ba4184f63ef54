//! What an isolate keeps in memory of its last answers.

/// A few values by their keys. With one more than it holds, the one that was put first goes.
#[derive(Debug)]
pub struct Recent<K, V, const MOST: usize>(Vec<(K, V)>);

impl<K: PartialEq, V, const MOST: usize> Recent<K, V, MOST> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(MOST > 0) };
        Self(Vec::new())
    }

    /// The value of the key that `is_it` tells.
    pub fn find(&self, is_it: impl Fn(&K) -> bool) -> Option<&V> {
        self.0.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
    }

    /// Puts a value in the place of the one that the key had.
    pub fn put(&mut self, key: K, value: V) {
        self.0.retain(|(known, _)| *known != key);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((key, value));
    }
}

impl<K: PartialEq, V, const MOST: usize> Default for Recent<K, V, MOST> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept_each_once() {
        let mut recent: Recent<&str, u32, 3> = Recent::new();
        assert_eq!(recent.find(|_| true), None);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5)] {
            recent.put(key, value);
        }
        let values = ["a", "b", "c", "d"].map(|wanted| recent.find(|key| *key == wanted).copied());
        assert_eq!(values, [Some(4), None, Some(3), Some(5)]);
    }
}
