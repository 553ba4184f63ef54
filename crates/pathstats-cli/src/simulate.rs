//! `pathstats simulate`: what a load would cost, and which limit it meets first.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pathstats_model::cost::outlook::{Breaking, Outlook, Use};
use pathstats_model::cost::simulation::delays::Observed;
use pathstats_model::cost::simulation::{play, play_observed, Window, LONGEST_MS, NOON};
use pathstats_model::cost::workload::{self, Settings, Workload};
use pathstats_model::cost::{prices, BillLine};
use serde_json::json;

use crate::archive::table;
use crate::failure::Failure;
use crate::moment::grouped;
use crate::replay::print_line;

/// The loads of the table, in events a day.
const TABLE: [f64; 6] = [0.5e6, 1e6, 2e6, 10e6, 50e6, 100e6];

/// How events spread over a day.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// The same at every hour
    Flat,
    /// Busy by day, quiet by night
    Daily,
    /// One hour with ten times as much
    Bursty,
}

/// How events spread over paths.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Popularity {
    /// A few paths have most of it
    Zipf,
    /// Each path as often as any other
    Even,
}

/// Tells what a load costs a month and which limit it meets first.
///
/// Plays the load through the product's own decisions: when a batch is full, when an object flushes, when the
/// snapshot is rebuilt. Nothing is sent anywhere.
// Doc comments are the text of --help, where backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "\
Without --events-per-day, a table of 0.5, 1, 2, 10, 50 and 100 million events a day.

Examples:
  pathstats simulate
  pathstats simulate --events-per-day 10000000 --paths 5000 --events-per-message 50
  pathstats simulate --events-per-day 1000000 --shape bursty --late-share 0.05 --hours-late 6 --json")]
pub struct SimulateArgs {
    /// Events a day
    #[arg(long, value_name = "N")]
    events_per_day: Option<f64>,
    /// Distinct paths
    #[arg(long, default_value_t = 500, value_name = "N")]
    paths: u32,
    /// How events spread over paths
    #[arg(long, value_enum, default_value_t = Popularity::Zipf)]
    popularity: Popularity,
    /// How events spread over a day
    #[arg(long, value_enum, default_value_t = Shape::Daily)]
    shape: Shape,
    /// Events in a message of the queue: 1 for proxied requests, up to 100 from POST /collect
    #[arg(long, default_value_t = 1, value_name = "N")]
    events_per_message: u32,
    /// Messages that one request to the producer makes
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    messages_per_request: u32,
    /// Bytes of an event in a message
    #[arg(long, default_value_t = 260, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_200))]
    bytes_per_event: u32,
    /// Share of events that belong to an earlier hour
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    late_share: f64,
    /// How many hours earlier at most
    #[arg(long, default_value_t = 1, value_name = "N")]
    hours_late: u32,
    /// Requests to the api a day
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    views_per_day: u32,
    /// FLUSH_SECONDS of the consumer
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    flush_seconds: u32,
    /// SNAPSHOT_SECONDS of the consumer
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    snapshot_seconds: u32,
    /// TOTALS_SECONDS of the consumer
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    totals_seconds: u32,
    /// How long a batch of the queue waits to fill
    #[arg(long, default_value_t = 5, value_name = "S", value_parser = clap::value_parser!(u32).range(0..=60))]
    batch_seconds: u32,
    /// PATHS_PER_HOUR of the consumer; 0 for no limit
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    paths_per_hour: u32,
    /// Queues and databases that share the load by hash of the path
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: u32,
    /// Play so many seconds at that rate from an empty database, to the end of all that they set off, and print the
    /// operations: what a meter shows of the same
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    window_seconds: Option<u32>,
    /// Play that window with the batches and the delays of this file, which were seen of a run: {"batches": [[ms,
    /// ms taken, messages], …], "delays": {"flushMs", "queryMs", "ringMs", "askMs", "rebuildMs"}}
    #[arg(long, value_name = "FILE", requires = "window_seconds")]
    observed: Option<PathBuf>,
    /// Hour of the day of that window, which tells which late events are of the day before
    #[arg(long, default_value_t = NOON, value_name = "H", value_parser = clap::value_parser!(u32).range(0..=23))]
    hour_of_day: u32,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let settings = settings(args);
    let load = |events_per_day| Workload { events_per_day, ..workload(args) };
    if let Some(problem) = load(args.events_per_day.unwrap_or(1e6)).problem() {
        return Err(Failure::new(problem));
    }
    match (args.events_per_day, args.window_seconds) {
        (None, Some(_)) => Err(Failure::new("--window-seconds needs --events-per-day")),
        (Some(events), Some(seconds)) => {
            let observed = args.observed.as_deref().map(read_observed).transpose()?;
            window(&load(events), &settings, seconds, args.hour_of_day, observed.as_ref());
            Ok(())
        }
        (Some(events), None) => {
            one(&load(events), &settings, args.json);
            Ok(())
        }
        (None, None) => {
            many(&load(1e6), &settings, args.json);
            Ok(())
        }
    }
}

