//! `GET /admin/sharding` and `POST /admin/sharding/reshard`: over how many databases paths are spread, and from which day on.

use std::time::Duration;

use pathstats_edge::at_once::all_at_once;
use pathstats_edge::bindings::{EnvVariables, ARCHIVER, CONSUMER, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::databases::{binding, bound, every};
use pathstats_edge::http::{self, post, read_body, Body, Response};
use pathstats_edge::layout_store::LayoutStore;
use pathstats_edge::queues;
use pathstats_edge::worker_call::answered;
use pathstats_model::access::Identity;
use pathstats_model::alerts::notification::Place;
use pathstats_model::problem::Problem;
use pathstats_model::sharding::{
    Bound, ReshardOrder, Resharded, Shard, ShardingReport, BOUND_PATH, MAX_ORDER_BYTES, MAX_SHARDS,
};
use worker::{Env, Request, Result};

/// How long another Worker may take to count its bindings.
const BOUND_LIMIT: Duration = Duration::from_secs(10);

/// The layouts and the databases.
pub async fn show(env: &Env) -> Result<Response> {
    let place = match Place::from_variables(&EnvVariables(env)) {
        Ok(place) => place,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    let bound = match bound_everywhere(env).await {
        Ok(bound) => bound,
        Err(problem) => return http::problem(&problem),
    };
    let read = async {
        let layouts = LayoutStore::new(env.d1(D1)?).read().await?;
        let each = Shard::first(MAX_SHARDS).map(binding).zip(every(env)?);
        let reports = each.map(|(name, d1)| async move { LayoutStore::new(d1).report(name).await });
        let databases = all_at_once(reports).await?;
        Ok(ShardingReport::new(&layouts, (bound, queues::count(env)), databases, &place, now_ms()))
    };
    match read.await {
        Ok(report) => http::json(200, &report),
        Err(error) => unreadable(&error),
    }
}

/// Publishes a layout.
pub async fn reshard(request: &mut Request, identity: Option<&Identity>, env: &Env) -> Result<Response> {
    let Body::Bytes(body) = read_body(request, MAX_ORDER_BYTES).await? else {
        return http::problem(&Problem::too_large("the body of an order", MAX_ORDER_BYTES));
    };
    let order = match ReshardOrder::read(&body) {
        Ok(order) => order,
        Err(problem) => return http::problem(&problem),
    };
    // 1. Every Worker that places or reads rows must reach every database. A deploy that takes one away from
    //    them later is the operator's: see the scaling runbook.
    let bound = match bound_everywhere(env).await {
        Ok(bound) => bound,
        Err(problem) => return http::problem(&problem),
    };
    // 2. What there is now, not a copy. Reads only.
    let store = LayoutStore::new(env.d1(D1)?);
    let layouts = match store.read().await {
        Ok(layouts) => layouts,
        Err(error) => return unreadable(&error),
    };
    let now = now_ms();
    let publication = match order.check(&layouts, bound, now) {
        Ok(publication) => publication,
        Err(problem) => return http::problem(&problem),
    };
    if order.dry_run {
        return http::json(200, &Resharded::new(publication, false));
    }
    // 3. One row, unless another order came between. Dying behind it, the layout is published all the same:
    //    asked again, there is nothing to change.
    let by = identity.map_or("unknown", |identity| identity.name.as_str());
    match store.publish(publication.layout, by, now).await {
        Ok(true) => http::json(200, &Resharded::new(publication, true)),
        Ok(false) => {
            let detail = "another layout was published meanwhile: look at the layouts, and ask again";
            http::problem(&Problem::new(409, "meanwhile", "The databases cannot be resharded so", detail))
        }
        Err(error) => unreadable(&error),
    }
}

/// How many databases the api, the consumer and the archiver all reach.
async fn bound_everywhere(env: &Env) -> core::result::Result<u8, Problem> {
    let mut least = bound(env);
    for (name, binding) in [("consumer", CONSUMER), ("archiver", ARCHIVER)] {
        let call = async { env.service(binding)?.fetch_request(post(BOUND_PATH, &[])?).await };
        least = least.min(answered::<Bound>(name, BOUND_LIMIT, call).await?.databases);
    }
    Ok(least)
}

fn unreadable(error: &worker::Error) -> Result<Response> {
    tracing::error!(%error, "the layouts cannot be read or written");
    http::problem(&Problem::database_unreadable())
}
