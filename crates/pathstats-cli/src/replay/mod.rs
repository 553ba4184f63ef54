//! `pathstats replay`: sends access logs to `POST /collect`.
//!
//! `input` and `lines` read files, `scan` hands out their lines, `reader` makes batches of them,
//! `sender` sends these, `ledger` counts them in order, `journal` remembers how far that is. What
//! decides (`answer`, `backoff`, `convert`, `identity`, `pace`) knows neither files nor network.

mod answer;
mod args;
mod backoff;
mod batch;
mod convert;
mod identity;
mod input;
mod journal;
mod ledger;
pub(crate) mod lines;
mod pace;
mod reader;
mod rejects;
mod report;
mod run;
mod scan;
pub(crate) mod sender;
mod stop;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use pathstats_model::client_ip::IpHasher;

use crate::failure::Failure;
use crate::moment::{grouped, parse_moment};
use crate::progress::Progress;
use crate::{clock, secrets};

pub use args::{destination, ReplayArgs};
use convert::{Addresses, Converter};
use input::Input;
use journal::{Identity, Journal};
use ledger::Ledger;
use pace::Pace;
pub use pace::Speed;
use reader::{Reader, Window};
use rejects::Rejects;
use report::{Outcome, Summary};
use run::{Run, Threads};
use scan::Scan;
use sender::Destination;
use stop::Stop;

/// Events that `--dry-run` shows.
const SAMPLES: usize = 3;

/// Runs the command. Gives the exit code.
pub fn run(args: &ReplayArgs) -> Result<u8, Failure> {
    let started = clock::instant();
    let stop = listen()?;
    let paths = args.path_policy().map_err(Failure::new)?;
    let addresses = addresses(args)?;
    let token = secrets::read(secrets::INGEST_TOKEN, args.token_file.as_deref())?;
    if token.is_some() && args.to.starts_with("http://") && !sender::is_local(&args.to) && !args.dry_run {
        eprintln!("warning: the token goes to {} unencrypted", args.to);
    }
    let mut inputs = input::resolve(&args.files)?;
    let Some(prepared) = prepare(args, &mut inputs, &stop)? else {
        return Ok(Outcome::Interrupted.exit_code());
    };
    let Prepared { journal, journal_path, resumed } = prepared;
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let total = inputs.iter().map(Input::bytes).sum::<Option<u64>>();
    let destination = Destination::new(args.to.clone(), token, args.timeout, args.retries);
    let scan = Scan { inputs: &inputs, format: args.format, stop: &stop, bytes: Arc::default() };
    let before = journal.totals.clone();
    let mut run = Run {
        ledger: Ledger::new(journal.position, journal.totals.clone()),
        rejects: Rejects::open(args.rejects.as_deref(), resumed, names.clone())?,
        progress: Progress::bytes(total, args.quiet),
        stop: &stop,
        bytes: Arc::clone(&scan.bytes),
        failure: None,
        journaled: clock::instant(),
        samples: if args.dry_run && !args.json && !args.quiet { SAMPLES } else { 0 },
        journal: journal_path.map(|path| (path, journal.clone())),
    };
    if let Some((path, journal)) = &run.journal {
        // Before the first body: the shift must be known to whoever goes on.
        journal.write(path)?;
    }
    let concurrency = usize::from(args.concurrency);
    let threads = Threads {
        scan,
        from: journal.position,
        destination: (!args.dry_run).then_some(&destination),
        concurrency,
    };
    let window = Window { since_ms: journal.since_ms, until_ms: journal.until_ms };
    let converter = Converter::new(paths, addresses, !args.no_user_agent, journal.shift_ms);
    run.run(threads, |batches, permits| Reader {
        window,
        converter,
        pace: Pace::new(args.speed),
        batch_events: usize::from(args.batch_events),
        stop: &stop,
        batches,
        permits,
        held_since: Duration::ZERO,
    });
    run.progress.finish();
    let took = started.elapsed().as_secs_f64();
    let totals = run.ledger.totals;
    let outcome = match &run.failure {
        Some(_) => Outcome::Failed,
        None if stop.is_requested() => Outcome::Interrupted,
        None if totals.all_not_parsed() + totals.rejected > 0 => Outcome::Incomplete,
        None => Outcome::Done,
    };
    // Counts of events are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let events_per_second = (totals.sent - before.sent) as f64 / took.max(1e-6);
    let summary = Summary {
        outcome,
        error: run.failure.as_ref().map(ToString::to_string),
        exit_code: outcome.exit_code(),
        dry_run: args.dry_run,
        destination: args.to.clone(),
        files: names,
        resumed_after_lines: before.lines,
        shift_ms: journal.shift_ms,
        totals,
        duration_seconds: took,
        events_per_second,
    };
    finish(args, &summary, run.journal.as_ref().map(|(path, _)| path.as_path()))
}

/// How a run begins.
struct Prepared {
    journal: Journal,
    journal_path: Option<PathBuf>,
    resumed: bool,
}

