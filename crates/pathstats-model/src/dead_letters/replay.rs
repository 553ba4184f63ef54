//! The replay, over a [`LetterStore`] and the consumer's [`Backend`].
//!
//! Nothing is counted twice and nothing is lost, whoever dies where: a letter changes only after its
//! events are durable, in one transaction that does nothing if the letter is gone, and until then it
//! is as it was. Trying it again finds duplicates, since objects and raw rows know the ids.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{
    LetterCursor, LetterOutcome, Outcome, ReplayOrder, Replayed, MAX_LETTERS, MAX_REPLAY_BYTES, REPLAY_MS,
    SLICE_BYTES,
};
use crate::budget::call::{BudgetCall, BudgetReply};
use crate::budget::known::KnownPaths;
use crate::calls::{CountReply, RowState};
use crate::event::TrafficEvent;
use crate::hour::PathHour;
use crate::ingest::{ingest, Backend, DeadLetter, Delivery, Group, SetAside, Settlement, Waiting};
use crate::sharding::{Layouts, Shard};

/// What must be known of a letter before its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The letter.
    pub id: String,
    /// When it was first seen, in milliseconds.
    pub first_seen_ms: i64,
    /// Length of its body.
    pub bytes: u64,
}

/// A letter's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The letter.
    pub id: String,
    /// The message or event as it came.
    pub body: String,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What a letter is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The letter.
    pub id: String,
    /// What of it still cannot be taken. One of the letter's own id is the letter itself, with what
    /// is wrong now.
    pub letters: Vec<DeadLetter>,
}

/// Where letters lie. Each call may be repeated with the same arguments at any time.
#[allow(async_fn_in_trait)]
pub trait LetterStore {
    /// What went wrong.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// Tells the operator what failed.
    fn report(&self, what: &str, error: &Self::Error);

    /// Those of these letters that are there.
    async fn find(&self, ids: &[String]) -> Result<Vec<Outline>, Self::Error>;

    /// The first letters behind a place, of one reason or of all, and how many there are behind it,
    /// counted up to [`MAX_REMAINING`](super::MAX_REMAINING).
    async fn behind(
        &self,
        reason: Option<&str>,
        after: Option<&LetterCursor>,
        limit: usize,
    ) -> Result<(Vec<Outline>, u64), Self::Error>;

    /// Those of these letters that are there.
    async fn bodies(&self, ids: &[&str]) -> Result<Vec<Letter>, Self::Error>;

    /// Makes all changes in one transaction. A change whose letter is gone does nothing. Of the
    /// others, letters of other ids are added unless they are there, with the letter's first
    /// sighting and one attempt more than it had; the letter itself gets its new reason and detail
    /// and one attempt more if it is among them, and goes if it is not.
    async fn settle(&self, changes: &[Change]) -> Result<(), Self::Error>;
}

/// Replays letters.
///
/// # Errors
///
/// When it cannot be found out which letters there are. Nothing was tried then.
pub async fn replay<B: Backend, S: LetterStore>(
    backend: &B,
    store: &S,
    order: &ReplayOrder,
) -> Result<Replayed, S::Error> {
    let started = store.now_ms();
    let mut result = Replayed::default();
    // 1. Which letters, and how long they are. Reads only.
    let (chosen, waiting) = match order {
        ReplayOrder::Ids(ids) => {
            let found = store.find(ids).await?;
            for id in ids.iter().filter(|id| found.iter().all(|outline| outline.id != **id)) {
                result.tell(gone(id));
            }
            let waiting = found.len() as u64;
            (found, waiting)
        }
        ReplayOrder::All { reason, after } => {
            store.behind(reason.as_deref(), after.as_ref(), MAX_LETTERS).await?
        }
    };
    let mut tried: usize = 0;
    for slice in slices(&chosen) {
        if tried > 0 && store.now_ms() - started >= REPLAY_MS {
            break;
        }
        tried += slice.len();
        if let Err(error) = replay_slice(backend, store, slice, &mut result).await {
            // The store is down: what is left waits for the next call.
            store.report("dead letters were not replayed", &error);
            break;
        }
    }
    result.remaining = waiting.saturating_sub(tried as u64);
    if result.remaining > 0 && matches!(order, ReplayOrder::All { .. }) {
        result.next_cursor = tried
            .checked_sub(1)
            .and_then(|last| chosen.get(last))
            .map(|last| LetterCursor { first_seen_ms: last.first_seen_ms, id: last.id.clone() });
    }
    Ok(result)
}

