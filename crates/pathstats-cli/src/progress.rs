//! Progress on standard error: a bar in a terminal, a line now and then elsewhere, or nothing.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far a run is.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Whether lines take the bar's place.
    lines: bool,
    last_line: Instant,
    total: Option<u64>,
    bytes: bool,
}

impl Progress {
    /// Counts events up to a known number.
    pub fn events(total: u64, hidden: bool) -> Self {
        Self::new(Some(total), false, hidden)
    }

    /// Counts bytes up to their total, when that is known.
    pub fn bytes(total: Option<u64>, hidden: bool) -> Self {
        Self::new(total, true, hidden)
    }

    fn new(total: Option<u64>, bytes: bool, hidden: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !hidden).then(|| {
            let template = match (total.is_some(), bytes) {
                (true, true) => "{bar:32} {percent:>3} %  {bytes}/{total_bytes}  {msg}  {eta} left",
                (true, false) => {
                    "{bar:32} {percent:>3} %  {human_pos}/{human_len}  {per_sec}  {eta} left{msg}"
                }
                (false, _) => "{spinner} {bytes}  {msg}  {elapsed}",
            };
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
            bar.with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
        });
        Self { bar, lines: !terminal && !hidden, last_line: clock::instant(), total, bytes }
    }

    /// Shows this position, and what else there is to say.
    pub fn set(&mut self, position: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(message.to_owned());
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = clock::instant();
            let share = self.total.filter(|total| *total > 0).map(|total| position.min(total) * 100 / total);
            let unit = if self.bytes { "bytes" } else { "events" };
            let share = share.map_or_else(String::new, |share| format!("{share} %, "));
            eprintln!("{share}{position} {unit} {message}");
        }
    }

    /// Prints a line without disturbing the bar.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
