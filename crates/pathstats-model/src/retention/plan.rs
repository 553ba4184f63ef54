//! What `GET /admin/retention` answers.

use serde::{Deserialize, Serialize};

use super::{next_nightly_ms, RetentionConfig};
use crate::hour::{iso_time, EventDate};

/// Rows that statements read and wrote, as D1 counts and bills them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RowsUsed {
    /// Read.
    pub rows_read: u64,
    /// Written or deleted.
    pub rows_written: u64,
}

/// Rows that would go, and the days they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct GoingRows {
    /// How many.
    pub rows: u64,
    /// Rows old enough that stay all the same: their object may still write them.
    #[serde(default)]
    pub waiting_for_seal: u64,
    /// The oldest day of those that go.
    pub oldest: Option<EventDate>,
    /// The newest day of those that go.
    pub newest: Option<EventDate>,
}

impl RowsUsed {
    /// Adds what another database read and wrote.
    pub const fn add(&mut self, other: Self) {
        self.rows_read += other.rows_read;
        self.rows_written += other.rows_written;
    }
}

impl GoingRows {
    /// Adds what goes from another database.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.waiting_for_seal += other.waiting_for_seal;
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        self.newest = self.newest.max(other.newest);
    }
}

/// What a run would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetentionPlan {
    /// When the next night begins, ISO 8601 in UTC.
    pub next_run: String,
    /// Raw events that are old enough to be archived.
    pub raw: RawPlan,
    /// Days that ended and changed since they were rolled up last.
    pub roll_up: RollUpPlan,
    /// Hourly rows.
    pub hourly: RowsPlan,
    /// Daily rows.
    pub daily: RowsPlan,
    /// What finding that out took.
    pub usage: RowsUsed,
}

/// Days whose raw events are old enough to be archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RawPlan {
    /// `RAW_RETENTION_DAYS`.
    pub keep_days: i64,
    /// How many days.
    pub days: usize,
    /// The oldest of them.
    pub oldest: Option<EventDate>,
    /// The newest of them.
    pub newest: Option<EventDate>,
}

/// Days that would be rolled up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RollUpPlan {
    /// How many days.
    pub days: usize,
    /// The oldest of them.
    pub oldest: Option<EventDate>,
    /// The newest of them.
    pub newest: Option<EventDate>,
}

/// Rows of statistics that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RowsPlan {
    /// `HOURLY_RETENTION_DAYS` or `DAILY_RETENTION_DAYS`.
    pub keep_days: i64,
    /// What would go.
    #[serde(flatten)]
    pub going: GoingRows,
}

impl RetentionPlan {
    /// Of days with raw events that are due and days to roll up, both oldest first, and of rows.
    #[must_use]
    pub fn new(
        config: &RetentionConfig,
        (due, to_roll_up): (&[EventDate], &[EventDate]),
        (hourly, daily): (GoingRows, GoingRows),
        usage: RowsUsed,
        now_ms: i64,
    ) -> Self {
        Self {
            next_run: iso_time(next_nightly_ms(now_ms)),
            raw: RawPlan {
                keep_days: config.raw_days,
                days: due.len(),
                oldest: due.first().copied(),
                newest: due.last().copied(),
            },
            roll_up: RollUpPlan {
                days: to_roll_up.len(),
                oldest: to_roll_up.first().copied(),
                newest: to_roll_up.last().copied(),
            },
            hourly: RowsPlan { keep_days: config.hourly_days, going: hourly },
            daily: RowsPlan { keep_days: config.daily_days, going: daily },
            usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_from_two_databases_is_added_up() {
        let date = |text: &str| text.parse::<EventDate>().ok();
        let of = |rows, oldest, newest| GoingRows { rows, waiting_for_seal: 1, oldest, newest };
        let mut both = of(3, date("2025-10-10"), date("2025-10-10"));
        both.add(&GoingRows::default());
        both.add(&of(4, date("2025-10-09"), date("2025-10-12")));
        assert_eq!(both, GoingRows { waiting_for_seal: 2, ..of(7, date("2025-10-09"), date("2025-10-12")) });
    }

    #[test]
    fn a_plan_is_pinned() {
        let date = |text: &str| text.parse::<EventDate>().unwrap();
        let (first, second) = (date("2025-10-10"), date("2025-10-11"));
        let going = GoingRows { rows: 7, waiting_for_seal: 1, oldest: Some(first), newest: Some(second) };
        let usage = RowsUsed { rows_read: 3, rows_written: 0 };
        let config = RetentionConfig::default();
        let plan =
            RetentionPlan::new(&config, (&[first, second], &[]), (going, GoingRows::default()), usage, 0);
        assert_eq!(
            serde_json::to_value(plan).unwrap(),
            serde_json::json!({
                "nextRun": "1970-01-01T02:00:00.000Z",
                "raw": {"keepDays": 3, "days": 2, "oldest": "2025-10-10", "newest": "2025-10-11"},
                "rollUp": {"days": 0, "oldest": null, "newest": null},
                "hourly": {"keepDays": 90, "rows": 7, "waitingForSeal": 1, "oldest": "2025-10-10", "newest": "2025-10-11"},
                "daily": {"keepDays": 400, "rows": 0, "waitingForSeal": 0, "oldest": null, "newest": null},
                "usage": {"rowsRead": 3, "rowsWritten": 0},
            })
        );
    }
}
