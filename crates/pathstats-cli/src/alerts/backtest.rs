//! `pathstats alerts backtest`: when draft rules would have fired.

use std::path::PathBuf;

use clap::Args;
use pathstats_model::alerts::backtest::{self, Backtest, Episode, RuleOutcome};
use pathstats_model::alerts::engine::Level;
use pathstats_model::alerts::rules::{RuleSet, MAX_RULES_BYTES};

use super::history::{self, Unread};
use super::NOT_AS_IT_SHOULD_BE;
use crate::failure::Failure;
use crate::output::{Output, Stopped};

/// Runs draft rules over history and tells when each would have fired.
///
/// A rules file is JSON, as `pathstats alerts rules` prints it. History is a file, JSON as
/// GET /admin/alerts/history answers it or a sample a line, or what the API has of a range.
// Doc comments here are the text of --help: backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
The token comes from $READ_TOKEN or --token-file, never from an argument. The API keeps two weeks.

Exit codes: 0 fine, whether a rule would have fired or not; 1 the usage, a file that cannot be opened
or the API; 2 the rules or the history are not what they should be.")]
pub struct BacktestArgs {
    /// The draft rules
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// History in a file, instead of the API's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "from", "to"])]
    history: Option<PathBuf>,
    /// The api
    #[arg(long, value_name = "URL", required_unless_present = "history")]
    url: Option<String>,
    /// From when on: a time, a date, or how long ago
    #[arg(long, value_name = "TIME", default_value = "14d")]
    from: String,
    /// Up to when
    #[arg(long, value_name = "TIME", default_value = "now")]
    to: String,
    /// File with the token that the api asks for, instead of $READ_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print all as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command. Gives the exit code.
pub fn run(args: &BacktestArgs, out: &mut Output<'_>) -> Result<u8, Stopped> {
    let name = args.rules.display();
    let text = history::read_file(&args.rules, MAX_RULES_BYTES as u64 + 1)?;
    let rules = match RuleSet::from_json(&text) {
        Ok(rules) => rules,
        Err(error) => return Ok(wrong(&format!("{name}: {error}"))),
    };
    let samples = match (&args.history, &args.url) {
        (Some(file), _) => history::of_file(file),
        (None, Some(url)) => history::of_api(url, &args.from, &args.to, args.token_file.as_deref()),
        (None, None) => Err(Failure::new("either --history or --url is needed").into()),
    };
    let samples = match samples {
        Ok(samples) => samples,
        Err(Unread::Failed(failure)) => return Err(failure.into()),
        Err(Unread::Wrong(what)) => return Ok(wrong(&what)),
    };
    let told = backtest::run(&rules, samples);
    if args.json {
        out.json(&told)?;
    } else {
        print(&told, out)?;
    }
    Ok(0)
}

fn wrong(what: &str) -> u8 {
    eprintln!("pathstats: {what}");
    NOT_AS_IT_SHOULD_BE
}

fn print(told: &Backtest, out: &mut Output<'_>) -> Result<(), Stopped> {
    let (Some(from), Some(to)) = (&told.from, &told.to) else {
        return out.line("There is no sample in this history: nothing could be judged.");
    };
    out.line(format_args!(
        "{} samples from {from} to {to}, {} minutes without one",
        told.samples, told.missing
    ))?;
    for rule in &told.rules {
        out.line("")?;
        out.line(head(rule))?;
        for episode in &rule.episodes {
            out.line(format_args!("  {}", line(episode)))?;
        }
    }
    Ok(())
}

fn head(rule: &RuleOutcome) -> String {
    let name = &rule.rule;
    let Some((least, greatest)) = rule.range else {
        return format!("{name}: its value is in no sample");
    };
    let seen = format!("{} samples, {least} to {greatest}", rule.known);
    match rule.episodes.len() {
        0 => format!("{name}: would not have fired ({seen})"),
        1 => format!(
            "{name}: would have fired once, {} a day, {} notifications ({seen})",
            rule.per_day, rule.notifications
        ),
        times => format!(
            "{name}: would have fired {times} times, {} a day, {} notifications ({seen})",
            rule.per_day, rule.notifications
        ),
    }
}

fn line(episode: &Episode) -> String {
    let level = match episode.level {
        Level::Warning => "warning",
        Level::Critical => "critical",
    };
    let escalated = episode.escalated_at.as_ref().map_or_else(String::new, |at| format!(" from {at} on"));
    let reminders = match episode.reminders.len() {
        0 => String::new(),
        1 => ", 1 reminder".to_owned(),
        count => format!(", {count} reminders"),
    };
    let end = match &episode.resolved_at {
        Some(at) => format!("resolved {at}"),
        None => "not resolved".to_owned(),
    };
    format!("fired {}, {level}{escalated}{reminders}, {end}, {} min", episode.fired_at, episode.minutes)
}
