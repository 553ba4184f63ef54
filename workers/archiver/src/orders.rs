//! Orders of an operator for one day.

use pathstats_archive::answers::{DayDetails, DayOrder, DayUnderWay};
use pathstats_archive::config::ArchiveConfig;
use pathstats_archive::name::Format;
use pathstats_archive::record::DayRecord;
use pathstats_archive::run::{run, Budget, Order, Outcome, Reconcile, RunError};
use pathstats_edge::analytics;
use pathstats_edge::archive_store::ArchiveStore;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::bound;
use pathstats_edge::http::{self, read_body, Body, Response};
use pathstats_edge::telemetry;
use pathstats_model::analytics::{ArchiveRun, DataPoint, RunEnd};
use pathstats_model::hour::{iso_time, EventDate};
use pathstats_model::limits::MAX_FUTURE_MS;
use pathstats_model::problem::Problem;
use worker::{Context, Env, Request, Result};

use crate::nightly::SETTLING_MS;
use crate::settings::store;

/// Most bytes of an order.
const MAX_BODY_BYTES: usize = 1_000;
/// Calls for the archive in one invocation, which has 1,000 queries to D1; some are left for what
/// else a cron does.
pub const CALLS: u32 = 900;
/// How long a run behind an answer lasts: the platform ends it after 30 s. The cron goes on.
const BEHIND_MS: i64 = 20_000;
/// How long a run lasts for which the client waits.
const WAITED_FOR_MS: i64 = 300_000;

const NOTHING: Order = Order { archive: false, clean: false, convert: None, reconcile: None };

/// Takes an order and answers: at once, with 202, or when the run has ended.
pub async fn take(
    request: &mut Request,
    path: &str,
    env: Env,
    context: Context,
    config: ArchiveConfig,
) -> Result<Response> {
    let wanted = match wanted(request).await? {
        Ok(wanted) => wanted,
        Err(problem) => return http::problem(&problem),
    };
    let order = match path {
        "/admin/archive/convert" => {
            let format = match config.settings.formats.0 {
                Format::Jsonl => Format::Parquet,
                Format::Parquet => Format::Jsonl,
            };
            Order { convert: Some(format), ..NOTHING }
        }
        "/admin/cleanup/trigger" => Order { clean: true, ..NOTHING },
        "/admin/reconcile" => {
            let how = if wanted.repair { Reconcile::Repair } else { Reconcile::Compare };
            Order { reconcile: Some(how), ..NOTHING }
        }
        _ => Order { archive: true, clean: wanted.clean, ..NOTHING },
    };
    let store = store(&env).await?;
    if !wanted.wait {
        // Dying behind the answer: the record says how far it came, and the cron goes on.
        context.wait_until(telemetry::behind_request(async move {
            let _ = one_day(&env, &store, &config, wanted.date, order, &mut lasting(&env, BEHIND_MS)).await;
        }));
        return http::json(202, &DayUnderWay::started(wanted.date));
    }
    match one_day(&env, &store, &config, wanted.date, order, &mut lasting(&env, WAITED_FOR_MS)).await {
        Ok((Outcome::Busy(until), _)) => {
            let seconds = u32::try_from((until - now_ms()) / 1000 + 1).unwrap_or(60);
            let detail = format!("another run has {} until {}", wanted.date, iso_time(until));
            http::problem(&Problem::new(409, "busy", "The day is taken", detail).retry_after(seconds))
        }
        Ok((Outcome::Nothing, _)) => {
            let detail = format!("there is no event of {}, and no archive", wanted.date);
            http::problem(&Problem::new(404, "nothing_to_archive", "There is nothing to archive", detail))
        }
        Ok((Outcome::Unfinished, record)) => http::json(202, &DayUnderWay::unfinished(&record)),
        Ok((Outcome::Done, record)) => http::json(200, &DayDetails::new(&record)),
        Err(error) => {
            let title = "The day is not archived to the end";
            let detail = format!("{error}. What was done is kept; the next run goes on");
            http::problem(&Problem::new(502, "archive_failed", title, detail).retry_after(600))
        }
    }
}

