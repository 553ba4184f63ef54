//! Several databases: which of them holds what.
//!
//! Whatever is of a path stands in the database, the *shard*, of that path and its day of UTC:
//! `crc32(path) mod n`, where `n` is told by the [`Layout`] in force on the **day of the event**. So where an
//! event belongs follows from the event alone: one that comes again, or late, goes where it went before. Rows
//! never move. Resharding is a new layout that begins at a midnight to come, and going back is one more with
//! fewer shards; what older layouts spread empties as it grows old.
//!
//! Everything else stands in the first shard, which every set-up has.
//!
//! Workers keep copies of the layouts. A new one is published at least [`LEAD_MS`] before it begins, a copy is
//! used for [`TRUSTED_MS`] at most, and no event is from further ahead than
//! [`MAX_FUTURE_MS`](crate::limits::MAX_FUTURE_MS): so no Worker ever places an event by a copy that lacks the
//! layout of its day.

use serde::{Deserialize, Serialize};

use crate::hour::{EventDate, HOUR_MS};
use crate::limits::MAX_FUTURE_MS;

mod order;
mod report;

pub use order::{Publication, ReshardOrder, MAX_ORDER_BYTES};
pub use report::{Bound, DatabaseReport, LayoutReport, LayoutState, Resharded, ShardingReport, BOUND_PATH};

/// Most shards: a series of a path over a year of changing layouts asks each of them.
pub const MAX_SHARDS: u8 = 16;

/// Most layouts that are ever published: each Worker loads them all.
pub const MAX_LAYOUTS: usize = 200;

/// How long before it begins a layout is published, in milliseconds.
pub const LEAD_MS: i64 = HOUR_MS;

/// How long a copy of the layouts is fresh, in milliseconds.
pub const FRESH_MS: i64 = 60_000;

/// How long a copy is used when the database does not answer, in milliseconds. After that, what needs it
/// fails and is tried again.
pub const TRUSTED_MS: i64 = 50 * 60_000;

// The rest is for what passes between reading the clock and writing the layout.
const _: () = assert!(TRUSTED_MS + MAX_FUTURE_MS + 4 * 60_000 <= LEAD_MS);

/// One of the databases, counted from the first, which every set-up has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The one that every set-up has.
    pub const FIRST: Self = Self(0);

    /// The first `count` shards, at least one.
    pub fn first(count: u8) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..count.clamp(1, MAX_SHARDS)).map(Self)
    }

    /// Its place, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// From which day on how many shards there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The first day.
    pub from: EventDate,
    /// How many shards, 1 to [`MAX_SHARDS`].
    pub shards: u8,
}

/// Why layouts do not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A number of shards that is none.
    #[error("the layout from {0} on has {1} shards: expected 1 to {MAX_SHARDS}")]
    Shards(EventDate, u8),
    /// Two of one day.
    #[error("two layouts begin on {0}")]
    Twice(EventDate),
    /// Too many.
    #[error("there are {0} layouts: at most {MAX_LAYOUTS} are read")]
    TooMany(usize),
}

/// All layouts that were ever published, oldest first. Before the first there is one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layouts(Vec<Layout>);

impl Layouts {
    /// Layouts as they were stored, in any order.
    ///
    /// # Errors
    ///
    /// When they cannot all be true.
    pub fn new(mut layouts: Vec<Layout>) -> Result<Self, LayoutError> {
        if layouts.len() > MAX_LAYOUTS {
            return Err(LayoutError::TooMany(layouts.len()));
        }
        layouts.sort_unstable_by_key(|layout| layout.from);
        if let Some(wrong) = layouts.iter().find(|layout| !(1..=MAX_SHARDS).contains(&layout.shards)) {
            return Err(LayoutError::Shards(wrong.from, wrong.shards));
        }
        if let Some(twice) = layouts.windows(2).find(|pair| matches!(pair, [a, b] if a.from == b.from)) {
            return Err(LayoutError::Twice(
                twice.first().map_or(EventDate::from_ms(0), |layout| layout.from),
            ));
        }
        Ok(Self(layouts))
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Layout] {
        &self.0
    }

    /// How many shards events of a day are spread over.
    #[must_use]
    pub fn shards_on(&self, date: EventDate) -> u8 {
        let begun = self.0.partition_point(|layout| layout.from <= date);
        begun.checked_sub(1).and_then(|at| self.0.get(at)).map_or(1, |layout| layout.shards)
    }

    /// Where what is of a path and day stands.
    #[must_use]
    pub fn shard_of(&self, path: &str, date: EventDate) -> Shard {
        match self.shards_on(date) {
            1 => Shard::FIRST,
            shards => Shard(place(path, shards)),
        }
    }

    /// How many shards, from the first, hold something of these days, both included.
    #[must_use]
    pub fn shards_of(&self, from: EventDate, to: EventDate) -> u8 {
        let most = self.within(from, to).map(|layout| layout.shards).max();
        self.shards_on(from).max(most.unwrap_or(1))
    }

    /// Where what is of a path stands on these days, both included: each shard once, in order.
    #[must_use]
    pub fn shards_of_path(&self, path: &str, from: EventDate, to: EventDate) -> Vec<Shard> {
        let mut shards = vec![self.shard_of(path, from)];
        shards.extend(self.within(from, to).map(|layout| self.shard_of(path, layout.from)));
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// Whether a path may stand in several shards on these days, both included.
    #[must_use]
    pub fn change_within(&self, from: EventDate, to: EventDate) -> bool {
        let first = self.shards_on(from);
        self.within(from, to).any(|layout| layout.shards != first)
    }

    /// Those that begin after `from`, and on `to` at the latest.
    fn within(&self, from: EventDate, to: EventDate) -> impl Iterator<Item = &Layout> {
        self.0.iter().filter(move |layout| layout.from > from && layout.from <= to)
    }
}

/// Which of so many queues events of a path take. Any does; a path that keeps to one queue meets fewer others
/// in a batch, and each is a call to an object.
#[must_use]
pub fn queue_of(path: &str, queues: u8) -> u8 {
    place(path, queues.max(1))
}

/// `crc32(path) mod n`. Stored rows stand where this says: it never changes. CRC-32 as in ISO 3309 and zlib.
fn place(path: &str, n: u8) -> u8 {
    // A remainder of a number below 256.
    #[allow(clippy::cast_possible_truncation)]
    let place = (crc32fast::hash(path.as_bytes()) % u32::from(n)) as u8;
    place
}

/// Apart by shard, each in the order given.
pub fn by_shard<T>(items: impl IntoIterator<Item = (Shard, T)>) -> Vec<(Shard, Vec<T>)> {
    let mut parts: Vec<(Shard, Vec<T>)> = Vec::new();
    for (shard, item) in items {
        match parts.iter_mut().find(|(known, _)| *known == shard) {
            Some((_, part)) => part.push(item),
            None => parts.push((shard, vec![item])),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
