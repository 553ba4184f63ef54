//! Rules, samples, silences: what is written and read.

use super::super::answers::{AlertsAnswer, Found, HistoryQuery};
use super::super::backtest;
use super::super::config::AlertConfig;
use super::super::rules::RuleSet;
use super::super::sample::{slot, slots, ShownSample};
use super::super::silence::{of_rule, SilenceOrder, UnsilenceOrder};
use super::super::{KEPT_MINUTES, KEPT_MS};
use super::*;
use crate::api::given::Given;
use crate::api::operations::{parameters, OperationId};
use crate::capacity::CapacityReport;
use crate::health::{
    ArchiveState, ArchiverState, Drops, OutboxState, QueueState, Seen, Silence as Silent, Status,
};
use crate::hour::HourBucket;
use crate::snapshot::Pointer;

fn seen() -> Seen {
    Seen {
        heartbeat: Ok(Some(START - 20_000)),
        snapshot: Ok(Some(Pointer { version: 9, prev: None, updated_at: START - 15_000 })),
        queue: Ok(QueueState { messages: 12, bytes: 3_456, oldest_ms: Some(START - 2_000) }),
        letters: Ok(vec![]),
        outbox: Ok(OutboxState { messages: 3, oldest_ms: None }),
        drops: Ok(vec![Drops { hour: HourBucket::from_ms(START), reason: "lost".to_owned(), requests: 4 }]),
        archiver: Ok(ArchiverState {
            capacity: Some(CapacityReport {
                size_bytes: 1,
                limit_bytes: 4,
                used_ratio: 0.812_345,
                level: crate::capacity::level(0.8),
                growth_bytes_per_day: None,
                outlook: crate::capacity::Outlook::NotGrowing,
                full_at: None,
                emergency_archive: None,
                samples: Vec::new(),
                databases: Vec::new(),
            }),
            archive: Some(ArchiveState { days_with_errors: 2, days_differing: 1, ..ArchiveState::default() }),
        }),
        ledger: Ok(vec![]),
    }
}

