//! The queue: at least once, in any order, in any batches, up to four at once.

use pathstats_model::ingest::{ingest, Delivery, Settlement};
use std::cell::RefCell;

use super::executor::{interleave, pause, Task};
use super::world::World;

/// Rounds of deliveries after which faults end, so that everything settles at last.
const STORMY_ROUNDS: usize = 14;

/// Messages not yet acknowledged, and those that were.
pub struct Queue {
    waiting: Vec<Delivery>,
    acknowledged: Vec<Delivery>,
}

impl Queue {
    /// A queue that holds these messages.
    pub fn of(messages: Vec<Delivery>) -> Self {
        Self { waiting: messages, acknowledged: Vec::new() }
    }

    /// Delivers until every message is acknowledged, while alarms ring, objects are evicted and
    /// up to `step_ms` pass between rounds.
    pub fn settle(mut self, world: &World, step_ms: u64) {
        for round in 0.. {
            assert!(round < 200, "messages come again for ever");
            if round == STORMY_ROUNDS {
                world.faults.borrow_mut().calm();
            }
            if self.waiting.is_empty() {
                break;
            }
            let step = world.faults.borrow_mut().below(step_ms);
            world.wait(i64::try_from(step).unwrap());
            self.round(world);
        }
    }

    /// One round: what waits and some of what was acknowledged, in up to four batches at once.
    fn round(&mut self, world: &World) {
        let batches = {
            let mut faults = world.faults.borrow_mut();
            let mut sent = std::mem::take(&mut self.waiting);
            sent.extend(self.acknowledged.iter().filter(|_| faults.one_in(8)).cloned());
            if faults.one_in(4) {
                sent.extend(sent.clone());
            }
            faults.shuffle(&mut sent);
            let parts = 1 + faults.index(4);
            let mut batches = vec![Vec::new(); parts];
            for delivery in sent {
                let place = faults.index(parts);
                batches[place].push(delivery);
            }
            batches
        };
        let settled: RefCell<Vec<(Delivery, Settlement)>> = RefCell::default();
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for batch in batches {
            let settled = &settled;
            tasks.push(Box::pin(async move {
                let settlements = ingest(world, &batch, world.now.get()).await.settlements;
                assert_eq!(settlements.len(), batch.len(), "every delivery is settled");
                settled.borrow_mut().extend(batch.into_iter().zip(settlements));
            }));
        }
        for name in world.due() {
            tasks.push(Box::pin(async move { world.ring(&name).await }));
        }
        tasks.push(Box::pin(async move {
            for _ in 0..6 {
                pause().await;
                if world.faults.borrow_mut().one_in(3) {
                    world.evict_one();
                }
            }
        }));
        interleave(tasks, |count| world.faults.borrow_mut().index(count));
        for (mut delivery, settlement) in settled.into_inner() {
            match settlement {
                Settlement::Acknowledge => self.acknowledged.push(delivery),
                Settlement::Retry => {
                    delivery.failed_before += 1;
                    self.waiting.push(delivery);
                }
            }
        }
        // The queue holds a message once, however often it was delivered at a time.
        for list in [&mut self.waiting, &mut self.acknowledged] {
            list.sort_by(|a, b| a.message_id.cmp(&b.message_id));
            list.dedup_by(|a, b| a.message_id == b.message_id);
        }
    }
}
