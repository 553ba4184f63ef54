//! `GET /paths?limit=&sort=&refresh=true`.

use pathstats_edge::clock::now_ms;
use pathstats_edge::http;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::{staleness_seconds, DataSource};
use pathstats_model::hour::{iso_time, HourBucket};
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::{PathSummary, Sort};
use serde::Serialize;
use worker::{Context, Env, Request, Response, Result};

use crate::tiers;

/// Most characters of a query.
const MAX_QUERY_CHARS: usize = 1_000;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    /// When the snapshot was made, ISO 8601 in UTC.
    last_updated: String,
    version: u64,
    data_source: DataSource,
    stale: bool,
    staleness_seconds: i64,
    /// First and last hour covered, UTC.
    from: HourBucket,
    to: HourBucket,
    paths: &'a [PathSummary],
}

#[derive(Debug, PartialEq)]
struct Parameters {
    limit: usize,
    sort: Sort,
    refresh: bool,
}

/// The busiest paths of the last 24 hours.
pub async fn answer(request: &Request, env: &Env, context: &Context, config: &ApiConfig) -> Result<Response> {
    let url = request.url()?;
    let parameters = match parameters(&url) {
        Ok(parameters) => parameters,
        Err(problem) => return http::problem(&problem),
    };
    let mut found = tiers::find(env, context, config.fresh_for_ms, parameters.refresh).await?;
    parameters.sort.apply(&mut found.snapshot.paths);
    found.snapshot.paths.truncate(parameters.limit);
    let snapshot = &found.snapshot;
    http::json(
        200,
        &Answer {
            last_updated: iso_time(snapshot.updated_at),
            version: snapshot.version,
            data_source: found.source,
            stale: found.stale,
            staleness_seconds: staleness_seconds(snapshot.updated_at, now_ms()),
            from: snapshot.from,
            to: snapshot.to,
            paths: &snapshot.paths,
        },
    )
}

fn parameters(url: &worker::Url) -> core::result::Result<Parameters, Problem> {
    if url.query().is_some_and(|query| query.len() > MAX_QUERY_CHARS) {
        return Err(Problem::new(400, "query_too_long", "The query is too long", "at most 1000 characters"));
    }
    let mut parameters = Parameters { limit: SNAPSHOT_PATHS, sort: Sort::default(), refresh: false };
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "limit" => {
                parameters.limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=SNAPSHOT_PATHS).contains(limit))
                    .ok_or_else(|| Problem::parameter("limit", &value, "a whole number from 1 to 100"))?;
            }
            "sort" => {
                parameters.sort =
                    Sort::from_name(&value).ok_or_else(|| Problem::parameter("sort", &value, Sort::NAMES))?;
            }
            "refresh" => {
                parameters.refresh = match value.as_ref() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Problem::parameter("refresh", &value, "true or false")),
                };
            }
            other => {
                return Err(Problem::new(
                    400,
                    "unknown_parameter",
                    "A parameter is not known",
                    format!(
                        "parameter `{}`: expected limit, sort or refresh",
                        pathstats_model::event::cut(other, 80)
                    ),
                ));
            }
        }
    }
    Ok(parameters)
}
