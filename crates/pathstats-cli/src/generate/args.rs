//! Options of `pathstats generate`.
// Doc comments here are the text of --help: backticks would show.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::Args;

use super::traffic::Plan;
use crate::failure::Failure;
use crate::formats::Format;
use crate::moment;

/// Makes seeded, realistic traffic, in any format that `replay` reads.
#[derive(Debug, Args)]
#[command(after_help = "\
Paths follow Zipf's law, response times are log-normal with a median of each path's own, some paths
are slow and some fail, days are busier than nights, bursts hit one path, bots crawl and scan.
Lines come in order of time; event ids are unique. The same options and seed give the same bytes on
every machine, as long as --end is a fixed time (a .gz holds the same lines; its own bytes may
change with the compressor). Other formats of the same seed hold the same requests.

Examples:
  pathstats generate --events 200000 --paths 300 --hours 6 --seed 7 --out events.jsonl.gz
  pathstats generate --events 50000 --format nginx --end 2026-11-21T12:00:00Z --out access.log
  pathstats generate --events 10000 | pathstats replay -")]
pub struct GenerateArgs {
    /// How many requests
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub events: u64,
    /// How many different paths, those that scanners ask for included
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub paths: u32,
    /// How many hours they span
    #[arg(long, default_value_t = 24, value_name = "H", conflicts_with = "duration", value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub hours: u32,
    /// The same in another unit: 90s, 15m, 6h, 30d
    #[arg(long, value_name = "TIME", value_parser = moment::parse_duration)]
    pub duration: Option<std::time::Duration>,
    /// When the span ends: now, RFC 3339, a date, or a time ago (2h)
    #[arg(long, default_value = "now", value_name = "TIME")]
    pub end: String,
    /// Chooses the traffic: the same seed makes the same
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Format of the lines
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    pub format: Format,
    /// File to write, compressed when its name ends in .gz; - is standard output
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    pub out: PathBuf,
    /// How many clients, bots not counted
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub clients: u32,
    /// Share of people's requests that fail, 0 to 1
    #[arg(long, default_value_t = 0.03, value_name = "SHARE", value_parser = share)]
    pub error_rate: f64,
    /// Share of requests that bots send, 0 to 1
    #[arg(long, default_value_t = 0.08, value_name = "SHARE", value_parser = share)]
    pub bots: f64,
    /// How many bursts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub bursts: u32,
    /// Adds paths with ":", "%2F", spaces, emoji and 512 characters
    #[arg(long)]
    pub odd_paths: bool,
    /// Hash client addresses (jsonl) under the secret in this file, instead of $IP_HASH_SECRET or,
    /// where neither is given, a fixed secret for tests
    #[arg(long, value_name = "FILE")]
    pub ip_secret_file: Option<PathBuf>,
    /// No progress and no summary
    #[arg(long, short)]
    pub quiet: bool,
}

impl GenerateArgs {
    /// What to make.
    pub fn plan(&self, now_ms: i64) -> Result<Plan, Failure> {
        let end_ms = moment::parse_moment(&self.end, now_ms)
            .map_err(|error| Failure::new(format!("--end: {error}")))?;
        let span_ms = match self.duration {
            Some(duration) => i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
            None => i64::from(self.hours) * 3_600_000,
        };
        if span_ms == 0 || end_ms - span_ms < pathstats_model::limits::MIN_TIMESTAMP_MS {
            return Err(Failure::new(
                "the span must be longer than nothing, and not begin before 2001-09-09T01:46:40Z",
            ));
        }
        Ok(Plan {
            seed: self.seed,
            events: self.events,
            paths: usize::try_from(self.paths).unwrap_or(1),
            end_ms,
            span_ms,
            clients: self.clients,
            error_rate: self.error_rate,
            bots: self.bots,
            bursts: self.bursts,
            odd_paths: self.odd_paths,
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("{text:?} is not a share: expected a number from 0 to 1"))
}
