use super::*;
use crate::completeness::figures::Entry;
use serde_json::json;

const NOW: i64 = 1_760_537_400_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn date(text: &str) -> EventDate {
    text.parse().unwrap()
}

/// A database of which this share is used.
fn capacity(used_ratio: f64, full_at: Option<&str>) -> CapacityReport {
    CapacityReport {
        size_bytes: 1,
        limit_bytes: 4,
        used_ratio,
        level: crate::capacity::level(used_ratio),
        growth_bytes_per_day: None,
        outlook: crate::capacity::Outlook::NotGrowing,
        full_at: full_at.map(date),
        emergency_archive: None,
        samples: Vec::new(),
        databases: Vec::new(),
    }
}

#[test]
fn two_queues_are_as_old_as_the_older_one() {
    let queue = |messages, oldest_ms| QueueState { messages, bytes: 10, oldest_ms };
    let none = queue(0, None);
    assert_eq!(
        none.and(queue(3, Some(7))).and(queue(4, Some(5))),
        QueueState { messages: 7, bytes: 30, oldest_ms: Some(5) }
    );
    assert_eq!(none.and(none).oldest_ms, None);
}

/// A system as it should be.
fn well() -> Seen {
    Seen {
        heartbeat: Ok(Some(NOW - 20_000)),
        snapshot: Ok(Some(Pointer { version: 9, prev: Some(8), updated_at: NOW - 15_000 })),
        queue: Ok(QueueState { messages: 12, bytes: 3_456, oldest_ms: Some(NOW - 2_000) }),
        letters: Ok(vec![]),
        outbox: Ok(OutboxState { messages: 0, oldest_ms: None }),
        drops: Ok(vec![]),
        archiver: Ok(ArchiverState {
            capacity: Some(capacity(0.25, Some("2026-03-01"))),
            archive: Some(ArchiveState { days_archived: 30, ..ArchiveState::default() }),
        }),
        ledger: Ok(vec![]),
    }
}

/// A system that has just been deployed.
fn new() -> Seen {
    Seen {
        heartbeat: Ok(None),
        snapshot: Ok(None),
        queue: Ok(QueueState { messages: 0, bytes: 0, oldest_ms: None }),
        archiver: Ok(ArchiverState {
            capacity: Some(capacity(0.0001, None)),
            archive: Some(ArchiveState::default()),
        }),
        ..well()
    }
}

/// One check of what was seen.
fn check(name: CheckName, seen: Seen) -> Check {
    let report = assess(seen, NOW);
    assert_eq!(report.checks.len(), 10);
    report.checks.into_iter().find(|check| check.name == name).unwrap()
}

fn status(name: CheckName, seen: Seen) -> Status {
    check(name, seen).status
}

#[test]
fn a_system_that_is_well_is_ok_in_every_check() {
    let report = assess(well(), NOW);
    assert_eq!(report.status, Status::Ok);
    assert!(report.checks.iter().all(|check| check.status == Status::Ok), "{:#?}", report.checks);
    assert!(report.checks.iter().all(|check| check.value.is_some() && check.detail.ends_with('.')));
}

#[test]
fn a_system_without_traffic_yet_is_no_alarm_and_says_what_to_do_first() {
    let report = assess(new(), NOW);
    assert_eq!(report.status, Status::Ok);
    let unknown: Vec<CheckName> = report
        .checks
        .iter()
        .filter(|check| check.status == Status::Unknown)
        .map(|check| check.name)
        .collect();
    assert_eq!(unknown, [CheckName::Heartbeat, CheckName::Snapshot]);
    let heartbeat = check(CheckName::Heartbeat, new());
    assert_eq!(heartbeat.value, None);
    assert!(heartbeat.detail.contains("Send a request through the producer"), "{}", heartbeat.detail);
}

