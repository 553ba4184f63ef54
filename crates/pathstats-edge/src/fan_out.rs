//! Groups to their objects: at most 45 calls an invocation, the rest in invocations of their own.

use futures_util::future::{join, join_all};
use pathstats_model::calls::{
    decode_chunk, decode_replies, encode_chunk, encode_replies, CountCall, CountReply, CHUNK_PATH,
    COUNT_PATH, PROBE_PATH, REPLY_HEADER,
};
use pathstats_model::ingest::Group;
use pathstats_model::limits::CHUNK_CALLS;
use worker::{Fetcher, ObjectNamespace, Response, Result};

use crate::http::{post, post_to_object};

/// Counts each group in its object. The first `own_calls` are called from here; each further chunk of 45
/// goes to `consumer`, a binding of the consumer to itself, where it has an invocation's budget of
/// its own. All run at once. Again: the objects know the ids.
pub async fn count_groups(
    objects: &ObjectNamespace,
    consumer: &Fetcher,
    groups: &[Group],
    own_calls: usize,
) -> Vec<CountReply> {
    let calls: Vec<Vec<u8>> =
        groups.iter().map(|group| CountCall::encode(&group.key, group.row, &group.events)).collect();
    let (own, others) = calls.split_at(calls.len().min(own_calls));
    let own = call_all(objects, COUNT_PATH, own.iter().map(Vec::as_slice));
    let others = join_all(others.chunks(CHUNK_CALLS).map(|chunk| count_elsewhere(consumer, chunk)));
    let (mut replies, others) = join(own, others).await;
    replies.extend(others.into_iter().flatten());
    replies
}

/// Asks the object of each group which of its events it has counted, at most [`CHUNK_CALLS`] at once. Reads
/// only.
pub async fn probe_groups(objects: &ObjectNamespace, groups: &[Group]) -> Vec<CountReply> {
    let mut replies = Vec::with_capacity(groups.len());
    for chunk in groups.chunks(CHUNK_CALLS) {
        let calls: Vec<Vec<u8>> =
            chunk.iter().map(|group| CountCall::encode(&group.key, group.row, &group.events)).collect();
        replies.extend(call_all(objects, PROBE_PATH, calls.iter().map(Vec::as_slice)).await);
    }
    replies
}

/// The other side of a chunk: counts its groups and encodes their replies.
///
/// # Errors
///
/// When the body is no chunk, or holds more calls than an invocation may make.
pub async fn count_chunk(objects: &ObjectNamespace, body: &[u8]) -> core::result::Result<Vec<u8>, String> {
    let calls = decode_chunk(body).map_err(|error| error.to_string())?;
    if calls.len() > CHUNK_CALLS {
        return Err(format!("{} calls in one chunk: at most {CHUNK_CALLS}", calls.len()));
    }
    Ok(encode_replies(&call_all(objects, COUNT_PATH, calls.into_iter()).await))
}

async fn call_all<'a>(
    objects: &ObjectNamespace,
    path: &str,
    calls: impl Iterator<Item = &'a [u8]>,
) -> Vec<CountReply> {
    join_all(calls.map(|call| async move {
        call_one(objects, path, call).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a group was not counted");
            CountReply::Failed
        })
    }))
    .await
}

async fn call_one(objects: &ObjectNamespace, path: &str, body: &[u8]) -> Result<CountReply> {
    let call = CountCall::decode(body).map_err(|error| error.to_string())?;
    let stub = objects.get_by_name(call.name)?;
    let response = post_to_object(stub, path, body).await?;
    match response.headers().get(REPLY_HEADER)? {
        Some(reply) => CountReply::from_header(&reply).map_err(|error| error.to_string().into()),
        None => Err(format!("{}: {}", call.name, Response::from(response).text().await?).into()),
    }
}

async fn count_elsewhere(consumer: &Fetcher, chunk: &[Vec<u8>]) -> Vec<CountReply> {
    let body = encode_chunk(chunk.iter().map(Vec::as_slice));
    let answer = async {
        let mut response = consumer.fetch_request(post(CHUNK_PATH, &body)?).await?;
        if response.status_code() != 200 {
            return Err(worker::Error::RustError(response.text().await?));
        }
        response.bytes().await
    };
    match answer.await {
        Ok(replies) => decode_replies(&replies, chunk.len()),
        Err(error) => {
            tracing::warn!(%error, "a chunk of groups was not counted");
            vec![CountReply::Failed; chunk.len()]
        }
    }
}
