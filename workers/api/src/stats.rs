//! `GET /paths/stats`: one path over time.

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::series_store::SeriesStore;
use pathstats_edge::{http, telemetry};
use pathstats_model::api::answers::{Filters, StatsAnswer};
use pathstats_model::api::given::Given;
use pathstats_model::api::period::Period;
use pathstats_model::api::series::Series;
use pathstats_model::event::check_path;
use pathstats_model::problem::Problem;
use pathstats_model::PathHourStats;
use worker::{Env, Response, Result};

struct Parameters {
    path: String,
    period: Period,
    filters: Filters,
    compare: bool,
}

impl Parameters {
    fn read(given: &Given, now_ms: i64) -> core::result::Result<Self, Problem> {
        let expected = "a path that begins with '/', 512 characters at most";
        let path =
            given.required("path", expected, |text| check_path(text).is_ok().then(|| text.to_owned()))?;
        let compare = given.optional("compare", "none or previous", |text| match text {
            "none" => Some(false),
            "previous" => Some(true),
            _ => None,
        })?;
        Ok(Self {
            path,
            period: Period::read(given, now_ms)?,
            filters: Filters::read(given)?,
            compare: compare.unwrap_or(false),
        })
    }
}

/// The series of a path.
pub async fn answer(given: &Given, env: &Env) -> Result<Response> {
    let now = now_ms();
    let parameters = match Parameters::read(given, now) {
        Ok(parameters) => parameters,
        Err(problem) => return http::problem(&problem),
    };
    match read(parameters, env, now).await {
        Ok(answer) => http::json_with_tag(&answer),
        Err(error) => {
            telemetry::error("the series of a path cannot be read", &error);
            http::problem(&Problem::database_unreadable())
        }
    }
}

async fn read(parameters: Parameters, env: &Env, now_ms: i64) -> Result<StatsAnswer> {
    let Parameters { path, period, filters, compare } = parameters;
    let store = SeriesStore::new(env.d1(D1)?);
    let (made, updated_at) = series(&store, &path, &period, filters, now_ms).await?;
    let previous = if compare {
        Some(series(&store, &path, &period.previous(), filters, now_ms).await?.0 .0)
    } else {
        None
    };
    Ok(StatsAnswer { previous, ..StatsAnswer::new(path, &period, filters, updated_at, made) })
}

async fn series(
    store: &SeriesStore,
    path: &str,
    period: &Period,
    filters: Filters,
    now_ms: i64,
) -> Result<((Series, PathHourStats), Option<i64>)> {
    let rows = store.path(path, period, filters).await?;
    let made = Series::new(period, filters, &rows, now_ms).map_err(|error| error.to_string())?;
    Ok((made, rows.last_updated()))
}
