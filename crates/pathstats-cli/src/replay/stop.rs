//! A request to stop, which waits listen to.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Shared by all threads of a run.
#[derive(Debug, Default)]
pub struct Stop {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks everyone to stop.
    pub fn request(&self) {
        *self.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether someone asked.
    pub fn is_requested(&self) -> bool {
        *self.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until someone asks. Says whether someone did.
    pub fn wait(&self, duration: Duration) -> bool {
        let requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(requested, duration, |requested| !*requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
