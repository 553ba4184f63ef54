//! Messages to the queue, or to the outbox when the queue refuses.

use std::hash::{DefaultHasher, Hash, Hasher};

use pathstats_edge::bindings::{D1, TRAFFIC_QUEUE};
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_edge::usage::{count, queue_units};
use pathstats_model::cost::Operation;
use wasm_bindgen::JsValue;
use worker::{BatchMessageBuilder, Env, QueueContentType, RawMessageBuilder, Result};

/// Where messages ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The queue has them all.
    Queued,
    /// The queue refused some; the outbox has those.
    InOutbox,
    /// Queue and outbox refused some. They are durable nowhere.
    Refused,
}

/// Sends messages, each list of them in one call. `id` is the first event's. A message kept twice is
/// one row of the outbox. Again, after an answer that was lost: the same events are counted once.
pub async fn deliver(env: &Env, id: &str, sends: &[Vec<String>]) -> Delivered {
    let mut delivered = Delivered::Queued;
    for send in sends {
        let Err(refused) = queue(env, send).await else { continue };
        tracing::warn!(error = %refused, "the queue refused, so messages go to the outbox");
        let rows: Vec<(String, &str)> =
            send.iter().map(|message| (outbox_id(id, message), message.as_str())).collect();
        let kept = match env.d1(D1) {
            Ok(d1) => Database::new(d1).keep_in_outbox(&rows, now_ms()).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => delivered = Delivered::InOutbox,
            Err(error) => {
                tracing::error!(%error, "the outbox refused too");
                return Delivered::Refused;
            }
        }
    }
    delivered
}

/// Names a message by its first event, so that the oldest are drained first, and by its text: bodies
/// that begin with the same event may go on differently, and each must be kept.
fn outbox_id(first: &str, message: &str) -> String {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    format!("{first}/{:016x}", hasher.finish())
}

async fn queue(env: &Env, messages: &[String]) -> Result<()> {
    let queue = env.queue(TRAFFIC_QUEUE)?;
    let text = |message: &String| {
        // Text crosses as it is; JSON would be parsed and serialised once more on each side.
        RawMessageBuilder::new(JsValue::from_str(message)).build_with_content_type(QueueContentType::Text)
    };
    match messages {
        [] => {}
        [one] => queue.send_raw(text(one)).await?,
        many => {
            queue.send_raw_batch(BatchMessageBuilder::new().messages(many.iter().map(text)).build()).await?;
        }
    }
    count(Operation::QueueWrites, messages.iter().map(|message| queue_units(message.len())).sum());
    Ok(())
}