/// Finds the journal of an interrupted run, or decides what a new one needs to know. `None` when
/// it is stopped first.
fn prepare(args: &ReplayArgs, inputs: &mut Vec<Input>, stop: &Stop) -> Result<Option<Prepared>, Failure> {
    let files: Option<Vec<String>> = inputs.iter().map(Input::identity).collect();
    let from_files = files.is_some();
    let identity =
        Identity { files: files.unwrap_or_default(), destination: args.to.clone(), options: args.identity() };
    let journal_path = match &args.journal {
        _ if args.dry_run || args.no_journal || !from_files => None,
        Some(path) => Some(path.clone()),
        None => Some(journal::default_path(&identity)?),
    };
    if !from_files && !args.dry_run && !args.quiet {
        eprintln!(
            "standard input: an interrupted run cannot go on; sent again, the same lines still count once"
        );
    }
    let sizes: Vec<Option<u64>> = inputs.iter().map(Input::bytes).collect();
    let known = match &journal_path {
        Some(path) if !args.restart => Journal::read(path, &identity)?,
        _ => None,
    };
    if let Some(journal) = known {
        journal.check_sizes(&sizes)?;
        if !args.quiet {
            let done = &journal.totals;
            eprintln!(
                "going on after {} lines ({} events are sent; --restart begins anew)",
                grouped(done.lines),
                grouped(done.sent)
            );
        }
        return Ok(Some(Prepared { journal, journal_path, resumed: true }));
    }
    let now_ms = clock::now_ms();
    let moment = |option: &str, text: &Option<String>| -> Result<Option<i64>, Failure> {
        let moment = text.as_deref().map(|text| parse_moment(text, now_ms)).transpose();
        moment.map_err(|error| Failure::new(format!("{option}: {error}")))
    };
    let mut journal = Journal::new(identity, sizes);
    journal.since_ms = moment("--since", &args.since)?;
    journal.until_ms = moment("--until", &args.until)?;
    if let Some(target_ms) = moment("--shift-to", &args.shift_to)? {
        if !from_files && args.shift_to.as_deref() == Some("now") {
            eprintln!("warning: standard input with --shift-to now: sent again, its lines move elsewhere and count again");
        }
        // The log's end must be known before its first event is sent: read everything once.
        *inputs = std::mem::take(inputs).into_iter().map(Input::spool).collect::<Result<_, _>>()?;
        let scan = Scan { inputs, format: args.format, stop, bytes: Arc::default() };
        let window = Window { since_ms: journal.since_ms, until_ms: journal.until_ms };
        if !args.quiet {
            eprintln!("reading everything once, to find the log's last event");
        }
        journal.shift_ms = reader::latest(&scan, window)?.map_or(0, |latest| target_ms - latest);
        if stop.is_requested() {
            // The end was not found: nothing may be sent under a wrong shift, nor noted.
            return Ok(None);
        }
    }
    Ok(Some(Prepared { journal, journal_path, resumed: false }))
}

/// What becomes of client addresses.
fn addresses(args: &ReplayArgs) -> Result<Addresses, Failure> {
    if args.no_client_ip {
        return Ok(Addresses::LeftOut);
    }
    Ok(match secrets::ip_hasher(args.ip_secret_file.as_deref())? {
        Some(hasher) => Addresses::Hashed(hasher),
        // Nothing is sent: any hash shows what events would look like.
        None if args.dry_run => {
            IpHasher::new("nothing is sent of this").map_or(Addresses::LeftOut, Addresses::Hashed)
        }
        None => Addresses::NoSecret,
    })
}

/// Stops the run on the first interrupt, and the program on the second.
fn listen() -> Result<Arc<Stop>, Failure> {
    let stop = Arc::new(Stop::default());
    let heard = Arc::clone(&stop);
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Outcome::Interrupted.exit_code()));
        }
        eprintln!("stopping when the bodies on their way are answered; once more stops at once");
        heard.request();
    })
    .map_err(|error| Failure::cannot("listen for interrupts", error))?;
    Ok(stop)
}

/// Prints a line to standard output. Who closed it, as `head` does, wants no more of it.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints the summary, and removes the journal of a run that is through.
fn finish(args: &ReplayArgs, summary: &Summary, journal: Option<&Path>) -> Result<u8, Failure> {
    let through = matches!(summary.outcome, Outcome::Done | Outcome::Incomplete);
    // A shift must outlive a run whose answers did not arrive: its events may have counted.
    let worth_keeping = !through && (summary.totals.lines > 0 || summary.shift_ms != 0);
    if let Some(path) = journal.filter(|_| !worth_keeping) {
        std::fs::remove_file(path)
            .map_err(|error| Failure::cannot(format_args!("remove the journal {}", path.display()), error))?;
    }
    if args.json {
        let json = serde_json::to_string(summary).map_err(|error| Failure::new(error.to_string()))?;
        print_line(&json);
    } else if !args.quiet {
        print_line(&summary.text());
    }
    if let Some(error) = &summary.error {
        eprintln!("pathstats: {error}");
    }
    if worth_keeping && journal.is_some() {
        eprintln!("the same command goes on after {} lines", grouped(summary.totals.lines));
    }
    Ok(summary.exit_code)
}
