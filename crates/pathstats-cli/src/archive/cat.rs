//! `pathstats archive cat`: prints events.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use pathstats_model::TrafficEvent;

use super::events::Events;
use super::source::Sources;
use super::{csv, Output, Stopped, NOT_AS_IT_SHOULD_BE};
use crate::clock;
use crate::failure::Failure;
use crate::moment::parse_moment;

/// Prints the events of archives, all or some.
// Doc comments here are the text of --help: backticks would show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pathstats archive cat 2025-10-15.parquet | head
  pathstats archive cat --path /api/orders --status 5xx --format csv 2025-10-15.jsonl.gz
  pathstats archive cat --from 2025-10-15T14:00:00Z --to 2025-10-15T15:00:00Z backup/
  pathstats archive cat --limit 1000 backup/ | pathstats replay -")]
pub struct CatArgs {
    #[command(flatten)]
    sources: Sources,
    /// Only events of this path, exactly
    #[arg(long)]
    path: Option<String>,
    /// Only events with this status: 404, or a class: 5xx
    #[arg(long)]
    status: Option<Status>,
    /// Only events from this time on: 2025-10-15T14:00:00Z, 2025-10-15, or 2h (ago)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Most events to print
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How events are printed
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line, as events cross the queue
    Jsonl,
    /// Comma-separated values with a first line of names
    Csv,
}

/// Statuses asked for, first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status(u16, u16);

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a status: expected as in \"404\" or \"5xx\"");
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().map_err(|_| wrong())?;
            return (1..=5).contains(&class).then_some(Self(class * 100, class * 100 + 99)).ok_or_else(wrong);
        }
        let status: u16 = text.parse().map_err(|_| wrong())?;
        (100..=599).contains(&status).then_some(Self(status, status)).ok_or_else(wrong)
    }
}

/// Runs the command.
pub fn run(args: &CatArgs, out: &mut Output<'_>) -> Result<u8, Stopped> {
    let now_ms = clock::now_ms();
    let moment = |option: &str, text: &Option<String>| {
        let moment = text.as_deref().map(|text| parse_moment(text, now_ms)).transpose();
        moment.map_err(|error| Failure::new(format!("{option}: {error}")))
    };
    let (from, to) = (moment("--from", &args.from)?, moment("--to", &args.to)?);
    let wanted = |event: &TrafficEvent| {
        let at = event.id.timestamp_ms();
        args.path.as_ref().is_none_or(|path| event.path == *path)
            && args.status.is_none_or(|Status(first, last)| (first..=last).contains(&event.status))
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at < to)
    };
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut code = 0;
    if args.format == Format::Csv {
        out.line(csv::HEAD)?;
    }
    for archive in args.sources.resolve()? {
        let mut events = Events::open(&archive)?.within(from, to);
        while left > 0 {
            match events.next() {
                Some(Ok((_, event))) if wanted(&event) => {
                    left -= 1;
                    match args.format {
                        Format::Jsonl => out.json(&event)?,
                        Format::Csv => out.line(csv::line(&event))?,
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(problem)) => {
                    eprintln!("pathstats: {}: {problem}", archive.name);
                    code = NOT_AS_IT_SHOULD_BE;
                }
                None => break,
            }
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_or_a_class() {
        assert_eq!("404".parse(), Ok(Status(404, 404)));
        assert_eq!("5xx".parse(), Ok(Status(500, 599)));
        for text in ["", "xx", "0xx", "6xx", "99", "600", "4x4", "-1"] {
            assert!(text.parse::<Status>().is_err(), "{text}");
        }
    }
}
