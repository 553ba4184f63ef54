//! From files to batches: parses, chooses, converts, paces.

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::batch::{Batch, Refused};
use super::convert::{self, Converter};
use super::pace::Pace;
use super::scan::{Position, Scan, Scanned};
use super::stop::Stop;
use crate::clock;
use crate::failure::Failure;
use crate::formats::{Line, LineError};

/// Waits shorter than this are not worth ending a batch for.
const SHORT_WAIT: Duration = Duration::from_millis(250);
/// With a pace, an event is held back this long at most, for others to go with it.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// Times asked for, as logged: from `since_ms` on and before `until_ms`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// The first millisecond.
    pub since_ms: Option<i64>,
    /// The first millisecond no longer asked for.
    pub until_ms: Option<i64>,
}

impl Window {
    /// Whether this time is asked for.
    pub fn holds(&self, ms: i64) -> bool {
        self.since_ms.is_none_or(|since| ms >= since) && self.until_ms.is_none_or(|until| ms < until)
    }
}

/// The latest time in the files that lies within the window.
pub fn latest(scan: &Scan<'_>, window: Window) -> Result<Option<i64>, Failure> {
    let mut latest = None;
    scan.each(Position::default(), |line| {
        let asked_for = line.parsed.ok().filter(|parsed| window.holds(parsed.timestamp_ms()));
        latest = latest.max(asked_for.map(|parsed| match &parsed {
            Line::Request(request) => convert::event_ms(request, line.digest),
            Line::Event(event) => event.id.timestamp_ms(),
        }));
        Ok(())
    })?;
    Ok(latest)
}

/// Makes batches of lines and hands them on.
pub struct Reader<'a> {
    /// Which events are asked for.
    pub window: Window,
    /// Makes events.
    pub converter: Converter,
    /// When each is due.
    pub pace: Pace,
    /// Most events in a body.
    pub batch_events: usize,
    /// Ends the reading early.
    pub stop: &'a Stop,
    /// Where batches go.
    pub batches: SyncSender<Batch>,
    /// One permit a batch: they come back as batches are acknowledged, so that a body that waits
    /// does not let the others run far ahead.
    pub permits: Receiver<()>,
    /// When the first event of the batch in hand was due.
    pub held_since: Duration,
}

/// Why reading ends before the last line.
enum Halt {
    /// Nobody takes batches any more: the run is over, and says why itself.
    Closed,
    /// The lines cannot be sent under these options.
    Failed(Failure),
}

