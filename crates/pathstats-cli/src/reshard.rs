//! `pathstats reshard`: over how many databases paths are spread, and from which day on.

use std::path::PathBuf;

use clap::Args;
use pathstats_model::hour::EventDate;
use pathstats_model::sharding::{LayoutState, ReshardOrder, Resharded, ShardingReport};

use crate::api_client::ApiClient;
use crate::archive::table;
use crate::failure::Failure;
use crate::replay::print_line;
use crate::simulate::{bytes, print_table};

const PATH: &str = "/admin/sharding";
const RESHARD_PATH: &str = "/admin/sharding/reshard";

/// Shows or changes over how many databases paths are spread.
// Doc comments are the text of --help, where backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
Without --shards nothing is changed: the layouts and the databases are shown.
A layout begins at a midnight of UTC, an hour ahead at the earliest. Nothing is copied.
The token comes from $ADMIN_TOKEN or --token-file, never from an argument.

Examples:
  pathstats reshard
  pathstats reshard --shards 2 --dry-run
  pathstats reshard --shards 2 --from 2026-03-01 --url https://stats.example.com --token-file token.txt")]
pub struct ReshardArgs {
    /// Over how many databases, 1 to 16
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    shards: Option<u8>,
    /// First day, UTC; the first that is allowed otherwise
    #[arg(long, value_name = "DATE", requires = "shards")]
    from: Option<EventDate>,
    /// Tell what would be done, and do nothing
    #[arg(long, requires = "shards")]
    dry_run: bool,
    /// Address of the api
    #[arg(long, default_value = "http://127.0.0.1:8788", value_name = "URL")]
    url: String,
    /// File with the api's token, instead of $ADMIN_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ReshardArgs) -> Result<(), Failure> {
    let client = ApiClient::open_to_change(&args.url, args.token_file.as_deref())?;
    let text = match args.shards {
        None => client.get(PATH, &[])?,
        Some(shards) => {
            let order = ReshardOrder { shards, from: args.from, dry_run: args.dry_run };
            client.post(RESHARD_PATH, &order)?
        }
    };
    let unreadable = |error| Failure::cannot(format_args!("read the answer of {}", args.url), error);
    if args.json {
        print_line(text.trim_end());
    } else if args.shards.is_some() {
        tell(&serde_json::from_str(&text).map_err(unreadable)?);
    } else {
        show(&serde_json::from_str(&text).map_err(unreadable)?);
    }
    Ok(())
}

fn tell(done: &Resharded) {
    let databases = |n: u8| if n == 1 { "1 database".to_owned() } else { format!("{n} databases") };
    let would = if done.published { "" } else { "Nothing was done. It would be: " };
    let (shards, before) = (databases(done.shards), databases(done.before));
    print_line(&format!(
        "{would}From {} on, paths are spread over {shards}; before, over {before}.",
        done.begins_at
    ));
}

fn show(report: &ShardingReport) {
    print_line(&format!(
        "Today's paths are spread over {} of {} databases; events take {} queues.",
        report.shards, report.bound, report.queues
    ));
    print_line(&format!("A layout that is published now begins on {} at the earliest.", report.earliest));
    if !report.layouts.is_empty() {
        let state = |state| match state {
            LayoutState::Past => "past",
            LayoutState::Current => "in force",
            LayoutState::Coming => "to come",
        };
        let rows: Vec<[String; 3]> = report
            .layouts
            .iter()
            .map(|layout| {
                [layout.from.to_string(), layout.shards.to_string(), state(layout.state).to_owned()]
            })
            .collect();
        print_line("");
        print_table(&table::lines([("from", false), ("databases", true), ("", false)], &rows));
    }
    let range = |oldest: Option<String>, newest: Option<String>| match (oldest, newest) {
        (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
        _ => "none".to_owned(),
    };
    let text = |date: Option<EventDate>| date.map(|date| date.to_string());
    let rows: Vec<[String; 4]> = report
        .databases
        .iter()
        .map(|database| {
            [
                database.binding.clone(),
                bytes(database.size_bytes),
                range(text(database.oldest_event), text(database.newest_event)),
                range(database.oldest_hour.clone(), database.newest_hour.clone()),
            ]
        })
        .collect();
    print_line("");
    let head = [("database", false), ("size", true), ("raw events", false), ("hours", false)];
    print_table(&table::lines(head, &rows));
}
