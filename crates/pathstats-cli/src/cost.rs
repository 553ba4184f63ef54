//! `pathstats cost`: what ran and what it costs, as a running system tells.

use std::path::PathBuf;

use clap::Args;
use pathstats_model::cost::report::CostReport;

use crate::api_client::ApiClient;
use crate::archive::table;
use crate::failure::Failure;
use crate::moment::grouped;
use crate::replay::print_line;
use crate::simulate::{bytes, print_bill, print_table};

/// Shows what ran and what a month of it costs.
// Doc comments are the text of --help, where backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
The token comes from $READ_TOKEN or --token-file, never from an argument.

Examples:
  pathstats cost
  pathstats cost --url https://stats.example.com --from 2025-10-01 --to 2025-10-08 --token-file token.txt")]
pub struct CostArgs {
    /// Address of the api
    #[arg(long, default_value = "http://127.0.0.1:8788", value_name = "URL")]
    url: String,
    /// First moment, UTC; 24 hours before the end otherwise
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// First moment that is not part of it; now otherwise
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// File with the api's token, instead of $READ_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &CostArgs) -> Result<(), Failure> {
    let client = ApiClient::open(&args.url, args.token_file.as_deref())?;
    let text = client.get("/admin/cost", &[("from", args.from.as_deref()), ("to", args.to.as_deref())])?;
    if args.json {
        print_line(text.trim_end());
        return Ok(());
    }
    let report: CostReport = serde_json::from_str(&text)
        .map_err(|error| Failure::cannot(format_args!("read the answer of {}", args.url), error))?;
    show(&report);
    Ok(())
}

fn show(report: &CostReport) {
    print_line(&format!(
        "{} to {}, {} hours metered: {} events",
        report.from,
        report.to,
        report.hours,
        grouped(report.events)
    ));
    let rows: Vec<[String; 3]> = report
        .operations
        .iter()
        .filter(|count| count.count > 0)
        .map(|count| {
            let mark = if count.estimated { " (estimated)" } else { "" };
            let share = count.per_million_events.map_or_else(String::new, crate::simulate::whole);
            [format!("{}{mark}", count.operation), grouped(count.count), share]
        })
        .collect();
    let head = [("operation", false), ("count", true), ("per million events", true)];
    print_table(&table::lines(head, &rows));
    print_line(&format!("stored: D1 {}, R2 {}", bytes(report.d1_bytes), bytes(report.r2_bytes)));
    print_line("");
    match &report.month {
        Some(bill) => {
            print_line(&format!("30 days at this rate, by the prices of {}:", bill.prices_as_of));
            print_bill(&bill.lines, bill.subscription_dollars, bill.total_dollars);
        }
        None => print_line("Nothing is metered yet: instances add up what they did minutes later."),
    }
}