fn workload(args: &SimulateArgs) -> Workload {
    Workload {
        events_per_day: 1e6,
        paths: args.paths,
        popularity: match args.popularity {
            Popularity::Zipf => workload::Popularity::Zipf,
            Popularity::Even => workload::Popularity::Even,
        },
        shape: match args.shape {
            Shape::Flat => workload::Shape::Flat,
            Shape::Daily => workload::Shape::Daily,
            Shape::Bursty => workload::Shape::Bursty,
        },
        events_per_message: args.events_per_message,
        messages_per_request: args.messages_per_request,
        bytes_per_event: args.bytes_per_event,
        late_share: args.late_share,
        late_hours: args.hours_late,
        views_per_day: f64::from(args.views_per_day),
    }
}

fn settings(args: &SimulateArgs) -> Settings {
    let mut settings = Settings::default();
    settings.cadence.flush_after_ms = i64::from(args.flush_seconds) * 1_000;
    settings.cadence.forward_after_ms = i64::from(args.snapshot_seconds) * 1_000;
    settings.snapshot_every_ms = i64::from(args.snapshot_seconds) * 1_000;
    settings.totals_every_ms = i64::from(args.totals_seconds) * 1_000;
    settings.batch_wait_ms = i64::from(args.batch_seconds) * 1_000;
    settings.paths_per_hour = args.paths_per_hour;
    settings.shards = args.shards;
    settings
}

/// A window's operations, as JSON: for the test that holds them against the meter's.
fn window(load: &Workload, settings: &Settings, seconds: u32, hour_of_day: u32, observed: Option<&Observed>) {
    let length_ms = (i64::from(seconds) * 1_000).min(LONGEST_MS);
    let window =
        Window { per_second: load.per_second(), length_ms, drain: true, rows_before: 0, hour_of_day };
    let out = match observed {
        None => play(load, settings, window),
        Some(run) => play_observed(load, settings, window, run),
    };
    print_line(
        &json!({ "operations": out.operations, "batches": out.batches, "objects": out.objects,
            "flushes": out.flushes, "rebuilds": out.rebuilds, "updates": out.updates })
        .to_string(),
    );
}

