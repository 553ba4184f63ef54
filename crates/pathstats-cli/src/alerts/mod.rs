//! `pathstats alerts`: the rules of alerts, and draft rules over history.

mod backtest;
mod history;

use clap::{Args, Subcommand};
use pathstats_model::alerts::rules::RuleSet;

use crate::failure::Failure;
use crate::output::{printing, Output, Stopped};

/// The exit code when a file is not what it should be.
const NOT_AS_IT_SHOULD_BE: u8 = 2;

/// Prints the rules of alerts, and runs draft rules over history.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 fine; 1 the usage, a file that cannot be opened or the API; 2 the rules or the history
are not what they should be.

Examples:
  pathstats alerts rules > draft.json
  pathstats alerts backtest --rules draft.json --url http://localhost:8788 --from 7d
  pathstats alerts backtest --rules draft.json --history week.json --json")]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rules(RulesArgs),
    Backtest(backtest::BacktestArgs),
}

/// Prints the built-in rules, as a draft to begin with.
#[derive(Debug, Args)]
struct RulesArgs {}

/// Runs the command. Gives the exit code.
pub fn run(args: &AlertsArgs) -> Result<u8, Failure> {
    printing(|out| match &args.command {
        Command::Rules(RulesArgs {}) => rules(out),
        Command::Backtest(args) => backtest::run(args, out),
    })
}

fn rules(out: &mut Output<'_>) -> Result<u8, Stopped> {
    out.line(RuleSet::built_in().to_json())?;
    Ok(0)
}
