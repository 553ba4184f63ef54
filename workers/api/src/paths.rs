//! `GET /paths?limit=&sort=&refresh=true`.

use std::cell::RefCell;
use std::rc::Rc;

use pathstats_edge::analytics;
use pathstats_edge::answer_cache::{recall, remember};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Response};
use pathstats_model::analytics::DataPoint;
use pathstats_model::api::answers::{Accuracy, PathsAnswer};
use pathstats_model::api::given::Given;
use pathstats_model::config::ApiConfig;
use pathstats_model::freshness::{remembered_until, staleness_seconds};
use pathstats_model::hour::iso_time;
use pathstats_model::http::etag;
use pathstats_model::http::gzip::PackedRest;
use pathstats_model::limits::SNAPSHOT_PATHS;
use pathstats_model::problem::Problem;
use pathstats_model::recent::Recent;
use pathstats_model::snapshot::{Snapshot, Sort};
use worker::{Context, Env, ResponseBody, Result};

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
    let question = format!("{} {:?}", parameters.limit, parameters.sort);
    if !parameters.refresh {
        if let Some(response) = recall(&question) {
            return Ok(response);
        }
    }
    let found = tiers::find(env, context, config.fresh_for_ms, parameters.refresh).await?;
    let snapshot = &found.snapshot;
    let point = DataPoint::answer(found.source, found.stale, snapshot.updated_at, now_ms());
    analytics::write(env, &point);
    // Its age grows by the second and its source is this data centre's business: neither makes it another answer.
    let tag = etag::of_version(snapshot.version, &format!("{question} {}", found.stale));
    let answer = PathsAnswer {
        last_updated: iso_time(snapshot.updated_at),
        version: snapshot.version,
        data_source: found.source,
        stale: found.stale,
        staleness_seconds: staleness_seconds(snapshot.updated_at, now_ms()),
        from: snapshot.from,
        to: snapshot.to,
        accuracy: Accuracy::new(),
        paths: Vec::new(),
    };
    let packed = pack(&answer, &parameters, &question, snapshot).await?;
    // What is stale is being refreshed, and what came from below the cache will come from there next.
    let until_ms = found.fresh_until_ms.and_then(|at| remembered_until(at, now_ms(), config.memory_ms));
    if let Some(until_ms) = until_ms {
        remember(&question, &packed, &tag, until_ms);
    }
    Ok(http::packed_json(ResponseBody::Body(packed), tag))
}

/// Questions whose paths this isolate keeps packed.
const MOST_PACKED: usize = 8;

/// A snapshot's version and time, and a question about it.
type PackedKey = (u64, i64, String);

thread_local! {
    static PACKED: RefCell<Recent<PackedKey, Rc<PackedRest>, MOST_PACKED>> =
        const { RefCell::new(Recent::new()) };
}

/// The whole answer as a file of gzip. The paths of a snapshot are packed once for a question: they are the
/// same whenever, and from whichever tier, it is answered.
async fn pack(
    answer: &PathsAnswer,
    parameters: &Parameters,
    question: &str,
    snapshot: &Snapshot,
) -> Result<Vec<u8>> {
    let key = (snapshot.version, snapshot.updated_at, question.to_owned());
    if let Some(paths) = PACKED.with_borrow(|all| all.find(|known| *known == key).map(Rc::clone)) {
        return Ok(paths.beginning_with(answer.parts(&[])?.0.as_bytes()));
    }
    let mut paths = snapshot.paths.clone();
    parameters.sort.apply(&mut paths);
    paths.truncate(parameters.limit);
    let (beginning, rest) = answer.parts(&paths)?;
    let paths = Rc::new(http::gzip::pack(rest.as_bytes()).await?);
    PACKED.with_borrow_mut(|all| all.put(key, Rc::clone(&paths)));
    Ok(paths.beginning_with(beginning.as_bytes()))
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
