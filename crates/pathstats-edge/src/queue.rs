//! The queue, as its raw JavaScript objects: `worker` hides `attempts`, and reading messages
//! through it lets one undecodable body fail a batch.

use std::cell::RefCell;

use pathstats_model::cost::Operation;
use pathstats_model::health::QueueState;
use pathstats_model::ingest::Delivery;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Error, Queue, Result};

use crate::usage::{count, queue_units};

#[wasm_bindgen]
extern "C" {
    /// A batch of messages.
    pub type RawBatch;

    #[wasm_bindgen(method, getter)]
    fn queue(this: &RawBatch) -> String;
    #[wasm_bindgen(method, getter)]
    fn messages(this: &RawBatch) -> js_sys::Array;
    #[wasm_bindgen(method, js_name = ackAll)]
    fn ack_all(this: &RawBatch);

    type RawMessage;

    #[wasm_bindgen(method, getter)]
    fn id(this: &RawMessage) -> String;
    #[wasm_bindgen(method, getter)]
    fn body(this: &RawMessage) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn timestamp(this: &RawMessage) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn attempts(this: &RawMessage) -> Option<f64>;
    #[wasm_bindgen(method)]
    fn ack(this: &RawMessage);
    #[wasm_bindgen(method)]
    fn retry(this: &RawMessage, options: &js_sys::Object);

    type RawQueue;

    #[wasm_bindgen(method, catch)]
    fn metrics(this: &RawQueue) -> core::result::Result<js_sys::Promise, JsValue>;

    type RawMetrics;

    #[wasm_bindgen(method, getter, js_name = backlogCount)]
    fn backlog_count(this: &RawMetrics) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = backlogBytes)]
    fn backlog_bytes(this: &RawMetrics) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = oldestMessageTimestamp)]
    fn oldest_message_timestamp(this: &RawMetrics) -> JsValue;
}

/// What waits in a queue, as the queue itself tells: `await queue.metrics()`, which `worker` lacks.
///
/// # Errors
///
/// When the platform has no metrics of queues, or does not answer.
pub async fn state(queue: &Queue) -> Result<QueueState> {
    let raw: &RawQueue = AsRef::<JsValue>::as_ref(queue).unchecked_ref();
    let metrics: RawMetrics = JsFuture::from(raw.metrics()?).await?.unchecked_into();
    let (Some(messages), Some(bytes)) = (metrics.backlog_count(), metrics.backlog_bytes()) else {
        return Err(Error::RustError("the queue tells neither messages nor bytes".to_owned()));
    };
    Ok(QueueState {
        messages: whole(messages),
        bytes: whole(bytes),
        oldest_ms: moment(&metrics.oldest_message_timestamp()),
    })
}

/// A date, or milliseconds. No message waits: 0, an invalid date, or nothing at all.
fn moment(value: &JsValue) -> Option<i64> {
    let ms = value.dyn_ref::<js_sys::Date>().map(js_sys::Date::get_time).or_else(|| value.as_f64())?;
    // A time in milliseconds is far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    (ms > 0.0).then_some(ms as i64)
}

/// A count as the platform tells it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

/// A batch, and what becomes of each of its messages.
#[derive(Debug)]
pub struct Batch {
    raw: RawBatch,
    messages: Vec<RawMessage>,
    /// What the queue bills for each message, once they were read.
    units: RefCell<Vec<u64>>,
}

impl core::fmt::Debug for RawBatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RawBatch")
    }
}

impl core::fmt::Debug for RawMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RawMessage")
    }
}

impl Batch {
    /// The batch that a queue handler was given.
    #[must_use]
    pub fn new(raw: RawBatch) -> Self {
        let messages = raw.messages().iter().map(JsCast::unchecked_into).collect();
        Self { raw, messages, units: RefCell::default() }
    }

    /// Name of the queue that it comes from.
    #[must_use]
    pub fn queue(&self) -> String {
        self.raw.queue()
    }

    /// Id of its first message.
    #[must_use]
    pub fn first_id(&self) -> String {
        self.messages.first().map(RawMessage::id).unwrap_or_default()
    }

    /// The messages. Asked for once: each is counted as read.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        let deliveries: Vec<Delivery> = self
            .messages
            .iter()
            .map(|message| Delivery {
                message_id: message.id(),
                body: body_text(&message.body()),
                failed_before: failed_before(message.attempts()),
            })
            .collect();
        let units: Vec<u64> = deliveries.iter().map(|delivery| queue_units(delivery.body.len())).collect();
        count(Operation::QueueReads, units.iter().sum());
        self.units.replace(units);
        deliveries
    }

    /// When the oldest of them was sent, in milliseconds.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.messages.iter().filter_map(|message| moment(&message.timestamp())).min()
    }

    /// Acknowledges all messages.
    pub fn acknowledge_all(&self) {
        count(Operation::QueueDeletes, self.units.borrow().iter().sum());
        self.raw.ack_all();
    }

    /// Acknowledges one message.
    pub fn acknowledge(&self, index: usize) {
        if let Some(message) = self.messages.get(index) {
            count(Operation::QueueDeletes, self.units.borrow().get(index).copied().unwrap_or(1));
            message.ack();
        }
    }

    /// Has one message delivered again after `delay_seconds`.
    pub fn retry(&self, index: usize, delay_seconds: u32) {
        if let Some(message) = self.messages.get(index) {
            let options = js_sys::Object::new();
            // Setting a property of a fresh object does not fail.
            let _ = js_sys::Reflect::set(&options, &"delaySeconds".into(), &delay_seconds.into());
            message.retry(&options);
        }
    }
}

/// The platform counts this delivery as the first attempt.
fn failed_before(attempts: Option<f64>) -> u32 {
    // Attempts are at most a hundred.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    attempts.map_or(0, |attempts| (attempts.max(1.0) as u32) - 1)
}

/// A body as text, whatever its content type: text as it is, bytes as UTF-8, anything else as JSON.
/// What has no text (a function, a cycle) becomes one that no event decodes from.
fn body_text(body: &JsValue) -> String {
    if let Some(text) = body.as_string() {
        return text;
    }
    let bytes = if body.is_instance_of::<js_sys::ArrayBuffer>() {
        Some(js_sys::Uint8Array::new(body).to_vec())
    } else {
        body.dyn_ref::<js_sys::Uint8Array>().map(js_sys::Uint8Array::to_vec)
    };
    match bytes {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => {
            js_sys::JSON::stringify(body).map_or_else(|_| "(a body without text)".to_owned(), String::from)
        }
    }
}
