//! What is where: the days, and how far each is.

use std::collections::{BTreeMap, BTreeSet};

use pathstats_archive::answers::{ArchiveStatus, DayReport, DaySummary};
use pathstats_archive::config::ArchiveConfig;
use pathstats_archive::record::DayRecord;
use pathstats_edge::archive_rows::MAX_DAYS;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Response};
use pathstats_model::hour::EventDate;
use pathstats_model::problem::Problem;
use pathstats_model::retention::day;
use worker::{Env, Request, Result};

use crate::settings::store;

/// Answers with the list of days, or with one.
pub async fn answer(request: &Request, env: &Env, config: &ArchiveConfig) -> Result<Response> {
    let url = request.url()?;
    let date = url.query_pairs().find(|(name, _)| name == "date").map(|(_, value)| value);
    let found = match date {
        None => list(env, config).await,
        Some(text) => {
            let Ok(date) = text.parse::<EventDate>() else {
                let expected = "a day of UTC, as in 2025-10-15";
                return http::problem(&Problem::parameter("date", &text, expected));
            };
            one(env, config, date).await
        }
    };
    match found {
        Ok(Some(value)) => http::json(200, &value),
        Ok(None) => {
            let detail = "there is no event of that day, and no archive";
            http::problem(&Problem::new(404, "no_such_day", "Nothing is known of the day", detail))
        }
        Err(error) => {
            tracing::error!(%error, "D1 cannot be read");
            let problem = Problem::new(503, "d1_unreadable", "D1 cannot be read", "try again later");
            http::problem(&problem.retry_after(10))
        }
    }
}

async fn list(env: &Env, config: &ArchiveConfig) -> Result<Option<ArchiveStatus>> {
    let store = store(env).await?;
    let in_database: BTreeSet<EventDate> =
        store.rows().days_with_events(MAX_DAYS).await?.into_iter().collect();
    let mut records: BTreeMap<EventDate, DayRecord> = BTreeMap::new();
    for row in store.rows().days(None, MAX_DAYS).await? {
        records.insert(row.date, serde_json::from_str(&row.record)?);
    }
    let dates: BTreeSet<EventDate> = in_database.iter().chain(records.keys()).copied().collect();
    let now = now_ms();
    let summary = |date| {
        let day = day(date, now, config.raw_days);
        DaySummary::new(day, in_database.contains(&date), records.get(&date))
    };
    Ok(Some(ArchiveStatus::Days { days: dates.into_iter().map(summary).collect() }))
}

async fn one(env: &Env, config: &ArchiveConfig, date: EventDate) -> Result<Option<ArchiveStatus>> {
    let store = store(env).await?;
    let in_database = store.rows().has_events(date).await?;
    let record = store.rows().record(date).await?;
    if record.is_none() && !in_database {
        return Ok(None);
    }
    let day = day(date, now_ms(), config.raw_days);
    Ok(Some(ArchiveStatus::Day(Box::new(DayReport::new(day, in_database, record.as_ref())))))
}
