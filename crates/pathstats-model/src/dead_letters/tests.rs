use super::*;

fn replay_order(text: &str) -> Result<ReplayOrder, OrderError> {
    ReplayOrder::from_json(text.as_bytes())
}

fn discard_order(text: &str) -> Result<DiscardOrder, OrderError> {
    DiscardOrder::from_json(text.as_bytes())
}

#[test]
fn an_order_names_letters_or_all_of_them() {
    assert_eq!(
        replay_order(r#"{"ids":["b","a","b"]}"#),
        Ok(ReplayOrder::Ids(vec!["a".to_owned(), "b".to_owned()]))
    );
    assert_eq!(replay_order(r#"{"all":true}"#), Ok(ReplayOrder::All { reason: None, after: None }));
    let after = Some(LetterCursor { first_seen_ms: 7, id: "m/1:2".to_owned() });
    assert_eq!(
        replay_order(r#"{"all":true,"reason":"sealed","cursor":"7/m/1:2"}"#),
        Ok(ReplayOrder::All { reason: Some("sealed".to_owned()), after })
    );
    assert_eq!(discard_order(r#"{"ids":["a"]}"#), Ok(DiscardOrder::Ids(vec!["a".to_owned()])));
    assert_eq!(
        discard_order(r#"{"all":true,"reason":"not_json"}"#),
        Ok(DiscardOrder::Reason("not_json".to_owned()))
    );
}

#[test]
fn what_is_no_order_says_what_is_wrong() {
    let many = format!(r#"{{"ids":{:?}}}"#, vec!["a"; MAX_LETTERS + 1]);
    let long = format!(r#"{{"ids":["{}"]}}"#, "a".repeat(MAX_ID_BYTES + 1));
    for (text, says) in [
        ("", "does not read"),
        ("{}", "either `ids`"),
        (r#"{"all":false}"#, "either `ids`"),
        (r#"{"ids":["a"],"all":true}"#, "either `ids`"),
        (r#"{"ids":[]}"#, "has 0 ids: 1 to 100"),
        (many.as_str(), "has 101 ids"),
        (long.as_str(), "has 2201 bytes"),
        (r#"{"ids":[""]}"#, "has 0 bytes"),
        (r#"{"ids":["a"],"reason":"sealed"}"#, "`reason` goes with `all`"),
        (r#"{"ids":["a"],"cursor":"1/a"}"#, "`cursor` goes with `all`"),
        (r#"{"all":true,"reason":""}"#, "`reason` is \"\""),
        (r#"{"all":true,"cursor":"nonsense"}"#, "no cursor"),
        (r#"{"all":true,"al":1}"#, "unknown field"),
    ] {
        let error = replay_order(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert_eq!(discard_order(r#"{"all":true}"#), Err(OrderError::NoReason));
    assert!(discard_order(r#"{"all":true,"reason":"a","cursor":"1/a"}"#).is_err());
}

#[test]
fn an_order_crosses_between_workers_as_it_is() {
    let orders = [
        ReplayOrder::Ids(vec!["a".to_owned()]),
        ReplayOrder::All { reason: None, after: None },
        ReplayOrder::All {
            reason: Some("sealed".to_owned()),
            after: Some(LetterCursor { first_seen_ms: 1_760_536_800_000, id: "sealed/1/🦀:x".to_owned() }),
        },
    ];
    for order in orders {
        assert_eq!(ReplayOrder::from_json(&serde_json::to_vec(&order).unwrap()), Ok(order));
    }
    for order in [DiscardOrder::Ids(vec!["a".to_owned()]), DiscardOrder::Reason("sealed".to_owned())] {
        assert_eq!(DiscardOrder::from_json(&serde_json::to_vec(&order).unwrap()), Ok(order));
    }
}

#[test]
fn the_longest_order_fits_into_its_limit() {
    // Ids of ours escape nothing but what a path holds; a quarter is left for that.
    let ids: Vec<String> = (0..MAX_LETTERS).map(|n| format!("{n:0>MAX_ID_BYTES$}")).collect();
    assert!(serde_json::to_vec(&ReplayOrder::Ids(ids)).unwrap().len() < MAX_ORDER_BYTES);
    let path = "🦀".repeat(crate::limits::MAX_PATH_CHARS - 1);
    let id = format!("sealed/1730956800000-a1b2c3d4//{path}:2025-10-15T14");
    assert!(id.len() <= MAX_ID_BYTES, "{}", id.len());
}

#[test]
fn a_cursor_reads_back_as_it_was_written() {
    let cursor: LetterCursor = "1760536800000/sealed/1-a/x:2025-10-15T14".parse().unwrap();
    assert_eq!((cursor.first_seen_ms, cursor.id.as_str()), (1_760_536_800_000, "sealed/1-a/x:2025-10-15T14"));
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for text in ["", "/", "1/", "a/b", "-1/a", "+1/a", "99999999999999999999/a"] {
        assert!(text.parse::<LetterCursor>().is_err(), "{text}");
    }
}

#[test]
fn a_page_says_where_the_next_begins_only_if_there_is_one() {
    let letter = |n: i64| LetterSummary {
        id: format!("m{n}"),
        reason: "not_json".to_owned(),
        detail: String::new(),
        attempts: 0,
        first_seen: n,
        bytes: 1,
        events: None,
        preview: "x".to_owned(),
    };
    let reasons = || vec![ReasonCount { reason: "not_json".to_owned(), count: 3, oldest: 1 }];
    let page = LetterPage::new(reasons(), vec![letter(1), letter(2), letter(3)], 2);
    assert_eq!((page.total, page.letters.len()), (3, 2));
    assert_eq!(page.next_cursor.map(String::from).as_deref(), Some("2/m2"));
    let last = LetterPage::new(reasons(), vec![letter(3)], 2);
    assert_eq!(last.next_cursor, None);
    let json = serde_json::to_string(&last).unwrap();
    assert!(
        json.contains(r#""byReason":[{"reason":"not_json","count":3,"oldest":"1970-01-01T00:00:00.001Z"}]"#),
        "{json}"
    );
    assert!(
        json.contains(r#""firstSeen":"1970-01-01T00:00:00.003Z","bytes":1,"events":null,"preview":"x"}]"#),
        "{json}"
    );
}
