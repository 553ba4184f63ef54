use super::{database, env, event};
use pathstats_edge::bindings::D1;
use pathstats_edge::ledger_store::LedgerStore;
use pathstats_edge::letter_store::D1LetterStore;
use pathstats_model::aggregator::FlushRow;
use pathstats_model::completeness::answers::LedgerQuery;
use pathstats_model::completeness::check::{Archived, Finding, Noted, Seen};
use pathstats_model::completeness::figures::Entry;
use pathstats_model::completeness::settled::Checked;
use pathstats_model::dead_letters::{Change, DiscardOrder, LetterStore};
use pathstats_model::ingest::DeadLetter;
use pathstats_model::packed::PackedEvent;
use pathstats_model::{HourBucket, PathHour, PathHourStats, TrafficEvent};
use wasm_bindgen_test::wasm_bindgen_test;

fn store() -> LedgerStore {
    LedgerStore::new(env().d1(D1).unwrap())
}

fn hour(text: &str) -> HourBucket {
    text.parse().unwrap()
}

fn events(path: &str, hour: HourBucket, numbers: core::ops::Range<u32>) -> Vec<TrafficEvent> {
    numbers.map(|n| event(path, hour.start_ms() + i64::from(n), n)).collect()
}

async fn store_raw(events: &[TrafficEvent]) {
    database().store_events(&events.iter().collect::<Vec<_>>()).await.unwrap();
}

async fn flush(path: &str, hour: HourBucket, events: &[TrafficEvent], revision: u64, duplicates: u64) {
    let mut stats = PathHourStats::default();
    for event in events {
        stats.add(&PackedEvent::new(event));
    }
    let key = PathHour { path: path.to_owned(), hour };
    let row = FlushRow { key, stats, revision, asks_for_snapshot: false, duplicates };
    database().write_hour(&row, 5).await.unwrap();
}

fn letter(id: &str, reason: &'static str, body: String) -> DeadLetter {
    DeadLetter { id: id.to_owned(), reason, detail: String::new(), body, attempts: 0 }
}

async fn noted(hour: HourBucket) -> Option<Noted> {
    store().noted(hour.plus(1), hour).await.unwrap().into_iter().find(|noted| noted.hour == hour)
}

async fn checked(hour: HourBucket) -> Checked {
    store().hours(LedgerQuery { from: hour, to: hour.plus(1) }).await.unwrap().swap_remove(0)
}

fn finding(received: u64, counted: u64, differs_since_ms: Option<i64>) -> Finding {
    Finding { entry: Entry { received, counted, ..Entry::default() }, differs_since_ms }
}

#[wasm_bindgen_test]
async fn an_hour_is_seen_whole_and_nothing_of_its_neighbours() {
    let at = hour("2012-03-04T05");
    for hour in [at.plus(-1), at, at.plus(1)] {
        let some = events("/ledger/a", hour, 0..7);
        store_raw(&some).await;
        store_raw(&events("/ledger/b", hour, 100..103)).await;
        flush("/ledger/a", hour, &some, 1, 0).await;
    }
    flush("/ledger/b", at, &events("/ledger/b", at, 100..102), 1, 4).await;
    // Told again, later and earlier: never fewer.
    flush("/ledger/b", at, &events("/ledger/b", at, 100..102), 1, 6).await;
    flush("/ledger/b", at, &events("/ledger/b", at, 100..102), 1, 5).await;
    let bodies = |path: &str, numbers| -> Vec<String> {
        events(path, at, numbers).iter().map(|event| serde_json::to_string(event).unwrap()).collect()
    };
    let letters = [
        letter("ledger-late", "sealed", bodies("/ledger/c", 1..2).remove(0)),
        letter("ledger-dead", "invalid_field", bodies("/ledger/c", 2..3).remove(0)),
    ];
    database().store_dead_letters(&letters, at.end_ms()).await.unwrap();
    let packed = format!("{{\"version\":1,\"events\":[{}]}}", bodies("/ledger/b", 102..105).join(","));
    let exhausted = letter("ledger-exhausted", "retries_exhausted", packed);
    for _ in 0..2 {
        database().store_dead_letters([&exhausted], at.end_ms()).await.unwrap();
    }
    let seen = store().look(at, 1_000).await.unwrap();
    assert_eq!(seen.exhausted.len(), 1, "{:?}", seen.exhausted);
    let keys = seen.exhausted.first().unwrap();
    let ids: Vec<String> = keys.iter().map(|(id, _)| id.to_string()).collect();
    assert!(keys.iter().all(|(_, path)| path == "/ledger/b") && ids.len() == 3);
    assert_eq!(store().raw_rows_among(&ids).await.unwrap(), 1);
    let expected = Seen {
        raw: 10,
        archived: Archived::No,
        counted: 9,
        duplicates: 6,
        dead: 1,
        late: 1,
        exhausted: seen.exhausted.clone(),
        purged: false,
        difference_before: 0,
        differs_since_ms: None,
    };
    assert_eq!(seen, expected);
}

