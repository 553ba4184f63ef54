//! What is where: the days, and how far each is.

use std::collections::{BTreeMap, BTreeSet};

use pathstats_archive::config::ArchiveConfig;
use pathstats_archive::record::DayRecord;
use pathstats_edge::archive_rows::MAX_DAYS;
use pathstats_edge::clock::now_ms;
use pathstats_edge::{http, telemetry};
use pathstats_model::hour::{iso_time, EventDate};
use pathstats_model::problem::Problem;
use pathstats_model::retention::day;
use serde_json::{json, Value};
use worker::{Env, Request, Response, Result};

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
            telemetry::error("D1 cannot be read", &error);
            let problem = Problem::new(503, "d1_unreadable", "D1 cannot be read", "try again later");
            http::problem(&problem.retry_after(10))
        }
    }
}

async fn list(env: &Env, config: &ArchiveConfig) -> Result<Option<Value>> {
    let store = store(env)?;
    let in_database: BTreeSet<EventDate> =
        store.rows().days_with_events(MAX_DAYS).await?.into_iter().collect();
    let mut records: BTreeMap<EventDate, DayRecord> = BTreeMap::new();
    for row in store.rows().days(None, MAX_DAYS).await? {
        records.insert(row.date, serde_json::from_str(&row.record)?);
    }
    let dates: BTreeSet<EventDate> = in_database.iter().chain(records.keys()).copied().collect();
    let days: Vec<Value> = dates
        .into_iter()
        .map(|date| summary(date, in_database.contains(&date), records.get(&date), config))
        .collect();
    Ok(Some(json!({ "days": days })))
}

async fn one(env: &Env, config: &ArchiveConfig, date: EventDate) -> Result<Option<Value>> {
    let store = store(env)?;
    let in_database = store.rows().has_events(date).await?;
    let record = store.rows().record(date).await?;
    if record.is_none() && !in_database {
        return Ok(None);
    }
    let mut value = summary(date, in_database, record.as_ref(), config);
    if let (Some(record), Some(fields)) = (&record, value.as_object_mut()) {
        if let Some(details) = day_json(record).as_object() {
            fields.extend(details.clone());
        }
    }
    Ok(Some(value))
}

fn summary(date: EventDate, in_database: bool, record: Option<&DayRecord>, config: &ArchiveConfig) -> Value {
    let day = day(date, now_ms(), config.raw_days);
    json!({
        "date": date,
        "closed": day.closed,
        "due": day.due,
        "inDatabase": in_database,
        "status": record.map_or("database", DayRecord::status),
        "records": record.map_or(0, DayRecord::records),
        "bytes": record.map_or(0, |record| record.files.iter().map(|file| file.bytes).sum::<u64>()),
        "files": record.map_or(0, |record| record.files.len()),
        "cleaned": record.is_some_and(|record| record.cleaned),
        "reconciled": record.map(|record| record.reconciliation.is_equal()),
        "error": record.and_then(|record| record.error.clone()),
    })
}

/// All that is known of a day, for a person.
pub fn day_json(record: &DayRecord) -> Value {
    let objects: Vec<Value> = record
        .files
        .iter()
        .map(|file| {
            json!({
                "path": file.path,
                "format": file.path.format,
                "stage": file.stage,
                "records": file.records,
                "bytes": file.bytes,
                "pages": file.pages,
                "firstId": file.first_id.map(|id| id.to_string()),
                "lastId": file.last_id.map(|id| id.to_string()),
                "sha256": file.sha256,
                "hours": file.hours,
                "archivedAt": file.archived_at.map(iso_time),
            })
        })
        .collect();
    let reconciliation = &record.reconciliation;
    json!({
        "date": record.date,
        "status": record.status(),
        "records": record.records(),
        "deleted": record.deleted,
        "cleaned": record.cleaned,
        "objects": objects,
        "reconciliation": {
            "equal": reconciliation.is_equal(),
            "hoursCompared": reconciliation.hours.len(),
            "hoursWithoutStatistics": reconciliation.hours_without_statistics,
            "differences": reconciliation.differences,
            "differing": reconciliation.count(),
        },
        "usage": record.usage,
        "error": record.error,
        "updatedAt": iso_time(record.updated_at),
    })
}
