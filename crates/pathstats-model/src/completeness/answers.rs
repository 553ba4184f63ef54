//! What `GET /admin/ledger` is asked, and what it answers.

use serde::{Deserialize, Serialize};

use super::figures::Entry;
use super::settled::{Checked, HourState};
use super::MAX_HOURS;
use crate::api::given::{moment, Given};
use crate::hour::{iso_time, HourBucket, DAY_MS, HOUR_MS};
use crate::problem::Problem;

/// Hours from one up to another that is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerQuery {
    /// The first.
    pub from: HourBucket,
    /// The first that is not part of it.
    pub to: HourBucket,
}

impl LedgerQuery {
    /// Reads what is asked for: by default the last 24 hours, the one that runs among them.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read(given: &Given, now_ms: i64) -> Result<Self, Problem> {
        let expected = "a time in UTC, as 2025-10-15, 2025-10-15T14:00Z or thirteen digits of milliseconds";
        // An hour is asked for by any moment within it; `to` takes in the hour that it lies in.
        let to_ms = given.optional("to", expected, moment)?.unwrap_or(now_ms);
        let to = HourBucket::from_ms(to_ms + HOUR_MS - 1);
        let from = given.optional("from", expected, moment)?.map_or(to.plus(-24), HourBucket::from_ms);
        let hours = (to.start_ms() - from.start_ms()) / HOUR_MS;
        if !(1..=MAX_HOURS).contains(&hours) {
            let days = MAX_HOURS * HOUR_MS / DAY_MS;
            let expected = format!("to lie before `to`, {days} days at most");
            return Err(Problem::parameter("from", given.get("from").unwrap_or_default(), &expected));
        }
        Ok(Self { from, to })
    }
}

/// What `GET /admin/ledger` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LedgerAnswer {
    /// The first hour asked for.
    pub from: HourBucket,
    /// The first that is not part of it.
    pub to: HourBucket,
    /// All that was sent before is durable, and every hour here that ended before is final; `null` when the
    /// queue or the outbox does not tell what waits.
    pub watermark: Option<String>,
    /// Whether every final hour balances.
    pub balanced: bool,
    /// The sum of the hours.
    pub totals: LedgerFigures,
    /// The hours of which something came, oldest first.
    pub hours: Vec<LedgerHour>,
}

/// The terms of an hour, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerFigures {
    /// The terms.
    #[serde(flatten)]
    pub entry: Entry,
    /// Received, less all that is accounted for.
    pub difference: i64,
}

/// An hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LedgerHour {
    /// The hour.
    pub hour: HourBucket,
    /// `open`, `balanced` or `differs`; the last two are final until something comes late.
    pub state: HourState,
    /// Its terms when it was checked; all zero before.
    #[serde(flatten)]
    pub figures: LedgerFigures,
    /// When that was; `null`: not yet.
    pub checked_at: Option<String>,
    /// Since when it has differed by as much; `null` while it balances.
    pub differs_since: Option<String>,
}

impl From<Entry> for LedgerFigures {
    fn from(entry: Entry) -> Self {
        Self { entry, difference: entry.difference() }
    }
}

impl LedgerAnswer {
    /// The answer, of the hours in order of time.
    #[must_use]
    pub fn new(query: LedgerQuery, hours: &[Checked], watermark_ms: Option<i64>, now_ms: i64) -> Self {
        let shown: Vec<LedgerHour> = hours
            .iter()
            .map(|hour| LedgerHour {
                hour: hour.hour,
                state: hour.state(watermark_ms, now_ms),
                figures: hour.entry.into(),
                checked_at: hour.checked_ms.map(iso_time),
                differs_since: hour.differs_since_ms.map(iso_time),
            })
            .collect();
        // What is open holds it back, though all that was sent before may be durable.
        let open = shown.iter().find(|hour| hour.state == HourState::Open).map(|hour| hour.hour.start_ms());
        let watermark = watermark_ms.map(|at| open.map_or(at, |open| open.min(at)));
        Self {
            from: query.from,
            to: query.to,
            watermark: watermark.map(iso_time),
            balanced: shown.iter().all(|hour| hour.state != HourState::Differs),
            totals: hours.iter().fold(Entry::default(), |sum, hour| sum.plus(hour.entry)).into(),
            hours: shown,
        }
    }
}
