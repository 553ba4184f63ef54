//! `pathstats ledger`: whether all that was received is accounted for.

use std::path::PathBuf;

use clap::Args;
use pathstats_model::completeness::answers::{LedgerAnswer, LedgerFigures};
use pathstats_model::completeness::settled::HourState;

use crate::api_client::ApiClient;
use crate::archive::table;
use crate::clock;
use crate::failure::Failure;
use crate::moment::parse_moment;
use crate::output::{printing, Output, Stopped};

/// The exit code when an hour does not balance.
const DIFFERS: u8 = 2;

/// Prints the completeness ledger: for each hour what was received and what became of it.
// Doc comments are the text of --help, where backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
The token comes from $READ_TOKEN or --token-file, never from an argument. A range has 31 days at most.

Exit codes: 0 every final hour balances; 1 the usage or the API; 2 an hour does not balance.

Examples:
  pathstats ledger --url http://localhost:8788
  pathstats ledger --url https://stats.example.com --from 7d --json")]
pub struct LedgerArgs {
    /// The api
    #[arg(long, value_name = "URL")]
    url: String,
    /// From when on: a time, a date, or how long ago
    #[arg(long, value_name = "TIME", default_value = "24h")]
    from: String,
    /// Up to when
    #[arg(long, value_name = "TIME", default_value = "now")]
    to: String,
    /// File with the token that the api asks for, instead of $READ_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command. Gives the exit code.
pub fn run(args: &LedgerArgs) -> Result<u8, Failure> {
    let now = clock::now_ms();
    let moment = |text: &str| parse_moment(text, now).map_err(Failure::new);
    let (from, to) = (moment(&args.from)?.to_string(), moment(&args.to)?.to_string());
    let query = [("from", Some(from.as_str())), ("to", Some(to.as_str()))];
    let text = ApiClient::open(&args.url, args.token_file.as_deref())?.get("/admin/ledger", &query)?;
    let answer: LedgerAnswer = serde_json::from_str(&text)
        .map_err(|error| Failure::cannot(format_args!("read the answer of {}", args.url), error))?;
    printing(|out| {
        if args.json {
            out.json(&answer)?;
        } else {
            print(&answer, out)?;
        }
        Ok(if answer.balanced { 0 } else { DIFFERS })
    })
}

fn print(answer: &LedgerAnswer, out: &mut Output<'_>) -> Result<(), Stopped> {
    let head = [
        ("hour", false),
        ("received", true),
        ("counted", true),
        ("duplicates", true),
        ("dead-lettered", true),
        ("refused late", true),
        ("difference", true),
        ("state", false),
    ];
    let row = |name: String, figures: &LedgerFigures, state: &str| {
        let entry = &figures.entry;
        let terms =
            [entry.received, entry.counted, entry.duplicates, entry.dead_lettered, entry.refused_late];
        let [received, counted, duplicates, dead, late] = terms.map(|term| term.to_string());
        [name, received, counted, duplicates, dead, late, figures.difference.to_string(), state.to_owned()]
    };
    let mut rows: Vec<_> = answer
        .hours
        .iter()
        .map(|hour| {
            let state = match hour.state {
                HourState::Open => "open",
                HourState::Balanced => "balanced",
                HourState::Differs => "differs",
            };
            row(hour.hour.to_string(), &hour.figures, state)
        })
        .collect();
    rows.push(row("all".to_owned(), &answer.totals, ""));
    for line in table::lines(head, &rows) {
        out.line(line)?;
    }
    out.line(answer.watermark.as_ref().map_or_else(
        || "What waits is not known, so nothing is final.".to_owned(),
        |watermark| format!("Final up to {watermark}."),
    ))
}
