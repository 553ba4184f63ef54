//! What is done, in order: batches are acknowledged in any order, and counted once all before them
//! are.

use std::collections::BTreeMap;

use super::batch::{Batch, Refused};
use super::report::Totals;
use super::scan::Position;
use super::sender::Taken;

/// An acknowledged batch, without its body.
#[derive(Debug)]
struct Done {
    sent: u64,
    bytes: u64,
    lines: u64,
    outside: u64,
    span: Option<(i64, i64)>,
    end: Position,
    accepted: u64,
    unlisted: u64,
    refused: Vec<Refused>,
    rejected: u64,
}

/// Everything up to a place.
#[derive(Debug)]
pub struct Ledger {
    next: u64,
    waiting: BTreeMap<u64, Done>,
    /// Everything before is acknowledged.
    pub position: Position,
    /// What lies before.
    pub totals: Totals,
}

impl Ledger {
    /// Goes on from here.
    pub const fn new(position: Position, totals: Totals) -> Self {
        Self { next: 0, waiting: BTreeMap::new(), position, totals }
    }

    /// Takes an acknowledged batch. Gives, in order of lines, what was not taken of the batches
    /// that are now complete, and how many batches these are.
    pub fn acknowledge(&mut self, mut batch: Batch, taken: &Taken) -> (Vec<Refused>, usize) {
        let mut refused = std::mem::take(&mut batch.refused);
        refused.extend(taken.rejected.iter().map(|item| {
            let (file, line) = batch.origins.get(item.index).copied().unwrap_or((batch.end.file, 0));
            Refused {
                file,
                line,
                reason: REJECTED,
                detail: item.reason.clone(),
                text: batch.event(item.index),
            }
        }));
        refused.sort_by_key(|refused| (refused.file, refused.line));
        let done = Done {
            sent: batch.origins.len() as u64,
            bytes: batch.body.len() as u64,
            lines: batch.lines,
            outside: batch.outside,
            span: batch.span,
            end: batch.end,
            accepted: taken.accepted,
            unlisted: taken.unlisted,
            rejected: taken.rejected.len() as u64 + taken.unlisted,
            refused,
        };
        self.waiting.insert(batch.number, done);
        let mut all = Vec::new();
        let mut completed = 0;
        while let Some(done) = self.waiting.remove(&self.next) {
            self.next += 1;
            completed += 1;
            self.count(&done);
            all.extend(done.refused);
            if done.unlisted > 0 {
                let detail = format!(
                    "{} events of the body that ends here: the destination does not say why",
                    done.unlisted
                );
                all.push(Refused {
                    file: done.end.file,
                    line: done.end.line,
                    reason: REJECTED,
                    detail,
                    text: String::new(),
                });
            }
        }
        (all, completed)
    }

    fn count(&mut self, done: &Done) {
        let totals = &mut self.totals;
        totals.lines += done.lines;
        totals.outside += done.outside;
        totals.sent += done.sent;
        totals.bytes_sent += done.bytes;
        totals.bodies += u64::from(done.sent > 0);
        totals.accepted += done.accepted;
        totals.rejected += done.rejected;
        for refused in done.refused.iter().filter(|refused| refused.reason != REJECTED) {
            *totals.not_parsed.entry(refused.reason.to_owned()).or_default() += 1;
        }
        if let Some((first, last)) = done.span {
            totals.first_ms = Some(totals.first_ms.map_or(first, |earliest| earliest.min(first)));
            totals.last_ms = totals.last_ms.max(Some(last));
        }
        self.position = done.end;
    }
}

/// The reason of what the destination refused.
pub const REJECTED: &str = "rejected";

#[cfg(test)]
mod tests {
    use super::super::answer::ItemError;
    use super::*;

    fn batch(number: u64) -> Batch {
        let origins = vec![(0, number * 10 + 1), (0, number * 10 + 2)];
        let end = Position { file: 0, line: number * 10 + 9, checksum: number };
        let mut batch = Batch::new(number, end);
        batch.origins = origins;
        batch.body = b"a\nb\n".to_vec();
        batch.lines = 9;
        batch
    }

    #[test]
    fn the_position_moves_only_when_all_before_is_acknowledged() {
        let mut ledger = Ledger::new(Position::default(), Totals::default());
        let taken = || Taken { accepted: 2, ..Taken::default() };
        assert_eq!(ledger.acknowledge(batch(1), &taken()).1, 0);
        assert_eq!((ledger.position.line, ledger.totals.accepted), (0, 0));
        assert_eq!(ledger.acknowledge(batch(0), &taken()).1, 2);
        assert_eq!((ledger.position.line, ledger.totals.accepted, ledger.totals.lines), (19, 4, 18));
    }

    #[test]
    fn what_was_not_taken_is_named_by_its_line_in_order() {
        let mut ledger = Ledger::new(Position::default(), Totals::default());
        let mut first = batch(0);
        first.refuse(Refused {
            file: 0,
            line: 5,
            reason: "not_json",
            detail: String::new(),
            text: "x".into(),
        });
        let error = ItemError { index: 1, reason: "too late".into() };
        let (refused, _) =
            ledger.acknowledge(first, &Taken { accepted: 1, rejected: vec![error], unlisted: 0 });
        let named: Vec<_> = refused.iter().map(|r| (r.line, r.reason, r.text.as_str())).collect();
        assert_eq!(named, [(2, REJECTED, "b"), (5, "not_json", "x")]);
        assert_eq!((ledger.totals.rejected, ledger.totals.all_not_parsed()), (1, 1));
    }
}
