//! Messages to the queue, or to the outbox when the queue refuses.

use std::hash::{DefaultHasher, Hash, Hasher};

use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::database::Database;
use pathstats_edge::queues;
use pathstats_edge::usage::{count, queue_units};
use pathstats_model::cost::Operation;
use pathstats_model::message::pack;
use pathstats_model::sharding::queue_of;
use pathstats_model::TrafficEvent;
use wasm_bindgen::JsValue;
use worker::{BatchMessageBuilder, Env, QueueContentType, RawMessageBuilder, Result};

/// Where messages ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivered {
    /// The queue has them all.
    Queued,
    /// The queue refused some; the outbox has those.
    InOutbox,
    /// Queue and outbox refused some. They are durable nowhere.
    Refused,
}

/// Sends events, packed, each to the queue of its path. Of several ends the worst is told. Again, after an
/// answer that was lost: the same events are counted once.
///
/// # Errors
///
/// Never: an event always serialises.
pub async fn deliver_events(env: &Env, events: &[TrafficEvent]) -> Result<Delivered> {
    let queues = queues::count(env);
    let mut delivered = Delivered::Queued;
    for queue in 0..queues {
        // A batch that meets few paths makes few calls: so a path keeps to its queue.
        let own = || events.iter().filter(|event| queues == 1 || queue_of(&event.path, queues) == queue);
        let Some(first) = own().next() else { continue };
        delivered = delivered.max(deliver(env, queue, &first.id.to_string(), &pack(own())?).await);
        if delivered == Delivered::Refused {
            break;
        }
    }
    Ok(delivered)
}

/// Sends one event to the queue of its path.
pub(crate) async fn deliver_event(env: &Env, event: &TrafficEvent, message: String) -> Delivered {
    let queue = queue_of(&event.path, queues::count(env));
    deliver(env, queue, &event.id.to_string(), &[vec![message]]).await
}

/// Sends messages, each list of them in one call. `id` is the first event's. A message kept twice is
/// one row of the outbox.
async fn deliver(env: &Env, place: u8, id: &str, sends: &[Vec<String>]) -> Delivered {
    let mut delivered = Delivered::Queued;
    for send in sends {
        let Err(refused) = queue(env, place, send).await else { continue };
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

async fn queue(env: &Env, place: u8, messages: &[String]) -> Result<()> {
    let queue = queues::queue(env, place)?;
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