#[test]
fn a_sample_holds_what_was_seen_and_reads_back() {
    let seen = seen();
    let sample = Sample::of(&seen, &seen.checks(START), START + 59_999);
    assert_eq!(sample.stored(), "[20,2,12,15,0,3,4,0.8123,0,2,1,0,null,0]");
    assert_eq!(sample.at_ms, START);
    assert_eq!(Sample::from_stored(START, &sample.stored()).unwrap(), sample);
    // Of a version with fewer measures, and of one with more.
    assert_eq!(Sample::from_stored(START, "[20]").unwrap(), Sample::new(START, [(Measure::Heartbeat, 20.0)]));
    let newer = format!("[20{},7,8]", ",null".repeat(Measure::ALL.len() - 1));
    assert_eq!(Sample::from_stored(START, &newer).unwrap(), Sample::from_stored(START, "[20]").unwrap());
    for wrong in ["", "{}", "[\"x\"]", "[1"] {
        assert!(Sample::from_stored(START, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_silent_is_not_known_and_counted() {
    let blind = Seen {
        heartbeat: Err(Silent::Late),
        archiver: Ok(ArchiverState::default()),
        drops: Err(Silent::Failed),
        ..seen()
    };
    let sample = Sample::of(&blind, &blind.checks(START), START);
    for measure in [Measure::Heartbeat, Measure::Database, Measure::ArchiveErrors, Measure::LostRequests] {
        assert_eq!(sample.get(measure), None, "{measure:?}");
    }
    assert_eq!(sample.get(Measure::SilentSources), Some(3.0));
    assert_eq!(sample.get(Measure::QueueBacklog), Some(12.0));
}

#[test]
fn every_check_that_warns_has_a_rule_with_its_limits() {
    let seen = seen();
    for check in seen.checks(START) {
        let measure =
            Measure::ALL.into_iter().find(|measure| measure.about().check == Some(check.name)).unwrap();
        let rule = Rule::built_in(measure);
        assert_eq!((Some(rule.warning), rule.critical), (check.warning, check.critical), "{measure:?}");
        assert_eq!(measure.about().unit, check.unit, "{measure:?}");
    }
    // What raises a check beyond its value has a measure of its own.
    let checks = seen.checks(START);
    let outbox = checks.iter().find(|check| check.name == crate::health::CheckName::Outbox).unwrap();
    assert_eq!(outbox.status, Status::Warning);
    assert_eq!(Sample::of(&seen, &checks, START).get(Measure::LostRequests), Some(4.0));
}

#[test]
fn the_rows_of_samples_run_round() {
    assert_eq!(slot(START + 59_999), slot(START));
    assert_eq!(slot(START + KEPT_MS), slot(START));
    assert_eq!(slots(START, START), []);
    assert_eq!(slots(START, START + MINUTE_MS), [(slot(START), slot(START))]);
    for (from, to) in [(START, START + 3 * 86_400_000), (START + 10 * 86_400_000, START + 20 * 86_400_000)] {
        let held: i64 = slots(from, to).iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(held, (to - from) / MINUTE_MS);
    }
    let whole: i64 = slots(START, START + 9 * KEPT_MS).iter().map(|(first, last)| last - first + 1).sum();
    assert_eq!(whole, KEPT_MINUTES);
}

#[test]
fn the_built_in_rules_read_back_as_they_are_printed() {
    let built_in = RuleSet::built_in();
    assert_eq!(RuleSet::from_json(&built_in.to_json()).unwrap(), built_in);
    assert_eq!(built_in.rules().len(), Measure::ALL.len());
}

#[test]
fn a_wrong_file_of_rules_tells_where_and_what() {
    let file = |rule: &str| format!("{{\"version\":1,\n\"rules\":[\n{rule}\n]}}");
    for (text, says) in [
        ("nonsense".to_owned(), "line 1 column"),
        (file(r#"{"name":"a","measure":"outbox"}"#), "missing field `warning` at line 3"),
        (file(r#"{"name":"a","measure":"outbux","warning":1}"#), "unknown variant `outbux`"),
        (file(r#"{"name":"a","measure":"outbox","warning":1,"holdMinute":3}"#), "unknown field `holdMinute`"),
        (file(r#"{"name":"A b","measure":"outbox","warning":1}"#), "the rule's name is \"A b\""),
        (file(r#"{"name":"all","measure":"outbox","warning":1}"#), "the rule's name is \"all\""),
        (file(r#"{"name":"a","measure":"outbox","warning":0}"#), "`warning` is 0: expected a number above 0"),
        (
            file(r#"{"name":"a","measure":"outbox","warning":5,"critical":5}"#),
            "`critical` is 5: expected more than the warning, 5 at line 4 column 1",
        ),
        (file(r#"{"name":"a","measure":"outbox","warning":5,"resolveBelow":6}"#), "`resolveBelow` is 6"),
        (
            file(r#"{"name":"a","measure":"outbox","warning":5,"holdMinutes":20000}"#),
            "`holdMinutes` is 20000: expected 0 to 10080",
        ),
        (
            file(r#"{"name":"a","measure":"outbox","warning":5,"remindMinutes":1}"#),
            "expected 5 to 10080 minutes",
        ),
        (file(&[r#"{"name":"a","measure":"outbox","warning":5}"#; 2].join(",")), "rule \"a\" is there twice"),
        (r#"{"version":2,"rules":[]}"#.to_owned(), "version 2: expected 1"),
        (" ".repeat(70_000), "bytes are too many"),
    ] {
        let error = RuleSet::from_json(&text).unwrap_err();
        assert!(error.contains(says), "{says}\n{error}");
    }
    let least = RuleSet::from_json(&file(r#"{"name":"a","measure":"outbox","warning":10}"#)).unwrap();
    let rule = least.find("a").unwrap();
    assert_eq!((rule.resolve_below, rule.hold_minutes, rule.resolve_after_minutes), (9.0, 0, 5));
}

#[test]
fn own_rules_take_the_place_of_those_of_their_name() {
    let variables = |name: &str| {
        match name {
        "ALERT_RULES" => Some(r#"{"version":1,"rules":[{"name":"outbox","measure":"outbox","warning":50},{"name":"busy","measure":"queueBacklog","warning":3}]}"#.to_owned()),
        "ALERT_REMIND_MINUTES" => Some("60".to_owned()),
        _ => None,
    }
    };
    let config = AlertConfig::from_variables(&variables).unwrap();
    assert_eq!(config.rules.rules().len(), Measure::ALL.len() + 1);
    assert!((config.rules.find("outbox").unwrap().warning - 50.0).abs() < f64::EPSILON);
    assert_eq!(config.rules.remind_minutes(config.rules.find("busy").unwrap()), 60);
    assert!(config.place.runbook("outbox").ends_with("/blob/main/docs/runbooks/outbox.md"));
}

#[test]
fn a_silence_is_of_a_rule_or_of_all_and_ends() {
    let rules = RuleSet::built_in();
    let read = |body: &str| SilenceOrder::read(body.as_bytes(), &rules, "alice", START);
    let one = read(r#"{"rule":"outbox","minutes":60,"reason":" queue moves "}"#).unwrap();
    assert_eq!((one.until_ms, one.reason.as_str(), one.by.as_str()), (at(60), "queue moves", "alice"));
    let all = read(r#"{"rule":"all","until":"2025-10-15T16:00:00Z","reason":"deploy"}"#).unwrap();
    let both = [one, all];
    assert_eq!(of_rule(&both, "outbox", at(59)).unwrap().rule, "all");
    assert_eq!(of_rule(&both, "heartbeat", at(119)).unwrap().rule, "all");
    assert_eq!(of_rule(&both, "outbox", at(120)), None);
    assert_eq!(of_rule(&both[..1], "heartbeat", at(1)), None);
    for (body, says) in [
        ("", "does not read"),
        (r#"{"rule":"outbox","minutes":60}"#, "missing field `reason`"),
        (
            r#"{"rule":"outbux","minutes":60,"reason":"x"}"#,
            "`rule` is \"outbux\": expected `all` or one of heartbeat",
        ),
        (r#"{"rule":"outbox","reason":"x"}"#, "either `until`, a time, or `minutes`"),
        (r#"{"rule":"outbox","minutes":1,"until":"2025-10-16","reason":"x"}"#, "either"),
        (r#"{"rule":"outbox","minutes":0,"reason":"x"}"#, "within 30 days"),
        (r#"{"rule":"outbox","minutes":43201,"reason":"x"}"#, "within 30 days"),
        (r#"{"rule":"outbox","until":"2025-10-15","reason":"x"}"#, "within 30 days"),
        (r#"{"rule":"outbox","until":"tomorrow","reason":"x"}"#, "`until` is \"tomorrow\""),
        (r#"{"rule":"outbox","minutes":1,"reason":" "}"#, "`reason` has 0 characters"),
        (r#"{"rule":"outbox","minutes":1,"reason":"a\nb"}"#, "on one line"),
        (r#"{"rule":"outbox","minutes":1,"reason":"x","who":"me"}"#, "unknown field"),
    ] {
        let problem = read(body).unwrap_err();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains(says), "{body}: {}", problem.detail);
    }
    assert_eq!(UnsilenceOrder::read(br#"{"rule":"gone"}"#).unwrap(), "gone");
    assert!(UnsilenceOrder::read(br#"{"rule":""}"#).is_err());
}

#[test]
fn the_answer_has_what_fires_first() {
    let config = AlertConfig::from_variables(&|_: &str| None).unwrap();
    let fire = |measure: Measure, value: f64, minute: i64| {
        let rule = Rule::built_in(measure);
        let sample = Sample::new(at(minute), [(measure, value)]);
        (rule.name.clone(), step(&rule, 240, &RuleState::default(), &sample, false).0)
    };
    let states = vec![
        fire(Measure::QueueBacklog, 12_000.0, 0),
        fire(Measure::Outbox, 1.0, 2),
        fire(Measure::Snapshot, 700.0, 1),
        fire(Measure::Heartbeat, 900.0, 3),
    ];
    let newest = Some(Sample::new(at(3), [(Measure::Outbox, 1.0)]));
    let answer = AlertsAnswer::new(&config, Found { states, newest, ..Found::default() }, at(3));
    let first: Vec<&str> = answer.rules.iter().take(4).map(|rule| rule.name.as_str()).collect();
    // The backlog must hold for two minutes: it is pending.
    assert_eq!(first, ["heartbeat", "snapshot", "outbox", "queue-backlog"]);
    assert_eq!(answer.rules.len(), Measure::ALL.len());
    assert!(answer.webhook.is_none());
    assert_eq!(answer.evaluated_at.unwrap(), "2025-10-15T14:03:00.000Z");
}

#[test]
fn a_page_of_history_is_bounded_and_goes_on() {
    let read = |query: &'static [(&str, &str)]| {
        let pairs = query.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        HistoryQuery::read(&Given::read(pairs, parameters(OperationId::AlertHistory))?, START)
    };
    let day = read(&[]).unwrap();
    assert_eq!(
        (day.from_ms, day.to_ms, day.limit),
        (START + MINUTE_MS - 86_400_000, START + MINUTE_MS, 1_440)
    );
    let old = read(&[("from", "2025-01-01"), ("limit", "2")]).unwrap();
    assert_eq!(old.page_from_ms, START - KEPT_MS);
    let page = old.page((0..3).map(|n| sample(n, Some(1.0))).collect());
    assert_eq!((page.samples.len(), page.next_cursor.as_deref()), (2, Some("1760536920000")));
    assert_eq!(old.page(vec![sample(0, None)]).next_cursor, None);
    for wrong in [
        &[("from", "2025-10-16"), ("to", "2025-10-15")][..],
        &[("from", "x")],
        &[("limit", "0")],
        &[("limit", "1441")],
        &[("cursor", "x")],
    ] {
        assert_eq!(read(wrong).unwrap_err().status, 400, "{wrong:?}");
    }
}

#[test]
fn a_backtest_tells_when_a_rule_would_have_fired() {
    let rules = RuleSet::from_json(
        r#"{"version":1,"rules":[{"name":"busy","measure":"queueBacklog","warning":100,"critical":200,"holdMinutes":2,"resolveAfterMinutes":2},
            {"name":"never","measure":"outbox","warning":5}]}"#,
    )
    .unwrap();
    let value = |minute: i64| match minute {
        60..=70 | 1_439 => 150.0,
        71..=400 => 250.0,
        _ => 3.0,
    };
    // One minute is missing, and the order does not matter.
    let samples: Vec<Sample> =
        (0..1_440).rev().filter(|n| *n != 1_000).map(|n| sample(n, Some(value(n)))).collect();
    let told = backtest::run(&rules, samples);
    assert_eq!((told.samples, told.missing), (1_439, 1));
    let busy = &told.rules[0];
    assert_eq!((busy.known, busy.range, busy.per_day), (1_439, Some((3.0, 250.0)), 1.0));
    let [episode] = busy.episodes.as_slice() else { panic!("{busy:?}") };
    assert_eq!(episode.since, "2025-10-15T15:00:00.000Z");
    assert_eq!(episode.fired_at, "2025-10-15T15:02:00.000Z");
    assert_eq!(episode.escalated_at.as_deref(), Some("2025-10-15T15:13:00.000Z"));
    assert_eq!(episode.reminders, ["2025-10-15T19:13:00.000Z"]);
    assert_eq!(episode.resolved_at.as_deref(), Some("2025-10-15T20:43:00.000Z"));
    assert_eq!((episode.minutes, busy.notifications), (343, 4));
    assert_eq!((told.rules[1].known, told.rules[1].episodes.len()), (0, 0));
    // History as the API tells it is what a backtest reads.
    let shown = ShownSample::from(sample(0, Some(3.0)));
    let text = serde_json::to_string(&shown).unwrap();
    assert_eq!(text, r#"{"at":"2025-10-15T14:00:00.000Z","values":{"queueBacklog":3.0}}"#);
    assert_eq!(
        Sample::try_from(serde_json::from_str::<ShownSample>(&text).unwrap()),
        Ok(sample(0, Some(3.0)))
    );
}
