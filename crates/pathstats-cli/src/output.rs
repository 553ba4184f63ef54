//! Standard output, whose reader may stop reading.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use crate::failure::Failure;

/// Standard output.
pub struct Output<'a>(BufWriter<StdoutLock<'a>>);

impl Output<'_> {
    /// Prints a line.
    pub fn line(&mut self, line: impl Display) -> Result<(), Stopped> {
        writeln!(self.0, "{line}").map_err(Stopped::from)
    }

    /// Prints a value as a line of JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Stopped> {
        let json = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?;
        self.line(json)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub enum Stopped {
    /// Who reads the output, as `head` does, wants no more of it: that is no error.
    Closed,
    /// It cannot go on.
    Failed(Failure),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(Failure::cannot("write to standard output", error)),
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs a command that prints. Gives its exit code.
pub fn printing(command: impl FnOnce(&mut Output<'_>) -> Result<u8, Stopped>) -> Result<u8, Failure> {
    let mut out = Output(BufWriter::new(io::stdout().lock()));
    let result = command(&mut out);
    let flushed = out.0.flush().map_err(Stopped::from);
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => Ok(code),
        Err(Stopped::Closed) => Ok(0),
        Err(Stopped::Failed(failure)) => Err(failure),
    }
}
