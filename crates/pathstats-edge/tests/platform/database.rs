use super::{database, env, event};
use pathstats_edge::bindings::D1;
use pathstats_model::event::TrafficEvent;
use pathstats_model::hour::HourBucket;
use pathstats_model::ingest::DeadLetter;
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

#[derive(Debug, Deserialize, PartialEq)]
struct RawRow {
    id: String,
    path: String,
    status: u16,
    response_time: Option<f64>,
    client_ip_hash: Option<String>,
    user_agent: Option<String>,
    country: Option<String>,
    sample_ratio: f64,
    timestamp: f64,
    event_date: String,
    is_error: u8,
}

async fn raw_rows(path: &str) -> Vec<RawRow> {
    let statement = env().d1(D1).unwrap().prepare("SELECT * FROM traffic_events WHERE path = ?1 ORDER BY id");
    statement.bind(&[path.into()]).unwrap().all().await.unwrap().results().unwrap()
}

#[wasm_bindgen_test]
async fn an_event_is_stored_whole_and_what_follows_from_it_is_computed() {
    let event = event("/raw/🦀 %2F:a\"b", 1_709_251_199_999, 4);
    database().store_events(&[&event]).await.unwrap();
    let expected = RawRow {
        id: "1709251199999-00000004".to_owned(),
        path: event.path.clone(),
        status: 500,
        response_time: Some(7.5),
        client_ip_hash: Some("0000000000000004".to_owned()),
        user_agent: Some("a \"quoted\" agent 🦀".to_owned()),
        country: Some("NZ".to_owned()),
        sample_ratio: 1.0,
        timestamp: 1_709_251_199_999.0,
        event_date: "2024-02-29".to_owned(),
        is_error: 1,
    };
    assert_eq!(raw_rows(&event.path).await, [expected]);
}

#[wasm_bindgen_test]
async fn an_event_stored_again_stays_one_row_and_absent_fields_stay_absent() {
    let mut event = event("/raw/again", 1_760_536_800_001, 1);
    event.response_time_us = None;
    event.client_ip_hash = None;
    event.user_agent = None;
    event.country = None;
    let events: [&TrafficEvent; 2] = [&event, &event];
    database().store_events(&events).await.unwrap();
    database().store_events(&events).await.unwrap();
    let rows = raw_rows("/raw/again").await;
    assert_eq!(rows.len(), 1);
    let row = rows.first().unwrap();
    assert_eq!(
        (row.response_time, &row.client_ip_hash, &row.user_agent, &row.country),
        (None, &None, &None, &None)
    );
}

#[wasm_bindgen_test]
async fn more_than_one_parameter_holds_is_split_and_stored_whole() {
    let path = format!("/raw/{}", "é".repeat(500));
    let events: Vec<TrafficEvent> = (0..3_000).map(|n| event(&path, 1_760_536_800_002, n)).collect();
    database().store_events(&events.iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(raw_rows(&path).await.len(), 3_000);
}

#[wasm_bindgen_test]
async fn a_dead_letter_keeps_the_time_it_was_first_seen() {
    #[derive(Deserialize)]
    struct Row {
        detail: String,
        body: String,
        first_seen: i64,
    }
    let letter = DeadLetter {
        id: "letter-1".to_owned(),
        reason: "not_json",
        detail: "what was wrong".to_owned(),
        body: "{\u{1}".to_owned(),
        attempts: 2,
    };
    database().store_dead_letters([&letter], 1_000).await.unwrap();
    database().store_dead_letters([&letter], 2_000).await.unwrap();
    let rows: Vec<Row> = env()
        .d1(D1)
        .unwrap()
        .prepare("SELECT * FROM dead_letters WHERE id = 'letter-1'")
        .all()
        .await
        .unwrap()
        .results()
        .unwrap();
    let row = rows.first().unwrap();
    assert_eq!((rows.len(), row.first_seen), (1, 1_000));
    assert_eq!((row.detail.as_str(), row.body.as_str()), ("what was wrong", "{\u{1}"));
}

#[wasm_bindgen_test]
async fn the_outbox_gives_back_what_it_was_given_once() {
    let database = database();
    let messages = [("1-a/0/0".to_owned(), "{\"a\":1}"), ("1-a/0/1".to_owned(), "two")];
    database.keep_in_outbox(&messages, 5).await.unwrap();
    database.keep_in_outbox(&messages, 6).await.unwrap();
    let rows = database.outbox("", 10).await.unwrap();
    let kept: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.body.as_str())).collect();
    assert_eq!(kept, [("1-a/0/0", "{\"a\":1}"), ("1-a/0/1", "two")]);
    assert_eq!(database.outbox("1-a/0/0", 10).await.unwrap().len(), 1);
    database.remove_from_outbox(&["1-a/0/0", "1-a/0/1"]).await.unwrap();
    assert!(database.outbox("", 10).await.unwrap().is_empty());
}

#[wasm_bindgen_test]
async fn drops_of_an_hour_add_up_by_reason() {
    #[derive(Deserialize)]
    struct Row {
        reason: String,
        requests: u32,
    }
    let hour: HourBucket = "2025-10-15T14".parse().unwrap();
    database().add_drops(hour, &[("sampled", 3), ("lost", 1)]).await.unwrap();
    database().add_drops(hour, &[("sampled", 4)]).await.unwrap();
    let rows: Vec<Row> = env()
        .d1(D1)
        .unwrap()
        .prepare("SELECT * FROM recording_drops WHERE hour_bucket = '2025-10-15T14' ORDER BY reason")
        .all()
        .await
        .unwrap()
        .results()
        .unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.reason.as_str(), row.requests)).collect();
    assert_eq!(rows, [("lost", 1), ("sampled", 7)]);
}
