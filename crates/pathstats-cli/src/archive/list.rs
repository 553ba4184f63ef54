//! `pathstats archive list`: what archives there are.

use clap::Args;
use pathstats_archive::name::Format;
use pathstats_model::{EventDate, EventId};
use serde::Serialize;

use super::events::{self, Events};
use super::source::{self, Archive, Sources};
use super::{table, Output, Stopped, NOT_AS_IT_SHOULD_BE};
use crate::failure::Failure;
use crate::moment::grouped;
use crate::progress::Progress;

/// Lists archives with their events, sizes and first and last ids.
///
/// Reads a Parquet file's footer only, and a .jsonl.gz whole.
// Doc comments here are the text of --help: backticks would show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pathstats archive list backup/
  pathstats archive list --json 'backup/events-archive/2025/10/*.parquet'")]
pub struct ListArgs {
    #[command(flatten)]
    sources: Sources,
    /// Print a JSON array on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    file: String,
    date: Option<EventDate>,
    format: Option<Format>,
    records: u64,
    bytes: u64,
    first_id: Option<String>,
    last_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub fn run(args: &ListArgs, out: &mut Output<'_>) -> Result<u8, Stopped> {
    let archives = args.sources.resolve()?;
    let total = archives.iter().map(|archive| archive.bytes).sum();
    let mut progress = Progress::bytes(Some(total), args.sources.quiet);
    let mut entries = Vec::new();
    let mut before = 0;
    for archive in &archives {
        entries.push(entry(archive, |bytes| progress.set(before + bytes, ""))?);
        before += archive.bytes;
    }
    progress.finish();
    if args.json {
        out.json(&entries)?;
    } else {
        let head = [
            ("date", false),
            ("format", false),
            ("events", true),
            ("bytes", true),
            ("first id", false),
            ("last id", false),
            ("file", false),
        ];
        let none = || "-".to_owned();
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                [
                    entry.date.map_or_else(none, |date| date.to_string()),
                    entry.format.map_or_else(none, |format| format.to_string()),
                    grouped(entry.records),
                    grouped(entry.bytes),
                    entry.first_id.clone().unwrap_or_else(none),
                    entry.last_id.clone().unwrap_or_else(none),
                    entry.file.clone(),
                ]
            })
            .collect();
        for line in table::lines(head, &rows) {
            out.line(line)?;
        }
    }
    for entry in &entries {
        if let Some(error) = &entry.error {
            eprintln!("pathstats: {}: {error}", entry.file);
        }
    }
    Ok(if entries.iter().any(|entry| entry.error.is_some()) { NOT_AS_IT_SHOULD_BE } else { 0 })
}

fn entry(archive: &Archive, mut read: impl FnMut(u64)) -> Result<Entry, Failure> {
    let format = source::format(&archive.path)
        .map_err(|error| Failure::cannot(format_args!("read {}", archive.name), error))?;
    let mut records = 0;
    let mut ids: Option<(EventId, EventId)> = None;
    let mut error = None;
    let mut add = |count, first, last| {
        records += count;
        ids = Some(ids.map_or((first, last), |(least, greatest)| (least.min(first), greatest.max(last))));
    };
    if format == Some(Format::Parquet) {
        match events::parquet(archive) {
            Ok((_, groups)) => groups
                .iter()
                .filter_map(|group| Some((group.records, group.ids?)))
                .for_each(|(count, (first, last))| add(count, first, last)),
            Err(problem) => error = Some(problem.to_string()),
        }
    } else {
        let mut events = Events::open(archive)?;
        while let Some(item) = events.next() {
            match item {
                Ok((_, event)) => add(1, event.id, event.id),
                Err(problem) => {
                    error = Some(problem.to_string());
                    break;
                }
            }
            read(events.bytes_read());
        }
    }
    Ok(Entry {
        file: archive.name.clone(),
        date: archive
            .about
            .map(|about| about.date)
            .or(ids.map(|(first, _)| EventDate::from_ms(first.timestamp_ms()))),
        format,
        records,
        bytes: archive.bytes,
        first_id: ids.map(|(first, _)| first.to_string()),
        last_id: ids.map(|(_, last)| last.to_string()),
        error,
    })
}
