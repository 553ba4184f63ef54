//! Where each event of a batch counts: what is known already, then one question an hour for the rest.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::call::{AskedPath, BudgetCall, BudgetReply, MAX_ASKED_BYTES, MAX_ASKED_PATHS};
use super::known::KnownPaths;
use super::{Place, Verdict, NOT_FOUND_STATUS};
use crate::event::TrafficEvent;
use crate::hour::HourBucket;

/// Where an event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// In this row of its hour.
    At(Place),
    /// Nowhere: its hour is closed.
    Closed,
    /// The budget did not answer. Nothing is guessed: the event comes again.
    Unknown,
}

/// The paths of a batch: what is known of them, and what must be asked.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    /// Each unknown path once, by hour, in calls of bounded size.
    pub calls: Vec<BudgetCall<'a>>,
    known: Verdicts<'a>,
}

type Verdicts<'a> = FxHashMap<(HourBucket, &'a str), Verdict>;

impl<'a> Questions<'a> {
    /// The questions of these events.
    #[must_use]
    pub fn new(events: impl IntoIterator<Item = &'a TrafficEvent>, known: &KnownPaths) -> Self {
        let mut questions = Self::default();
        let mut hours: BTreeMap<HourBucket, (Vec<AskedPath<'a>>, FxHashMap<&'a str, usize>)> =
            BTreeMap::new();
        for event in events {
            let (hour, path) = (event.hour(), event.path.as_str());
            if questions.known.contains_key(&(hour, path)) {
                continue;
            }
            if let Some(verdict) = known.verdict(hour, path) {
                questions.known.insert((hour, path), verdict);
                continue;
            }
            let (paths, places) = hours.entry(hour).or_default();
            let place = *places.entry(path).or_insert_with(|| {
                paths.push(AskedPath { path, has_not_found: false, has_others: false });
                paths.len() - 1
            });
            if let Some(asked) = paths.get_mut(place) {
                asked.has_not_found |= event.status == NOT_FOUND_STATUS;
                asked.has_others |= event.status != NOT_FOUND_STATUS;
            }
        }
        questions.calls = hours.into_iter().flat_map(|(hour, (paths, _))| calls(hour, paths)).collect();
        questions
    }

    /// Takes the replies up, in the order of the calls, and remembers what never changes.
    #[must_use]
    pub fn answered(self, replies: &[Option<BudgetReply>], known: &mut KnownPaths) -> Answers<'a> {
        let mut answers = Answers { verdicts: self.known, hours: FxHashMap::default() };
        for (call, reply) in self.calls.iter().zip(replies) {
            match reply {
                Some(BudgetReply::Limited(verdicts)) => {
                    for (asked, verdict) in call.paths.iter().zip(verdicts) {
                        answers.verdicts.insert((call.hour, asked.path), *verdict);
                        known.learn(call.hour, asked.path, *verdict);
                    }
                }
                Some(BudgetReply::Unlimited) => {
                    known.learn_unlimited(call.hour);
                    answers.hours.insert(call.hour, Placed::At(Place::Own));
                }
                Some(BudgetReply::Closed) => drop(answers.hours.insert(call.hour, Placed::Closed)),
                None => {}
            }
        }
        answers
    }
}

/// The calls of one hour.
fn calls(hour: HourBucket, paths: Vec<AskedPath<'_>>) -> Vec<BudgetCall<'_>> {
    let mut calls = Vec::new();
    let mut bytes = 0;
    for asked in paths {
        bytes += asked.path.len();
        let fits = |call: &BudgetCall<'_>| call.paths.len() < MAX_ASKED_PATHS && bytes <= MAX_ASKED_BYTES;
        if let Some(call) = calls.last_mut().filter(|call| fits(call)) {
            call.paths.push(asked);
        } else {
            bytes = asked.path.len();
            calls.push(BudgetCall { hour, paths: vec![asked] });
        }
    }
    calls
}

/// Where the events of a batch count.
#[derive(Debug)]
pub struct Answers<'a> {
    verdicts: Verdicts<'a>,
    hours: FxHashMap<HourBucket, Placed>,
}

impl Answers<'_> {
    /// Where an event counts.
    #[must_use]
    pub fn place(&self, event: &TrafficEvent) -> Placed {
        let hour = event.hour();
        let verdict = self.verdicts.get(&(hour, event.path.as_str()));
        let placed = verdict.map(|verdict| Placed::At(verdict.place(event.status)));
        placed.or_else(|| self.hours.get(&hour).copied()).unwrap_or(Placed::Unknown)
    }
}
