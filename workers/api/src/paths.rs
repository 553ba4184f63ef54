//! `GET /paths?limit=&sort=&refresh=true`.

use pathstats_edge::clock::now_ms;
use pathstats_edge::http;
use pathstats_model::api::answers::{Accuracy, PathsAnswer};
use pathstats_model::api::given::Given;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::staleness_seconds;
use pathstats_model::hour::iso_time;
use pathstats_model::http::etag;
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::Sort;
use worker::{Context, Env, Response, Result};

use crate::tiers;

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
    // Its age grows by the second and its source is this data centre's business: neither makes it another answer.
    let asked = format!("{} {:?} {}", parameters.limit, parameters.sort, found.stale);
    let tag = etag::of_version(found.snapshot.version, &asked);
    let answer = http::json(
        200,
        &PathsAnswer {
            last_updated: iso_time(found.snapshot.updated_at),
            version: found.snapshot.version,
            data_source: found.source,
            stale: found.stale,
            staleness_seconds: staleness_seconds(found.snapshot.updated_at, now_ms()),
            from: found.snapshot.from,
            to: found.snapshot.to,
            accuracy: Accuracy::new(),
            paths: found.snapshot.paths,
        },
    )?;
    http::tagged(answer, &tag)
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