#[test]
fn a_heartbeat_is_late_after_three_minutes_and_critical_after_ten_if_messages_wait() {
    for (age, waiting, expected) in [
        (3 * MINUTE - 1_000, 5, Status::Ok),
        (3 * MINUTE, 5, Status::Warning),
        (10 * MINUTE - 1_000, 5, Status::Warning),
        (10 * MINUTE, 5, Status::Critical),
        // A quiet night: nothing to take in.
        (8 * HOUR, 0, Status::Warning),
        // A clock that went back.
        (-MINUTE, 5, Status::Ok),
    ] {
        let queue = Ok(QueueState { messages: waiting, bytes: 0, oldest_ms: None });
        let seen = Seen { heartbeat: Ok(Some(NOW - age)), queue, ..well() };
        assert_eq!(status(CheckName::Heartbeat, seen), expected, "{age} {waiting}");
    }
    let unknown = Seen { heartbeat: Ok(Some(NOW - 10 * MINUTE)), queue: Err(Silence::Late), ..well() };
    assert_eq!(
        status(CheckName::Heartbeat, unknown),
        Status::Critical,
        "it is not known whether messages wait"
    );
}

#[test]
fn a_consumer_that_never_took_anything_while_messages_wait_is_an_alarm() {
    let queue = Ok(QueueState { messages: 3, bytes: 1, oldest_ms: Some(NOW - 11 * MINUTE) });
    let check = check(CheckName::Heartbeat, Seen { queue, ..new() });
    assert_eq!(check.status, Status::Critical);
    assert!(
        check.detail.contains("never took a batch in, and a message has waited for 11 min"),
        "{}",
        check.detail
    );
}

#[test]
fn messages_that_wait_long_or_are_many_are_told() {
    for (messages, age, delay, backlog) in [
        (0, None, Status::Ok, Status::Ok),
        (9_999, Some(299_000), Status::Ok, Status::Ok),
        (10_000, Some(300_000), Status::Warning, Status::Warning),
        (49_999, Some(3_599_000), Status::Warning, Status::Warning),
        (50_000, Some(3_600_000), Status::Critical, Status::Critical),
        (7, None, Status::Unknown, Status::Ok),
    ] {
        let queue = Ok(QueueState { messages, bytes: 0, oldest_ms: age.map(|age| NOW - age) });
        let seen = Seen { queue, ..well() };
        assert_eq!(status(CheckName::QueueDelay, seen.clone()), delay, "{messages} {age:?}");
        assert_eq!(status(CheckName::QueueBacklog, seen), backlog, "{messages}");
    }
}

#[test]
fn a_snapshot_older_than_ten_minutes_is_told() {
    for (age, expected) in
        [(10 * MINUTE - 1_000, Status::Ok), (10 * MINUTE, Status::Warning), (HOUR, Status::Critical)]
    {
        let snapshot = Ok(Some(Pointer { version: 1, prev: None, updated_at: NOW - age }));
        assert_eq!(status(CheckName::Snapshot, Seen { snapshot, ..well() }), expected, "{age}");
    }
}

fn letters(reason: &str, count: u64, recent: u64) -> LetterState {
    LetterState { count: ReasonCount { reason: reason.to_owned(), count, oldest: NOW - 9 * DAY_MS }, recent }
}

#[test]
fn new_dead_letters_are_told_and_old_ones_are_only_counted() {
    for (recent, expected) in
        [(0, Status::Ok), (1, Status::Warning), (999, Status::Warning), (1_000, Status::Critical)]
    {
        let seen =
            Seen { letters: Ok(vec![letters("sealed", 5, 0), letters("not_json", 5_000, recent)]), ..well() };
        let report = assess(seen.clone(), NOW);
        assert_eq!(report.dead_letters.unwrap().total, 5_005);
        let check = check(CheckName::DeadLetters, seen);
        assert_eq!((check.status, check.unit), (expected, Unit::Letters), "{recent}");
        assert!(
            recent == 0 || check.detail.contains("most of them \"not_json\", of 5005 in all"),
            "{}",
            check.detail
        );
    }
}

