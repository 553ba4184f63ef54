//! The rules of a budget, over a log in memory that fails as planned.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::admission::{AfterSettle, BudgetAlarm, BudgetError, PathBudget, MAX_GROUPED_PATHS, REPORT_MS};
use super::call::{AskedPath, BudgetCall, BudgetReply, MAX_ASKED_BYTES, MAX_ASKED_PATHS};
use super::known::KnownPaths;
use super::placing::{Placed, Questions};
use super::report::{CardinalityReport, CatchAllFigures, CatchAllRow, HourBudget};
use super::templates::suggest;
use super::*;
use crate::aggregator::{Log, Stored};
use crate::event::TrafficEvent;
use crate::limits::REPLAY_HORIZON_MS;

const NOW: i64 = 1_760_537_400_000;

#[derive(Debug, Default)]
struct Memory {
    stored: Stored,
    /// How the next append ends, if not well: whether it is done all the same.
    fails_but_persists: Option<bool>,
}

impl Log for Memory {
    type Error = &'static str;

    fn load(&self) -> Result<Stored, Self::Error> {
        Ok(self.stored.clone())
    }

    fn append(&mut self, number: u64, row: &[u8]) -> Result<(), Self::Error> {
        let fate = self.fails_but_persists.take();
        if fate != Some(false) {
            assert_eq!(number, self.stored.rows.len() as u64 + 1, "rows are numbered without gaps");
            self.stored.rows.push(row.to_vec());
        }
        fate.map_or(Ok(()), |_| Err("refused"))
    }

    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.stored.checkpoint = Some(bytes.to_vec());
        Ok(())
    }
}

fn hour() -> HourBucket {
    HourBucket::from_ms(NOW)
}

fn settings(paths_per_hour: u32, group_not_found: bool) -> BudgetSettings {
    BudgetSettings { paths_per_hour, group_not_found }
}

fn others(path: &str) -> AskedPath<'_> {
    AskedPath { path, has_not_found: false, has_others: true }
}

fn not_found(path: &str) -> AskedPath<'_> {
    AskedPath { path, has_not_found: true, has_others: false }
}

struct Object {
    budget: PathBudget,
    log: Memory,
}

impl Object {
    fn new(settings: BudgetSettings) -> Self {
        Self { budget: PathBudget::new(settings), log: Memory::default() }
    }

