//! What is sent, where, and when again.

use super::super::config::AlertConfig;
use super::super::delivery::{due, next_ms, Ending, Pending, MAX_ATTEMPTS, MAX_AT_ONCE};
use super::super::engine::{Level, News};
use super::super::notification::{in_words, Notification};
use super::super::outage::{judge, Outage};
use super::super::webhook::{Endpoint, Format};
use super::*;
use crate::health::Unit;
use serde_json::Value;

fn config(pairs: &'static [(&'static str, &'static str)]) -> Result<AlertConfig, String> {
    let variables =
        move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    AlertConfig::from_variables(&variables).map_err(|error| error.to_string())
}

fn notification() -> Notification {
    let place =
        config(&[("DASHBOARD_URL", "https://stats.example.com/"), ("ENVIRONMENT", "staging")]).unwrap().place;
    let due = Due {
        news: News::Firing,
        level: Level::Critical,
        episode_ms: START,
        number: 2,
        value: Some(61_234.0),
    };
    let rule = Rule::built_in(Measure::QueueBacklog);
    Notification::new(&rule, &due, at(3), Some("61234 messages wait <now> & grow.".to_owned()), &place)
}

#[test]
fn a_notification_is_whole_in_itself() {
    let json = serde_json::to_value(notification()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "version": 1, "id": "queue-backlog-1760536800000-2", "alert": "queue-backlog-1760536800000",
            "rule": "queue-backlog", "state": "firing", "level": "critical", "value": 61_234.0, "unit": "messages",
            "threshold": 50_000.0, "since": "2025-10-15T14:00:00.000Z", "at": "2025-10-15T14:03:00.000Z",
            "environment": "staging",
            "summary": "Messages in the queue: 61234 messages (critical from 50000 messages on), since 2025-10-15T14:00:00.000Z.",
            "detail": "61234 messages wait <now> & grow.",
            "firstStep": "See whether the backlog shrinks. If it grows while the consumer works, raise its max_concurrency; if the consumer fails, mend that first.",
            "runbook": "https://github.com/pathstats/pathstats/blob/main/docs/runbooks/queue-backlog.md",
            "dashboard": "https://stats.example.com/",
        })
    );
    assert_eq!(serde_json::from_value::<Notification>(json).unwrap(), notification());
}

#[test]
fn values_read_well() {
    for (value, unit, text) in [
        (190.0, Unit::Seconds, "3 min"),
        (0.8123, Unit::Share, "81.2 %"),
        (1.0, Unit::Letters, "1 letter"),
        (27.5, Unit::Hours, "27.5 hours"),
        (10_000.0, Unit::Messages, "10000 messages"),
    ] {
        assert_eq!(in_words(value, unit), text);
    }
}

