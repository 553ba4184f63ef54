//! `pathstats`, the command line: replays access logs into `POST /collect`, generates realistic
//! traffic, reads archives and restores from them, tries rules of alerts on history, prints the
//! completeness ledger, tells what a load costs, and spreads paths over databases.

mod alerts;
mod api_client;
mod archive;
mod cardinality;
mod clock;
mod cost;
mod failure;
mod formats;
mod generate;
mod ledger;
mod moment;
mod output;
mod progress;
mod replay;
mod reshard;
mod restore;
mod secrets;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Path statistics for HTTP traffic, from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "pathstats",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  pathstats generate --events 100000 --out traffic.jsonl.gz
  pathstats replay traffic.jsonl.gz
  pathstats replay --shift-to now '/var/log/nginx/access.log*'
  pathstats archive verify backup/
  pathstats restore --to https://stats.example.com backup/
  pathstats alerts backtest --rules draft.json --url https://stats.example.com
  pathstats ledger --url https://stats.example.com --from 7d
  pathstats simulate --events-per-day 10000000"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::ReplayArgs),
    Generate(generate::GenerateArgs),
    Archive(archive::ArchiveArgs),
    Restore(restore::RestoreArgs),
    Alerts(alerts::AlertsArgs),
    Simulate(simulate::SimulateArgs),
    Cost(cost::CostArgs),
    Cardinality(cardinality::CardinalityArgs),
    Ledger(ledger::LedgerArgs),
    Reshard(reshard::ReshardArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version come this way too: they are no failure. Usage is 1, as every
            // failure that is not the log's.
            let failed = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(u8::from(failed));
        }
    };
    let result = match cli.command {
        Command::Replay(args) => replay::run(&args).map(ExitCode::from),
        Command::Archive(args) => archive::run(&args).map(ExitCode::from),
        Command::Restore(args) => restore::run(&args).map(ExitCode::from),
        Command::Alerts(args) => alerts::run(&args).map(ExitCode::from),
        Command::Simulate(args) => simulate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Cost(args) => cost::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Cardinality(args) => cardinality::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Ledger(args) => ledger::run(&args).map(ExitCode::from),
        Command::Reshard(args) => reshard::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Generate(args) => generate::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("pathstats: {failure}");
        ExitCode::FAILURE
    })
}
