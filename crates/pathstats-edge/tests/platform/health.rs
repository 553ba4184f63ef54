use super::{database, env};
use pathstats_edge::bindings::{D1, TRAFFIC_QUEUE};
use pathstats_edge::health_store::HealthStore;
use pathstats_edge::queue;
use pathstats_model::health::{ArchivedDay, Drops};
use pathstats_model::hour::HourBucket;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::RawMessageBuilder;

fn store() -> HealthStore {
    HealthStore::new(env().d1(D1).unwrap())
}

#[wasm_bindgen_test]
async fn the_queue_tells_how_much_waits_and_since_when() {
    let sink = env().queue(TRAFFIC_QUEUE).unwrap();
    let before = queue::state(&sink).await.unwrap();
    assert_eq!((before.messages, before.oldest_ms), (0, None));
    let sent = pathstats_edge::clock::now_ms();
    sink.send_raw(
        RawMessageBuilder::new("a message".into()).build_with_content_type(worker::QueueContentType::Text),
    )
    .await
    .unwrap();
    let after = queue::state(&sink).await.unwrap();
    assert_eq!(after.messages, 1);
    assert!(after.bytes >= 9, "{after:?}");
    let oldest = after.oldest_ms.unwrap();
    assert!((sent - 1_000..sent + 60_000).contains(&oldest), "{oldest} for {sent}");
}

#[wasm_bindgen_test]
async fn the_outbox_tells_its_messages_and_the_oldest_of_them() {
    let messages = [("0-health/0/0".to_owned(), "a"), ("0-health/0/1".to_owned(), "b")];
    let before = store().outbox().await.unwrap();
    database().keep_in_outbox(&messages, 1_760_536_800_123).await.unwrap();
    let after = store().outbox().await.unwrap();
    assert_eq!((after.messages, after.oldest_ms), (before.messages + 2, Some(1_760_536_800_123)));
    database().remove_from_outbox(&["0-health/0/0", "0-health/0/1"]).await.unwrap();
    assert_eq!(store().outbox().await.unwrap(), before);
}

#[wasm_bindgen_test]
async fn drops_are_told_from_an_hour_on_newest_first() {
    let hour: HourBucket = "2031-01-01T05".parse().unwrap();
    database().add_drops(hour.plus(-1), &[("sampled", 9)]).await.unwrap();
    database().add_drops(hour, &[("sampled", 3), ("lost", 1)]).await.unwrap();
    database().add_drops(hour.plus(1), &[("lost", 2)]).await.unwrap();
    let drop = |hour, reason: &str, requests| Drops { hour, reason: reason.to_owned(), requests };
    assert_eq!(
        store().drops(hour).await.unwrap(),
        [drop(hour.plus(1), "lost", 2), drop(hour, "lost", 1), drop(hour, "sampled", 3)]
    );
}

#[wasm_bindgen_test]
async fn days_of_the_archive_are_told_without_their_records() {
    let insert = "INSERT OR REPLACE INTO archive_metadata (date, record_count, file_size_bytes, status, d1_cleaned, record, carry) \
                  VALUES (?1, 0, 0, ?2, 0, ?3, x'')";
    for (date, status, record) in [
        ("2032-01-01", "archived", r#"{"clean":true,"error":null,"reconciliation":{"differing":{}}}"#),
        (
            "2032-01-02",
            "cleaning",
            r#"{"clean":false,"error":"R2 refused","reconciliation":{"differing":{"2032-01-02T03":4}}}"#,
        ),
        ("2032-01-03", "archiving", "{}"),
    ] {
        let statement = env().d1(D1).unwrap().prepare(insert);
        statement.bind(&[date.into(), status.into(), record.into()]).unwrap().run().await.unwrap();
    }
    let day = |date: &str, status: &str, clean, error: Option<&str>, differs| ArchivedDay {
        date: date.parse().unwrap(),
        status: status.to_owned(),
        clean,
        error: error.map(str::to_owned),
        differs,
    };
    assert_eq!(
        store().archived_days(3).await.unwrap(),
        [
            day("2032-01-03", "archiving", false, None, false),
            day("2032-01-02", "cleaning", false, Some("R2 refused"), true),
            day("2032-01-01", "archived", true, None, false),
        ]
    );
    env()
        .d1(D1)
        .unwrap()
        .prepare("DELETE FROM archive_metadata WHERE date LIKE '2032-%'")
        .run()
        .await
        .unwrap();
}