async fn wanted(request: &mut Request) -> Result<core::result::Result<DayOrder, Problem>> {
    const EXPECTED: &str = "a JSON object such as {\"date\":\"2025-10-15\"}";
    let wrong = |found: &str| Problem::parameter("body", found, EXPECTED);
    let Body::Bytes(body) = read_body(request, MAX_BODY_BYTES).await? else {
        return Ok(Err(Problem::new(
            413,
            "too_large",
            "The body is too large",
            "an order has 1,000 bytes at most",
        )));
    };
    let wanted: DayOrder = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(Err(wrong(&format!("{error}: {}", String::from_utf8_lossy(&body))))),
    };
    // A day ends five minutes after midnight, since clocks differ.
    if now_ms() < wanted.date.end_ms() + MAX_FUTURE_MS {
        let detail = format!("{} has not ended: a day is archived from 00:05 UTC of the next", wanted.date);
        return Ok(Err(Problem::new(409, "day_not_closed", "The day is not closed", detail)));
    }
    Ok(Ok(wanted))
}

/// What a run did, for the analytics. One that another run keeps from its day, or that found no event, did
/// all that there was to do.
fn told(
    date: EventDate,
    result: &core::result::Result<(Outcome, DayRecord), RunError>,
    took_ms: i64,
) -> ArchiveRun {
    let end = match result {
        Ok((Outcome::Unfinished, _)) => RunEnd::Unfinished,
        Ok((Outcome::Done | Outcome::Busy(_) | Outcome::Nothing, _)) => RunEnd::Done,
        Err(_) => RunEnd::Failed,
    };
    let of = |figure: fn(&DayRecord) -> u64| result.as_ref().map_or(0, |(_, record)| figure(record));
    ArchiveRun {
        date,
        end,
        records: of(DayRecord::records),
        deleted: of(|record| record.deleted),
        took_ms,
        differences: of(|record| record.reconciliation.count()),
    }
}

/// All that an invocation has for the archive, for so long. A call that reads or deletes events is one to each
/// database.
pub fn lasting(env: &Env, ms: i64) -> Budget {
    Budget { calls: CALLS / u32::from(bound(env)), ends_at_ms: now_ms() + ms }
}

/// Takes one day as far as the budget reaches, and tells the log and the analytics.
pub async fn one_day(
    env: &Env,
    store: &ArchiveStore,
    config: &ArchiveConfig,
    date: EventDate,
    order: Order,
    budget: &mut Budget,
) -> core::result::Result<(Outcome, DayRecord), RunError> {
    let began = now_ms();
    let result = run(store, &config.settings, date, &owner(began), order, budget).await;
    analytics::write(env, &DataPoint::archive(&told(date, &result, now_ms() - began)));
    match &result {
        Ok((outcome, record)) => {
            tracing::info!(
                %date,
                ?outcome,
                milliseconds = now_ms() - began,
                records = record.records(),
                deleted = record.deleted,
                cleaned = record.cleaned,
                files = record.files.len(),
                reconciled = record.reconciliation.is_equal(),
                "a day was archived"
            );
            if !record.reconciliation.is_equal() {
                let differences = record.reconciliation.count();
                let archived_at = record.files.iter().filter_map(|file| file.archived_at).max();
                let settling = archived_at.is_some_and(|at| now_ms() - at < SETTLING_MS);
                if settling {
                    tracing::warn!(%date, differences, "the archive and the hourly statistics differ");
                } else {
                    tracing::error!(%date, differences, "the archive and the hourly statistics differ");
                }
            }
        }
        Err(error) => tracing::error!(%error, %date, "a day is not archived to the end"),
    }
    result
}

/// A name for a run, which no other has.
fn owner(now_ms: i64) -> String {
    // Two runs of the same millisecond: a lease is granted once.
    let number = (js_sys::Math::random() * 1e15).floor();
    format!("{now_ms}-{number}")
}
