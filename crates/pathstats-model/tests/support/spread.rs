//! Several databases.

use pathstats_model::sharding::{Layout, Layouts};
use pathstats_model::EventDate;

use super::NOW;

/// So many shards since the day before yesterday: what is older is in the first.
pub fn over(shards: u8) -> Layouts {
    let from = EventDate::from_ms(NOW - 48 * 3_600_000);
    Layouts::new(vec![Layout { from, shards }]).unwrap()
}

/// Paths of both of two shards, one of each.
pub fn one_of_each(layouts: &Layouts) -> (String, String) {
    let today = EventDate::from_ms(NOW);
    let mut paths = (0..100).map(|n| format!("/spread/{n}"));
    let mut of = |shard: usize| paths.find(|path| layouts.shard_of(path, today).index() == shard).unwrap();
    (of(0), of(1))
}