#[test]
fn an_outbox_that_is_not_empty_and_requests_that_are_lost_are_told() {
    for (messages, expected) in
        [(0, Status::Ok), (1, Status::Warning), (1_999, Status::Warning), (2_000, Status::Critical)]
    {
        let outbox = Ok(OutboxState { messages, oldest_ms: Some(NOW - 7 * MINUTE) });
        let check = check(CheckName::Outbox, Seen { outbox, ..well() });
        assert_eq!(check.status, expected, "{messages}");
        assert!(messages == 0 || check.detail.contains("the oldest 7 min ago"), "{}", check.detail);
    }
    let drop =
        |reason: &str| Drops { hour: HourBucket::from_ms(NOW), reason: reason.to_owned(), requests: 3 };
    assert_eq!(status(CheckName::Outbox, Seen { drops: Ok(vec![drop("sampled")]), ..well() }), Status::Ok);
    let lost = check(CheckName::Outbox, Seen { drops: Ok(vec![drop("lost")]), ..well() });
    assert_eq!(lost.status, Status::Warning);
    assert!(lost.detail.contains("3 requests of the last 24 hours are recorded nowhere"), "{}", lost.detail);
}

#[test]
fn a_database_is_warned_of_at_eighty_and_critical_at_ninety_per_cent() {
    for (share, expected) in
        [(0.799, Status::Ok), (0.8, Status::Warning), (0.899, Status::Warning), (0.9, Status::Critical)]
    {
        let archiver =
            ArchiverState { capacity: Some(capacity(share, Some("2026-01-02"))), ..well().archiver.unwrap() };
        let check = check(CheckName::Database, Seen { archiver: Ok(archiver), ..well() });
        assert_eq!(check.status, expected, "{share}");
        assert!(check.detail.contains("reached on 2026-01-02"), "{}", check.detail);
    }
}

fn archive(state: ArchiveState) -> Seen {
    let archiver = ArchiverState { archive: Some(state), ..well().archiver.unwrap() };
    Seen { archiver: Ok(archiver), ..well() }
}

#[test]
fn a_day_that_is_due_is_late_after_a_night_and_critical_after_three() {
    for (hours, expected) in
        [(0, Status::Ok), (25, Status::Ok), (26, Status::Warning), (74, Status::Critical)]
    {
        let waiting = Some(WaitingDay { date: date("2025-10-09"), due_ms: NOW - hours * HOUR });
        let check = check(CheckName::Archive, archive(ArchiveState { waiting, ..ArchiveState::default() }));
        assert_eq!(check.status, expected, "{hours}");
        assert!(check.detail.contains("2025-10-09"), "{}", check.detail);
    }
    let errors = vec![DayError { date: date("2025-10-08"), error: "R2 refused a part.".to_owned() }];
    let failed = archive(ArchiveState { errors, days_with_errors: 2, ..ArchiveState::default() });
    let check = check(CheckName::Archive, failed);
    assert_eq!(check.status, Status::Warning);
    assert!(
        check.detail.ends_with("of 2 days ended with an error; 2025-10-08: R2 refused a part."),
        "{}",
        check.detail
    );
}

#[test]
fn a_day_that_differs_is_told_with_what_repairs_it() {
    let state = ArchiveState {
        days_differing: 1,
        oldest_differing: Some(date("2025-10-01")),
        ..ArchiveState::default()
    };
    let check = check(CheckName::Reconciliation, archive(state));
    assert_eq!((check.status, check.value, check.critical), (Status::Warning, Some(1.0), None));
    assert!(check.detail.contains("/admin/archive/status?date=2025-10-01"), "{}", check.detail);
}

