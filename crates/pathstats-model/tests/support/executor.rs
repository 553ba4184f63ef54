//! Runs tasks side by side, and lets a choice of numbers decide whose turn it is at each await.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Something under way.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One await: whoever else is under way may run now.
pub async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|_| {
        if paused {
            Poll::Ready(())
        } else {
            paused = true;
            Poll::Pending
        }
    })
    .await;
}

/// Runs all tasks to their ends; `choose(n)` picks one of `n` for each step.
pub fn interleave(mut tasks: Vec<Task<'_>>, mut choose: impl FnMut(usize) -> usize) {
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        let turn = choose(tasks.len());
        if tasks[turn].as_mut().poll(&mut context).is_ready() {
            drop(tasks.swap_remove(turn));
        }
    }
}

/// Runs one future that meets nobody else.
pub fn alone<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
