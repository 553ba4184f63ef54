//! `pathstats archive verify`: reads everything, and says what is not as it should be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use pathstats_archive::name::Format;
use pathstats_model::{EventDate, EventId, HourBucket, TrafficEvent};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::events::{Events, Place, Problem};
use super::expected::Expected;
use super::source::{self, Archive, Sources};
use super::{Output, Stopped, NOT_AS_IT_SHOULD_BE};
use crate::failure::Failure;
use crate::moment::grouped;
use crate::progress::Progress;

/// Problems of an archive that are told; of the others the number.
const TOLD: usize = 10;

/// Reads archives whole and checks every event.
///
/// Every gzip member and row group decompresses and has its checksum, every event is valid and of the
/// day that the file's name says, and ids grow strictly, so that none stands there twice. Prints
/// events, bytes, SHA-256 and events by hour.
// Doc comments here are the text of --help: backticks would show.
#[derive(Debug, Args)]
#[command(after_help = "\
--metadata holds files against what was kept of them when they were written: every difference is
told, an archive of the metadata that is not among the files included.

Examples:
  pathstats archive verify backup/
  curl -H \"Authorization: Bearer $ADMIN_TOKEN\" \"$API/admin/archive/status?date=2025-10-15\" > day.json
  pathstats archive verify --metadata day.json backup/events-archive/2025/10/2025-10-15.*")]
pub struct VerifyArgs {
    #[command(flatten)]
    sources: Sources,
    /// The JSON that GET /admin/archive/status?date= gave for the day
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What an archive holds, and what is wrong with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its name.
    pub file: String,
    /// The day of its events: as its name says, or that of the first.
    pub date: Option<EventDate>,
    /// How it holds them; none for an export, which is lines as they are.
    pub format: Option<Format>,
    /// Valid events in it.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The first event's id.
    #[serde(serialize_with = "text")]
    pub first_id: Option<EventId>,
    /// The last event's id.
    #[serde(serialize_with = "text")]
    pub last_id: Option<EventId>,
    /// Events by hour.
    pub hours: BTreeMap<HourBucket, u64>,
    /// What is wrong, up to ten times.
    pub problems: Vec<String>,
    /// How often something is wrong.
    pub problem_count: u64,
}

// The signature is serde's.
#[allow(clippy::ref_option)]
fn text<S: serde::Serializer>(id: &Option<EventId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}

#[derive(Debug, Serialize)]
struct Verdict<'a> {
    ok: bool,
    archives: &'a [Report],
    missing: &'a [String],
}

/// Runs the command.
pub fn run(args: &VerifyArgs, out: &mut Output<'_>) -> Result<u8, Stopped> {
    let expected = args.metadata.as_deref().map(Expected::read).transpose()?;
    let archives = args.sources.resolve()?;
    let reports = check_all(&archives, expected.as_ref(), args.sources.quiet)?;
    let given: Vec<_> = archives.iter().map(|archive| archive.about).collect();
    let missing = expected.map(|expected| expected.missing(&given)).unwrap_or_default();
    let ok = missing.is_empty() && reports.iter().all(Report::is_fine);
    if args.json {
        out.json(&Verdict { ok, archives: &reports, missing: &missing })?;
    } else {
        for report in &reports {
            for line in report.lines() {
                out.line(line)?;
            }
        }
        for path in &missing {
            out.line(format_args!("{path}: the metadata names it, and it is not among these files"))?;
        }
    }
    Ok(if ok { 0 } else { NOT_AS_IT_SHOULD_BE })
}

/// Checks archives one after another.
pub fn check_all(
    archives: &[Archive],
    expected: Option<&Expected>,
    quiet: bool,
) -> Result<Vec<Report>, Failure> {
    let total = archives.iter().map(|archive| archive.bytes).sum();
    let mut progress = Progress::bytes(Some(total), quiet);
    let mut before = 0;
    let mut reports = Vec::new();
    for archive in archives {
        let mut report = Report::of(archive, |bytes| progress.set(before + bytes, "checked"))?;
        before += archive.bytes;
        for difference in
            expected.map(|expected| expected.differences(archive.about, &report)).unwrap_or_default()
        {
            report.blame(difference);
        }
        reports.push(report);
    }
    progress.finish();
    Ok(reports)
}

impl Report {
    fn of(archive: &Archive, mut read: impl FnMut(u64)) -> Result<Self, Failure> {
        let cannot = |error| Failure::cannot(format_args!("read {}", archive.name), error);
        let mut report = Self {
            file: archive.name.clone(),
            date: archive.about.map(|about| about.date),
            format: source::format(&archive.path).map_err(cannot)?,
            records: 0,
            bytes: archive.bytes,
            sha256: sha256(archive).map_err(cannot)?,
            first_id: None,
            last_id: None,
            hours: BTreeMap::new(),
            problems: Vec::new(),
            problem_count: 0,
        };
        if let (Some(about), Some(format)) = (archive.about, report.format) {
            if about.format != format {
                report.blame(format!("it is named {}, and holds {format}", about.format));
            }
        }
        let mut events = Events::open(archive)?;
        while let Some(item) = events.next() {
            match item {
                Ok((place, event)) => report.count(place, &event),
                Err(problem) => report.blame(problem.to_string()),
            }
            read(events.bytes_read());
        }
        Ok(report)
    }

    fn count(&mut self, place: Place, event: &TrafficEvent) {
        let hour = event.hour();
        // An archive is of one day; an export may be of many.
        if self.format.is_some() {
            self.date.get_or_insert_with(|| hour.date());
        }
        let wrong = |what: String| Problem::new(place, what).to_string();
        if let Some(day) = self.date.filter(|day| hour.date() != *day) {
            self.blame(wrong(format!("{} is of {}, not of {day}", event.id, hour.date())));
        }
        match self.last_id {
            Some(last) if last == event.id => self.blame(wrong(format!("{last} stands there twice"))),
            Some(last) if last > event.id => self.blame(wrong(format!("{} comes after {last}", event.id))),
            _ => {}
        }
        self.records += 1;
        *self.hours.entry(hour).or_default() += 1;
        self.first_id = Some(self.first_id.map_or(event.id, |first| first.min(event.id)));
        self.last_id = self.last_id.max(Some(event.id));
    }

    fn blame(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_fine(&self) -> bool {
        self.problem_count == 0
    }

    /// What is wrong, line by line.
    pub fn problem_lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.problems.iter().map(|problem| format!("  {problem}")).collect();
        let more = self.problem_count - self.problems.len() as u64;
        if more > 0 {
            lines.push(format!("  and {} problems more", grouped(more)));
        }
        lines
    }

    /// The report in words.
    fn lines(&self) -> Vec<String> {
        let verdict = if self.is_fine() { "fine" } else { "NOT AS IT SHOULD BE" };
        let mut lines = vec![format!("{}: {verdict}", self.file)];
        lines.extend(self.problem_lines());
        lines.push(format!(
            "  {} events, {} bytes, sha256 {}",
            grouped(self.records),
            grouped(self.bytes),
            self.sha256
        ));
        if let (Some(first), Some(last)) = (self.first_id, self.last_id) {
            lines.push(format!("  from {first} to {last}"));
        }
        lines.extend(self.hours.iter().map(|(hour, count)| format!("  {hour}  {:>12}", grouped(*count))));
        lines
    }
}

fn sha256(archive: &Archive) -> std::io::Result<String> {
    let mut file = File::open(&archive.path)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sha.update(buffer.get(..read).unwrap_or_default());
    }
    Ok(base16ct::lower::encode_string(&sha.finalize()))
}