impl Reader<'_> {
    /// Reads the lines behind `from`, and sends what it had before an error.
    pub fn run(mut self, scan: &Scan<'_>, from: Position) -> Result<(), Failure> {
        let started = clock::instant();
        let mut batch = Batch::new(0, from);
        let result = scan.each(from, |line| match self.line(line, &mut batch, started) {
            Ok(()) => Ok(()),
            Err(Halt::Failed(failure)) => Err(failure),
            Err(Halt::Closed) => {
                self.stop.request();
                Ok(())
            }
        });
        if self.stop.is_requested() {
            return result;
        }
        match self.flush(&mut batch) {
            Err(Halt::Failed(failure)) => result.and(Err(failure)),
            Ok(()) | Err(Halt::Closed) => result,
        }
    }

    fn line(&mut self, line: Scanned<'_>, batch: &mut Batch, started: Instant) -> Result<(), Halt> {
        let at = line.after;
        let converted = match line.parsed {
            Ok(parsed) if !self.window.holds(parsed.timestamp_ms()) => Ok(None),
            Ok(Line::Request(_)) if self.converter.lacks_secret() => return Err(Halt::Failed(no_secret())),
            Ok(parsed) => self.converter.event(parsed, line.digest, line.occurrence).map(Some),
            Err(error) => Err(error),
        };
        match converted {
            Ok(None) => batch.outside += 1,
            Ok(Some((event, json))) => {
                if !batch.has_room(&json, self.batch_events) {
                    self.flush(batch)?;
                }
                if let Some(due) = self.pace.due(event.id.timestamp_ms()) {
                    self.wait(due, batch, started)?;
                    self.hold(due, batch)?;
                }
                batch.push(&event, &json, (at.file, at.line));
            }
            Err(LineError { code, detail }) => {
                batch.refuse(Refused {
                    file: at.file,
                    line: at.line,
                    reason: code,
                    detail,
                    text: line.text.to_owned(),
                });
            }
        }
        batch.lines += 1;
        batch.end = at;
        if batch.is_full() {
            self.flush(batch)?;
        }
        Ok(())
    }

    /// Waits until an event is due. What is ready goes out before a long wait.
    fn wait(&self, due: Duration, batch: &mut Batch, started: Instant) -> Result<(), Halt> {
        let wait = due.saturating_sub(started.elapsed());
        if wait >= SHORT_WAIT && !batch.is_empty() {
            self.flush(batch)?;
        }
        // Below a hundredth of a second, events go together.
        if wait >= Duration::from_millis(10) && self.stop.wait(wait) {
            return Err(Halt::Closed);
        }
        Ok(())
    }

    /// Sends what has been held for a second, counted in times due.
    fn hold(&mut self, due: Duration, batch: &mut Batch) -> Result<(), Halt> {
        if !batch.origins.is_empty() && due >= self.held_since + LONGEST_HOLD {
            self.flush(batch)?;
        }
        if batch.origins.is_empty() {
            self.held_since = due;
        }
        Ok(())
    }

    fn flush(&self, batch: &mut Batch) -> Result<(), Halt> {
        if batch.is_empty() {
            return Ok(());
        }
        self.permits.recv().map_err(|_| Halt::Closed)?;
        let next = Batch::new(batch.number + 1, batch.end);
        self.batches.send(std::mem::replace(batch, next)).map_err(|_| Halt::Closed)
    }
}

fn no_secret() -> Failure {
    Failure::new(
        "client addresses are sent only as hashes, and there is no secret to hash them under: set IP_HASH_SECRET \
         (the producer's own) or --ip-secret-file, or leave addresses out by --no-client-ip",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::convert::Addresses;
    use pathstats_model::TrafficEvent;

    const EVENT: &str =
        r#"{"id":"1730956800000-a1b2c3d4","timestamp":1730956800000,"path":"/","method":"GET","status":200}"#;

    #[test]
    fn with_a_pace_events_are_held_for_a_second_at_most() {
        let stop = Stop::default();
        let (batches, out) = std::sync::mpsc::sync_channel(16);
        let (permit, permits) = std::sync::mpsc::channel();
        for _ in 0..16 {
            permit.send(()).unwrap();
        }
        let mut reader = Reader {
            window: Window::default(),
            converter: Converter::new("off".parse().unwrap(), Addresses::NoSecret, true, 0),
            pace: Pace::new("1x".parse().unwrap()),
            batch_events: 1_000,
            stop: &stop,
            batches,
            permits,
            held_since: Duration::ZERO,
        };
        let mut batch = Batch::default();
        let event = TrafficEvent::from_json(EVENT).unwrap();
        // An event every 300 ms, all of them due by now.
        for at in 0..10 {
            assert!(reader.hold(Duration::from_millis(at * 300), &mut batch).is_ok());
            batch.push(&event, EVENT, (0, at));
            batch.lines += 1;
        }
        let sizes: Vec<usize> = out.try_iter().map(|batch: Batch| batch.origins.len()).collect();
        assert_eq!(sizes, [4, 4]);
    }

    #[test]
    fn a_window_holds_its_beginning_and_not_its_end() {
        let window = Window { since_ms: Some(10), until_ms: Some(20) };
        assert_eq!([9, 10, 19, 20].map(|ms| window.holds(ms)), [false, true, true, false]);
        assert!(Window::default().holds(0));
    }
}
