//! Options of `pathstats replay`.
// Doc comments here are the text of --help: backticks would show.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pathstats_model::path_policy::PathPolicy;

use super::pace::Speed;
use crate::formats::Format;
use crate::moment;

/// Sends access logs to POST /collect.
///
/// Reads Common and Combined Log Format, nginx with $request_time, Cloudflare Logpush (http_requests)
/// and our own events as JSONL, plain or gzip. Every event's id derives from its line, so sending a
/// file again counts nothing twice, and an interrupted run goes on where it was.
// Each flag is an option of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Args)]
#[command(after_help = "\
Ids: from the time, the client's address, the target and the request's own id (RayID); without one,
from the line itself and how often it stood in its file before. Logs with times in whole seconds
have their events spread over the second, as each line decides.

Secrets come from the environment or a file, never from an argument: INGEST_TOKEN or --token-file
for the destination, IP_HASH_SECRET or --ip-secret-file for hashing client addresses. Use the
producer's own secret, so that a client counts as one.

Exit codes: 0 all is sent; 1 a file, the usage or the destination failed; 3 sent, but some lines are
no events or were refused; 130 interrupted: the same command goes on.

Examples:
  pathstats replay /var/log/nginx/access.log
  pathstats replay --shift-to now 'logs/access.log*'
  pathstats replay --since 2h --dry-run access.log.gz
  zcat big.log.gz | pathstats replay --format combined --no-client-ip -
  pathstats replay --to https://stats.example.com/collect --token-file token.txt logpush/*.gz")]
pub struct ReplayArgs {
    /// Files, patterns, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Format of the files; told by their first lines otherwise
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Where events go; without a path, /collect is meant
    #[arg(long, default_value = "http://127.0.0.1:8787/collect", value_name = "URL", value_parser = destination)]
    pub to: String,
    /// File with the token that the destination asks for, instead of $INGEST_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the secret that client addresses are hashed under, instead of $IP_HASH_SECRET
    #[arg(long, value_name = "FILE")]
    pub ip_secret_file: Option<PathBuf>,
    /// Send no client addresses, not even hashed
    #[arg(long, conflicts_with = "ip_secret_file")]
    pub no_client_ip: bool,
    /// Send no user agents
    #[arg(long)]
    pub no_user_agent: bool,
    /// Which ids in paths become placeholders: some of number,uuid,hash, or off (our own events
    /// keep their paths)
    #[arg(long, default_value = "number,uuid,hash", value_name = "RULES")]
    pub path_ids: String,
    /// Only events from this time on, as logged: 2026-11-21T08:30:00Z, 2026-11-21, or 2h (ago)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Move the log so that its last event lies here: now, or a time as above
    #[arg(long, value_name = "TIME")]
    pub shift_to: Option<String>,
    /// max, or a multiple of real time: 1x, 60x
    #[arg(long, default_value = "max", value_name = "SPEED")]
    pub speed: Speed,
    /// Bodies on their way at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// Most events in a body
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub batch_events: u16,
    /// How often a body is sent again on 429, 5xx and lost connections
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub retries: u32,
    /// How long one answer may take
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = moment::parse_duration)]
    pub timeout: Duration,
    /// Write every line and event that was not taken to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Where to keep how far the run is; in the state directory otherwise
    #[arg(long, value_name = "FILE", conflicts_with = "no_journal")]
    pub journal: Option<PathBuf>,
    /// Keep no journal: an interrupted run begins anew, and ids keep its counts right
    #[arg(long)]
    pub no_journal: bool,
    /// Begin anew, whatever the journal says
    #[arg(long)]
    pub restart: bool,
    /// Send nothing: read everything and say what would be sent
    #[arg(long)]
    pub dry_run: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress, no summary; problems are still shown
    #[arg(long, short)]
    pub quiet: bool,
}

impl ReplayArgs {
    /// The rules for ids in paths.
    pub fn path_policy(&self) -> Result<PathPolicy, String> {
        self.path_ids.parse().map_err(|error| format!("--path-ids: {error}"))
    }

    /// The options that change what is sent, as they were given: an interrupted run goes on only
    /// under the same.
    pub fn identity(&self) -> Vec<String> {
        let text = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
        let flag = |name: &str, set: bool| set.then(|| name.to_owned());
        [
            self.format.map(|format| format!("--format {}", format.name())),
            text("--since", &self.since),
            text("--until", &self.until),
            text("--shift-to", &self.shift_to),
            Some(format!("--path-ids {}", self.path_ids)),
            flag("--no-client-ip", self.no_client_ip),
            flag("--no-user-agent", self.no_user_agent),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A destination with its path.
pub fn destination(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let rest = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let rest = rest
        .ok_or_else(|| format!("{text:?} is not a URL: expected as in \"http://127.0.0.1:8787/collect\""))?;
    Ok(match rest.split_once('/') {
        None => format!("{text}/collect"),
        Some((_, "")) => format!("{text}collect"),
        Some(_) => text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_without_a_path_is_collect() {
        assert_eq!(destination("http://127.0.0.1:8787").unwrap(), "http://127.0.0.1:8787/collect");
        assert_eq!(destination("https://x.example/").unwrap(), "https://x.example/collect");
        assert_eq!(destination("https://x.example/in").unwrap(), "https://x.example/in");
        for text in ["", "127.0.0.1", "ftp://x", "http://", "http:///collect"] {
            assert!(destination(text).is_err(), "{text}");
        }
    }
}