fn read_observed(file: &Path) -> Result<Observed, Failure> {
    let failed = |error: &dyn core::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

fn one(load: &Workload, settings: &Settings, json: bool) {
    let outlook = Outlook::new(load, settings);
    let breaking = Breaking::find(load, settings);
    if json {
        print_line(&json!({ "outlook": outlook, "firstLimit": breaking }).to_string());
        return;
    }
    let rates = &outlook.rates;
    print_line(&format!(
        "{} events a day: {:.1} messages/s, {:.1} in the busiest hour",
        whole(load.events_per_day),
        rates.messages,
        rates.messages_at_peak
    ));
    print_line(&format!(
        "{:.1} consumers at once; {:.1} object requests/s, {:.2} of the busiest; {} objects a day",
        rates.consumers_at_peak,
        rates.object_requests_at_peak,
        rates.busiest_object_at_peak,
        whole(rates.objects_per_day)
    ));
    print_line(&format!(
        "stored: D1 {}, objects {}, R2 {} a year",
        bytes(outlook.storage.d1_bytes),
        bytes(outlook.storage.object_bytes),
        bytes(outlook.storage.r2_bytes)
    ));
    print_line("");
    print_bill(&outlook.bill.lines, outlook.bill.subscription_dollars, outlook.bill.total_dollars);
    print_line("");
    let rows: Vec<[String; 5]> = outlook.limits.iter().map(limit_row).collect();
    let head = [("limit", false), ("used", true), ("most", true), ("unit", false), ("share", true)];
    print_table(&table::lines(head, &rows));
    print_line(&breaks(breaking.as_ref()));
}

fn many(load: &Workload, settings: &Settings, json: bool) {
    let outlooks = TABLE.map(|events_per_day| Outlook::new(&Workload { events_per_day, ..*load }, settings));
    let breaking = Breaking::find(load, settings);
    if json {
        print_line(&json!({ "outlooks": outlooks, "firstLimit": breaking }).to_string());
        return;
    }
    let rows: Vec<[String; 8]> = outlooks
        .iter()
        .map(|outlook| {
            let nearest = outlook.limits.first();
            [
                format!("{}", outlook.events_per_day / 1e6),
                format!("{:.0}", outlook.rates.messages_at_peak),
                format!("{:.1}", outlook.rates.consumers_at_peak),
                format!("{:.0}", outlook.rates.object_requests_at_peak),
                bytes(outlook.storage.d1_bytes),
                format!("{:.2}", outlook.bill.total_dollars),
                nearest.map_or_else(String::new, |limit| format!("{:.0} %", limit.ratio() * 100.0)),
                nearest.map_or_else(String::new, |limit| limit.name.to_owned()),
            ]
        })
        .collect();
    let head = [
        ("M events/day", true),
        ("messages/s", true),
        ("consumers", true),
        ("object req/s", true),
        ("D1", true),
        ("$ a month", true),
        ("of limit", true),
        ("nearest limit", false),
    ];
    print_table(&table::lines(head, &rows));
    print_line(&format!("Rates are of the busiest hour. Prices of {}.", prices::AS_OF));
    print_line(&breaks(breaking.as_ref()));
}

fn breaks(breaking: Option<&Breaking>) -> String {
    match breaking {
        Some(Breaking { events_per_day, limit }) => format!(
            "First limit: {} ({} {}) at about {} events a day. Then: {}. {}",
            limit.name,
            whole(limit.most),
            limit.unit,
            whole(*events_per_day),
            limit.remedy,
            limit.source
        ),
        None => "No limit is met below two billion events a day.".to_owned(),
    }
}

fn limit_row(limit: &Use) -> [String; 5] {
    let figure = |value: f64| if value >= 100.0 { whole(value) } else { format!("{value:.2}") };
    [
        limit.name.to_owned(),
        figure(limit.used),
        figure(limit.most),
        limit.unit.to_owned(),
        format!("{:.1} %", limit.ratio() * 100.0),
    ]
}

/// The lines of a bill that have anything, and its total.
pub fn print_bill(lines: &[BillLine], subscription: f64, total: f64) {
    let mut rows = vec![[
        "Workers".to_owned(),
        "plan".to_owned(),
        String::new(),
        String::new(),
        format!("{subscription:.2}"),
    ]];
    rows.extend(lines.iter().filter(|line| line.quantity > 0.0).map(|line| {
        [
            line.product.clone(),
            line.unit.clone(),
            if line.quantity < 1_000.0 { format!("{:.2}", line.quantity) } else { whole(line.quantity) },
            whole(line.included),
            format!("{:.2}", line.dollars),
        ]
    }));
    rows.push(["total".to_owned(), String::new(), String::new(), String::new(), format!("{total:.2}")]);
    let head = [("product", false), ("unit", false), ("a month", true), ("included", true), ("$", true)];
    print_table(&table::lines(head, &rows));
}

/// A count that is never negative and far below 2^53.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn whole(value: f64) -> String {
    grouped(value.max(0.0).round() as u64)
}

/// Bytes for people.
#[allow(clippy::cast_precision_loss)]
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A table's lines.
pub fn print_table(lines: &[String]) {
    for line in lines {
        print_line(line);
    }
}
