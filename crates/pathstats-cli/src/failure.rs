//! [`Failure`]: why the program stops, in words for the person who runs it.

use std::fmt::Display;

/// Ends the program with exit code 1: wrong usage, a file that cannot be read or written, or a
/// destination that refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A failure to do something, and its cause: `cannot open access.log: No such file`.
    pub fn cannot(what: impl Display, cause: impl Display) -> Self {
        Self(format!("cannot {what}: {cause}"))
    }
}
