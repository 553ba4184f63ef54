//! The queues that events take. The first is bound as `TRAFFIC_QUEUE`, further ones as `TRAFFIC_QUEUE_1`,
//! `TRAFFIC_QUEUE_2` and so on without a gap. Which one an event takes changes nothing but the load.

use pathstats_model::health::QueueState;
use worker::{Env, Queue, Result};

use crate::at_once::all_at_once;
use crate::bindings::TRAFFIC_QUEUE;
use crate::{databases, queue};

/// How many there are.
#[must_use]
pub fn count(env: &Env) -> u8 {
    databases::count(env, TRAFFIC_QUEUE)
}

/// One of them, counted from 0.
///
/// # Errors
///
/// When it is not bound.
pub fn queue(env: &Env, place: u8) -> Result<Queue> {
    match place {
        0 => env.queue(TRAFFIC_QUEUE),
        place => env.queue(&format!("{TRAFFIC_QUEUE}_{place}")),
    }
}

/// What waits in all of them together.
///
/// # Errors
///
/// When one of them does not tell.
pub async fn state(env: &Env) -> Result<QueueState> {
    let each = (0..count(env)).map(|place| async move { queue::state(&queue(env, place)?).await });
    let states = all_at_once(each).await?;
    Ok(states.into_iter().fold(QueueState::default(), QueueState::and))
}
