//! The twin of the statements on dead letters.

use pathstats_model::dead_letters::{
    replay, Change, Letter, LetterCursor, LetterOutcome, LetterStore, Outline, ReplayOrder, Replayed,
    MAX_REMAINING,
};
use pathstats_model::ingest::{DeadLetter, Delivery};

use super::database::Database;
use super::executor::{alone, pause};
use super::faults::{Outage, Step};
use super::world::World;

impl Database {
    fn outline(&self, letter: &DeadLetter) -> Outline {
        let first_seen_ms = self.first_seen[&letter.id];
        Outline { id: letter.id.clone(), first_seen_ms, bytes: letter.body.len() as u64 }
    }

    /// `DELETE FROM dead_letters`.
    pub fn discard(&mut self, id: &str) {
        self.dead_letters.remove(id);
        self.first_seen.remove(id);
    }

    fn settle(&mut self, changes: &[Change]) {
        let there: Vec<(&Change, DeadLetter, i64)> = changes
            .iter()
            .filter_map(|change| {
                Some((change, self.dead_letters.get(&change.id)?.clone(), self.first_seen[&change.id]))
            })
            .collect();
        for (change, parent, first_seen) in &there {
            for letter in change.letters.iter().filter(|letter| letter.id != change.id) {
                let attempts = parent.attempts + 1;
                self.keep_letter(DeadLetter { attempts, ..letter.clone() }, *first_seen);
            }
        }
        for (change, parent, _) in there {
            match change.letters.iter().find(|letter| letter.id == change.id) {
                Some(now) => {
                    let letter = self.dead_letters.get_mut(&change.id).unwrap();
                    letter.reason = now.reason;
                    letter.detail.clone_from(&now.detail);
                    letter.attempts = parent.attempts + 1;
                }
                None => self.discard(&change.id),
            }
        }
    }
}

impl LetterStore for World {
    type Error = Outage;

    fn now_ms(&self) -> i64 {
        self.now.get()
    }

    fn report(&self, what: &str, error: &Outage) {
        self.reports.borrow_mut().push(format!("{what}: {error}"));
    }

    async fn find(&self, ids: &[String]) -> Result<Vec<Outline>, Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::FindLetters);
        let database = self.database.borrow();
        let there = ids.iter().filter_map(|id| database.dead_letters.get(id));
        fate.told(there.map(|letter| database.outline(letter)).collect())
    }

    async fn behind(
        &self,
        reason: Option<&str>,
        after: Option<&LetterCursor>,
        limit: usize,
    ) -> Result<(Vec<Outline>, u64), Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::FindLetters);
        let database = self.database.borrow();
        let mut outlines: Vec<Outline> = database
            .dead_letters
            .values()
            .filter(|letter| reason.is_none_or(|reason| letter.reason == reason))
            .map(|letter| database.outline(letter))
            .collect();
        let place = |outline: &Outline| {
            let first_seen = reason.map(|_| outline.first_seen_ms);
            (first_seen, outline.id.clone())
        };
        outlines.sort_by_key(place);
        let after = after.map(|after| (reason.map(|_| after.first_seen_ms), after.id.clone()));
        outlines.retain(|outline| after.as_ref().is_none_or(|after| place(outline) > *after));
        let waiting = outlines.len().min(MAX_REMAINING) as u64;
        outlines.truncate(limit);
        fate.told((outlines, waiting))
    }

    async fn bodies(&self, ids: &[&str]) -> Result<Vec<Letter>, Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::ReadLetters);
        let database = self.database.borrow();
        let there = ids.iter().filter_map(|id| database.dead_letters.get(*id));
        let letter = |letter: &DeadLetter| Letter {
            id: letter.id.clone(),
            body: letter.body.clone(),
            attempts: letter.attempts,
        };
        fate.told(there.map(letter).collect())
    }

    async fn settle(&self, changes: &[Change]) -> Result<(), Outage> {
        pause().await;
        let fate = self.faults.borrow_mut().fate(Step::SettleLetters);
        if fate.persists() {
            self.database.borrow_mut().settle(changes);
        }
        pause().await;
        fate.told(())
    }
}

/// A message whose attempts are used up.
pub fn exhausted(world: &World, message: &Delivery) {
    let letter = DeadLetter {
        id: message.message_id.clone(),
        reason: "retries_exhausted",
        detail: "the message failed at every attempt".to_owned(),
        body: message.body.clone(),
        attempts: 11,
    };
    let now = world.now.get();
    world.database.borrow_mut().keep_letter(letter, now);
}

/// The order for all letters.
pub fn all() -> ReplayOrder {
    ReplayOrder::All { reason: None, after: None }
}

/// The order for these letters.
pub fn ids(ids: &[&str]) -> ReplayOrder {
    ReplayOrder::Ids(ids.iter().map(|id| (*id).to_owned()).collect())
}

/// One call.
pub fn run(world: &World, order: &ReplayOrder) -> Result<Replayed, Outage> {
    alone(replay(world, world, order))
}

/// One pass over all letters, however many calls it takes.
pub fn pass(world: &World) -> Vec<LetterOutcome> {
    let (mut after, mut letters) = (None, Vec::new());
    for _ in 0..100 {
        let replayed = run(world, &ReplayOrder::All { reason: None, after }).unwrap();
        letters.extend(replayed.letters);
        match replayed.next_cursor {
            Some(cursor) => after = Some(cursor),
            None => return letters,
        }
    }
    panic!("a pass without an end");
}

/// Flushes whatever is not flushed: an hour passes, with every alarm that rings in it.
pub fn flush(world: &World) {
    world.ring_until(world.now.get() + 3_600_000);
}

/// A letter.
pub fn letter(world: &World, id: &str) -> DeadLetter {
    world.database.borrow().dead_letters[id].clone()
}