/// Letters read, counted and settled together. An error is the store's; its letters are told as
/// failed.
async fn replay_slice<B: Backend, S: LetterStore>(
    backend: &B,
    store: &S,
    slice: &[Outline],
    result: &mut Replayed,
) -> Result<(), S::Error> {
    // 2. The bodies. Reads only.
    let ids: Vec<&str> = slice.iter().map(|outline| outline.id.as_str()).collect();
    let letters = match store.bodies(&ids).await {
        Ok(letters) => letters,
        Err(error) => {
            for id in ids {
                result.tell(failed(id, "unreadable", "the letter could not be read"));
            }
            return Err(error);
        }
    };
    for id in ids.iter().filter(|id| letters.iter().all(|letter| letter.id != **id)) {
        result.tell(gone(id));
    }
    // 3. Raw rows and counts, as for a batch of the queue. Dying within or after, or a second replay
    //    at the same time, or the queue's own delivery of the same message: the ids are known, and the
    //    letters are still there.
    let deliveries: Vec<Delivery> = letters
        .into_iter()
        .map(|letter| Delivery { message_id: letter.id, body: letter.body, failed_before: letter.attempts })
        .collect();
    let listening = Listening { backend, heard: RefCell::default() };
    let ingested = ingest(&listening, &deliveries, store.now_ms()).await;
    result.counted += ingested.counted;
    result.duplicates += ingested.duplicates;
    let mut dead: BTreeMap<usize, Vec<DeadLetter>> = BTreeMap::new();
    for SetAside { delivery, letter } in listening.heard.into_inner() {
        dead.entry(delivery).or_default().push(letter);
    }
    let mut changes = Vec::with_capacity(deliveries.len());
    for (index, delivery) in deliveries.into_iter().enumerate() {
        let letters = dead.remove(&index).unwrap_or_default();
        if ingested.settlements.get(index) == Some(&Settlement::Acknowledge) {
            changes.push(Change { id: delivery.message_id, letters });
        } else {
            let detail = "not every event of it could be stored and counted: replay it again later";
            result.tell(failed(&delivery.message_id, "not_counted", detail));
        }
    }
    // 4. The letters. Dying before: all of it again, as duplicates. Again, or after somebody else
    //    settled or discarded a letter: that letter is gone, and nothing is done about it.
    if changes.is_empty() {
        return Ok(());
    }
    let settled = store.settle(&changes).await;
    for Change { id, letters } in changes {
        result.tell(match (&settled, letters.as_slice()) {
            (Err(_), _) => {
                let detail = "it was taken in, but the letter may still be there: replay it again, \
                              what was counted is a duplicate then";
                failed(&id, "not_settled", detail)
            }
            (Ok(()), []) => LetterOutcome { id, outcome: Outcome::Replayed, reason: None, detail: None },
            (Ok(()), [first, others @ ..]) => {
                let detail = match (first.id == id, others.len()) {
                    (true, 0) => first.detail.clone(),
                    (_, 0) => format!("one of its events is a letter of its own now: {}", first.detail),
                    (_, others) => {
                        let count = others + 1;
                        format!(
                            "{count} of its events are letters of their own now, the first: {}",
                            first.detail
                        )
                    }
                };
                let reason = Some(first.reason.to_owned());
                LetterOutcome { id, outcome: Outcome::StillDead, reason, detail: Some(detail) }
            }
        });
    }
    settled
}

