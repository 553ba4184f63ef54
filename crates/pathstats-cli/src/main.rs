//! `pathstats`, the command line: replays access logs into `POST /collect`, and generates
//! realistic traffic.

mod clock;
mod failure;
mod formats;
mod generate;
mod moment;
mod progress;
mod secrets;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Path statistics for HTTP traffic, from the command line.
#[derive(Debug, Parser)]
#[command(name = "pathstats", version, max_term_width = 100, after_help = "\
Examples:
  pathstats generate --events 100000 --out traffic.jsonl.gz
  pathstats replay traffic.jsonl.gz
  pathstats replay --shift-to now '/var/log/nginx/access.log*'")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::GenerateArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Generate(args) => generate::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("pathstats: {failure}");
        ExitCode::FAILURE
    })
}
