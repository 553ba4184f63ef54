//! When requests come: more by day than by night, and in bursts.

use super::random::Random;

/// Most slots that a span is cut into.
const MAX_SLOTS: i64 = 86_400;
/// How far the busiest hour lies over the mean, and the quietest below it.
const DAY_SWING: f64 = 0.6;
/// The hour of UTC with the most traffic.
const BUSIEST_HOUR: f64 = 15.0;

/// A burst: for a while, one path draws many more requests.
#[derive(Debug, Clone)]
struct Burst {
    first_slot: i64,
    last_slot: i64,
    /// Added to the weight of each of its slots, which is about 1 otherwise.
    weight: f64,
    /// Chooses the path that it goes to.
    target: u64,
}

/// How many requests each slot of the span gets.
#[derive(Debug, Clone)]
pub struct Shape {
    seed: u64,
    start_ms: i64,
    slot_ms: i64,
    slots: i64,
    bursts: Vec<Burst>,
}

/// A slot: a short time with its number of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its first millisecond.
    pub start_ms: i64,
    /// How long it is, in milliseconds.
    pub length_ms: i64,
    /// How many requests come in it.
    pub events: u64,
    /// The share of them that belongs to a burst, and that burst's target.
    pub burst: Option<(f64, u64)>,
}

impl Shape {
    /// The shape of `[end_ms - span_ms, end_ms)` with this many bursts.
    pub fn new(seed: u64, end_ms: i64, span_ms: i64, bursts: u32) -> Self {
        let slot_ms = (span_ms / MAX_SLOTS).max(1_000).min(span_ms.max(1));
        let slots = (span_ms / slot_ms).max(1);
        let mut random = Random::new(seed, 2);
        let bursts = (0..bursts)
            .map(|_| {
                let minutes = random.between(1.0, 6.0);
                // A burst lasts minutes, and no more than a twentieth of a short span.
                #[allow(clippy::cast_possible_truncation)]
                let length = ((minutes * 60_000.0) as i64 / slot_ms).min(slots / 20).max(1);
                let first_slot =
                    i64::try_from(random.below((slots - length).max(1).unsigned_abs())).unwrap_or_default();
                Burst {
                    first_slot,
                    last_slot: first_slot + length - 1,
                    weight: random.between(3.0, 9.0),
                    target: random.bits(),
                }
            })
            .collect();
        Self { seed, start_ms: end_ms - slots * slot_ms, slot_ms, slots, bursts }
    }

    /// The slots in order. Their events sum up to `events` exactly.
    pub fn slots(&self, events: u64) -> impl Iterator<Item = Slot> + '_ {
        // Weights are drawn twice, the first time for their sum: that costs less than keeping them.
        let total: f64 = self.weights().map(|(base, extra, _)| base + extra).sum();
        let mut sum = 0.0;
        let mut given = 0;
        self.weights().enumerate().map(move |(index, (base, extra, target))| {
            sum += base + extra;
            // Rounding the running sum, not each slot, makes the whole exact: the last sum is the total.
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let due = ((events as f64) * (sum / total)) as u64;
            let slot = Slot {
                start_ms: self.start_ms + i64::try_from(index).unwrap_or_default() * self.slot_ms,
                length_ms: self.slot_ms,
                events: due - given,
                burst: target.map(|target| (extra / (base + extra), target)),
            };
            given = due;
            slot
        })
    }

    /// Of each slot: its weight, what bursts add, and the target of the strongest burst.
    fn weights(&self) -> impl Iterator<Item = (f64, f64, Option<u64>)> + '_ {
        let mut random = Random::new(self.seed, 3);
        (0..self.slots).map(move |slot| {
            let at_ms = self.start_ms + slot * self.slot_ms;
            // Milliseconds of a day fit into an f64.
            #[allow(clippy::cast_precision_loss)]
            let hour = at_ms.rem_euclid(86_400_000) as f64 / 3_600_000.0;
            let day = 1.0 + DAY_SWING * libm::cos((hour - BUSIEST_HOUR) / 24.0 * core::f64::consts::TAU);
            let base = day * random.between(0.7, 1.3);
            let active =
                self.bursts.iter().filter(|burst| (burst.first_slot..=burst.last_slot).contains(&slot));
            let (mut extra, mut strongest) = (0.0, None::<&Burst>);
            for burst in active {
                extra += burst.weight;
                strongest = strongest.filter(|other| other.weight >= burst.weight).or(Some(burst));
            }
            (base, extra, strongest.map(|burst| burst.target))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 1_760_572_800_000; // 2025-10-16T00:00:00Z
    const DAY: i64 = 86_400_000;

    #[test]
    fn slots_sum_up_to_the_events_asked_for() {
        for (events, span) in [(0, DAY), (1, DAY), (100_000, DAY), (1_000, 500), (7, 1), (50_000, 30 * DAY)] {
            let shape = Shape::new(7, END, span, 3);
            let slots: Vec<Slot> = shape.slots(events).collect();
            assert_eq!(slots.iter().map(|slot| slot.events).sum::<u64>(), events, "{events} in {span} ms");
            assert!(slots.iter().all(|slot| slot.start_ms + slot.length_ms <= END));
        }
    }

    #[test]
    fn days_are_busier_than_nights() {
        let shape = Shape::new(7, END, DAY, 0);
        let in_hour = |hour: i64| -> u64 {
            let from = END - DAY + hour * 3_600_000;
            shape
                .slots(240_000)
                .filter(|slot| (from..from + 3_600_000).contains(&slot.start_ms))
                .map(|s| s.events)
                .sum()
        };
        assert!(in_hour(15) > 3 * in_hour(3));
    }

    #[test]
    fn a_burst_stands_out() {
        let shape = Shape::new(7, END, DAY, 1);
        let slots: Vec<Slot> = shape.slots(1_000_000).collect();
        let mean = |burst: bool| -> u64 {
            let counts: Vec<u64> =
                slots.iter().filter(|s| s.burst.is_some() == burst).map(|s| s.events).collect();
            counts.iter().sum::<u64>() / counts.len() as u64
        };
        assert!(mean(true) > 2 * mean(false));
    }
}
