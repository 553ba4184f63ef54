//! How long what is kept: what would go now, and the run that rolls days up and deletes.

use std::collections::BTreeSet;

use pathstats_edge::archive_rows::{ArchiveRows, MAX_DAYS};
use pathstats_edge::bindings::{EnvVariables, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::daily_store::D1DailyStore;
use pathstats_edge::databases::{bound, every, Databases};
use pathstats_edge::http::{self, Response};
use pathstats_edge::usage_store::UsageStore;
use pathstats_model::hour::EventDate;
use pathstats_model::problem::Problem;
use pathstats_model::retention::{day, Budget, GoingRows, RetentionConfig, RetentionPlan, RowsUsed};
use pathstats_model::rollup::{self, Done};
use pathstats_model::HourBucket;
use worker::{Env, Result};

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
    let mut due = ArchiveRows::new(Databases::open(env).await?)?.days_with_events(MAX_DAYS).await?;
    due.retain(|date| day(*date, now, config.raw_days).due);
    let mut to_roll_up: BTreeSet<EventDate> = BTreeSet::new();
    let (mut hourly, mut daily) = (GoingRows::default(), GoingRows::default());
    let mut used = RowsUsed::default();
    for d1 in every(env)? {
        let store = D1DailyStore::new(d1);
        to_roll_up.extend(store.days_to_roll_up(horizons).await?);
        hourly.add(&store.going_hours(horizons).await?);
        daily.add(&store.going_days(horizons).await?);
        used.add(store.used());
    }
    let to_roll_up: Vec<EventDate> = to_roll_up.into_iter().collect();
    Ok(RetentionPlan::new(&config, (&due, &to_roll_up), (hourly, daily), used, now))
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
    let (stores, horizons) = (every(env)?, config.horizons(now_ms()));
    let mut all = Done { complete: true, ..Done::default() };
    for (at, d1) in stores.into_iter().enumerate() {
        let store = D1DailyStore::new(d1);
        let done = rollup::nightly(&store, horizons, share(env, config, lasting_ms)).await;
        tell(&store, done, at);
        all = all.and(done);
    }
    Ok(all)
}

/// Goes on with what the last night began. Eight queries a database when nothing is left.
///
/// # Errors
///
/// When there is no database.
pub async fn go_on(env: &Env, config: &RetentionConfig, lasting_ms: i64) -> Result<Done> {
    let (stores, horizons) = (every(env)?, config.horizons(now_ms()));
    let nothing = Done { complete: true, ..Done::default() };
    let mut all = nothing;
    for (at, d1) in stores.into_iter().enumerate() {
        let store = D1DailyStore::new(d1);
        let done = rollup::go_on(&store, horizons, share(env, config, lasting_ms)).await;
        if done != nothing {
            tell(&store, done, at);
        }
        all = all.and(done);
    }
    Ok(all)
}

/// What one database may spend: as much as every other.
fn share(env: &Env, config: &RetentionConfig, lasting_ms: i64) -> Budget {
    let databases = bound(env);
    Budget {
        queries: config.queries / u32::from(databases),
        until_ms: now_ms() + lasting_ms / i64::from(databases),
    }
}

fn tell(store: &D1DailyStore, done: Done, database: usize) {
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
        database,
        "days were rolled up"
    );
}
