//! `pathstats restore`: sends archived events to `POST /collect` again, by way of `replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::archive::verify::Report;
use crate::archive::{source, verify, NOT_AS_IT_SHOULD_BE};
use crate::failure::Failure;
use crate::formats::Format;
use crate::moment;
use crate::replay::{self, destination, ReplayArgs, Speed};

/// Sends archived events to POST /collect again.
///
/// Verifies the archives first, and sends nothing when one of them is not as it should be. Events keep
/// their ids, so what the destination still has counts once. An interrupted run goes on where it was.
// Each flag is an option of its own; doc comments are the text of --help, where backticks would show.
#[allow(clippy::struct_excessive_bools, clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
The token that the destination asks for comes from $INGEST_TOKEN or --token-file, never from an
argument. Hours that the destination has sealed refuse events: those land in its dead letters.

Exit codes: 0 all is sent; 1 a file, the usage or the destination failed; 2 an archive is not what
it should be, nothing is sent; 3 sent, but some events were refused; 130 interrupted: the same
command goes on.

Examples:
  pathstats restore --to http://127.0.0.1:8787 backup/events-archive/2025/10/2025-10-15.parquet
  pathstats restore --to https://stats.example.com --token-file token.txt --dry-run backup/")]
pub struct RestoreArgs {
    /// Files, patterns, or folders that hold events-archive
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Where events go; without a path, /collect is meant
    #[arg(long, value_name = "URL", value_parser = destination)]
    to: String,
    /// File with the token that the destination asks for, instead of $INGEST_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Bodies on their way at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Most events in a body
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_events: u16,
    /// How often a body is sent again on 429, 5xx and lost connections
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    retries: u32,
    /// How long one answer may take
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = moment::parse_duration)]
    timeout: Duration,
    /// max, or a multiple of real time: 60x
    #[arg(long, default_value = "max", value_name = "SPEED")]
    speed: Speed,
    /// Write every event that was refused to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Where to keep how far the run is; in the state directory otherwise
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Begin anew, whatever the journal says
    #[arg(long)]
    restart: bool,
    /// Verify, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// No progress, no summary; problems are still shown
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command. Gives the exit code.
pub fn run(args: &RestoreArgs) -> Result<u8, Failure> {
    let mut archives = Vec::new();
    for argument in &args.files {
        if argument.starts_with("http://") || argument.starts_with("https://") {
            // An interrupted run could not go on: the download would be another file.
            return Err(Failure::new("a URL cannot be restored from: download the archive first"));
        }
        archives.extend(source::files(argument)?);
    }
    let reports = verify::check_all(&archives, None, args.quiet)?;
    if !reports.iter().all(Report::is_fine) {
        return Ok(refuse(args, &reports));
    }
    let files = archives.iter().map(|archive| archive.path.to_string_lossy().into_owned()).collect();
    replay::run(&replay_args(args, files))
}

/// Says what is wrong with which archive.
fn refuse(args: &RestoreArgs, reports: &[Report]) -> u8 {
    for report in reports.iter().filter(|report| !report.is_fine()) {
        eprintln!("pathstats: {} is not as it should be", report.file);
        for line in report.problem_lines() {
            eprintln!("{line}");
        }
    }
    eprintln!("pathstats: nothing is sent");
    if args.json {
        let refused = serde_json::json!({
            "outcome": "refused", "exitCode": NOT_AS_IT_SHOULD_BE, "destination": args.to, "archives": reports,
        });
        replay::print_line(&refused.to_string());
    }
    NOT_AS_IT_SHOULD_BE
}

fn replay_args(args: &RestoreArgs, files: Vec<String>) -> ReplayArgs {
    ReplayArgs {
        files,
        format: Some(Format::Jsonl),
        to: args.to.clone(),
        token_file: args.token_file.clone(),
        // Our own events have hashes, and keep their paths.
        ip_secret_file: None,
        no_client_ip: false,
        no_user_agent: false,
        path_ids: "off".to_owned(),
        since: None,
        until: None,
        shift_to: None,
        speed: args.speed,
        concurrency: args.concurrency,
        batch_events: args.batch_events,
        retries: args.retries,
        timeout: args.timeout,
        rejects: args.rejects.clone(),
        journal: args.journal.clone(),
        no_journal: false,
        restart: args.restart,
        dry_run: args.dry_run,
        json: args.json,
        quiet: args.quiet,
    }
}