/// Cuts letters into slices of at most [`SLICE_BYTES`], at least one letter each, up to
/// [`MAX_REPLAY_BYTES`] in all.
fn slices(letters: &[Outline]) -> Vec<&[Outline]> {
    let (mut slices, mut rest, mut all) = (Vec::new(), letters, 0);
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|letter| {
            bytes += letter.bytes;
            bytes <= SLICE_BYTES
        });
        let (slice, left) = rest.split_at(fitting.count().max(1));
        all += slice.iter().map(|letter| letter.bytes).sum::<u64>();
        if all > MAX_REPLAY_BYTES && !slices.is_empty() {
            break;
        }
        slices.push(slice);
        rest = left;
    }
    slices
}

fn failed(id: &str, reason: &str, detail: &str) -> LetterOutcome {
    LetterOutcome {
        id: id.to_owned(),
        outcome: Outcome::Failed,
        reason: Some(reason.to_owned()),
        detail: Some(detail.to_owned()),
    }
}

fn gone(id: &str) -> LetterOutcome {
    failed(id, "not_found", "there is no such letter: it may have been replayed or discarded meanwhile")
}

impl Replayed {
    fn tell(&mut self, letter: LetterOutcome) {
        self.selected += 1;
        match letter.outcome {
            Outcome::Replayed => self.replayed += 1,
            Outcome::StillDead => self.still_dead += 1,
            Outcome::Failed => self.failed += 1,
        }
        self.letters.push(letter);
    }
}

/// The consumer's backend, but dead letters are kept for the settling of those that they come from.
struct Listening<'a, B> {
    backend: &'a B,
    heard: RefCell<Vec<SetAside>>,
}

impl<B: Backend> Backend for Listening<'_, B> {
    type Error = B::Error;

    fn layouts(&self) -> &Layouts {
        self.backend.layouts()
    }

    fn known_paths(&self) -> Rc<RefCell<KnownPaths>> {
        self.backend.known_paths()
    }

    async fn ask_budgets(&self, calls: &[BudgetCall<'_>]) -> Vec<Option<BudgetReply>> {
        self.backend.ask_budgets(calls).await
    }

    async fn row_states(&self, parts: &[(Shard, Vec<&PathHour>)]) -> Vec<Result<Vec<RowState>, B::Error>> {
        self.backend.row_states(parts).await
    }

    async fn store_events(&self, parts: &[(Shard, Vec<&TrafficEvent>)]) -> Vec<Result<(), B::Error>> {
        self.backend.store_events(parts).await
    }

    async fn store_dead_letters(&self, letters: &[SetAside]) -> Result<(), B::Error> {
        self.heard.borrow_mut().extend_from_slice(letters);
        Ok(())
    }

    async fn count(&self, groups: &[Group]) -> Vec<CountReply> {
        self.backend.count(groups).await
    }

    /// A letter that failed stays one, and is booked as such.
    async fn note_waiting(&self, _hours: &[Waiting]) -> Result<(), B::Error> {
        Ok(())
    }

    fn report(&self, what: &str, error: &B::Error) {
        self.backend.report(what, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlines(sizes: &[u64]) -> Vec<Outline> {
        let outline =
            |(n, bytes): (usize, &u64)| Outline { id: n.to_string(), first_seen_ms: 0, bytes: *bytes };
        sizes.iter().enumerate().map(outline).collect()
    }

    fn lengths(sizes: &[u64]) -> Vec<usize> {
        slices(&outlines(sizes)).iter().map(|slice| slice.len()).collect()
    }

    #[test]
    fn slices_are_bounded_by_bytes_and_hold_one_letter_at_least() {
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[1; 100]), [100]);
        assert_eq!(lengths(&[600_000, 400_000, 1, 2_000_000, 5]), [2, 1, 1, 1]);
        // Forty letters of the largest message: what is beyond four million bytes waits.
        assert_eq!(lengths(&[127_000; 40]), [7, 7, 7, 7]);
        assert_eq!(lengths(&[5_000_000, 1]), [1], "one letter is always tried");
    }
}
