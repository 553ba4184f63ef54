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
pub mod table;
pub mod verify;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::printing;
pub use crate::output::{Output, Stopped};

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
    printing(|out| match &args.command {
        Command::List(args) => list::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Cat(args) => cat::run(args, out),
        Command::Stats(args) => stats::run(args, out),
    })
}