#[test]
fn a_source_that_does_not_answer_makes_its_checks_unknown_and_no_others() {
    use CheckName::{
        Archive, Database, DeadLetters, Heartbeat, Ledger, Outbox, QueueBacklog, QueueDelay, Reconciliation,
        Snapshot,
    };
    for silence in [Silence::Late, Silence::Failed] {
        let cases: [(Seen, &[CheckName]); 8] = [
            (Seen { heartbeat: Err(silence), ..well() }, &[Heartbeat]),
            (Seen { snapshot: Err(silence), ..well() }, &[Snapshot]),
            (Seen { queue: Err(silence), ..well() }, &[QueueDelay, QueueBacklog]),
            (Seen { letters: Err(silence), ..well() }, &[DeadLetters]),
            (Seen { outbox: Err(silence), ..well() }, &[Outbox]),
            (Seen { drops: Err(silence), ..well() }, &[]),
            (Seen { archiver: Err(silence), ..well() }, &[Database, Archive, Reconciliation]),
            (Seen { ledger: Err(silence), ..well() }, &[Ledger]),
        ];
        for (seen, expected) in cases {
            let report = assess(seen, NOW);
            assert_eq!(report.status, Status::Warning, "not being able to look is a warning");
            let unknown: Vec<CheckName> = report
                .checks
                .iter()
                .filter(|check| check.status == Status::Unknown)
                .map(|check| check.name)
                .collect();
            assert_eq!(unknown, expected);
        }
    }
    let half = ArchiverState { capacity: None, ..well().archiver.unwrap() };
    let report = assess(Seen { archiver: Ok(half), ..well() }, NOW);
    assert_eq!((report.status, report.capacity), (Status::Warning, None));
    let unknown = report.checks.iter().filter(|check| check.status == Status::Unknown).count();
    assert_eq!(unknown, 1, "the archive is known all the same");
}

#[test]
fn hours_that_do_not_balance_are_told_once_they_are_final() {
    let hour = HourBucket::from_ms(NOW).plus(-3);
    let differing = |received, counted, since: i64| Checked {
        hour,
        entry: Entry { received, counted, ..Entry::default() },
        checked_ms: Some(NOW - 60_000),
        differs_since_ms: Some(since),
        waiting_until_ms: 0,
        changed: false,
    };
    let told = |checked, queue| {
        let found = check(CheckName::Ledger, Seen { ledger: Ok(vec![checked]), queue, ..well() });
        (found.status, found.value, found.detail)
    };
    let old = NOW - 30 * 60_000;
    let (status, value, detail) = told(differing(100, 97, old), well().queue);
    assert_eq!((status, value), (Status::Warning, Some(1.0)));
    assert!(detail.contains(&format!("{hour}, 3 of 100 received are not accounted for")), "{detail}");
    let (status, _, detail) = told(differing(97, 100, old), well().queue);
    assert!(status == Status::Warning && detail.contains("3 more are accounted for than the 97"), "{detail}");
    // It may still be under way: seen a moment ago, or a message waits from before.
    assert_eq!(told(differing(100, 97, NOW - 60_000), well().queue).0, Status::Ok);
    let waits = Ok(QueueState { messages: 1, bytes: 1, oldest_ms: Some(old) });
    assert_eq!(told(differing(100, 97, old), waits).0, Status::Ok);
    assert_eq!(told(differing(100, 97, old), Err(Silence::Late)).0, Status::Unknown);
}

#[test]
fn nothing_at_all_is_an_answer_too() {
    let silent = Seen {
        heartbeat: Err(Silence::Late),
        snapshot: Err(Silence::Late),
        queue: Err(Silence::Late),
        letters: Err(Silence::Late),
        outbox: Err(Silence::Late),
        drops: Err(Silence::Late),
        archiver: Err(Silence::Late),
        ledger: Err(Silence::Late),
    };
    let report = assess(silent, NOW);
    assert!(report.checks.iter().all(|check| check.status == Status::Unknown && check.value.is_none()));
    assert!(report.checks.iter().all(|check| check.detail.contains("did not answer within 2 s")));
    assert_eq!(report.status, Status::Warning);
}

