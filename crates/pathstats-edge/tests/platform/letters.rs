use super::{database, env};
use pathstats_edge::bindings::D1;
use pathstats_edge::letter_store::D1LetterStore;
use pathstats_model::dead_letters::{
    Change, DiscardOrder, Discarded, LetterCursor, LetterStore, MAX_DISCARDED,
};
use pathstats_model::ingest::DeadLetter;
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

fn store() -> D1LetterStore {
    D1LetterStore::new(env().d1(D1).unwrap())
}

fn letter(id: &str, reason: &'static str, body: &str) -> DeadLetter {
    DeadLetter { id: id.to_owned(), reason, detail: format!("why {id}"), body: body.to_owned(), attempts: 3 }
}

async fn keep(letters: &[DeadLetter], first_seen: i64) {
    database().store_dead_letters(letters, first_seen).await.unwrap();
}

/// How many letters the counts tell of a reason, and how many there are.
async fn counted(reason: &str) -> (u64, u64) {
    #[derive(Deserialize)]
    struct Row {
        told: Option<u64>,
        there: u64,
    }
    let sql = "SELECT (SELECT letters FROM dead_letter_counts WHERE reason = ?1) AS told, \
               (SELECT count(*) FROM dead_letters WHERE reason = ?1) AS there";
    let statement = env().d1(D1).unwrap().prepare(sql).bind(&[reason.into()]).unwrap();
    let row = statement.all().await.unwrap().results::<Row>().unwrap().into_iter().next().unwrap();
    (row.told.unwrap_or(0), row.there)
}

#[wasm_bindgen_test]
async fn letters_are_counted_by_reason_as_they_come_change_and_go() {
    let (a, b) = (letter("counts-1", "counts_a", "x"), letter("counts-2", "counts_a", "y"));
    keep(&[a.clone(), b.clone()], 5_000).await;
    keep(&[a, b, letter("counts-3", "counts_b", "z")], 9_000).await;
    assert_eq!(counted("counts_a").await, (2, 2), "letters that are there are not counted again");
    assert_eq!(counted("counts_b").await, (1, 1));
    let reasons = store().reasons(9_000).await.unwrap();
    let of = |reason: &str| {
        let found = reasons.iter().find(|state| state.count.reason == reason).unwrap();
        (found.count.count, found.count.oldest, found.recent)
    };
    assert_eq!((of("counts_a"), of("counts_b")), ((2, 5_000, 0), (1, 9_000, 1)));
    let sealed = letter("counts-1", "counts_b", "x");
    store().settle(&[Change { id: "counts-1".to_owned(), letters: vec![sealed] }]).await.unwrap();
    assert_eq!((counted("counts_a").await, counted("counts_b").await), ((1, 1), (2, 2)));
    store().discard(&DiscardOrder::Reason("counts_b".to_owned())).await.unwrap();
    assert_eq!(counted("counts_b").await, (0, 0));
    assert!(store().reasons(0).await.unwrap().iter().all(|state| state.count.reason != "counts_b"));
}

#[wasm_bindgen_test]
async fn pages_follow_one_another_and_leave_nothing_out() {
    let letters: Vec<DeadLetter> =
        (0..7).map(|n| letter(&format!("page/{}", 9 - n), "pages", "{}")).collect();
    for (n, letter) in (0..).zip(&letters) {
        // Two at a time were seen first at the same moment.
        keep(core::slice::from_ref(letter), 1_000 + n / 2).await;
    }
    let mut after: Option<LetterCursor> = None;
    let mut seen = Vec::new();
    loop {
        let page = store().page(Some("pages"), after.as_ref(), 3).await.unwrap();
        let (outlines, waiting) = store().behind(Some("pages"), after.as_ref(), 3).await.unwrap();
        let ids: Vec<&str> = page.iter().map(|letter| letter.id.as_str()).collect();
        assert_eq!(outlines.iter().map(|outline| outline.id.as_str()).collect::<Vec<_>>(), ids);
        assert_eq!(waiting, 7 - seen.len() as u64);
        let Some(last) = page.last() else { break };
        after = Some(LetterCursor { first_seen_ms: last.first_seen, id: last.id.clone() });
        seen.extend(page.into_iter().map(|letter| letter.id));
    }
    assert_eq!(seen, ["page/8", "page/9", "page/6", "page/7", "page/4", "page/5", "page/3"]);
    let first = LetterCursor { first_seen_ms: 0, id: "page/3".to_owned() };
    let all = store().page(None, Some(&first), 3).await.unwrap();
    assert_eq!(
        all.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>(),
        ["page/4", "page/5", "page/6"]
    );
    let (_, waiting) = store().behind(None, Some(&first), 3).await.unwrap();
    assert!(waiting >= 6, "{waiting}");
}

