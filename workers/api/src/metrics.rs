//! `GET /paths/metrics` and `GET /paths/search`: every path together, and any path.

use pathstats_edge::answer_cache::KeptAnswer;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::Databases;
use pathstats_edge::http::{self, Response};
use pathstats_edge::path_sums::PathSums;
use pathstats_edge::series_store::{Of, SeriesStore};
use pathstats_edge::totals::Detail;
use pathstats_model::api::answers::{Filters, SearchAnswer};
use pathstats_model::api::given::Given;
use pathstats_model::api::metrics::{ChangedPath, MetricsAnswer, Surroundings};
use pathstats_model::api::period::Period;
use pathstats_model::api::search::{After, Search};
use pathstats_model::cells::StatusClass;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::DataSource;
use pathstats_model::hour::{iso_time, HourBucket};
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::hours;
use pathstats_model::PathHourStats;
use worker::{Context, Env, Result};

use crate::stats::{compares, kept_or_made, series};
use crate::tiers;

struct Parameters {
    period: Period,
    compare: bool,
    objective: f64,
}

impl Parameters {
    fn read(given: &Given, now_ms: i64, objective: f64) -> core::result::Result<Self, Problem> {
        let share = |text: &str| text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
        Ok(Self {
            period: Period::read(given, now_ms)?,
            compare: compares(given)?,
            objective: given.optional("objective", "a share such as 0.999", share)?.unwrap_or(objective),
        })
    }
}

/// The metrics of the whole system.
pub async fn answer(
    given: &Given,
    query: &str,
    env: &Env,
    context: &Context,
    config: &ApiConfig,
) -> Result<Response> {
    let now = now_ms();
    let parameters = match Parameters::read(given, now, config.error_objective) {
        Ok(parameters) => parameters,
        Err(problem) => return http::problem(&problem),
    };
    let kept = KeptAnswer::new("/paths/metrics", query, config.fresh_for_ms);
    kept_or_made(kept, context, read(parameters, env, context, config, now)).await
}

async fn read(
    Parameters { period, compare, objective }: Parameters,
    env: &Env,
    context: &Context,
    config: &ApiConfig,
    now_ms: i64,
) -> Result<MetricsAnswer> {
    let databases = Databases::open(env).await?;
    let store = SeriesStore::new(databases.clone());
    let ((made, _), updated_at) = series(&store, Of::System, &period, Filters::default(), now_ms).await?;
    let previous = if compare {
        let before = series(&store, Of::System, &period.previous(), Filters::default(), now_ms).await?;
        Some(before.0 .0)
    } else {
        None
    };
    let ended = HourBucket::from_ms(now_ms).plus(-1);
    let sums = PathSums::of(&databases, ended.plus(-47), ended.plus(1))?;
    let two_days = sums.two_days(ended.plus(-47), ended.plus(-23), ended).await?;
    let around = Surroundings {
        paths: tiers::find(env, context, config.fresh_for_ms, false).await?.snapshot.paths.clone(),
        changed: ChangedPath::list(two_days.iter().map(|(path, now, before)| (path.as_str(), *now, *before))),
        last_hour: last_hour(&sums, ended).await?,
    };
    Ok(MetricsAnswer::new(&period, objective, updated_at, (made, previous), around))
}

/// Requests and server errors of the last hour that has ended and the one that has not: an hour at
/// least, once there is traffic.
async fn last_hour(sums: &PathSums, ended: HourBucket) -> Result<(u64, u64)> {
    let mut counts = (0, 0);
    for total in sums.hourly_totals(ended, ended.plus(1), Detail::Head).await? {
        let head =
            PathHourStats::head(&total.sketches.unwrap_or_default()).map_err(|error| error.to_string())?;
        counts.0 += head.counters.requests;
        counts.1 += head.cells.events(None, Some(StatusClass::ServerError));
    }
    Ok(counts)
}

/// Any path of the last 24 hours.
pub async fn search(given: &Given, env: &Env) -> Result<Response> {
    let search = match Search::read(given) {
        Ok(search) => search,
        Err(problem) => return http::problem(&problem),
    };
    let now = now_ms();
    let (from, to) = hours(now);
    let found =
        async { PathSums::of(&Databases::open(env).await?, from, to)?.search(from, to, &search).await };
    match found.await {
        Ok(mut paths) => {
            let limit = search.limit as usize;
            let more = paths.len() > limit;
            paths.truncate(limit);
            let last = paths.last().filter(|_| more);
            let next_cursor =
                last.map(|last| After { requests: last.requests, path: last.path.clone() }.cursor());
            let last_updated = iso_time(now);
            let data_source = DataSource::D1;
            http::json(200, &SearchAnswer { from, to, data_source, last_updated, paths, next_cursor })
        }
        Err(error) => {
            tracing::error!(%error, "paths cannot be searched");
            http::problem(&Problem::database_unreadable())
        }
    }
}