    fn call(&mut self, paths: &[AskedPath<'_>]) -> Result<BudgetReply, BudgetError<&'static str>> {
        let body = BudgetCall { hour: hour(), paths: paths.to_vec() }.encode();
        let call = BudgetCall::decode(&body).unwrap();
        let answered = self.budget.ask(&mut self.log, &call, Some(History::None), NOW)?;
        Ok(BudgetReply::decode(&answered.reply.encode(), paths.len()).unwrap())
    }

    fn verdict(&mut self, path: AskedPath<'_>) -> Verdict {
        match self.call(&[path]).unwrap() {
            BudgetReply::Limited(verdicts) => verdicts[0],
            other => panic!("{other:?}"),
        }
    }

    fn report(&mut self) -> HourBudget {
        match self.budget.alarm(&self.log, NOW).unwrap() {
            BudgetAlarm::Report(report) => report,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_paths_are_admitted_and_the_others_are_refused_again_and_again() {
    let mut object = Object::new(settings(2, false));
    assert_eq!(object.verdict(others("/a")), Verdict::Own);
    assert_eq!(
        object.call(&[others("/b"), others("/c"), others("/a"), not_found("/d")]).unwrap(),
        BudgetReply::Limited(vec![Verdict::Own, Verdict::Other, Verdict::Own, Verdict::Other])
    );
    object.budget = PathBudget::new(settings(1_000, true));
    assert_eq!(object.verdict(others("/c")), Verdict::Other, "an hour keeps what it began with");
    assert_eq!(object.verdict(others("/b")), Verdict::Own);
    assert_eq!(object.log.stored.rows.len(), 2, "what admits nothing writes nothing");
}

#[test]
fn a_path_whose_404s_were_grouped_keeps_them_grouped_when_it_is_admitted() {
    let mut object = Object::new(settings(10, true));
    assert_eq!(object.verdict(not_found("/late")), Verdict::OtherButNotFound);
    assert_eq!(object.verdict(not_found("/late")), Verdict::OtherButNotFound, "404s take no room");
    object.budget.evict();
    assert_eq!(object.verdict(others("/late")), Verdict::OwnButNotFound);
    assert_eq!(object.verdict(others("/early")), Verdict::Own);
    assert_eq!(object.verdict(not_found("/early")), Verdict::Own, "its 404s are its own");
    assert_eq!(object.report().admitted, 2);
}

#[test]
fn an_hour_that_has_grouped_too_many_paths_to_remember_groups_whatever_it_admits() {
    let mut object = Object::new(settings(10, true));
    let paths: Vec<String> = (0..=MAX_GROUPED_PATHS).map(|n| format!("/{n}")).collect();
    for some in paths.chunks(MAX_ASKED_PATHS) {
        let asked: Vec<AskedPath<'_>> = some.iter().map(|path| not_found(path)).collect();
        object.call(&asked).unwrap();
    }
    assert_eq!(object.verdict(others(paths.last().unwrap())), Verdict::OwnButNotFound);
    assert_eq!(object.verdict(others("/new")), Verdict::OwnButNotFound);
    let rows = object.log.stored.rows.len();
    assert_eq!(object.verdict(not_found("/yet-another")), Verdict::OtherButNotFound);
    assert_eq!(object.log.stored.rows.len(), rows, "nothing more is remembered");
}

#[test]
fn an_hour_with_rows_but_no_budget_goes_on_without_one_and_one_whose_budget_is_gone_is_closed() {
    for (settings, history, reply) in [
        (settings(1, false), History::Paths, BudgetReply::Unlimited),
        (settings(0, false), History::None, BudgetReply::Unlimited),
        (settings(0, false), History::CatchAll, BudgetReply::Closed),
    ] {
        let mut object = Object::new(settings);
        let call = BudgetCall { hour: hour(), paths: vec![others("/a"), others("/b")] };
        let none = object.budget.ask(&mut object.log, &call, None, NOW);
        assert!(matches!(none, Err(BudgetError::NoHistory)), "nothing is guessed");
        assert!(!object.budget.has_begun(&object.log).unwrap());
        let answered = object.budget.ask(&mut object.log, &call, Some(history), NOW).unwrap();
        assert_eq!(answered.reply, reply);
        object.budget = PathBudget::new(BudgetSettings::default());
        assert!(object.budget.has_begun(&object.log).unwrap());
        let again = object.budget.ask(&mut object.log, &call, None, NOW).unwrap();
        assert_eq!(again.reply, reply, "whatever it is set to by then");
    }
}

#[test]
fn a_call_for_another_hour_is_refused() {
    let mut object = Object::new(settings(5, false));
    object.verdict(others("/a"));
    let call = BudgetCall { hour: hour().plus(1), paths: vec![others("/b")] };
    let refused = object.budget.ask(&mut object.log, &call, Some(History::None), NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this object keeps the budget of 2025-10-15T14, the call is for 2025-10-15T15"
    );
}

#[test]
fn changes_are_told_once_a_minute_and_the_object_goes_when_every_row_is_sealed() {
    let mut object = Object::new(settings(1, false));
    let call = BudgetCall { hour: hour(), paths: vec![others("/a"), others("/b")] };
    let answered = object.budget.ask(&mut object.log, &call, Some(History::None), NOW).unwrap();
    assert_eq!(answered.alarm, Some(NOW + REPORT_MS));
    let again = object.budget.ask(&mut object.log, &call, None, NOW + 1).unwrap();
    assert_eq!(again.alarm, None, "it is set");

    let report = object.report();
    assert_eq!((report.admitted, report.refused, report.sample.clone()), (1, 1, vec!["/b".to_owned()]));
    // A call while the database writes: the next report tells of it, also after an eviction.
    let later = BudgetCall { hour: hour(), paths: vec![others("/c")] };
    object.budget.ask(&mut object.log, &later, None, NOW + 2).unwrap();
    let next = object.budget.reported(&mut object.log, &report, NOW + 3).unwrap();
    assert_eq!(next, NOW + 3 + REPORT_MS);
    object.budget.evict();
    let report = object.report();
    assert_eq!((report.admitted, report.refused), (1, 2), "an eviction forgets nothing that was not told");

    let next = object.budget.reported(&mut object.log, &report, NOW + 4).unwrap();
    assert!(next > hour().end_ms() + REPLAY_HORIZON_MS, "after the objects of the hour");
    assert_eq!(object.budget.alarm(&object.log, next - 1).unwrap(), BudgetAlarm::Wait(next));
    assert_eq!(object.budget.alarm(&object.log, next).unwrap(), BudgetAlarm::Settle(hour()));
    assert!(matches!(object.budget.settled(false, next, next), AfterSettle::Wait(at) if at > next));
    assert_eq!(object.budget.settled(true, next, next), AfterSettle::Delete);
    assert!(matches!(object.call(&[others("/a")]), Err(BudgetError::Deleting)), "it comes again");
    object.budget.failed(next);
    assert_eq!(object.verdict(others("/b")), Verdict::Other, "a deletion that failed lost nothing");
}

#[test]
fn calls_that_each_find_the_object_evicted_do_not_put_the_report_off() {
    let mut object = Object::new(settings(1_000, false));
    let ask = |object: &mut Object, path: &str, now| {
        object.budget.evict();
        let call = BudgetCall { hour: hour(), paths: vec![others(path)] };
        object.budget.ask(&mut object.log, &call, Some(History::None), now).unwrap().alarm
    };
    for n in 0..5 {
        assert_eq!(ask(&mut object, &format!("/{n}"), NOW + n * 12_000), Some(NOW + REPORT_MS));
    }
    // The alarm is late: it rings as soon as it can.
    assert_eq!(ask(&mut object, "/late", NOW + REPORT_MS + 500), Some(NOW + REPORT_MS + 500));
    let report = object.report();
    object.budget.reported(&mut object.log, &report, NOW + REPORT_MS + 600).unwrap();
    let later = NOW + 10 * REPORT_MS;
    assert_eq!(
        ask(&mut object, "/next", later),
        Some(later + REPORT_MS),
        "from the first change that is not told"
    );
}

#[test]
fn an_eviction_before_the_first_report_forgets_nothing_of_the_sample() {
    let mut object = Object::new(settings(1, false));
    let paths: Vec<String> = (0..=1_500).map(|n| format!("/{n}")).collect();
    for some in paths.chunks(100) {
        object.call(&some.iter().map(|path| others(path)).collect::<Vec<_>>()).unwrap();
    }
    let before = object.report();
    object.budget.evict();
    assert_eq!(object.report(), before);
    assert!((1_000..2_200).contains(&before.refused) && before.sample.len() == 200, "{}", before.refused);
}

#[test]
fn an_object_asked_while_it_learns_that_all_is_sealed_stays() {
    let mut object = Object::new(settings(1, false));
    object.verdict(others("/a"));
    assert!(matches!(object.budget.settled(true, NOW, NOW), AfterSettle::Wait(_)));
}

proptest! {
    /// The one rule that exactness stands on: where an event of a path counts never changes, whatever is
    /// asked in between, refused by storage, evicted or set otherwise.
    #[test]
    fn where_an_event_counts_never_changes(
        limit in 1u32..6,
        groups in any::<bool>(),
        steps in proptest::collection::vec((0u8..10, any::<bool>(), any::<bool>(), 0u8..8), 1..80),
    ) {
        let mut object = Object::new(settings(limit, groups));
        let mut first: BTreeMap<(String, bool), Place> = BTreeMap::new();
        let mut own = std::collections::BTreeSet::new();
        for (path, has_not_found, has_others, trouble) in steps {
            if !has_not_found && !has_others {
                continue;
            }
            match trouble {
                0 => object.budget.evict(),
                1 => object.log.fails_but_persists = Some(true),
                2 => object.log.fails_but_persists = Some(false),
                3 if object.budget.has_begun(&object.log).unwrap() => {
                    object.budget.settings_for_tests(settings(limit + 3, !groups));
                }
                _ => {}
            }
            let path = format!("/{path}");
            let asked = AskedPath { path: &path, has_not_found, has_others };
            let Ok(BudgetReply::Limited(verdicts)) = object.call(&[asked]) else { continue };
            for (status, asked) in [(404, has_not_found), (200, has_others)] {
                if asked {
                    let place = verdicts[0].place(status);
                    prop_assert_eq!(*first.entry((path.clone(), status == 404)).or_insert(place), place);
                    if place == Place::Own {
                        own.insert(path.clone());
                    }
                }
            }
        }
        prop_assert!(own.len() <= limit as usize);
    }

    #[test]
    fn calls_read_back_and_any_bytes_are_read_or_refused(
        paths in proptest::collection::vec(("/[a-zé/]{0,12}", any::<bool>()), 0..10),
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let paths: Vec<AskedPath<'_>> = paths
            .iter()
            .map(|(path, has_others)| AskedPath { path, has_not_found: !has_others, has_others: *has_others })
            .collect();
        let call = BudgetCall { hour: hour(), paths };
        let body = call.encode();
        prop_assert_eq!(BudgetCall::decode(&body), Ok(call));
        let _ = BudgetCall::decode(&bytes);
        let _ = BudgetReply::decode(&bytes, 3);
    }
}

fn event(number: u32, path: &str, status: u16) -> TrafficEvent {
    let id = format!("{NOW}-{number:08x}");
    let text = serde_json::json!({
        "version": 1, "id": id, "timestamp": NOW, "path": path, "method": "GET", "status": status,
    });
    TrafficEvent::from_json(&text.to_string()).unwrap()
}

#[test]
fn a_batch_asks_for_each_unknown_path_once_and_places_every_event() {
    let events = [event(1, "/a", 200), event(2, "/a", 404), event(3, "/b", 404), event(4, "/known", 500)];
    let mut known = KnownPaths::default();
    known.learn(hour(), "/known", Verdict::Own);
    let questions = Questions::new(&events, &known);
    assert_eq!(
        questions.calls,
        [BudgetCall {
            hour: hour(),
            paths: vec![AskedPath { path: "/a", has_not_found: true, has_others: true }, not_found("/b")],
        }]
    );
    let reply = BudgetReply::Limited(vec![Verdict::OwnButNotFound, Verdict::OtherButNotFound]);
    let answers = questions.answered(&[Some(reply)], &mut known);
    let placed = events.each_ref().map(|event| answers.place(event));
    let expected = [Place::Own, Place::NotFound, Place::NotFound, Place::Own].map(Placed::At);
    assert_eq!(placed, expected);
    let again = Questions::new(&events, &known);
    assert_eq!(again.calls.len(), 1, "what was refused is asked again");
    let unanswered = again.answered(&[None], &mut known);
    assert_eq!(unanswered.place(&events[2]), Placed::Unknown);
    assert_eq!(unanswered.place(&events[0]), Placed::At(Place::Own), "what is known needs no answer");
    let closed = Questions::new(&events[2..3], &known).answered(&[Some(BudgetReply::Closed)], &mut known);
    assert_eq!(closed.place(&events[2]), Placed::Closed);
}

#[test]
fn calls_are_bounded_by_paths_and_by_bytes() {
    let long = "x".repeat(500);
    let events: Vec<TrafficEvent> = (0..5_000).map(|n| event(n, &format!("/{n}/{long}"), 200)).collect();
    let questions = Questions::new(&events, &KnownPaths::default());
    let paths: usize = questions.calls.iter().map(|call| call.paths.len()).sum();
    assert_eq!(paths, 5_000);
    for call in &questions.calls {
        let bytes: usize = call.paths.iter().map(|asked| asked.path.len()).sum();
        assert!(bytes <= MAX_ASKED_BYTES && call.paths.len() <= MAX_ASKED_PATHS);
        assert!(BudgetCall::decode(&call.encode()).is_ok());
    }
    let short: Vec<TrafficEvent> = (0..5_000).map(|n| event(n, &format!("/{n}"), 200)).collect();
    assert_eq!(Questions::new(&short, &KnownPaths::default()).calls.len(), 3);
}

#[test]
fn a_path_hash_is_the_same_in_every_release() {
    assert_eq!(path_hash("/api/users/:id"), 15_254_837_719_382_252_719);
}

#[test]
fn a_budget_of_none_cannot_group_404s() {
    let read = |limit: &'static str, group: &'static str| {
        BudgetSettings::from_variables(&move |name: &str| match name {
            "PATHS_PER_HOUR" => Some(limit.to_owned()),
            "GROUP_NOT_FOUND" => Some(group.to_owned()),
            _ => None,
        })
    };
    assert_eq!(read("1000", "on"), Ok(settings(1_000, true)));
    assert_eq!(BudgetSettings::from_variables(&|_: &str| None), Ok(settings(5_000, false)));
    let error = read("0", "on").unwrap_err().to_string();
    assert_eq!(error, "variable GROUP_NOT_FOUND is \"on\": expected \"off\" where PATHS_PER_HOUR is 0");
    assert!(read("100001", "off").is_err() && read("10", "yes").is_err());
}

#[test]
fn templates_are_suggested_where_segments_are_values() {
    let mut paths: Vec<String> = (0..60).map(|n| format!("/products/blue-shoe-{n}x")).collect();
    paths.extend((0..40).map(|n| format!("/products/red-shoe-{n}x/reviews")));
    paths.extend((100..130).map(|n| format!("/orders/{n}")));
    paths.extend((0..30).map(|n| format!("/files/a{n}/{}", "b/".repeat(n % 9))));
    paths.extend(["/login", "/about/us", "/about/team"].map(str::to_owned));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let found = suggest(&paths);
    let templates: Vec<(&str, u64)> = found.iter().map(|s| (s.template.as_str(), s.sampled_paths)).collect();
    assert_eq!(
        templates,
        [("/products/:name", 60), ("/products/:name/reviews", 40), ("/files/*", 30), ("/orders/:id", 30)]
    );
    assert_eq!(paths.len(), 163);
    assert!((found[0].share - 60.0 / 163.0).abs() < 1e-9);
    assert_eq!(found[3].examples, ["/orders/100", "/orders/101", "/orders/102"]);
    // What is suggested is what the variable takes, and it does absorb what it was made of.
    let value = found.iter().map(|s| s.template.as_str()).collect::<Vec<_>>().join(",");
    let rules: crate::path_policy::templates::PathTemplates = value.parse().unwrap();
    let left: std::collections::BTreeSet<String> =
        paths.iter().map(|path| rules.apply((*path).to_owned())).collect();
    assert_eq!(left.len(), 4 + 3);
}

#[test]
fn nothing_is_suggested_for_names_or_for_the_root() {
    let pages: Vec<String> = (0..9).flat_map(|a| (0..9).map(move |b| format!("/s{a}/p{b}"))).collect();
    assert_eq!(suggest(&pages.iter().map(String::as_str).collect::<Vec<_>>()), []);
    let roots: Vec<String> = (0..200).map(|n| format!("/{n}.php")).collect();
    assert_eq!(suggest(&roots.iter().map(String::as_str).collect::<Vec<_>>()), []);
}

#[test]
fn a_report_puts_hours_and_their_catch_alls_together() {
    let budget = |hours, sample: Vec<String>| HourBudget {
        hour: hour().plus(hours),
        limit: Some(10),
        closed: false,
        groups_not_found: false,
        admitted: 10,
        refused: sample.len() as u64,
        sample,
    };
    let sample: Vec<String> = (0..20).map(|n| format!("/shop/item-{n}")).collect();
    let figures = CatchAllFigures { requests: 7, errors: 2 };
    let rows = [CatchAllRow { hour: hour().plus(1), name: OTHER.to_owned(), figures }];
    let report = CardinalityReport::new(
        vec![budget(0, sample.clone()), budget(1, sample), budget(2, Vec::new())],
        &rows,
    );
    let hours: Vec<_> = report.hours.iter().map(|h| (h.hour, h.other.requests, h.refused_paths)).collect();
    assert_eq!(hours, [(hour().plus(2), 0, 0), (hour().plus(1), 7, 20), (hour(), 0, 20)]);
    assert_eq!((report.sampled_paths, report.suggestions.len()), (20, 1));
    assert_eq!(report.path_templates.as_deref(), Some("/shop/:name"));
}
