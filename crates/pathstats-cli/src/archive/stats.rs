//! `pathstats archive stats`: sums archives up, path by path.

use std::cmp::Reverse;

use clap::{Args, ValueEnum};
use pathstats_model::packed::PackedEvent;
use pathstats_model::snapshot::PathSummary;
use pathstats_model::PathHourStats;
use rustc_hash::FxHashMap;

use super::events::Events;
use super::source::Sources;
use super::{table, Output, Stopped, NOT_AS_IT_SHOULD_BE};
use crate::moment::grouped;
use crate::progress::Progress;

/// Sums archives up, path by path: requests, errors, percentiles, clients.
///
/// Figures come from the same sketches as those of the dashboard: percentiles within 0.5 %, clients
/// exact up to about a thousand. A client counts once a day, since salts rotate daily. Events that
/// stand in several of the files count as often.
// Doc comments here are the text of --help: backticks would show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pathstats archive stats 2025-10-15.parquet
  pathstats archive stats --sort error-rate --limit 10 2025-10-15.jsonl.gz 2025-10-15.late-1.jsonl.gz
  pathstats archive stats --limit 0 --json 2025-10-15.parquet")]
pub struct StatsArgs {
    #[command(flatten)]
    sources: Sources,
    /// Most paths to print; 0 for all
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// What comes first: the greatest, or the first path
    #[arg(long, value_enum, default_value = "requests")]
    sort: Sort,
    /// Print a JSON array on standard output, fields named as in GET /paths
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Requests,
    Errors,
    ErrorRate,
    Average,
    P50,
    P95,
    P99,
    Clients,
    Path,
}

impl Sort {
    /// Sorts, the greatest first, and paths by name where nothing else tells them apart.
    fn apply(self, paths: &mut [PathSummary]) {
        /// Of a path without response times, which comes last.
        const NONE: f64 = f64::NEG_INFINITY;
        paths.sort_by(|a, b| a.path.cmp(&b.path));
        let by_number = |paths: &mut [PathSummary], key: fn(&PathSummary) -> f64| {
            paths.sort_by(|a, b| key(b).total_cmp(&key(a)));
        };
        match self {
            Self::Path => {}
            Self::Requests => paths.sort_by_key(|path| Reverse(path.requests)),
            Self::Errors => paths.sort_by_key(|path| Reverse(path.errors)),
            Self::Clients => paths.sort_by_key(|path| Reverse(path.unique_ips)),
            Self::ErrorRate => by_number(paths, |path| path.error_rate),
            Self::Average => by_number(paths, |path| path.avg_response_time.unwrap_or(NONE)),
            Self::P50 => by_number(paths, |path| path.p50.unwrap_or(NONE)),
            Self::P95 => by_number(paths, |path| path.p95.unwrap_or(NONE)),
            Self::P99 => by_number(paths, |path| path.p99.unwrap_or(NONE)),
        }
    }
}

/// Runs the command.
pub fn run(args: &StatsArgs, out: &mut Output<'_>) -> Result<u8, Stopped> {
    let archives = args.sources.resolve()?;
    let mut progress = Progress::bytes(Some(archives.iter().map(|a| a.bytes).sum()), args.sources.quiet);
    let mut paths: FxHashMap<String, PathHourStats> = FxHashMap::default();
    let (mut before, mut records) = (0, 0);
    for archive in &archives {
        let mut events = Events::open(archive)?;
        while let Some(item) = events.next() {
            let event = match item {
                Ok((_, event)) => event,
                Err(problem) => {
                    // Figures of a part would pass for those of the whole.
                    progress.finish();
                    eprintln!("pathstats: {}: {problem}", archive.name);
                    return Ok(NOT_AS_IT_SHOULD_BE);
                }
            };
            let packed = PackedEvent::new(&event);
            match paths.get_mut(&event.path) {
                Some(stats) => stats.add(&packed),
                None => paths.entry(event.path).or_default().add(&packed),
            }
            records += 1;
            progress.set(before + events.bytes_read(), "");
        }
        before += archive.bytes;
    }
    progress.finish();
    let mut paths: Vec<_> = paths.into_iter().map(|(path, stats)| PathSummary::new(path, &stats)).collect();
    let all = paths.len();
    args.sort.apply(&mut paths);
    if args.limit > 0 {
        paths.truncate(args.limit);
    }
    if args.json {
        out.json(&paths)?;
        return Ok(0);
    }
    for line in lines(&paths) {
        out.line(line)?;
    }
    out.line(format_args!(
        "{} events, {} of {} paths",
        grouped(records),
        grouped(paths.len() as u64),
        grouped(all as u64)
    ))?;
    Ok(0)
}

fn lines(paths: &[PathSummary]) -> Vec<String> {
    let head = [
        ("requests", true),
        ("errors", true),
        ("error rate", true),
        ("average ms", true),
        ("p50", true),
        ("p95", true),
        ("p99", true),
        ("clients", true),
        ("path", false),
    ];
    let ms = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
    let rows: Vec<_> = paths
        .iter()
        .map(|path| {
            [
                grouped(path.requests),
                grouped(path.errors),
                format!("{:.2} %", path.error_rate * 100.0),
                ms(path.avg_response_time),
                ms(path.p50),
                ms(path.p95),
                ms(path.p99),
                grouped(path.unique_ips),
                path.path.clone(),
            ]
        })
        .collect();
    table::lines(head, &rows)
}
