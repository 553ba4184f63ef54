//! `pathstats archive`: reads archives of raw events, offline.
//!
//! `source` finds and downloads files, `events` reads them in either format, `members` takes gzip
//! apart. Each command is a file of its own.

mod cat;
mod csv;
pub mod events;
mod expected;
mod list;
mod members;
pub mod source;
mod stats;
mod table;
pub mod verify;

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// The exit code when an archive is not what it should be.
pub const NOT_AS_IT_SHOULD_BE: u8 = 2;

/// Lists, checks, prints and sums up archives of raw events.
///
/// Reads both formats, .jsonl.gz and .parquet, told by a file's first bytes. Nothing but the files is
/// needed: no account, no network.
// Doc comments here are the text of --help: backticks would show.
#[derive(Debug, Args)]
#[command(after_help = "\
URLs (http, https) are downloaded to a temporary file first. Where they ask for a token, it comes
from $ARCHIVE_TOKEN or --token-file, never from an argument.

Exit codes: 0 fine; 1 the usage, a file that cannot be opened or a download; 2 an archive is not
what it should be.

Examples:
  pathstats archive list backup/
  pathstats archive verify backup/events-archive/2025/10/2025-10-15.*
  pathstats archive cat --path /api/orders --status 5xx 2025-10-15.parquet
  pathstats archive stats --sort p99 --limit 10 2025-10-15.jsonl.gz")]
pub struct ArchiveArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Verify(verify::VerifyArgs),
    Cat(cat::CatArgs),
    Stats(stats::StatsArgs),
}

/// Runs the command. Gives the exit code.
pub fn run(args: &ArchiveArgs) -> Result<u8, Failure> {
    let mut out = Output(BufWriter::new(io::stdout().lock()));
    let result = match &args.command {
        Command::List(args) => list::run(args, &mut out),
        Command::Verify(args) => verify::run(args, &mut out),
        Command::Cat(args) => cat::run(args, &mut out),
        Command::Stats(args) => stats::run(args, &mut out),
    };
    let flushed = out.0.flush().map_err(Stopped::from);
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => Ok(code),
        Err(Stopped::Closed) => Ok(0),
        Err(Stopped::Failed(failure)) => Err(failure),
    }
}

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
