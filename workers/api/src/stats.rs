//! `GET /paths/stats`: one path over time.

use core::future::Future;

use pathstats_edge::answer_cache::KeptAnswer;
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::Databases;
use pathstats_edge::http::{self, Response};
use pathstats_edge::series_store::{Of, SeriesStore};
use pathstats_edge::telemetry;
use pathstats_model::api::answers::{Filters, StatsAnswer};
use pathstats_model::api::given::Given;
use pathstats_model::api::period::Period;
use pathstats_model::api::series::{Rows, Series};
use pathstats_model::budget::names_a_row;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::{FROM_CACHE, FROM_D1};
use pathstats_model::http::etag::of_body;
use pathstats_model::problem::Problem;
use pathstats_model::PathHourStats;
use serde::Serialize;
use worker::{Context, Env, ResponseBody, Result};

struct Parameters {
    path: String,
    period: Period,
    filters: Filters,
    compare: bool,
}

impl Parameters {
    fn read(given: &Given, now_ms: i64) -> core::result::Result<Self, Problem> {
        let expected = "a path that begins with '/', 512 characters at most, or `(other)` or `(not found)`";
        let path = given.required("path", expected, |text| names_a_row(text).then(|| text.to_owned()))?;
        Ok(Self {
            path,
            period: Period::read(given, now_ms)?,
            filters: Filters::read(given)?,
            compare: compares(given)?,
        })
    }
}

/// Whether the period before is asked for too.
pub fn compares(given: &Given) -> core::result::Result<bool, Problem> {
    let compare = given.optional("compare", "none or previous", |text| match text {
        "none" => Some(false),
        "previous" => Some(true),
        _ => None,
    })?;
    Ok(compare.unwrap_or(false))
}

/// The series of a path.
pub async fn answer(
    given: &Given,
    query: &str,
    env: &Env,
    context: &Context,
    config: &ApiConfig,
) -> Result<Response> {
    let now = now_ms();
    let parameters = match Parameters::read(given, now) {
        Ok(parameters) => parameters,
        Err(problem) => return http::problem(&problem),
    };
    let kept = KeptAnswer::new("/paths/stats", query, config.fresh_for_ms);
    kept_or_made(kept, context, read(parameters, env, now)).await
}

/// What the cache has, or what is made now, and kept behind the answer. Dying there, the next one makes
/// it again.
pub async fn kept_or_made<T: Serialize>(
    kept: KeptAnswer,
    context: &Context,
    make: impl Future<Output = Result<T>>,
) -> Result<Response> {
    if let Some(response) = kept.get().await {
        return Ok(response);
    }
    let answer = match make.await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, "a series cannot be read");
            return http::problem(&Problem::database_unreadable());
        }
    };
    let text = serde_json::to_string(&answer)?;
    let Some(rest) = text.strip_prefix(FROM_D1) else {
        return Ok(http::text_with_tag(text));
    };
    let packed = http::gzip::pack(rest.as_bytes()).await?;
    // Where it came from makes it no other answer. A series of ninety days is ten times as long unpacked.
    let tag = of_body(packed.deflated());
    let response =
        http::packed_json(ResponseBody::Body(packed.beginning_with(FROM_D1.as_bytes())), tag.clone());
    context.wait_until(telemetry::behind_request(async move {
        kept.put(packed.beginning_with(FROM_CACHE.as_bytes()), &tag).await;
    }));
    Ok(response)
}

async fn read(parameters: Parameters, env: &Env, now_ms: i64) -> Result<StatsAnswer> {
    let Parameters { path, period, filters, compare } = parameters;
    let store = SeriesStore::new(Databases::open(env).await?);
    let of = Of::Path(&path);
    let (made, updated_at) = series(&store, of, &period, filters, now_ms).await?;
    let previous = if compare {
        Some(series(&store, of, &period.previous(), filters, now_ms).await?.0 .0)
    } else {
        None
    };
    Ok(StatsAnswer { previous, ..StatsAnswer::new(path, &period, filters, updated_at, made) })
}

/// A series with the statistics of its total, and when its newest row was written.
pub async fn series(
    store: &SeriesStore,
    of: Of<'_>,
    period: &Period,
    filters: Filters,
    now_ms: i64,
) -> Result<((Series, PathHourStats), Option<i64>)> {
    let rows = store.rows(of, period, filters).await?;
    let made = Series::new(period, filters, &rows, now_ms).map_err(|error| error.to_string())?;
    Ok((made, rows.iter().filter_map(Rows::last_updated).max()))
}
