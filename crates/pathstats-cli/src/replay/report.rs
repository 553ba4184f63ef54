//! What a run did, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::{grouped, in_words, to_rfc3339};

/// Counts over all parts of a run, those before an interruption included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Lines read, blank ones not counted.
    pub lines: u64,
    /// Lines outside of the times asked for.
    pub outside: u64,
    /// Events sent.
    pub sent: u64,
    /// Events that the destination accepted.
    pub accepted: u64,
    /// Events that the destination refused.
    pub rejected: u64,
    /// Lines that are no events, by reason.
    pub not_parsed: BTreeMap<String, u64>,
    /// Bodies sent.
    pub bodies: u64,
    /// Bytes of these bodies.
    pub bytes_sent: u64,
    /// Time of the earliest event, as sent.
    pub first_ms: Option<i64>,
    /// Time of the latest event, as sent.
    pub last_ms: Option<i64>,
}

impl Totals {
    /// Lines that are no events.
    pub fn all_not_parsed(&self) -> u64 {
        self.not_parsed.values().sum()
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All is sent.
    Done,
    /// All that could be sent is sent: some lines or events could not.
    Incomplete,
    /// The destination or a file failed.
    Failed,
    /// Someone stopped it.
    Interrupted,
}

impl Outcome {
    /// The exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Incomplete => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The summary, as `--json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code.
    pub exit_code: u8,
    /// Whether nothing was sent on purpose.
    pub dry_run: bool,
    /// The destination.
    pub destination: String,
    /// The files.
    pub files: Vec<String>,
    /// Lines of a run before, which this one went on from.
    pub resumed_after_lines: u64,
    /// Added to every time, in milliseconds.
    pub shift_ms: i64,
    /// The counts.
    #[serde(flatten)]
    pub totals: Totals,
    /// How long this part took.
    pub duration_seconds: f64,
    /// Events sent a second, in this part.
    pub events_per_second: f64,
}

impl Summary {
    /// The summary in words.
    pub fn text(&self) -> String {
        let totals = &self.totals;
        let verb = if self.dry_run { "would send" } else { "sent" };
        let mut text = format!(
            "{verb} {} events of {} lines to {} in {} bodies ({} bytes)",
            grouped(totals.sent),
            grouped(totals.lines),
            self.destination,
            grouped(totals.bodies),
            grouped(totals.bytes_sent)
        );
        // Writing to a String does not fail.
        let mut line = |part: std::fmt::Arguments<'_>| {
            let _ = write!(text, "\n  {part}");
        };
        if let (Some(first), Some(last)) = (totals.first_ms, totals.last_ms) {
            line(format_args!("from {} to {}", to_rfc3339(first), to_rfc3339(last)));
        }
        if self.shift_ms != 0 {
            let direction = if self.shift_ms > 0 { "later" } else { "earlier" };
            line(format_args!(
                "moved {} {direction}",
                in_words(Duration::from_millis(self.shift_ms.unsigned_abs()))
            ));
        }
        if totals.outside > 0 {
            line(format_args!("{} lines lie outside of --since and --until", grouped(totals.outside)));
        }
        if totals.all_not_parsed() > 0 {
            let reasons: Vec<String> = totals
                .not_parsed
                .iter()
                .map(|(reason, count)| format!("{reason} {}", grouped(*count)))
                .collect();
            line(format_args!(
                "{} lines are no events: {}",
                grouped(totals.all_not_parsed()),
                reasons.join(", ")
            ));
        }
        if totals.rejected > 0 {
            line(format_args!("{} events were refused by the destination", grouped(totals.rejected)));
        }
        if !self.dry_run {
            line(format_args!(
                "took {:.1} s, {:.0} events a second",
                self.duration_seconds, self.events_per_second
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_everything_that_was_not_sent() {
        let mut totals =
            Totals { lines: 1_000, sent: 990, accepted: 988, rejected: 2, outside: 5, ..Totals::default() };
        totals.not_parsed.insert("not_json".into(), 5);
        let summary = Summary {
            outcome: Outcome::Incomplete,
            error: None,
            exit_code: Outcome::Incomplete.exit_code(),
            dry_run: false,
            destination: "http://x/collect".into(),
            files: vec![],
            resumed_after_lines: 0,
            shift_ms: 7_200_000,
            totals,
            duration_seconds: 2.0,
            events_per_second: 495.0,
        };
        let text = summary.text();
        for part in [
            "990 events of 1,000 lines",
            "not_json 5",
            "2 events were refused",
            "5 lines lie outside",
            "moved 2 h 0 min later",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(
            (&json["accepted"], &json["exitCode"], &json["outcome"]),
            (&988.into(), &3.into(), &"incomplete".into())
        );
    }
}
