//! The consumer: takes batches from the queue, stores raw events, and has each group counted by the
//! object of its path and hour.
//!
//! | what comes | where it goes |
//! | --- | --- |
//! | a batch of `traffic-events` | [`intake`] |
//! | a batch of `traffic-events-dlq` | [`intake`]: kept as dead letters |
//! | `POST /chunk`, `/budget-chunk`, from the consumer itself | the objects, in an invocation of its own |
//! | `POST /sharding/bound`, from the api | how many databases there are for it |
//! | `POST /dead-letters/replay`, `/dead-letters/discard`, from the api | [`dead_letters`] |
//! | the cron of every five minutes | [`upkeep`]: snapshot, outbox, [`ledger`] |
//!
//! The objects are [`AggregatorDO`](aggregator_object::AggregatorDO), one a path and hour,
//! [`PathBudgetDO`](budget_object::PathBudgetDO), one an hour, and
//! [`SnapshotDO`](snapshot_object::SnapshotDO), one, which makes the [`totals`] too.

mod aggregator_object;
mod budget_object;
mod dead_letters;
mod intake;
mod ledger;
mod settings;
mod snapshot_object;
mod totals;
mod upkeep;

use pathstats_edge::bindings::{counted_as, AGGREGATOR_DO, BUDGET_DO, DEAD_LETTER_QUEUE_ENDING};
use pathstats_edge::databases::bound;
use pathstats_edge::http::{self, Response};
use pathstats_edge::queue::{Batch, RawBatch};
use pathstats_edge::{budget_calls, fan_out, microtasks, telemetry, usage};
use pathstats_model::budget::call::BUDGET_CHUNK_PATH;
use pathstats_model::calls::CHUNK_PATH;
use pathstats_model::cost::Operation;
use pathstats_model::dead_letters::{DISCARD_PATH, REPLAY_PATH};
use pathstats_model::http::request_id::REQUEST_ID;
use pathstats_model::problem::Problem;
use pathstats_model::sharding::{Bound, BOUND_PATH};
use tracing::Instrument;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsValue;
use worker::{event, Context, Env, Method, Request, Result, ScheduleContext, ScheduledEvent};

/// An instance begins.
#[event(start)]
fn start() {
    microtasks::by_promises();
}

/// A batch of messages. Never fails: each message is settled on its own.
#[wasm_bindgen]
pub async fn queue(batch: RawBatch, env: Env, _context: JsValue) {
    telemetry::start(&env);
    usage::count(Operation::WorkerRequests, 1);
    let batch = Batch::new(batch);
    // A batch has no id of its own, and its first message has.
    let span = tracing::error_span!("batch", queue = batch.queue(), batchId = batch.first_id());
    let work = async {
        if batch.queue().ends_with(DEAD_LETTER_QUEUE_ENDING) {
            intake::keep_dead_letters(&batch, &env).await;
        } else {
            intake::take_in(&batch, &env).await;
        }
    };
    work.instrument(span).await;
    usage::settle(&env, counted_as::THE_CONSUMER).await;
}

/// A call of the consumer to itself, or of the api. Nobody else reaches it: it has no route.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    telemetry::start(&env);
    let id = request.headers().get(REQUEST_ID)?;
    telemetry::in_request_of(id, answer(request, env)).await
}

async fn answer(mut request: Request, env: Env) -> Result<Response> {
    let path = request.path();
    if request.method() != Method::Post {
        return http::problem(&Problem::not_found(&path));
    }
    let body = request.bytes().await?;
    match path.as_str() {
        CHUNK_PATH => chunk(fan_out::count_chunk(&env.durable_object(AGGREGATOR_DO)?, &body).await),
        BUDGET_CHUNK_PATH => chunk(budget_calls::ask_chunk(&env.durable_object(BUDGET_DO)?, &body).await),
        REPLAY_PATH => dead_letters::replay(&body, &env).await,
        BOUND_PATH => http::json(200, &Bound { databases: bound(&env) }),
        DISCARD_PATH => dead_letters::discard(&body, &env).await,
        _ => http::problem(&Problem::not_found(&path)),
    }
}

fn chunk(replies: core::result::Result<Vec<u8>, String>) -> Result<Response> {
    match replies {
        Ok(replies) => Ok(http::bytes(replies)),
        Err(detail) => http::problem(&Problem::new(400, "invalid_chunk", "The chunk cannot be read", detail)),
    }
}

/// The cron of every five minutes.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    telemetry::start(&env);
    usage::count(Operation::WorkerRequests, 1);
    if let Err(error) = upkeep::run(&env).await {
        tracing::error!(%error, "the cron failed");
    }
    usage::settle(&env, counted_as::THE_CONSUMER).await;
}
