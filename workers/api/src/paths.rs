//! `GET /paths?limit=&sort=&refresh=true`.

use pathstats_edge::clock::now_ms;
use pathstats_edge::http;
use pathstats_model::api::given::Given;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::{staleness_seconds, DataSource};
use pathstats_model::hour::{iso_time, HourBucket};
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::{PathSummary, Sort};
use serde::Serialize;
use worker::{Context, Env, Response, Result};

use crate::tiers;

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
pub async fn answer(given: &Given, env: &Env, context: &Context, config: &ApiConfig) -> Result<Response> {
    let parameters = match Parameters::read(given) {
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

impl Parameters {
    fn read(given: &Given) -> core::result::Result<Self, Problem> {
        const { assert!(SNAPSHOT_PATHS == 100) };
        Ok(Self {
            limit: given.number("limit", 100, 1..=100)? as usize,
            sort: given.optional("sort", Sort::NAMES, Sort::from_name)?.unwrap_or_default(),
            refresh: given.flag("refresh")?,
        })
    }
}