#[test]
fn the_answer_reads_as_the_reference_says() {
    let drops = Ok(vec![Drops { hour: HourBucket::from_ms(NOW), reason: "sampled".to_owned(), requests: 2 }]);
    let outbox = Ok(OutboxState { messages: 1, oldest_ms: Some(NOW - 1_000) });
    let seen = Seen { letters: Ok(vec![letters("sealed", 2, 1)]), drops, outbox, ..well() };
    let json = serde_json::to_value(assess(seen, NOW)).unwrap();
    assert_eq!(json["status"], "warning");
    assert_eq!(json["checkedAt"], "2025-10-15T14:10:00.000Z");
    assert_eq!(
        json["queue"],
        json!({ "backlogCount": 12, "backlogBytes": 3456, "oldestMessageAgeSeconds": 2 })
    );
    assert_eq!(
        json["snapshot"],
        json!({ "version": 9, "updatedAt": "2025-10-15T14:09:45.000Z", "ageSeconds": 15 })
    );
    assert_eq!(json["heartbeat"], json!({ "at": "2025-10-15T14:09:40.000Z", "ageSeconds": 20 }));
    let reason = json!({ "reason": "sealed", "count": 2, "oldest": "2025-10-06T14:10:00.000Z" });
    assert_eq!(json["deadLetters"], json!({ "total": 2, "byReason": [reason] }));
    assert_eq!(json["outbox"], json!({ "messages": 1, "oldest": "2025-10-15T14:09:59.000Z" }));
    assert_eq!(
        json["recordingDrops"],
        json!([{ "hour": "2025-10-15T14", "reason": "sampled", "requests": 2 }])
    );
    assert_eq!(json["capacity"]["usedRatio"], 0.25);
    let names: Vec<&str> =
        json["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "heartbeat",
            "queueDelay",
            "queueBacklog",
            "snapshot",
            "deadLetters",
            "outbox",
            "database",
            "archive",
            "reconciliation",
            "ledger"
        ]
    );
    assert_eq!(json["checks"][0]["unit"], "seconds");
    assert_eq!(
        (&json["checks"][0]["warning"], &json["checks"][0]["critical"]),
        (&json!(180.0), &json!(600.0))
    );
}

fn day(date: &str, status: &str) -> ArchivedDay {
    ArchivedDay {
        date: date.parse().unwrap(),
        status: status.to_owned(),
        clean: true,
        error: None,
        differs: false,
    }
}

#[test]
fn the_oldest_day_that_is_due_and_not_archived_is_found() {
    // Three days kept: by 14:10 of the 15th, the 11th has been due for 14 hours and five minutes.
    let held = [date("2025-10-15"), date("2025-10-14"), date("2025-10-11"), date("2025-10-12")];
    let state = archive_state(&held, &[day("2025-10-10", "archived")], 3, NOW);
    let waiting = state.waiting.unwrap();
    assert_eq!((waiting.date, NOW - waiting.due_ms), (date("2025-10-11"), 14 * HOUR + 5 * MINUTE));
    assert_eq!(state.days_archived, 1);
    assert_eq!(archive_state(&[date("2025-10-12")], &[], 3, NOW).waiting, None, "the 12th is not due");
    assert_eq!(archive_state(&[], &[], 3, NOW), ArchiveState::default());
}

#[test]
fn a_day_under_way_waits_and_one_that_was_archived_to_stay_does_not() {
    let under_way = archive_state(&[], &[day("2025-10-05", "archiving")], 3, NOW);
    assert_eq!(
        under_way.waiting.map(|day| day.date),
        Some(date("2025-10-05")),
        "its rows may be gone already"
    );
    let cleaning = archive_state(&[date("2025-10-05")], &[day("2025-10-05", "cleaning")], 3, NOW);
    assert_eq!(cleaning.waiting.map(|day| day.date), Some(date("2025-10-05")));
    let stays = ArchivedDay { clean: false, ..day("2025-10-05", "cleaning") };
    assert_eq!(archive_state(&[date("2025-10-05")], &[stays], 3, NOW).waiting, None);
    let late_event = archive_state(&[date("2025-10-05")], &[day("2025-10-05", "archived")], 3, NOW);
    assert!(late_event.waiting.is_some(), "an event came after the archive");
}

#[test]
fn errors_and_differences_are_counted_and_the_oldest_are_told() {
    let days: Vec<ArchivedDay> = (1..=9)
        .map(|n| ArchivedDay {
            error: (n > 2).then(|| "x".repeat(1_000)),
            differs: n % 2 == 0,
            ..day(&format!("2025-09-0{n}"), "archived")
        })
        .rev()
        .collect();
    let state = archive_state(&[], &days, 3, NOW);
    assert_eq!((state.days_with_errors, state.errors.len()), (7, 5));
    assert_eq!((state.errors[0].date, state.errors[0].error.len()), (date("2025-09-03"), 300));
    assert_eq!((state.days_differing, state.oldest_differing), (4, Some(date("2025-09-02"))));
}
