use super::booking::{bookings, Booking, Kind};
use super::check::{due, Archived, Noted, Seen};
use super::figures::{Entry, Exhausted, Figures};
use super::settled::{differs_since, waiting_until, watermark, Checked, HourState};
use super::*;
use crate::api::given::Given;
use crate::completeness::answers::{LedgerAnswer, LedgerQuery};
use crate::health::{OutboxState, QueueState, Silence};
use crate::hour::HourBucket;
use crate::ingest::DeadLetter;

const NOW: i64 = 1_760_537_400_000;

fn hour(back: i64) -> HourBucket {
    HourBucket::from_ms(NOW).plus(-back)
}

fn letter(reason: &'static str, body: &str) -> DeadLetter {
    DeadLetter { id: "l".to_owned(), reason, detail: String::new(), body: body.to_owned(), attempts: 0 }
}

fn event(ms: i64, n: u32, path: &str) -> String {
    format!(r#"{{"id":"{ms}-{n:08x}","timestamp":{ms},"path":"{path}","method":"GET","status":200}}"#)
}

#[test]
fn what_is_stored_and_what_is_counted_are_told_from_each_other() {
    let found = Figures {
        stored: 100,
        counted: 90,
        duplicates: 7,
        dead: 3,
        late: 2,
        exhausted: Exhausted { events: 15, stored: 12, counted: 2 },
    };
    let entry = Entry::from(found);
    assert_eq!((entry.received, entry.dead_lettered), (115, 16));
    assert_eq!(entry.difference(), 0);
    assert_eq!(Entry::from(Figures { stored: 99, ..found }).difference(), -1);
    assert_eq!(Entry::from(Figures { counted: 80, ..found }).difference(), 10);
    assert_eq!(Entry::from(Figures { dead: 50, late: 50, duplicates: 50, ..found }).difference(), 0);
}

#[test]
fn what_several_databases_hold_of_an_hour_is_added_up() {
    let mut first = Seen {
        raw: 5,
        archived: Archived::Yes(7),
        counted: 4,
        duplicates: 1,
        dead: 2,
        late: 3,
        exhausted: Vec::new(),
        purged: false,
        difference_before: 9,
        differs_since_ms: Some(8),
    };
    let alone = first.clone();
    let other = Seen {
        archived: Archived::No,
        dead: 0,
        late: 0,
        difference_before: 0,
        differs_since_ms: None,
        ..first.clone()
    };
    first.add_database(&other);
    assert_eq!(first, Seen { raw: 10, counted: 8, duplicates: 2, ..alone.clone() });
    first.add_database(&Seen { raw: 0, counted: 0, duplicates: 0, purged: true, ..other });
    assert_eq!(first, Seen { raw: 10, counted: 8, duplicates: 2, purged: true, ..alone });
}

#[test]
fn a_letter_is_booked_in_the_hour_that_its_body_tells_else_in_that_it_was_seen_in() {
    let old = NOW - 30 * HOUR_MS;
    let one = |reason, body: &str| match bookings(&letter(reason, body), NOW).as_slice() {
        [Booking { hour, kind, events, keys }] if keys.is_empty() => (*hour, *kind, *events),
        other => panic!("{other:?}"),
    };
    assert_eq!(one("sealed", &event(old, 1, "/a")), (hour(30), Kind::Late, 1));
    assert_eq!(one("invalid_field", &event(old, 1, "/a").replace("200", "99")), (hour(30), Kind::Dead, 1));
    let by_time = format!(r#"{{"timestamp":{old}}}"#);
    assert_eq!(one("missing_field", &by_time), (hour(30), Kind::Dead, 1));
    for body in
        ["nonsense", "[1]", r#"{"id":"x"}"#, r#"{"timestamp":5}"#, r#"{"version":9,"events":[{},{}]}"#]
    {
        assert_eq!(one("not_json", body), (hour(0), Kind::Dead, 1), "{body}");
    }
    assert_eq!(one("retries_exhausted", "nonsense"), (hour(0), Kind::Dead, 1));
    assert_eq!(one("retries_exhausted", r#"{"version":1,"events":[{}]}"#), (hour(0), Kind::Dead, 1));
}

#[test]
fn a_message_that_ran_out_of_attempts_is_booked_by_hour_with_what_names_its_events() {
    let old = NOW - HOUR_MS;
    let body = format!(
        r#"{{"version":1,"events":[{},{},{{}},{}]}}"#,
        event(NOW, 1, "/a"),
        event(old, 2, "/b"),
        event(NOW, 3, "/c")
    );
    let booked = bookings(&letter("retries_exhausted", &body), NOW);
    let shown: Vec<_> = booked
        .iter()
        .map(|b| (b.hour, b.kind, b.events, b.keys.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        shown,
        [(hour(1), Kind::Exhausted, 1, vec!["/b"]), (hour(0), Kind::Exhausted, 2, vec!["/a", "/c"])]
    );
}

fn noted(back: i64) -> Noted {
    Noted {
        hour: hour(back),
        changed: false,
        differs: false,
        tried_ms: NOW - HOUR_MS,
        checked_ms: Some(NOW - HOUR_MS),
    }
}

#[test]
fn hours_are_due_when_they_changed_or_differ_or_are_recent_and_were_not_looked_at_for_a_day() {
    let (open, recent) = (hour(0), hour(72));
    let all: Vec<Noted> = (1..=72).map(noted).collect();
    assert_eq!(due(&all, recent, open, NOW), []);
    let mut some = all.clone();
    some[4].changed = true;
    some[9].differs = true;
    some[9].tried_ms -= 1;
    some[19].checked_ms = Some(NOW - RECHECK_MS);
    some[19].tried_ms -= 2;
    // Long ago: only because it changed.
    some.extend([Noted { changed: true, ..noted(900) }, Noted { checked_ms: None, ..noted(901) }]);
    // Not ended.
    some.push(Noted { changed: true, ..noted(0) });
    assert_eq!(due(&some, recent, open, NOW), [hour(20), hour(10), hour(5), hour(900)]);
}

fn queue(messages: u64, oldest_ms: Option<i64>) -> QueueState {
    QueueState { messages, bytes: 0, oldest_ms }
}

#[test]
fn the_watermark_is_the_oldest_of_what_is_under_way() {
    let outbox = |messages, oldest_ms| Ok(OutboxState { messages, oldest_ms });
    let none = outbox(0, None);
    assert_eq!(watermark(&Ok(queue(0, None)), &none, NOW), Some(NOW - SETTLE_MS));
    assert_eq!(watermark(&Ok(queue(3, Some(NOW - HOUR_MS))), &none, NOW), Some(NOW - HOUR_MS));
    assert_eq!(watermark(&Ok(queue(3, Some(NOW))), &none, NOW), Some(NOW - SETTLE_MS));
    assert_eq!(
        watermark(&Ok(queue(0, None)), &outbox(1, Some(NOW - 2 * HOUR_MS)), NOW),
        Some(NOW - 2 * HOUR_MS)
    );
    // Messages wait, and nobody tells since when.
    assert_eq!(watermark(&Ok(queue(3, None)), &none, NOW), None);
    assert_eq!(watermark(&Err(Silence::Late), &none, NOW), None);
    assert_eq!(watermark(&Ok(queue(0, None)), &Err(Silence::Failed), NOW), None);
}

fn checked() -> Checked {
    Checked {
        hour: hour(1),
        entry: Entry { received: 5, counted: 5, ..Entry::default() },
        checked_ms: Some(NOW),
        differs_since_ms: None,
        waiting_until_ms: 0,
        changed: false,
    }
}

#[test]
fn an_hour_is_final_when_all_that_was_sent_in_it_is_in_and_was_checked() {
    let end = hour(1).end_ms();
    let state = |checked: Checked, watermark| checked.state(watermark, NOW);
    assert_eq!(state(checked(), Some(end)), HourState::Balanced);
    assert_eq!(state(checked(), Some(end - 1)), HourState::Open);
    assert_eq!(state(checked(), None), HourState::Open);
    assert_eq!(state(Checked { changed: true, ..checked() }, Some(end)), HourState::Open);
    assert_eq!(state(Checked { checked_ms: None, ..checked() }, Some(end)), HourState::Open);
    assert_eq!(state(Checked { waiting_until_ms: NOW + 1, ..checked() }, Some(end)), HourState::Open);
    assert_eq!(state(Checked { waiting_until_ms: NOW, ..checked() }, Some(end)), HourState::Balanced);
}

#[test]
fn a_difference_is_one_when_it_outlasts_what_was_under_way() {
    let since = hour(0).start_ms();
    let differing = Checked { differs_since_ms: Some(since), changed: true, ..checked() };
    assert_eq!(differing.state(Some(since + CONFIRM_MS - 1), NOW), HourState::Open);
    assert_eq!(differing.state(Some(since + CONFIRM_MS), NOW), HourState::Differs);
    let waiting = Checked { waiting_until_ms: NOW + 1, ..differing };
    assert_eq!(waiting.state(Some(since + CONFIRM_MS), NOW), HourState::Open);
    // What comes and goes begins anew.
    assert_eq!(differs_since(3, Some(since), 3, NOW), Some(since));
    assert_eq!(differs_since(3, Some(since), 4, NOW), Some(NOW));
    assert_eq!(differs_since(3, Some(since), 0, NOW), None);
    assert_eq!(differs_since(0, None, -1, NOW), Some(NOW));
}

#[test]
fn a_message_that_comes_again_keeps_its_hour_open_until_then() {
    assert_eq!(waiting_until(60, 0, NOW), NOW + 60_000 + SETTLE_MS);
    assert_eq!(waiting_until(60, 3, NOW), NOW + 480_000 + SETTLE_MS);
    assert_eq!(waiting_until(60, 10, NOW), NOW + 3_600_000 + SETTLE_MS, "until it is a letter");
}

#[test]
fn an_answer_sums_its_hours_and_its_watermark_stops_at_what_is_open() {
    let query = LedgerQuery { from: hour(3), to: hour(0) };
    let hours = [
        Checked { hour: hour(3), ..checked() },
        Checked { hour: hour(2), changed: true, ..checked() },
        checked(),
    ];
    let answer = LedgerAnswer::new(query, &hours, Some(NOW - SETTLE_MS), NOW);
    assert_eq!(answer.watermark, Some(crate::hour::iso_time(hour(2).start_ms())));
    assert_eq!((answer.totals.entry.received, answer.totals.difference, answer.balanced), (15, 0, true));
    let wrong = Checked {
        entry: Entry { received: 6, counted: 5, ..Entry::default() },
        differs_since_ms: Some(NOW - 2 * CONFIRM_MS),
        ..checked()
    };
    let answer = LedgerAnswer::new(query, &[wrong], Some(NOW - SETTLE_MS), NOW);
    assert_eq!((answer.balanced, answer.totals.difference), (false, 1));
    let json = serde_json::to_value(&answer.hours[0]).unwrap();
    assert_eq!(
        (&json["state"], &json["received"], &json["difference"]),
        (&"differs".into(), &6.into(), &1.into())
    );
}

#[test]
fn a_range_is_of_whole_hours_and_at_most_a_month() {
    let read = |pairs: &[(&'static str, &'static str)]| {
        let known = crate::api::operations::parameters(crate::api::operations::OperationId::Ledger);
        LedgerQuery::read(
            &Given::read(pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())), known).unwrap(),
            NOW,
        )
    };
    assert_eq!(read(&[]), Ok(LedgerQuery { from: hour(23), to: hour(-1) }));
    let day = read(&[("from", "2025-10-14"), ("to", "2025-10-15")]).unwrap();
    assert_eq!((day.from.to_string(), day.to.to_string()), ("2025-10-14T00".into(), "2025-10-15T00".into()));
    let within = read(&[("from", "2025-10-14T10:59Z"), ("to", "2025-10-14T11:01Z")]).unwrap();
    assert_eq!(
        (within.from.to_string(), within.to.to_string()),
        ("2025-10-14T10".into(), "2025-10-14T12".into())
    );
    assert!(read(&[("from", "2025-09-14"), ("to", "2025-10-15")]).is_ok());
    for wrong in
        [[("from", "2025-10-15"), ("to", "2025-10-15")], [("from", "2025-09-13"), ("to", "2025-10-15")]]
    {
        assert_eq!(read(&wrong).unwrap_err().status, 400);
    }
}