#[test]
fn slack_gets_text_and_blocks_with_nothing_that_slack_would_read_as_markup() {
    let endpoint =
        Endpoint::new("https://hooks.slack.com/services/T/B/secretsecret", Format::Slack, None).unwrap();
    let body: Value = serde_json::from_str(&endpoint.body(&notification())).unwrap();
    assert!(body["text"].as_str().unwrap().starts_with(":red_circle: Critical: Messages in the queue"));
    let text = body["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(text.contains("`queue-backlog` · staging") && text.contains("&lt;now&gt; &amp; grow"), "{text}");
    assert!(text.contains("*First:* See whether"), "{text}");
    let links = body["blocks"][1]["elements"][0]["text"].as_str().unwrap();
    assert!(links.contains("queue-backlog.md|Runbook>") && links.contains("|Dashboard>"), "{links}");
}

#[test]
fn a_signature_is_what_other_programs_compute() {
    let signed =
        Endpoint::new("https://a.example/x", Format::Json, Some("a-secret-of-sixteen".to_owned())).unwrap();
    // printf '1760536800.{"a":1}' | openssl dgst -sha256 -hmac a-secret-of-sixteen
    assert_eq!(
        signed.signature(1_760_536_800, r#"{"a":1}"#).unwrap(),
        "v1=008892410cd8bb409be494d1fb0740a6294513cce75c45fda06ee569bf656337"
    );
    assert_ne!(signed.signature(1_760_536_801, r#"{"a":1}"#), signed.signature(1_760_536_800, r#"{"a":1}"#));
    assert_eq!(Endpoint::new("https://a.example/x", Format::Json, None).unwrap().signature(1, ""), None);
}

#[test]
fn an_address_is_https_or_of_this_machine() {
    let is_one = |url: &str| Endpoint::new(url, Format::Json, None).is_some();
    for url in
        ["https://hooks.example.com/a?b=c", "http://127.0.0.1:9000/", "http://localhost/x", "http://[::1]:1/"]
    {
        assert!(is_one(url), "{url}");
    }
    for url in [
        "",
        "https://",
        "http://example.com/",
        "ftp://a/",
        "https://user:pw@a/",
        "https://a b/",
        "a.example",
        "http://127.0.0.1.example.com/",
    ] {
        assert!(!is_one(url), "{url}");
    }
}

#[test]
fn neither_address_nor_secret_is_ever_told() {
    let secret = "a-secret-of-sixteen";
    let url = "https://hooks.slack.com/services/T00000/B00000/abcdefgh?key=0123456789";
    let endpoint = Endpoint::new(url, Format::Json, Some(secret.to_owned())).unwrap();
    let told = endpoint.told(
        404,
        format!("no_service {url} at /services/T00000/B00000/abcdefgh\n{secret} 0123456789").as_bytes(),
    );
    assert!(told.starts_with("status 404: no_service"), "{told}");
    for part in ["T00000", "B00000", "abcdefgh", "0123456789", secret, "\n"] {
        assert!(!told.contains(part), "{part} in {told}");
        assert!(!format!("{endpoint:?}").contains(part));
    }
    assert_eq!(endpoint.told(200, b""), "status 200");
    assert!(endpoint.told(500, "ü".repeat(5_000).as_bytes()).chars().count() < 230);
    assert_eq!(endpoint.host(), "hooks.slack.com");
}

#[test]
fn the_configuration_is_checked_and_secrets_are_not_told() {
    let defaults = config(&[("ALERT_WEBHOOK_URL", ""), ("DASHBOARD_URL", "")]).unwrap();
    assert!(defaults.endpoint.is_none() && defaults.place.dashboard.is_none());
    let set = config(&[
        ("ALERT_WEBHOOK_URL", "https://a.example/x"),
        ("ALERT_WEBHOOK_FORMAT", "slack"),
        ("RUNBOOK_BASE_URL", "https://wiki.example"),
    ])
    .unwrap();
    assert_eq!(set.endpoint.unwrap().format, Format::Slack);
    assert_eq!(set.place.runbook("outbox"), "https://wiki.example/docs/runbooks/outbox.md");
    for (pairs, says) in [
        (
            &[("ALERT_WEBHOOK_URL", "http://hooks.example/topsecret")][..],
            "secret ALERT_WEBHOOK_URL cannot be used",
        ),
        (&[("ALERT_WEBHOOK_SECRET", "hunter2")][..], "secret ALERT_WEBHOOK_SECRET is too short"),
        (&[("ALERT_WEBHOOK_FORMAT", "xml")][..], "expected \"json\" or \"slack\""),
        (&[("ALERT_REMIND_MINUTES", "4")][..], "a whole number from 5 to 10080"),
        (&[("DASHBOARD_URL", "javascript:1")][..], "variable DASHBOARD_URL"),
        (&[("ALERT_RULES", "[]")][..], "variable ALERT_RULES"),
        (
            &[("ALERT_RULES", r#"{"version":1,"rules":[{"name":"x","measure":"y","warning":1}]}"#)][..],
            "unknown variant `y`",
        ),
    ] {
        let error = config(pairs).unwrap_err();
        assert!(
            error.contains(says) && !error.contains("topsecret") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

fn pending(rule: &str, minute: i64, attempts: u32, next: i64) -> Pending {
    Pending {
        at_ms: at(minute),
        rule: rule.to_owned(),
        attempts,
        next_ms: at(next),
        leased_until_ms: 0,
        body: String::new(),
    }
}

#[test]
fn of_a_rule_the_oldest_is_sent_and_the_others_wait_for_it() {
    let waiting =
        vec![pending("a", 0, 1, 5), pending("b", 1, 0, 1), pending("a", 2, 0, 2), pending("b", 3, 0, 3)];
    let names = |minute| {
        due(waiting.clone(), at(minute), at(minute))
            .iter()
            .map(|p| (p.rule.clone(), p.at_ms))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(3), [("b".to_owned(), at(1))]);
    assert_eq!(names(5), [("a".to_owned(), at(0)), ("b".to_owned(), at(1))]);
    let many: Vec<Pending> = (0..30).map(|n| pending(&format!("r{n}"), 0, 0, 0)).collect();
    assert_eq!(due(many, at(0), at(0)).len(), MAX_AT_ONCE);
    let leased = vec![Pending { leased_until_ms: at(7) + 1, ..pending("a", 0, 1, 5) }, pending("a", 2, 0, 2)];
    assert_eq!(due(leased.clone(), at(7), at(7)), []);
    assert_eq!(due(leased, at(7), at(7) + 1).len(), 1);
}

#[test]
fn what_is_not_taken_is_sent_again_for_two_hours_and_then_given_up() {
    let (mut now, mut attempts) = (0, 0);
    loop {
        let next = next_ms(attempts, now);
        attempts += 1;
        if Ending::of(false, attempts) == Ending::GivenUp {
            break;
        }
        now = next;
    }
    assert_eq!(attempts, MAX_ATTEMPTS);
    assert!((100..=150).contains(&(now / MINUTE_MS)), "{}", now / MINUTE_MS);
    assert_eq!(Ending::of(true, MAX_ATTEMPTS), Ending::Sent);
    assert_eq!(Ending::of(false, 1), Ending::Again);
}

#[test]
fn a_database_that_is_away_is_told_once_and_its_return_too() {
    let rule = Rule::built_in(Measure::AlertStore);
    let mut kept: Option<Outage> = None;
    let mut told = Vec::new();
    // Minutes 0 to 9 fail; the receiver is away in minute 1; then all is well.
    for minute in 0..30 {
        let next = judge(kept, &rule, 240, minute < 10, at(minute));
        let delivered = minute != 1;
        kept = if next.due.is_some() && !delivered { Some(next.undelivered) } else { next.after };
        if let Some(due) = next.due.filter(|_| delivered) {
            told.push((minute, due.news, due.level));
        }
    }
    assert_eq!(
        told,
        [
            (2, News::Firing, Level::Warning),
            (4, News::Firing, Level::Critical),
            (15, News::Resolved, Level::Critical)
        ]
    );
    assert_eq!(kept, None, "nothing is kept of what is over");
    assert_eq!(judge(None, &rule, 240, true, at(0)).due, None, "one minute is no outage");
}
