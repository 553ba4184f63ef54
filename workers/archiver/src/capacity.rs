//! How full the database is: a sample every six hours, and a report.

use pathstats_edge::archive_rows::{ArchiveRows, MAX_DAYS};
use pathstats_edge::at_once::all_at_once;
use pathstats_edge::bindings::EnvVariables;
use pathstats_edge::capacity_store::CapacityStore;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::{binding, every, Databases};
use pathstats_edge::http::{self, Response};
use pathstats_model::capacity::{
    decide, level, limit_bytes, sampled_at, used_ratio, CapacityDecision, CapacityLevel, CapacityReport,
    Sample,
};
use pathstats_model::config::ConfigError;
use pathstats_model::problem::Problem;
use pathstats_model::retention::day;
use pathstats_model::sharding::{Shard, MAX_SHARDS};
use worker::{Env, Error, Result};

/// What is known at one moment.
struct Seen {
    /// Each database's, in order.
    sizes: Vec<u64>,
    /// The samples of the fullest.
    samples: Vec<Sample>,
    /// The size of the fullest.
    size: u64,
    limit: u64,
    level: CapacityLevel,
    decision: CapacityDecision,
}

/// Why nothing is known.
enum Unseen {
    Config(ConfigError),
    D1(Error),
}

impl From<Error> for Unseen {
    fn from(error: Error) -> Self {
        Self::D1(error)
    }
}

/// Keeps a sample, tells the log what a person should know, and returns what is to be done: the
/// caller archives the day of [`CapacityDecision::ArchiveNow`].
///
/// # Errors
///
/// When the configuration is wrong or D1 refuses.
pub async fn sample(env: &Env) -> Result<CapacityDecision> {
    let seen = see(env).await.map_err(|unseen| match unseen {
        Unseen::Config(error) => Error::RustError(error.to_string()),
        Unseen::D1(error) => error,
    })?;
    tell(&seen);
    // Dying before: the next sample is six hours away, and the trend does with one less. Again: one
    // of the same hour takes its place. Refused by a full database: the decision still stands.
    for (d1, size_bytes) in every(env)?.into_iter().zip(seen.sizes) {
        let kept = Sample { at_ms: sampled_at(now_ms()), size_bytes };
        if let Err(error) = CapacityStore::new(d1).keep(kept).await {
            tracing::error!(%error, "the size of the database was not kept");
        }
    }
    Ok(seen.decision)
}

/// Answers how full the database is, and when it will be.
///
/// # Errors
///
/// When the platform refuses the response.
pub async fn report(env: &Env) -> Result<Response> {
    match see(env).await {
        Ok(seen) => http::json(200, &body(&seen)),
        Err(Unseen::Config(error)) => http::problem(&Problem::configuration(&error)),
        Err(Unseen::D1(error)) => {
            tracing::error!(%error, "D1 cannot be read");
            let problem = Problem::new(503, "d1_unreadable", "D1 cannot be read", "try again later");
            http::problem(&problem.retry_after(10))
        }
    }
}

/// What `GET /admin/capacity` answers, for health; `None` when it cannot be found out.
pub async fn known(env: &Env) -> Option<CapacityReport> {
    match see(env).await {
        Ok(seen) => Some(body(&seen)),
        Err(Unseen::Config(error)) => {
            tracing::error!(%error, "the capacity is not configured");
            None
        }
        Err(Unseen::D1(error)) => {
            tracing::error!(%error, "D1 cannot be read");
            None
        }
    }
}

/// Reads only. May be repeated.
async fn see(env: &Env) -> core::result::Result<Seen, Unseen> {
    let limit = limit_bytes(&EnvVariables(env)).map_err(Unseen::Config)?;
    let stores = every(env)?.into_iter().map(CapacityStore::new).collect::<Vec<_>>();
    let mut read = all_at_once(stores.iter().map(CapacityStore::read)).await?;
    let sizes: Vec<u64> = read.iter().map(|(_, size)| *size).collect();
    // One that is full takes nothing more, however empty the others are.
    let fullest = (0..sizes.len()).rev().max_by_key(|at| sizes.get(*at)).unwrap_or(0);
    let (samples, size) = read.swap_remove(fullest);
    let level = level(used_ratio(size, limit));
    // Closed or not is what matters here, however long raw events are kept. What is archived of another
    // database makes no room in this one.
    let rows = ArchiveRows::new(Databases::open(env).await?)?;
    let dates = rows.days_with_events_in(fullest, MAX_DAYS).await?;
    let days: Vec<_> = dates.into_iter().map(|date| day(date, now_ms(), 0)).collect();
    Ok(Seen { decision: decide(level, &days), sizes, samples, size, limit, level })
}

fn body(seen: &Seen) -> CapacityReport {
    let names = Shard::first(MAX_SHARDS).map(binding);
    let sizes: Vec<(String, u64)> = names.zip(seen.sizes.iter().copied()).collect();
    CapacityReport::new(&seen.samples, (seen.size, seen.limit), (seen.level, seen.decision), now_ms())
        .with_databases(&sizes)
}

fn tell(seen: &Seen) {
    let report = body(seen);
    let (size, limit, ratio) = (report.size_bytes, report.limit_bytes, report.used_ratio);
    let full_at = report.full_at.map(|day| day.to_string()).unwrap_or_default();
    match seen.decision {
        CapacityDecision::Nothing => {}
        CapacityDecision::Warn => {
            tracing::warn!(
                sizeBytes = size,
                limitBytes = limit,
                usedRatio = ratio,
                fullAt = full_at,
                "the database is 80 % full"
            );
        }
        CapacityDecision::ArchiveNow(day) => tracing::error!(
            sizeBytes = size,
            limitBytes = limit,
            usedRatio = ratio,
            emergencyArchive = %day,
            "the database is 90 % full: its oldest closed day is archived before its time"
        ),
        CapacityDecision::NothingToArchive => tracing::error!(
            sizeBytes = size,
            limitBytes = limit,
            usedRatio = ratio,
            "the database is 90 % full, and no closed day is left to be archived"
        ),
    }
}