#[wasm_bindgen_test]
async fn what_changes_while_a_check_is_under_way_is_checked_again_and_an_older_check_enters_nothing() {
    let at = hour("2012-04-04T05");
    let some = events("/ledger/changes", at, 0..5);
    assert_eq!(noted(at).await, None);
    flush("/ledger/changes", at, some.get(..1).unwrap(), 1, 0).await;
    assert!(noted(at).await.unwrap().changed);
    store().look(at, 1_000).await.unwrap();
    assert!(noted(at).await.unwrap().changed, "a check that dies leaves the hour to the next");
    store().enter(at, 1_000, Some(finding(5, 5, None))).await.unwrap();
    let now = noted(at).await.unwrap();
    assert_eq!((now.changed, now.differs, now.checked_ms), (false, false, Some(1_000)));
    // Counted while the next one is under way.
    store().look(at, 2_000).await.unwrap();
    flush("/ledger/changes", at, some.get(..2).unwrap(), 2, 0).await;
    store().enter(at, 2_000, Some(finding(7, 6, Some(2_000)))).await.unwrap();
    let now = noted(at).await.unwrap();
    assert_eq!((now.changed, now.differs), (true, true));
    assert!(store().differing().await.unwrap().iter().any(|checked| checked.hour == at));
    // Two at once: the one that began first comes last.
    store().look(at, 3_000).await.unwrap();
    store().look(at, 4_000).await.unwrap();
    store().enter(at, 4_000, Some(finding(9, 9, None))).await.unwrap();
    store().enter(at, 3_000, Some(finding(8, 8, None))).await.unwrap();
    assert_eq!((checked(at).await.entry.received, checked(at).await.changed), (9, false));
    assert!(store().differing().await.unwrap().iter().all(|checked| checked.hour != at));
    // What it is made from is gone: the entry stays.
    store().look(at, 5_000).await.unwrap();
    store().enter(at, 5_000, None).await.unwrap();
    assert_eq!((checked(at).await.entry.received, checked(at).await.checked_ms), (9, Some(4_000)));
}

#[wasm_bindgen_test]
async fn an_hour_waits_for_the_latest_of_its_messages() {
    let at = hour("2012-05-04T05");
    store().note_waiting(&[(at, 7_000), (at.plus(1), 1)]).await.unwrap();
    store().note_waiting(&[(at, 5_000)]).await.unwrap();
    assert_eq!(checked(at).await.waiting_until_ms, 7_000);
    assert!(noted(at).await.unwrap().changed);
}

#[wasm_bindgen_test]
async fn bookings_go_with_letters_that_are_replayed_and_stay_of_those_that_are_discarded() {
    let at = hour("2012-06-04T05");
    let letters = D1LetterStore::new(env().d1(D1).unwrap());
    let poison = |n: u32| format!("{{\"timestamp\":{}}}", at.start_ms() + i64::from(n));
    let kept: Vec<DeadLetter> = (0..4).map(|n| letter(&format!("booked-{n}"), "booked", poison(n))).collect();
    database().store_dead_letters(&kept, 5).await.unwrap();
    let dead = || async { store().look(at, 9).await.unwrap().dead };
    assert_eq!(dead().await, 4);
    // Replayed: taken, and one that holds two that are no events.
    let parts = |id: &str| letter(id, "booked", poison(9));
    let changes = [
        Change { id: "booked-0".to_owned(), letters: vec![] },
        Change { id: "booked-1".to_owned(), letters: vec![parts("booked-1/0"), parts("booked-1/1")] },
        Change { id: "booked-none".to_owned(), letters: vec![parts("booked-none/0")] },
    ];
    letters.settle(&changes).await.unwrap();
    assert_eq!(dead().await, 4);
    letters.settle(&changes).await.unwrap();
    assert_eq!(dead().await, 4, "settled again it is the same");
    letters.discard(&DiscardOrder::Ids(vec!["booked-2".to_owned()])).await.unwrap();
    letters.discard(&DiscardOrder::Reason("booked".to_owned())).await.unwrap();
    assert_eq!(letters.find(&["booked-3".to_owned()]).await.unwrap(), []);
    assert_eq!(dead().await, 4, "what was given up is accounted for");
}