#[wasm_bindgen_test]
async fn a_letter_tells_its_bytes_its_events_and_how_it_begins() {
    let long = "🦀".repeat(300);
    for (id, body, bytes, events) in [
        ("shape-1", "{\"version\":1,\"events\":[{},{},3]}", 32, Some(3)),
        ("shape-2", "{\"id\":\"x\"}", 10, Some(1)),
        ("shape-3", "[1,2]", 5, None),
        ("shape-4", "not json", 8, None),
        ("shape-5", long.as_str(), 1_200, None),
        ("shape-6", "", 0, None),
    ] {
        keep(&[letter(id, "shapes", body)], 7).await;
        let found = store().letter(id).await.unwrap().unwrap();
        assert_eq!(
            (found.body.as_str(), found.letter.bytes, found.letter.events),
            (body, bytes, events),
            "{id}"
        );
        assert_eq!(found.letter.preview, body.chars().take(200).collect::<String>());
        assert_eq!((found.letter.attempts, found.letter.first_seen), (3, 7));
    }
    assert_eq!(store().letter("shape-7").await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn changes_are_made_together_and_only_to_letters_that_are_there() {
    keep(&[letter("settle/m", "given_up", "whole"), letter("settle/k", "given_up", "kept")], 1_234).await;
    keep(&[letter("settle/there", "other", "as it is")], 1).await;
    let again = letter("settle/k", "sealed_now", "never written");
    let changes = [
        Change {
            id: "settle/m".to_owned(),
            letters: vec![letter("settle/m/0", "bad", "\"\u{1}"), letter("settle/there", "bad", "no")],
        },
        Change { id: "settle/k".to_owned(), letters: vec![again] },
        Change { id: "settle/gone".to_owned(), letters: vec![letter("settle/gone/0", "bad", "no")] },
        Change { id: "settle/gone-too".to_owned(), letters: vec![letter("settle/gone-too", "bad", "no")] },
    ];
    for _ in 0..2 {
        store().settle(&changes).await.unwrap();
    }
    let letters = store()
        .page(None, Some(&LetterCursor { first_seen_ms: 0, id: "settle/".to_owned() }), 10)
        .await
        .unwrap();
    let found: Vec<_> = letters
        .iter()
        .take_while(|l| l.id.starts_with("settle/"))
        .map(|l| (l.id.as_str(), l.reason.as_str(), l.preview.as_str(), l.attempts, l.first_seen))
        .collect();
    // The letter that stays had two attempts more by now.
    assert_eq!(
        found,
        [
            ("settle/k", "sealed_now", "kept", 5, 1_234),
            ("settle/m/0", "bad", "\"\u{1}", 4, 1_234),
            ("settle/there", "other", "as it is", 3, 1),
        ]
    );
    let bodies = store().bodies(&["settle/k", "settle/gone", "settle/m/0"]).await.unwrap();
    assert_eq!(
        bodies.iter().map(|l| (l.id.as_str(), l.attempts)).collect::<Vec<_>>(),
        [("settle/k", 5), ("settle/m/0", 4)]
    );
    let found = store().find(&["settle/k".to_owned(), "settle/gone".to_owned()]).await.unwrap();
    assert_eq!(
        found.iter().map(|o| (o.id.as_str(), o.first_seen_ms, o.bytes)).collect::<Vec<_>>(),
        [("settle/k", 1_234, 4)]
    );
}

#[wasm_bindgen_test]
async fn more_than_one_parameter_holds_is_settled_in_one_transaction() {
    // Twenty messages of the largest size, whose events are all refused: more than 2 MB of letters.
    let ids: Vec<String> = (0..20).map(|n| format!("bulk/{n:02}")).collect();
    let whole: Vec<DeadLetter> = ids.iter().map(|id| letter(id, "bulk", "x")).collect();
    keep(&whole, 77).await;
    let body = "\"".repeat(60_000);
    let changes: Vec<Change> = ids
        .iter()
        .map(|id| Change {
            id: id.clone(),
            letters: vec![
                letter(&format!("{id}/0"), "bulk", &body),
                letter(&format!("{id}/1"), "bulk", &body),
            ],
        })
        .collect();
    store().settle(&changes).await.unwrap();
    let (outlines, waiting) = store().behind(Some("bulk"), None, 100).await.unwrap();
    assert_eq!((outlines.len(), waiting), (40, 40));
    assert!(outlines.iter().all(|outline| outline.bytes == 60_000 && outline.first_seen_ms == 77));
}

#[wasm_bindgen_test]
async fn letters_are_discarded_by_id_and_a_thousand_of_a_reason_at_once() {
    keep(&[letter("discard/a", "thrown", "x"), letter("discard/b", "thrown", "x")], 5).await;
    let order = DiscardOrder::Ids(vec!["discard/a".to_owned(), "discard/none".to_owned()]);
    assert_eq!(store().discard(&order).await.unwrap(), Discarded { discarded: 1, remaining: 0 });
    assert_eq!(store().discard(&order).await.unwrap(), Discarded { discarded: 0, remaining: 0 });
    let many: Vec<DeadLetter> =
        (0..MAX_DISCARDED + 5).map(|n| letter(&format!("discard/{n:05}"), "thrown", "x")).collect();
    keep(&many, 6).await;
    let order = DiscardOrder::Reason("thrown".to_owned());
    assert_eq!(store().discard(&order).await.unwrap(), Discarded { discarded: 1_000, remaining: 6 });
    assert_eq!(store().letter("discard/b").await.unwrap(), None, "the oldest go first");
    assert_eq!(store().discard(&order).await.unwrap(), Discarded { discarded: 6, remaining: 0 });
    assert_eq!(counted("thrown").await, (0, 0));
}

#[wasm_bindgen_test]
async fn a_page_and_the_counts_read_no_more_rows_than_they_tell() {
    let many: Vec<DeadLetter> = (0..500)
        .map(|n| letter(&format!("rows/{n:05}"), if n % 250 == 7 { "rows_few" } else { "rows_many" }, "x"))
        .collect();
    keep(&many, 100).await;
    let read = |sql: &'static str| async move {
        let result = env().d1(D1).unwrap().prepare(sql).all().await.unwrap();
        result.meta().unwrap().unwrap().rows_read.unwrap()
    };
    let page = read("SELECT id, reason FROM dead_letters WHERE reason = 'rows_few' AND (first_seen, id) > (-1, '') ORDER BY first_seen, id LIMIT 51").await;
    assert!(page <= 10, "{page} rows for two letters");
    let oldest = read("SELECT (SELECT min(first_seen) FROM dead_letters WHERE reason = 'rows_many')").await;
    assert!(oldest <= 3, "{oldest} rows for one time");
    store().discard(&DiscardOrder::Reason("rows_many".to_owned())).await.unwrap();
    store().discard(&DiscardOrder::Reason("rows_few".to_owned())).await.unwrap();
}
