//! Futures of one kind, run at once.

use core::future::{poll_fn, Future};
use core::pin::Pin;
use core::task::Poll;

use worker::Result;

/// Runs all of them to their end, also when one fails, and gives what they gave, in order.
///
/// They are few, one a database or so, and each is polled whenever any wakes. They are boxed: an executor for each
/// kind of future, as those of `futures` are, is a tenth of a Worker's script.
pub async fn at_once<'a, T>(futures: impl IntoIterator<Item: Future<Output = T> + 'a>) -> Vec<T> {
    let boxed = futures.into_iter().map(|future| Box::pin(future) as Pin<Box<dyn Future<Output = T> + 'a>>);
    run(boxed.collect()).await
}

/// The same of what may fail: all they gave, or the first failure.
///
/// # Errors
///
/// The first of theirs, in order.
pub async fn all_at_once<'a, T>(
    futures: impl IntoIterator<Item: Future<Output = Result<T>> + 'a>,
) -> Result<Vec<T>> {
    at_once(futures).await.into_iter().collect()
}

async fn run<'a, T>(mut futures: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>) -> Vec<T> {
    let mut given: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, given) in futures.iter_mut().zip(&mut given) {
            if given.is_none() {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    *given = Some(value);
                }
            }
        }
        if given.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    given.into_iter().flatten().collect()
}
