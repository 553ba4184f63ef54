//! Questions to the budgets of hours: a few from here, the rest in invocations of their own.

use futures_util::future::{join, join_all};
use pathstats_model::budget::call::{BudgetCall, BudgetReply, BUDGET_CHUNK_PATH, BUDGET_PATH};
use pathstats_model::budget::object_name;
use pathstats_model::calls::{decode_chunk, encode_chunk};
use pathstats_model::limits::{BUDGET_CALLS, CHUNK_CALLS};
use worker::{Fetcher, ObjectNamespace, Response, Result};

use crate::http::{post, post_to_object};

/// Asks each hour's object. All run at once; `None` for one that did not answer. Again: the same answer.
pub async fn ask_budgets(
    objects: &ObjectNamespace,
    consumer: &Fetcher,
    calls: &[BudgetCall<'_>],
) -> Vec<Option<BudgetReply>> {
    let (own, others) = calls.split_at(calls.len().min(BUDGET_CALLS));
    let own = join_all(own.iter().map(|call| async move {
        let reply = ask(objects, call, &call.encode()).await.and_then(|reply| read(&reply, call));
        reply.map_err(|error| tracing::warn!(%error, "the budget of an hour did not answer")).ok()
    }));
    let others = join_all(others.chunks(CHUNK_CALLS).map(|chunk| ask_elsewhere(consumer, chunk)));
    let (mut replies, others) = join(own, others).await;
    replies.extend(others.into_iter().flatten());
    replies
}

/// Calls that asking so many budgets takes from an invocation's.
#[must_use]
pub fn calls_spent(calls: usize) -> usize {
    calls.min(BUDGET_CALLS)
}

/// The other side of a chunk: asks its budgets. A reply of no bytes is one that failed.
///
/// # Errors
///
/// When the body is no chunk, or holds more calls than an invocation may make.
pub async fn ask_chunk(objects: &ObjectNamespace, body: &[u8]) -> core::result::Result<Vec<u8>, String> {
    let bodies = decode_chunk(body).map_err(|error| error.to_string())?;
    if bodies.len() > CHUNK_CALLS {
        return Err(format!("{} calls in one chunk: at most {CHUNK_CALLS}", bodies.len()));
    }
    let replies = join_all(bodies.into_iter().map(|body| async move {
        let call = BudgetCall::decode(body).map_err(|error| error.to_string())?;
        ask(objects, &call, body).await
    }))
    .await;
    let replies: Vec<Vec<u8>> = replies
        .into_iter()
        .map(|reply| {
            reply.unwrap_or_else(|error| {
                tracing::warn!(%error, "the budget of an hour did not answer");
                Vec::new()
            })
        })
        .collect();
    Ok(encode_chunk(replies.iter().map(Vec::as_slice)))
}

async fn ask(objects: &ObjectNamespace, call: &BudgetCall<'_>, body: &[u8]) -> Result<Vec<u8>> {
    let stub = objects.get_by_name(&object_name(call.hour))?;
    let mut response = Response::from(post_to_object(stub, BUDGET_PATH, body).await?);
    if response.status_code() != 200 {
        return Err(format!("{}: {}", call.hour, response.text().await?).into());
    }
    response.bytes().await
}

fn read(reply: &[u8], call: &BudgetCall<'_>) -> Result<BudgetReply> {
    BudgetReply::decode(reply, call.paths.len()).map_err(|error| error.to_string().into())
}

async fn ask_elsewhere(consumer: &Fetcher, chunk: &[BudgetCall<'_>]) -> Vec<Option<BudgetReply>> {
    let bodies: Vec<Vec<u8>> = chunk.iter().map(BudgetCall::encode).collect();
    let answer = async {
        let body = encode_chunk(bodies.iter().map(Vec::as_slice));
        let mut response = consumer.fetch_request(post(BUDGET_CHUNK_PATH, &body)?).await?;
        if response.status_code() != 200 {
            return Err(worker::Error::RustError(response.text().await?));
        }
        response.bytes().await
    };
    let replies = answer.await.and_then(|body| {
        let replies = decode_chunk(&body).map_err(|error| error.to_string())?;
        Ok(chunk.iter().zip(replies).map(|(call, reply)| read(reply, call).ok()).collect())
    });
    let mut replies: Vec<Option<BudgetReply>> = replies.unwrap_or_else(|error| {
        tracing::warn!(%error, "a chunk of budgets did not answer");
        Vec::new()
    });
    replies.resize(chunk.len(), None);
    replies
}
