//! What `GET /admin/metrics` answers: the health of the system for Prometheus.
//!
//! All are gauges, of the moment that was looked at. So the text is valid in both formats that scrapers
//! ask for: Prometheus' own (version 0.0.4), and `OpenMetrics` 1.0, whose last line the first takes for a
//! comment. What a source did not tell is left out, rather than told as zero: rules find out by
//! `absent()`, and by `pathstats_check`, which says `unknown`.

use core::fmt;
use core::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::health::{CheckName, HealthReport, Status};

/// The media type of Prometheus' own format.
pub const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The media type of `OpenMetrics`.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The media type for a client that sends this `Accept`.
#[must_use]
pub fn media_type(accept: &str) -> &'static str {
    if accept.contains("application/openmetrics-text") {
        OPEN_METRICS
    } else {
        PROMETHEUS_TEXT
    }
}

type Real = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCheck {
    check: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    check: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLimit {
    check: String,
    level: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: String,
}

const STATUSES: [(Status, &str); 4] = [
    (Status::Ok, "ok"),
    (Status::Unknown, "unknown"),
    (Status::Warning, "warning"),
    (Status::Critical, "critical"),
];

/// The text.
///
/// # Errors
///
/// Never: a string takes all that is written to it.
pub fn exposition(report: &HealthReport) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("pathstats");
    checks(report, &mut registry);
    flow(report, &mut registry);
    refused(report, &mut registry);
    database(report, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Each check as `/admin/health` tells it: its status as one series a state, its value, its limits.
fn checks(report: &HealthReport, registry: &mut Registry) {
    let (statuses, values, limits) = (
        Family::<OfStatus, Gauge>::default(),
        Family::<OfCheck, Real>::default(),
        Family::<OfLimit, Real>::default(),
    );
    for check in &report.checks {
        let name = || name_of(check.name);
        for (state, status) in STATUSES {
            statuses.get_or_create(&OfStatus { check: name(), status }).set(i64::from(check.status == state));
        }
        if let Some(value) = check.value {
            values.get_or_create(&OfCheck { check: name() }).set(value);
        }
        for (level, limit) in [("warning", check.warning), ("critical", check.critical)] {
            if let Some(limit) = limit {
                limits.get_or_create(&OfLimit { check: name(), level }).set(limit);
            }
        }
    }
    registry.register("check", "Whether a check has this status", statuses);
    registry.register("check_value", "What a check saw, in the unit of its limits", values);
    registry.register("check_limit", "From this value on a check is of this level", limits);
}

/// How far events have come.
fn flow(report: &HealthReport, registry: &mut Registry) {
    let seconds = |registry: &mut Registry, name, help, value: Option<i64>| {
        if let Some(value) = value {
            registry.register_with_unit(name, help, Unit::Seconds, gauge(value));
        }
    };
    let heartbeat = report.heartbeat.as_ref().map(|heartbeat| heartbeat.age_seconds);
    seconds(registry, "heartbeat_age", "Since the consumer last took a batch in", heartbeat);
    let snapshot = report.snapshot.as_ref();
    seconds(
        registry,
        "snapshot_age",
        "Since the snapshot was made",
        snapshot.map(|snapshot| snapshot.age_seconds),
    );
    if let Some(queue) = report.queue {
        registry.register("queue_messages", "Messages that wait in the queue", gauge(queue.backlog_count));
        registry.register_with_unit(
            "queue_size",
            "Bytes that wait in the queue",
            Unit::Bytes,
            gauge(queue.backlog_bytes),
        );
        let oldest = queue.oldest_message_age_seconds.unwrap_or(0);
        seconds(
            registry,
            "queue_oldest_message_age",
            "Since the oldest message that waits was sent",
            Some(oldest),
        );
    }
}

/// What was not counted, or not yet.
fn refused(report: &HealthReport, registry: &mut Registry) {
    if let Some(letters) = &report.dead_letters {
        let by_reason = Family::<OfReason, Gauge>::default();
        for letter in &letters.by_reason {
            let of = OfReason { reason: letter.reason.clone() };
            by_reason.get_or_create(&of).set(signed(letter.count));
        }
        registry.register(
            "dead_letters",
            "Messages and events that could not be counted",
            gauge(letters.total),
        );
        registry.register("dead_letters_by_reason", "The same by reason", by_reason);
    }
    if let Some(outbox) = &report.outbox {
        registry.register(
            "outbox_messages",
            "Messages that the queue refused, up to ten thousand",
            gauge(outbox.messages),
        );
    }
    if let Some(drops) = &report.recording_drops {
        let by_reason = Family::<OfReason, Gauge>::default();
        for drop in drops {
            let of = OfReason { reason: drop.reason.clone() };
            by_reason.get_or_create(&of).inc_by(signed(drop.requests));
        }
        let help = "Requests of the last 24 hours that were not recorded, by reason";
        registry.register("unrecorded_requests", help, by_reason);
    }
}

/// How full D1 is.
fn database(report: &HealthReport, registry: &mut Registry) {
    let Some(capacity) = &report.capacity else { return };
    registry.register_with_unit(
        "database_size",
        "Size of the database",
        Unit::Bytes,
        gauge(capacity.size_bytes),
    );
    registry.register_with_unit(
        "database_limit",
        "The most it can have",
        Unit::Bytes,
        gauge(capacity.limit_bytes),
    );
    if let Some(growth) = capacity.growth_bytes_per_day {
        let value = Real::default();
        value.set(growth);
        registry.register("database_growth_bytes_per_day", "What it grows by, from its samples", value);
    }
}

/// The name as JSON has it.
fn name_of(check: CheckName) -> String {
    serde_json::to_value(check).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn gauge(value: impl TryInto<i64>) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value.try_into().unwrap_or(i64::MAX));
    gauge
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::ReasonCount;
    use crate::health::{assess, Drops, LetterState, OutboxState, QueueState, Seen, Silence};
    use crate::snapshot::Pointer;

    const NOW: i64 = 1_760_537_400_000;

    fn seen() -> Seen {
        let letters = |reason: &str, count| LetterState {
            count: ReasonCount { reason: reason.into(), count, oldest: 5 },
            recent: 0,
        };
        let drops = |hour: &str, reason: &str, requests| Drops {
            hour: hour.parse().unwrap(),
            reason: reason.into(),
            requests,
        };
        Seen {
            heartbeat: Ok(Some(NOW - 20_000)),
            snapshot: Ok(Some(Pointer { version: 9, prev: None, updated_at: NOW - 15_000 })),
            queue: Ok(QueueState { messages: 12_000, bytes: 3_456, oldest_ms: Some(NOW - 2_000) }),
            letters: Ok(vec![letters("invalid_event", 3), letters("exhausted", 4)]),
            outbox: Ok(OutboxState { messages: 7, oldest_ms: None }),
            drops: Ok(vec![
                drops("2025-10-15T13", "lost", 10),
                drops("2025-10-15T12", "lost", 5),
                drops("2025-10-15T12", "a \"quoted\"\nreason\\", 1),
            ]),
            archiver: Err(Silence::Late),
            ledger: Ok(vec![]),
        }
    }

    fn lines(seen: Seen) -> Vec<String> {
        exposition(&assess(seen, NOW)).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_seen_is_told_with_its_unit() {
        let lines = lines(seen());
        for line in [
            "pathstats_heartbeat_age_seconds 20",
            "pathstats_snapshot_age_seconds 15",
            "pathstats_queue_messages 12000",
            "pathstats_queue_size_bytes 3456",
            "pathstats_queue_oldest_message_age_seconds 2",
            "pathstats_dead_letters 7",
            "pathstats_dead_letters_by_reason{reason=\"exhausted\"} 4",
            "pathstats_outbox_messages 7",
            "pathstats_unrecorded_requests{reason=\"lost\"} 15",
            "pathstats_unrecorded_requests{reason=\"a \\\"quoted\\\"\\nreason\\\\\"} 1",
            "pathstats_check{check=\"queueBacklog\",status=\"warning\"} 1",
            "pathstats_check{check=\"queueBacklog\",status=\"ok\"} 0",
            "pathstats_check_value{check=\"queueBacklog\"} 12000.0",
            "pathstats_check_limit{check=\"queueBacklog\",level=\"critical\"} 50000.0",
            "# TYPE pathstats_queue_messages gauge",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
        }
        assert_eq!(lines.last().unwrap(), "# EOF");
    }

    #[test]
    fn what_nobody_told_is_left_out_and_its_check_is_unknown() {
        let lines = lines(Seen { queue: Err(Silence::Failed), ..seen() });
        assert!(!lines.iter().any(|line| line.contains("pathstats_queue_") || line.contains("database_")));
        for check in ["queueBacklog", "database"] {
            let unknown = format!("pathstats_check{{check=\"{check}\",status=\"unknown\"}} 1");
            assert!(lines.contains(&unknown), "{unknown} is not in {lines:#?}");
        }
    }

    /// Version 0.0.4: a comment, or a name, labels and a number, with `TYPE` before the first of a name.
    #[test]
    fn every_line_is_of_both_formats() {
        let mut typed = Vec::new();
        let text = lines(seen());
        for line in &text {
            if let Some(metric) = line.strip_prefix("# TYPE ") {
                let (name, kind) = metric.split_once(' ').unwrap();
                assert_eq!(kind, "gauge");
                assert!(!typed.contains(&name), "{name} has two types");
                typed.push(name);
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert_eq!(Some(&name), typed.last(), "{line} stands under its type");
                assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            }
        }
        assert!(typed.len() > 10, "{typed:?}");
    }

    #[test]
    fn a_scraper_gets_the_format_that_it_names() {
        assert_eq!(media_type(""), PROMETHEUS_TEXT);
        assert_eq!(media_type("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), PROMETHEUS_TEXT);
        assert_eq!(media_type("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), OPEN_METRICS);
    }
}
