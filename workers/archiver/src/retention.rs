//! How long what is kept: what would go now, and the run that rolls days up and deletes.

use pathstats_edge::archive_rows::{ArchiveRows, MAX_DAYS};
use pathstats_edge::bindings::{EnvVariables, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::daily_store::D1DailyStore;
use pathstats_edge::http;
use pathstats_edge::usage_store::UsageStore;
use pathstats_model::problem::Problem;
use pathstats_model::retention::{day, Budget, Horizons, RetentionConfig, RetentionPlan};
use pathstats_model::rollup::{self, Done};
use pathstats_model::HourBucket;
use worker::{Env, Response, Result};

/// How long a run lasts that a person asked for, in milliseconds: they wait for it.
const WAITED_FOR_MS: i64 = 20_000;

/// Answers what a run would do now. Deletes nothing.
pub async fn plan(env: &Env) -> Result<Response> {
    let config = match RetentionConfig::from_variables(&EnvVariables(env)) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    match planned(env, config).await {
        Ok(plan) => http::json(200, &plan),
        Err(error) => {
            tracing::error!(%error, "D1 cannot be read");
            let problem = Problem::new(503, "d1_unreadable", "D1 cannot be read", "try again later");
            http::problem(&problem.retry_after(10))
        }
    }
}

/// Reads only. May be repeated.
async fn planned(env: &Env, config: RetentionConfig) -> Result<RetentionPlan> {
    let now = now_ms();
    let horizons = config.horizons(now);
    let store = D1DailyStore::new(env.d1(D1)?);
    let mut due = ArchiveRows::new(env.d1(D1)?).days_with_events(MAX_DAYS).await?;
    due.retain(|date| day(*date, now, config.raw_days).due);
    let to_roll_up = store.days_to_roll_up(horizons).await?;
    let hourly = store.going_hours(horizons).await?;
    let daily = store.going_days(horizons).await?;
    Ok(RetentionPlan::new(&config, (&due, &to_roll_up), (hourly, daily), store.used(), now))
}

/// Does now what the night does, for as long as a person waits, and answers what was done. What is
/// left (`complete` is false) goes on at the next cron.
pub async fn run(env: &Env) -> Result<Response> {
    match RetentionConfig::from_variables(&EnvVariables(env)) {
        Ok(config) => http::json(200, &nightly(env, &config, WAITED_FOR_MS).await?),
        Err(error) => http::problem(&Problem::configuration(&error)),
    }
}

/// Begins the night's passes, and works for so long. Failures are told to the log and in the answer.
///
/// # Errors
///
/// When there is no database.
pub async fn nightly(env: &Env, config: &RetentionConfig, lasting_ms: i64) -> Result<Done> {
    // Again: there is nothing more to forget. A night that cannot leaves it to the next.
    let kept_from = HourBucket::from_ms(now_ms()).plus(-24 * config.daily_days);
    if let Err(error) = UsageStore::new(env.d1(D1)?).forget_before(kept_from).await {
        tracing::warn!(%error, "old counts of operations were not deleted");
    }
    let (store, horizons, budget) = ready(env, config, lasting_ms)?;
    let done = rollup::nightly(&store, horizons, budget).await;
    tell(&store, done);
    Ok(done)
}

/// Goes on with what the last night began. Eight queries when nothing is left.
///
/// # Errors
///
/// When there is no database.
pub async fn go_on(env: &Env, config: &RetentionConfig, lasting_ms: i64) -> Result<Done> {
    let (store, horizons, budget) = ready(env, config, lasting_ms)?;
    let done = rollup::go_on(&store, horizons, budget).await;
    if done != (Done { complete: true, ..Done::default() }) {
        tell(&store, done);
    }
    Ok(done)
}

fn ready(env: &Env, config: &RetentionConfig, lasting_ms: i64) -> Result<(D1DailyStore, Horizons, Budget)> {
    let now = now_ms();
    let budget = Budget { queries: config.queries, until_ms: now + lasting_ms };
    Ok((D1DailyStore::new(env.d1(D1)?), config.horizons(now), budget))
}

fn tell(store: &D1DailyStore, done: Done) {
    let used = store.used();
    tracing::info!(
        daysRolledUp = done.days_rolled_up,
        dailyRowsWritten = done.daily_rows_written,
        broken = done.broken,
        hourlyRowsDeleted = done.hourly_rows_deleted,
        dailyRowsDeleted = done.daily_rows_deleted,
        failures = done.failures,
        complete = done.complete,
        rowsRead = used.rows_read,
        rowsWritten = used.rows_written,
        "days were rolled up"
    );
}
