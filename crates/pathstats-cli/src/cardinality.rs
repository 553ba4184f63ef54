//! `pathstats cardinality`: how many distinct paths each hour had room for, as a running system tells.

use std::path::PathBuf;

use clap::Args;
use pathstats_model::budget::report::CardinalityReport;

use crate::api_client::ApiClient;
use crate::archive::table;
use crate::failure::Failure;
use crate::moment::grouped;
use crate::replay::print_line;
use crate::simulate::print_table;

/// Shows how many distinct paths each hour had room for, and templates for the rest.
// Doc comments are the text of --help, where backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
The token comes from $READ_TOKEN or --token-file, never from an argument.

Examples:
  pathstats cardinality
  pathstats cardinality --url https://stats.example.com --hours 96 --token-file token.txt")]
pub struct CardinalityArgs {
    /// Address of the api
    #[arg(long, default_value = "http://127.0.0.1:8788", value_name = "URL")]
    url: String,
    /// Hours to look back, the current one among them
    #[arg(long, default_value_t = 24, value_name = "N")]
    hours: u32,
    /// File with the api's token, instead of $READ_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &CardinalityArgs) -> Result<(), Failure> {
    let client = ApiClient::open(&args.url, args.token_file.as_deref())?;
    let text = client.get("/admin/cardinality", &[("hours", Some(&args.hours.to_string()))])?;
    if args.json {
        print_line(text.trim_end());
        return Ok(());
    }
    let report: CardinalityReport = serde_json::from_str(&text)
        .map_err(|error| Failure::cannot(format_args!("read the answer of {}", args.url), error))?;
    show(&report);
    Ok(())
}

fn show(report: &CardinalityReport) {
    if report.hours.is_empty() {
        print_line("No hour of these has begun: nothing was counted.");
        return;
    }
    let rows: Vec<[String; 6]> = report
        .hours
        .iter()
        .map(|hour| {
            [
                hour.hour.to_string(),
                grouped(hour.admitted_paths),
                hour.limit.map_or_else(|| "none".to_owned(), |limit| grouped(limit.into())),
                grouped(hour.refused_paths),
                grouped(hour.other.requests),
                grouped(hour.not_found.requests),
            ]
        })
        .collect();
    let head = [
        ("hour", false),
        ("paths", true),
        ("limit", true),
        ("refused (about)", true),
        ("(other) requests", true),
        ("(not found) requests", true),
    ];
    print_table(&table::lines(head, &rows));
    let Some(templates) = &report.path_templates else { return };
    print_line("");
    print_line(&format!(
        "Templates that would have absorbed refused paths, of a sample of {}:",
        report.sampled_paths
    ));
    let rows: Vec<[String; 2]> = report
        .suggestions
        .iter()
        .map(|suggestion| [suggestion.template.clone(), grouped(suggestion.sampled_paths)])
        .collect();
    print_table(&table::lines([("template", false), ("sampled paths", true)], &rows));
    print_line(&format!("PATH_TEMPLATES={templates}"));
}
